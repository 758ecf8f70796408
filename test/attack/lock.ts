/** The lock as victim: signed with other keys, kept back, exchanged, or carried elsewhere. */
import { memoryLog } from '../helpers/log.ts';
import { at, type LockParts, logSigner, makeLock, makeRoot, people } from '../helpers/trust.ts';
import type { Row } from './row.ts';
import { edited, type LockAttack, lockRow, type Scene } from './scene.ts';

const { mallory } = people;
const KEY = 'the lock key';
const NETWORK = 'the network, or the repository';

/** Two locks of one log, the first of them taken before the attack. */
function afterSeen(seen: Partial<LockParts>, then: Partial<LockParts>): Scene {
  const log = memoryLog(logSigner);
  const first = makeLock({ ...seen, log });
  const from = log.size;
  const next = (parts: Partial<LockParts>): ReturnType<typeof makeLock> =>
    makeLock({ ...parts, log, evidence: (of, entries) => of.evidence(entries, { from: [from] }) });
  return { seen: first, honest: next({ lock: (lock) => void (lock.version = 9) }), forged: next(then) };
}

const version =
  (number: number): NonNullable<LockParts['lock']> =>
  (lock) =>
    void (lock.version = number);

const signed: LockAttack[] = [
  {
    id: 'lock-other-key',
    attacker: NETWORK,
    attack: 'signs a lock with a key of their own',
    code: 'SIGNATURE_INVALID',
    scene: () => ({ forged: makeLock({ signer: mallory }) }),
  },
  {
    id: 'lock-one-byte',
    attacker: NETWORK,
    attack: 'changes one character of the signed lock',
    code: 'SIGNATURE_INVALID',
    scene: () => ({ forged: edited('"version": "1.2.3"', '"version": "1.2.4"') }),
  },
  {
    id: 'lock-key-expired',
    attacker: 'a lock key past its end',
    attack: 'signs a lock with it',
    code: 'SIGNATURE_INVALID',
    scene: () => ({
      forged: makeLock({
        root: makeRoot((root) => void Object.assign(root.keys[1] ?? {}, { notAfter: at(-1) })),
      }),
    }),
  },
  {
    id: 'lock-key-not-yet',
    attacker: 'the lock key of tomorrow',
    attack: 'signs a lock with it today',
    code: 'SIGNATURE_INVALID',
    scene: () => ({
      forged: makeLock({
        root: makeRoot((root) => void Object.assign(root.keys[1] ?? {}, { notBefore: at(1) })),
      }),
    }),
  },
];

const kept: LockAttack[] = [
  {
    id: 'old-lock',
    attacker: NETWORK,
    attack: 'brings back an older lock',
    code: 'LOCK_ROLLBACK',
    scene: () => afterSeen({ lock: version(8) }, { lock: version(7) }),
  },
  {
    id: 'same-version',
    attacker: KEY,
    attack: 'signs the same version with another content',
    code: 'LOCK_EQUIVOCATION',
    scene: () =>
      afterSeen(
        { lock: version(8) },
        { lock: (lock) => void Object.assign(lock, { version: 8, issuedAt: at(-2), expires: at(70) }) },
      ),
  },
  {
    id: 'frozen-lock',
    attacker: NETWORK,
    attack: 'keeps an old lock alive by letting no newer one through',
    code: 'LOCK_EXPIRED',
    scene: () => ({ at: { now: () => new Date(at(71)) } }),
  },
  {
    id: 'below-least-version',
    attacker: NETWORK,
    attack: 'shows a new machine a lock from before the version that the root asks for',
    code: 'LOCK_ROLLBACK',
    scene: () => {
      const root = makeRoot((of) => void (of.minLockVersions = { 'acme/app': 8 }));
      return { honest: makeLock({ root, lock: version(8) }), forged: makeLock({ root }) };
    },
  },
  {
    id: 'other-project',
    attacker: NETWORK,
    attack: 'puts the lock of one project into another',
    code: 'LOCK_AUDIENCE',
    scene: () => ({ at: { project: 'acme/other' } }),
  },
  {
    id: 'other-environment',
    attacker: NETWORK,
    attack: 'puts a lock for development into production',
    code: 'LOCK_AUDIENCE',
    scene: () => ({ at: { environment: 'production' } }),
  },
  {
    id: 'other-registry',
    attacker: 'another registry of the same root',
    attack: 'puts its lock into a project of this one',
    code: 'LOCK_INTENT',
    scene: () => ({ forged: makeLock({ lock: (lock) => void (lock.registry = 'http://127.0.0.1:7412') }) }),
  },
];

export const lockRows: readonly Row[] = [...signed, ...kept].map(lockRow);
