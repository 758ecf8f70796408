/** Giving an approval: the statement is checked against what the registry shows, filled in, signed and sent. */
import { assertStates } from '../runtime/trust/approval.ts';
import type { TrustedRoot } from '../runtime/trust/root.ts';
import { openVerdict } from '../runtime/trust/verdict.ts';
import { ApprovalView, PolicyView, StatementView } from '../schemas/api.ts';
import { type Approval, STATEMENT_TYPE } from '../schemas/approval.ts';
import { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { Report } from '../schemas/finding.ts';
import { canonical, digestOf } from '../schemas/json.ts';
import { closureDigest, type Release } from '../schemas/release.ts';
import { type IdentitySigner, type Signer, sealWith } from '../schemas/signer.ts';
import { pinSurface, Surface } from '../schemas/surface.ts';
import type { Api } from './api.ts';
import { listReleases } from './releases.ts';

const DAY_MS = 86_400_000;

/** What the reviewer decides; everything else in the statement is fact. */
export interface Wish {
  /** Where it may run. Empty: development. */
  readonly environments: readonly string[];
  /** Reasons by check, for checks that fired or are unknown. */
  readonly accepts: Readonly<Record<string, string>>;
  /** How long it lasts; null: as long as the policy permits. */
  readonly days: number | null;
  /** The approved version that they read the difference from; null: they read the whole release. */
  readonly deltaFrom: string | null;
}

export interface Signing {
  readonly api: Api;
  readonly signer: Signer | IdentitySigner;
  readonly now: Date;
  /** The registry's root of today, from what this machine believed before. */
  readonly root: () => Promise<TrustedRoot>;
}

/**
 * Signs and sends. The registry writes the statement; nothing of it is believed that differs from the release and the
 * report it shows. Throws APPROVAL_SUBJECT, APPROVAL_CHECKS, USAGE and what the registry refuses.
 */
export async function giveApproval(release: Release, wish: Wish, at: Signing): Promise<ApprovalView> {
  const { api, signer, now } = at;
  const parameters = { id: release.id };
  const query = { delta: wish.deltaFrom ?? undefined };
  const { statement, missing } = await api.call('statement', StatementView, { parameters, query });
  const report = await api.call('report', Report, { parameters });
  const surface = await api.call('surface', Surface, { parameters });
  assertShown(statement, release, { report, surface });
  const { root: trusted } = at;
  openVerdict(await api.call('verdict', Envelope, { parameters }), await trusted(), {
    purl: release.purl,
    reportDigest: digestOf(report),
    subject: statement.subject,
  });
  await assertDelta(statement, release, { api, version: wish.deltaFrom });
  const policy = await api.call('policy', PolicyView);
  assertAccepted(missing, wish.accepts);
  const filled = fill(statement, wish, { now, maxDays: policy.approvals.maxAgeDays });
  const envelope = await sealWith(signer, STATEMENT_TYPE, Buffer.from(canonical(filled)));
  return api.call('approve', ApprovalView, { parameters, body: { envelope } });
}

function assertShown(
  statement: Approval,
  release: Release,
  { report, surface }: { report: Report; surface: Surface },
): void {
  const { closure, launch, name, version, purl, permissions, requestedBy } = release;
  if (!closure || !launch) {
    throw new LockkeeperError('STATE_CONFLICT', {
      expected: 'a release that was scanned',
      found: `one that is ${release.state}`,
      next: 'Wait for the scan',
    });
  }
  assertStates(statement, {
    ...{ name, version, purl, closure, permissions, launch, requestedBy },
    surfaceDigest: pinSurface(surface).digest,
    reportDigest: digestOf(report),
    ...(report.origin?.provenance ? { provenance: report.origin.provenance } : {}),
  });
}

/** What the statement says of the earlier release is what the registry shows of it, and nothing when none was read. */
async function assertDelta(
  { predicate: { deltaFrom } }: Approval,
  { name }: Release,
  { api, version }: { api: Api; version: string | null },
): Promise<void> {
  const wrong = (found: string): LockkeeperError =>
    new LockkeeperError('APPROVAL_SUBJECT', {
      expected: version === null ? 'a statement about the whole release' : `a difference from ${version}`,
      found,
      next: 'Do not sign it: ask who runs the registry',
    });
  if (version === null) {
    if (deltaFrom) throw wrong(`one about a difference from ${deltaFrom.version}`);
    return;
  }
  const [base] = await listReleases(api, { name, version, state: 'approved' });
  if (!base?.closure || deltaFrom?.version !== version) throw wrong('a statement about something else');
  const shown = await api.call('surface', Surface, { parameters: { id: base.id } });
  const digests = new Set(base.approvals.map(({ digest }) => digest));
  const fits =
    closureDigest(base.closure.artifacts) === deltaFrom.closureDigest &&
    pinSurface(shown).digest === deltaFrom.surfaceDigest &&
    deltaFrom.approvals.every((digest) => digests.has(digest));
  if (!fits) throw wrong(`other bytes, tool text or approvals than those of ${version}`);
}

function fill(statement: Approval, wish: Wish, { now, maxDays }: { now: Date; maxDays: number }): Approval {
  const days = wish.days ?? maxDays;
  if (!Number.isInteger(days) || days < 1 || days > maxDays) {
    throw new LockkeeperError('USAGE', {
      expected: `a whole number of days from 1 to ${maxDays}`,
      found: quote(String(wish.days)),
      next: 'See: lk approve --help',
    });
  }
  return {
    ...statement,
    predicate: {
      ...statement.predicate,
      environments: wish.environments.length > 0 ? [...wish.environments] : ['development'],
      accepts: { ...wish.accepts },
      notBefore: now.toISOString(),
      expires: new Date(now.getTime() + days * DAY_MS).toISOString(),
    },
  };
}

function assertAccepted(missing: readonly string[], accepts: Wish['accepts']): void {
  const open = missing.filter((check) => !Object.hasOwn(accepts, check));
  if (open.length === 0) return;
  throw new LockkeeperError('APPROVAL_CHECKS', {
    expected: `a reason for each gating check that fired or is unknown: ${missing.join(', ')}`,
    found: `none for ${open.join(', ')}`,
    next: `Read the evidence with lk review, then add ${open.map((check) => `--accept "${check}=REASON"`).join(' ')}`,
  });
}
