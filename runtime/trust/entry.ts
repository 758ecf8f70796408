/** One entry of a lock, against the root, the approvals beside it and the log. */
import { isDeepStrictEqual } from 'node:util';
import { envelopeDigest } from '../../schemas/approval.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import type { LockEntry, LockFile } from '../../schemas/lock.ts';
import { releaseSubject } from '../../schemas/log.ts';
import { assertRequest } from './answers.ts';
import { type ApprovedFacts, assertApproved } from './approval.ts';
import type { LogSteps } from './logged.ts';
import { short, type TrustedRoot } from './root.ts';

export interface VerifiedEntry {
  readonly entry: LockEntry;
  readonly approvedBy: readonly string[];
}

export interface EntryContext {
  readonly trusted: TrustedRoot;
  readonly environment: string;
  readonly now: Date;
  readonly log: LogSteps;
}

/** The facts an entry claims, in the words approvals use. */
export function factsOf(entry: LockEntry): ApprovedFacts {
  const { server: name, version, purl, closure, permissions, launch, requestedBy } = entry;
  return {
    name,
    version,
    purl,
    closure,
    surfaceDigest: entry.surface.digest,
    reportDigest: entry.report,
    permissions,
    launch,
    requestedBy,
  };
}

/** One entry: not revoked, a request it answers, pins that are its own, approvals that hold. */
export function verifyEntry(entry: LockEntry, file: LockFile, at: EntryContext): VerifiedEntry {
  const { lock, evidence } = file;
  const revoked = lock.revoked.find((item) => item.server === entry.server && item.version === entry.version);
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
  const { environment, now } = at;
  const approvedBy = assertApproved(envelopes, at.trusted, { facts: factsOf(entry), environment, now });
  if (isDeepStrictEqual([...entry.approvedBy], approvedBy)) return { entry, approvedBy };
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: `${entry.server} to say that it was approved by ${approvedBy.join(', ')}`,
    found: entry.approvedBy.join(', '),
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}
