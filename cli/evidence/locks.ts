/** Locks in evidence: signed by a key that counted, and resting on approvals that were logged before. */
import { entryContext, verifyEntry } from '../../runtime/trust/entry.ts';
import { lockSigners } from '../../runtime/trust/lock.ts';
import { type TrustedRoot, trustedAt } from '../../runtime/trust/root.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Lock, type LockFile, lockDigest, lockPayload, lockSubject } from '../../schemas/lock.ts';
import { releaseSubject } from '../../schemas/log.ts';
import { type At, assertDigest, assertSubject, type Named, other } from './judged.ts';

/** As the runtime verified it on the day it was issued: signature, root in force, each entry with its approvals. */
export function judgeLock({ entry, index, thing }: Named, { head, approvals, decisions }: At): void {
  const { lock: document, signatures } = thing.lock ?? { lock: {} as Lock, signatures: [] };
  assertDigest(entry, lockDigest(document));
  assertSubject(entry, lockSubject(document));
  const root = head.roots.find(({ read }) => read.root.version === document.rootVersion);
  if (!root || root.index >= index)
    throw other(entry, `one under root version ${document.rootVersion}, which was not in force`);
  const now = new Date(document.issuedAt);
  const trusted = trustedAt(root.read, now);
  assertLockSigned(document, signatures, trusted);
  const named = Object.values(document.servers).flatMap((server) => server.approvals);
  const given = named.flatMap((digest) => {
    const envelope = approvals.get(digest);
    return envelope ? [[digest, envelope] as const] : [];
  });
  const file = { lock: document, evidence: { approvals: Object.fromEntries(given) } } as unknown as LockFile;
  const log = { checkpoint: head.newest, assertLogged: () => undefined };
  const at = { ...entryContext(document, trusted), environment: document.environment, now, log };
  for (const server of Object.entries(document.servers)) verifyEntry(server, file, at);
  const servers = Object.values(document.servers).map(releaseSubject);
  decisions.locks.push({ lock: entry.subject, digest: entry.digest, issuedAt: document.issuedAt, servers });
}

function assertLockSigned(document: Lock, signatures: LockFile['signatures'], trusted: TrustedRoot): void {
  const good = lockSigners(lockPayload(document), signatures, trusted.keys('lock'));
  const { threshold } = trusted.root.roles.lock;
  if (good >= threshold) return;
  throw new LockkeeperError('SIGNATURE_INVALID', {
    expected: `the lock ${lockSubject(document)} signed by ${threshold} of the lock keys of root version ${trusted.root.version}`,
    found: `${good} good signatures`,
    next: 'Do not rely on this archive; tell your security team',
  });
}
