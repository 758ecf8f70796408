/** Approvals: opening one, and judging whether a set of them permits a release here and now. */
import { isDeepStrictEqual } from 'node:util';
import {
  APPROVAL_PREDICATE,
  Approval,
  envelopeDigest,
  STATEMENT_TYPE,
  subjectsOf,
} from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { Provenance } from '../../schemas/origin.ts';
import { type Closure, closureDigest, type Launch, type Permissions } from '../../schemas/release.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { TrustedRoot } from './root.ts';
import { signerOf } from './signed.ts';

const DAY_MS = 86_400_000;
/** The longest that an approval may live, whatever a policy says: re-review is part of the promise. */
const MAX_LIFE_MS = 366 * DAY_MS;

export interface OpenedApproval {
  readonly approval: Approval;
  readonly person: string;
  readonly digest: string;
}

/** The facts an approval must speak of: what will run, as the verifier itself knows it. */
export interface ApprovedFacts {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly closure: Closure;
  readonly surfaceDigest: string;
  readonly reportDigest: string;
  readonly permissions: Permissions;
  readonly launch: Launch;
  /** Absent where nothing is known to be signed. */
  readonly provenance?: Provenance;
  readonly requestedBy: string;
}

/**
 * Signature by one enrolled approver, form, and that signer and statement name the same person.
 * Throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_INVALID or JSON_INVALID.
 */
export function openApproval(envelope: Envelope, trusted: TrustedRoot): OpenedApproval {
  if (envelope.payloadType !== STATEMENT_TYPE || envelope.signatures.length !== 1) {
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `one signature over a payload of type ${STATEMENT_TYPE}`,
      found: `${envelope.signatures.length} over ${quote(envelope.payloadType)}`,
      next: 'Sign again with: lk approve',
    });
  }
  const { person } = signerOf(envelope, trusted, {
    role: 'approver',
    thing: 'the approval',
    next: 'Treat the source of this approval as hostile; approve again with: lk approve',
  });
  const approval = assertValid(
    Approval,
    parseStrict(Buffer.from(envelope.payload, 'base64')),
    'the approval',
  );
  if (approval.predicate.approvedBy !== person) {
    throw new LockkeeperError('SIGNATURE_INVALID', {
      expected: `an approval in the name of ${person}, who signed it`,
      found: `one in the name of ${approval.predicate.approvedBy}`,
      next: 'Sign again with: lk approve',
    });
  }
  return { approval, person, digest: envelopeDigest(envelope) };
}

/** The approval if this root still takes it, or null. For leaving out what no longer counts; a verifier uses `openApproval`. */
export function opened(envelope: Envelope, trusted: TrustedRoot): OpenedApproval | null {
  try {
    return openApproval(envelope, trusted);
  } catch {
    return null;
  }
}

/**
 * One approval against the facts: numbered as a reviewer ticks them off. Throws APPROVAL_SUBJECT, APPROVAL_REQUESTER,
 * APPROVAL_NOT_YET or APPROVAL_EXPIRED.
 */
export function assertCovers(opened: OpenedApproval, facts: ApprovedFacts, now: Date): void {
  // 1 to 5 what it is about
  assertStates(opened.approval, facts);
  // 6 four eyes
  assertNotRequester(opened.person, facts.requestedBy);
  // 7 dates
  assertDates(opened, now);
}

/** Is this statement about exactly these facts? A reviewer's machine asks before it signs. Throws APPROVAL_SUBJECT. */
export function assertStates({ predicate, subject }: Approval, facts: ApprovedFacts): void {
  const subjectError = (what: string, expected: string, found: string): LockkeeperError =>
    new LockkeeperError('APPROVAL_SUBJECT', {
      expected: `${what} ${quote(expected)} as it will run`,
      found: `${predicate.approvedBy}'s approval for ${quote(found)}`,
      next: `Review ${facts.name} ${facts.version} again with: lk review ${facts.name}@${facts.version}`,
    });
  // 1 the closure digest is the digest of the artifacts themselves
  const computed = closureDigest(facts.closure.artifacts);
  if (computed !== facts.closure.digest)
    throw subjectError('a closure with the digest', facts.closure.digest, computed);
  const named: readonly [string, string, string][] = [
    // 2 name, version, purl
    ['server', facts.name, predicate.server.name],
    ['version', facts.version, predicate.server.version],
    ['package', facts.purl, predicate.server.purl],
    // 3 closure, surface, report
    ['closure', facts.closure.digest, predicate.closureDigest],
    ['surface', facts.surfaceDigest, predicate.surfaceDigest],
    ['report', facts.reportDigest, predicate.reportDigest],
    ['requester', facts.requestedBy, predicate.requestedBy],
  ];
  for (const [what, expected, found] of named)
    if (expected !== found) throw subjectError(what, expected, found);
  // 4 every artifact is a subject, and nothing else is
  if (!isDeepStrictEqual(subject, subjectsOf({ closure: facts.closure }))) {
    throw subjectError('subjects', `${facts.closure.artifacts.length} artifacts`, `${subject.length} others`);
  }
  // 5 permissions, launch, and what was signed
  for (const what of ['permissions', 'launch', 'provenance'] as const) {
    if (isDeepStrictEqual(predicate[what], facts[what])) continue;
    const [expected, found] = [facts[what] ?? null, predicate[what] ?? null];
    throw subjectError(what, JSON.stringify(expected), JSON.stringify(found));
  }
}

