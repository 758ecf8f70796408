/** Locks that hold at this moment: what is started and verified. */
import { envelopeDigest } from '../schemas/approval.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { type Lock, type LockEntry, renderLockFile } from '../schemas/lock.ts';
import { makeApproval, makeLock, makeRoot, people } from '../test/helpers/trust.ts';

export type Unapproved = Omit<LockEntry, 'approvedBy' | 'approvals'>;

const HOUR_MS = 3_600_000;

/** So many hours from now. */
export const at = (hours: number): string => new Date(Date.now() + hours * HOUR_MS).toISOString();

/** The bytes of a lock of these servers by alias, each approved by two people. */
export function lockOf(bases: Readonly<Record<string, Unapproved>>, more: Partial<Lock> = {}): Buffer {
  const approvals: Envelope[] = [];
  const servers: Record<string, LockEntry> = {};
  for (const [alias, base] of Object.entries(bases)) {
    const given = [people.alice, people.bob].map((person) =>
      makeApproval(person, base, ({ predicate }) => {
        Object.assign(predicate, { notBefore: at(-1), expires: at(100) });
      }),
    );
    approvals.push(...given);
    servers[alias] = { ...base, approvedBy: ['alice', 'bob'], approvals: given.map(envelopeDigest) };
  }
  const root = makeRoot((document) => {
    Object.assign(document, { issuedAt: at(-1), expires: at(1000) });
    for (const key of document.keys) Object.assign(key, { notBefore: at(-1), notAfter: at(1000) });
  });
  const lock = { issuedAt: at(-1), expires: at(71), servers, ...more };
  return Buffer.from(
    renderLockFile(makeLock({ root, approvals, lock: (document) => Object.assign(document, lock) })),
  );
}
