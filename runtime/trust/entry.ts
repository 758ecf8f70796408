/** One entry of a lock, against the root, the approvals beside it and the log. */
import { isDeepStrictEqual } from 'node:util';
import { envelopeDigest } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import type { Lock, LockEntry, LockFile } from '../../schemas/lock.ts';
import { releaseSubject } from '../../schemas/log.ts';
import { assertRequest } from './answers.ts';
import { type ApprovedFacts, assertApproved, type OpenedApproval, openApproval } from './approval.ts';
import type { LogSteps } from './logged.ts';
import { short, type TrustedRoot } from './root.ts';

export interface VerifiedEntry {
  /** In the lock. */
  readonly alias: string;
  readonly entry: LockEntry;
  readonly approvedBy: readonly string[];
}

export interface EntryContext {
  readonly trusted: TrustedRoot;
  readonly environment: string;
  readonly now: Date;
  readonly log: LogSteps;
  /** By `releaseSubject`. */
  readonly revoked: ReadonlyMap<string, Lock['revoked'][number]>;
  /** Verifies an approval; the same one under many entries once. */
  readonly open: (envelope: Envelope) => OpenedApproval;
}

/** What all entries of a lock share. A lock may have as many of them as it has revocations, so neither is searched. */
export function entryContext(
  lock: Lock,
  trusted: TrustedRoot,
): Pick<EntryContext, 'trusted' | 'revoked' | 'open'> {
  const known = new Map<Envelope, OpenedApproval>();
  return {
    trusted,
    revoked: new Map(lock.revoked.map((item) => [releaseSubject(item), item])),
    open: (envelope) => {
      const opened = known.get(envelope) ?? openApproval(envelope, trusted);
      known.set(envelope, opened);
      return opened;
    },
  };
}

/** The facts an entry claims, in the words approvals use. */
export function factsOf(entry: LockEntry): ApprovedFacts {
  const { server: name, version, purl, closure, permissions, launch, requestedBy, provenance } = entry;
  return {
    name,
    version,
    purl,
    closure,
    surfaceDigest: entry.surface.digest,
    reportDigest: entry.report,
    permissions,
    launch,
    ...(provenance === undefined ? {} : { provenance }),
    requestedBy,
  };
}

/** The entry of this alias: not revoked, a request it answers, pins that are its own, approvals that hold. */
export function verifyEntry(
  [alias, entry]: readonly [string, LockEntry],
  { evidence }: Pick<LockFile, 'evidence'>,
  at: EntryContext,
): VerifiedEntry {
  const revoked = at.revoked.get(releaseSubject(entry));
  if (revoked) {
    throw new LockkeeperError('RELEASE_REVOKED', {
      expected: `${entry.server} ${entry.version} not to be revoked`,
      found: `revoked at ${revoked.at}: ${revoked.reason}`,
      next: 'Choose another version in lockkeeper.json and run: lk lock',
    });
  }
  assertRequest(entry);
  const { digest: claimed, ...pins } = entry.surface;
  if (digestOf(pins) !== claimed) {
    throw new LockkeeperError('APPROVAL_SUBJECT', {
      expected: `pins of ${entry.server} with digest ${short(claimed)}`,
      found: `pins with digest ${short(digestOf(pins))}`,
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  }
  const envelopes = entry.approvals.map((digest) => {
    const envelope = evidence.approvals[digest];
    if (envelope && envelopeDigest(envelope) === digest) {
      at.log.assertLogged({ kind: 'approval', subject: releaseSubject(entry), digest });
      return envelope;
    }
    throw new LockkeeperError('APPROVAL_SUBJECT', {
      expected: `the approval ${short(digest)} of ${entry.server} in the lock's evidence`,
      found: envelope ? 'another envelope under that digest' : 'nothing under that digest',
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  });
  const { environment, now, open } = at;
  const approvedBy = assertApproved(envelopes, at.trusted, { facts: factsOf(entry), environment, now, open });
  if (isDeepStrictEqual([...entry.approvedBy], approvedBy)) return { alias, entry, approvedBy };
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: `${entry.server} to say that it was approved by ${approvedBy.join(', ')}`,
    found: entry.approvedBy.join(', '),
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}