export function assertNotRequester(person: string, requestedBy: string): void {
  if (person !== requestedBy) return;
  throw new LockkeeperError('APPROVAL_REQUESTER', {
    expected: `approvals by others than ${requestedBy}, who asked for this release`,
    found: `one by ${person}`,
    next: 'Ask another reviewer to approve it',
  });
}

function assertDates({ approval, person }: OpenedApproval, now: Date): void {
  const { notBefore, expires } = approval.predicate;
  const life = Date.parse(expires) - Date.parse(notBefore);
  if (!(life > 0 && life <= MAX_LIFE_MS)) {
    throw new LockkeeperError('APPROVAL_SCOPE', {
      expected: `an approval for at most ${MAX_LIFE_MS / DAY_MS} days`,
      found: `${person}'s from ${notBefore} to ${expires}`,
      next: 'Approve it for less with: lk approve --days',
    });
  }
  // Both written so that a date that is none is refused.
  if (!(now.getTime() >= Date.parse(notBefore))) {
    throw new LockkeeperError('APPROVAL_NOT_YET', {
      expected: `an approval valid at ${now.toISOString()}`,
      found: `${person}'s, which begins at ${notBefore}`,
      next: 'Check this machine’s clock, or wait',
    });
  }
  if (!(now.getTime() < Date.parse(expires))) {
    throw new LockkeeperError('APPROVAL_EXPIRED', {
      expected: `an approval valid at ${now.toISOString()}`,
      found: `${person}'s, which ended at ${expires}`,
      next: 'Review the release again with: lk review, then lk approve and lk lock',
    });
  }
}

/** The root may let approvals live for less than they say. */
function assertLifetime({ approval, person }: OpenedApproval, { root }: TrustedRoot): void {
  const { notBefore, expires } = approval.predicate;
  const { approvalDays } = root.lifetimes;
  if (Date.parse(expires) - Date.parse(notBefore) <= approvalDays * DAY_MS) return;
  throw new LockkeeperError('APPROVAL_SCOPE', {
    expected: `an approval for at most ${approvalDays} days, as root version ${root.version} asks`,
    found: `${person}'s from ${notBefore} to ${expires}`,
    next: 'Approve it for less with: lk approve --days',
  });
}

export interface UseOf {
  readonly facts: ApprovedFacts;
  readonly environment: string;
  readonly now: Date;
  /** Opens an approval under that root where the caller remembers those it opened. */
  readonly open?: (envelope: Envelope) => OpenedApproval;
}

/**
 * The persons whose approvals together permit the release in this environment. Counts distinct persons, never keys or
 * signatures. Throws the refusal of the first bad approval, or APPROVAL_THRESHOLD.
 */
export function assertApproved(envelopes: readonly Envelope[], trusted: TrustedRoot, use: UseOf): string[] {
  const persons = new Set<string>();
  for (const envelope of envelopes) {
    const opened = use.open?.(envelope) ?? openApproval(envelope, trusted);
    assertCovers(opened, use.facts, use.now);
    assertLifetime(opened, trusted);
    const { environments, decision } = opened.approval.predicate;
    if (
      decision !== 'approved' ||
      opened.approval.predicateType !== APPROVAL_PREDICATE ||
      !environments.includes(use.environment)
    ) {
      throw new LockkeeperError('APPROVAL_SCOPE', {
        expected: `an approval for the environment ${use.environment}`,
        found: environments.length
          ? `${opened.person}'s for ${environments.join(', ')}`
          : `${opened.person}'s for no environment`,
        next: 'Ask for an approval that covers it: lk approve --environment',
      });
    }
    persons.add(opened.person);
  }
  const { threshold } = trusted.root.roles.approver;
  if (persons.size < threshold) {
    throw new LockkeeperError('APPROVAL_THRESHOLD', {
      expected: `approvals of ${threshold} distinct people for ${use.facts.name} ${use.facts.version}`,
      found: `${persons.size} (${[...persons].join(', ') || 'nobody'})`,
      next: `Ask another reviewer to run: lk approve ${use.facts.name}@${use.facts.version}`,
    });
  }
  return [...persons].sort();
}
