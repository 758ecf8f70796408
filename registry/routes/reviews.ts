/** Approving, rejecting, deprecating, revoking. */
import { assertCovers, assertNotRequester, openApproval, opens } from '../../runtime/trust/approval.ts';
import type { TrustedRoot } from '../../runtime/trust/root.ts';
import { ApprovalBody, ReasonBody } from '../../schemas/api.ts';
import { APPROVAL_PREDICATE, type Approval, subjectsOf } from '../../schemas/approval.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Call, Handlers } from '../app.ts';
import { type Client, isDuplicate, withTransaction } from '../db/pool.ts';
import { recordEvent } from '../db/records.ts';
import {
  approvalsOf,
  deleteApproval,
  findRelease,
  insertApproval,
  moveState,
  type ReleaseRow,
  viewOf,
} from '../db/releases.ts';
import type { Deps } from '../deps.ts';
import { factsOfRow } from '../facts.ts';
import { MOVES, type Move, wrongState } from '../lifecycle.ts';
import { releaseOf } from './releases.ts';

const DAY_MS = 86_400_000;
/** How long before its end an approval may be given anew. */
const RENEW_MS = 30 * DAY_MS;

export function reviewRoutes(deps: Deps): Handlers {
  return {
    statement: (call) => statement(call, deps),
    approve: (call) => approve(call, deps),
    reject: (call) => move(call, deps, 'reject'),
    deprecate: (call) => move(call, deps, 'deprecate'),
    revoke: (call) => move(call, deps, 'revoke'),
  };
}

/** An approved release is reviewed again when its approvals end or a reviewer's key was replaced. */
function assertReviewable(state: ReleaseState): void {
  if (state !== 'in_review' && state !== 'approved') throw wrongState('approve', state);
}

/** An approval that a new one of the same person takes the place of: nearly over, or by a key that no longer counts. */
async function dropWorn(
  client: Client,
  id: string,
  by: { person: string; trusted: TrustedRoot },
): Promise<void> {
  for (const { digest, person, envelope, expires } of await approvalsOf(client, id, true)) {
    const worn = Date.parse(expires) < Date.now() + RENEW_MS || !opens(envelope, by.trusted);
    if (person === by.person && worn) await deleteApproval(client, digest);
  }
}

/** Gating checks that fired or are unknown: an approval has to accept each by name. */
async function openChecks(row: ReleaseRow, { blobs }: Deps): Promise<string[]> {
  const report = assertValid(
    Report,
    parseStrict(await blobs.get(row.report_digest ?? '')),
    'a stored report',
  );
  return report.checks.filter((check) => check.gates && check.outcome !== 'ok').map((check) => check.id);
}

async function statement(call: Call, deps: Deps): Promise<unknown> {
  const row = await releaseOf(call, deps.pool);
  assertReviewable(row.state);
  assertNotRequester(call.actor.person, row.requested_by);
  const facts = factsOfRow(row);
  const now = new Date();
  const statement: Approval = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectsOf({ closure: facts.closure }),
    predicateType: APPROVAL_PREDICATE,
    predicate: {
      decision: 'approved',
      server: { name: facts.name, version: facts.version, purl: facts.purl },
      closureDigest: facts.closure.digest,
      surfaceDigest: facts.surfaceDigest,
      reportDigest: facts.reportDigest,
      permissions: facts.permissions,
      launch: facts.launch,
      environments: [],
      accepts: {},
      requestedBy: facts.requestedBy,
      approvedBy: call.actor.person,
      notBefore: now.toISOString(),
      expires: new Date(now.getTime() + deps.policy.approvals.maxAgeDays * DAY_MS).toISOString(),
    },
  };
  return { statement, missing: await openChecks(row, deps) };
}

async function approve(call: Call, deps: Deps): Promise<unknown> {
  const { envelope } = call.body(ApprovalBody);
  const row = await releaseOf(call, deps.pool);
  assertReviewable(row.state);
  const { trusted } = await deps.trust.current();
  const opened = openApproval(envelope, trusted);
  if (opened.person !== call.actor.person) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: `an approval signed by ${call.actor.person}, who sends it`,
      found: `one of ${opened.person}`,
      next: 'Each reviewer sends their own: lk approve',
    });
  }
  // The clock of a reviewer's machine may be a little ahead of this one.
  assertCovers(
    opened,
    factsOfRow(row),
    new Date(
      Math.max(Date.now(), Math.min(Date.parse(opened.approval.predicate.notBefore), Date.now() + 300_000)),
    ),
  );
  await assertWithinPolicy(opened.approval, row, deps);
  const { threshold } = trusted.root.roles.approver;
  const given = await withTransaction(deps.pool, async (client) => {
    await client.query('select 1 from releases where id = $1 for update', [row.id]);
    const now = await findRelease(client, row.id);
    assertReviewable(now?.state ?? 'rejected');
    await dropWorn(client, row.id, { person: opened.person, trusted });
    await insertApproval(client, {
      digest: opened.digest,
      releaseId: Number(row.id),
      person: opened.person,
      envelope,
      expires: opened.approval.predicate.expires,
    });
    const persons = new Set((await approvalsOf(client, row.id)).map((approval) => approval.person));
    await recordEvent(client, {
      person: opened.person,
      action: 'release.approved-by',
      subject: `${row.name}@${row.version}`,
      detail: { approval: opened.digest },
    });
    if (persons.size >= threshold && now?.state === 'in_review')
      await moveState(client, row.id, MOVES.approve);
    return persons.size;
  }).catch((error: unknown) => {
    if (!isDuplicate(error)) throw error;
    throw new LockkeeperError('APPROVAL_THRESHOLD', {
      expected: `approvals of ${threshold} distinct people`,
      found: `a second one of ${opened.person}, who approved it before`,
      next: 'Ask another reviewer',
    });
  });
  const after = await findRelease(deps.pool, row.id);
  return { approval: opened.digest, state: after?.state, given, needed: threshold };
}

async function assertWithinPolicy(approval: Approval, row: ReleaseRow, deps: Deps): Promise<void> {
  const { accepts, notBefore, expires } = approval.predicate;
  const open = (await openChecks(row, deps)).filter((check) => !Object.hasOwn(accepts, check));
  if (open.length > 0) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: 'a reason for each gating check that fired or is unknown',
      found: `none for ${open.join(', ')}`,
      next: `Add ${open.map((check) => `--accept "${check}=REASON"`).join(' ')}`,
    });
  }
  const days = (Date.parse(expires) - Date.parse(notBefore)) / DAY_MS;
  const { maxAgeDays } = deps.policy.approvals;
  if (days <= 0 || days > maxAgeDays + 0.01) {
    throw new LockkeeperError('APPROVAL_SCOPE', {
      expected: `an approval for at most ${maxAgeDays} days`,
      found: `${days.toFixed(1)} days`,
      next: 'Approve it for less with: --days',
    });
  }
}

async function move(
  call: Call,
  deps: Deps,
  name: Extract<Move, 'reject' | 'deprecate' | 'revoke'>,
): Promise<unknown> {
  const { reason } = call.body(ReasonBody);
  const row = await releaseOf(call, deps.pool);
  await withTransaction(deps.pool, async (client) => {
    if (!(await moveState(client, row.id, { ...MOVES[name], reason }))) {
      const now = await findRelease(client, row.id);
      throw wrongState(name, now?.state ?? row.state);
    }
    await recordEvent(client, {
      person: call.actor.person,
      action: `release.${name}`,
      subject: `${row.name}@${row.version}`,
      detail: { reason },
    });
  });
  const after = await findRelease(deps.pool, row.id);
  return after ? viewOf(after) : null;
}
