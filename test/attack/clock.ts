/** The machine's clock as victim: one day off each way, with and without the time that a witness gave. */
import { noteKeyOf } from '../../schemas/note.ts';
import { at, type LockParts, makeLock, makeRoot, NOW } from '../helpers/trust.ts';
import { makeSigner } from '../helpers/witness.ts';
import type { Setting } from './machine.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow } from './scene.ts';

const DAY = 24;
const witness = makeSigner('witness.test/one');
const secondsAt = (hours: number): number => Date.parse(at(hours)) / 1000;
const off = (hours: number): Partial<Setting> => ({ now: () => new Date(at(hours)) });

/** A lock that a witness saw half an hour ago, under a root that asks for it. */
function witnessedLock(
  lock: NonNullable<LockParts['lock']>,
  change: Partial<LockParts> = {},
): ReturnType<typeof makeLock> {
  const root = makeRoot((of) => {
    of.issuedAt = at(-10 * DAY);
    for (const key of of.keys) key.notBefore = of.issuedAt;
    of.log.witnesses = [noteKeyOf(witness, 'witness')];
    of.log.threshold = 1;
  });
  return makeLock({
    root,
    lock,
    evidence: (log, entries) => log.evidence(entries, { note: log.note([witness], secondsAt(-0.5)) }),
    ...change,
  });
}

const backdated: NonNullable<LockParts['lock']> = (lock) =>
  void Object.assign(lock, { issuedAt: at(-2 * DAY), expires: at(DAY) });
const short: NonNullable<LockParts['lock']> = (lock) => void (lock.expires = at(12));

const attacks: LockAttack[] = [
  {
    id: 'clock-day-back',
    attacker: 'the machine’s clock, a day back',
    attack: 'takes a lock signed an hour ago for one of tomorrow',
    code: 'LOCK_FUTURE',
    scene: () => ({ at: off(-DAY) }),
  },
  {
    id: 'clock-day-back-witnessed',
    attacker: 'the machine’s clock, a day back, and the lock key',
    attack: 'dates the lock back too, but not what the witness wrote',
    code: 'LOCK_FUTURE',
    scene: () => ({ honest: witnessedLock(backdated), at: off(-DAY) }),
  },
  {
    id: 'clock-day-ahead',
    attacker: 'the machine’s clock, a day ahead',
    attack: 'makes a good lock look over, which is the safe way to be wrong',
    code: 'LOCK_EXPIRED',
    scene: () => ({ honest: makeLock({ lock: short }), at: off(DAY) }),
  },
  {
    id: 'clock-day-ahead-witnessed',
    attacker: 'the machine’s clock, a day ahead',
    attack: 'is wrong in the same way about a witnessed lock',
    code: 'LOCK_EXPIRED',
    scene: () => ({ honest: witnessedLock(short), at: off(DAY) }),
  },
  {
    id: 'clock-lock-of-tomorrow',
    attacker: 'the lock key',
    attack: 'signs a lock that begins tomorrow, so that it lives a day longer',
    code: 'LOCK_FUTURE',
    scene: () => ({
      forged: makeLock({
        lock: (lock) => void Object.assign(lock, { issuedAt: at(DAY), expires: at(4 * DAY) }),
      }),
    }),
  },
  {
    id: 'clock-witness-of-tomorrow',
    attacker: 'a witness whose clock is a day ahead',
    attack: 'cosigns a checkpoint of tomorrow',
    code: 'LOCK_FUTURE',
    scene: () => {
      const ahead = NOW.getTime() / 1000 + DAY * 3600;
      return {
        honest: witnessedLock(short),
        forged: witnessedLock(short, {
          evidence: (log, entries) => log.evidence(entries, { note: log.note([witness], ahead) }),
        }),
      };
    },
  },
  {
    id: 'clock-back-after-newer',
    attacker: 'the machine’s clock, and a lock kept from last week',
    attack: 'sets the clock back to when that lock was good, after a newer one was seen',
    code: 'LOCK_ROLLBACK',
    scene: () => {
      const week = -7 * DAY;
      const old = witnessedLock(
        (lock) => void Object.assign(lock, { issuedAt: at(week), expires: at(week + 72) }),
        {
          evidence: (log, entries) => log.evidence(entries, { note: log.note([witness], secondsAt(week)) }),
        },
      );
      const seen = witnessedLock((lock) => void Object.assign(lock, { version: 8 }));
      return { seen, honest: seen, forged: old, at: laterBack(week + 1) };
    },
  },
];

/** A clock that is right for the lock that is seen, and then set back. */
function laterBack(hours: number): Partial<Setting> {
  let asked = 0;
  return { now: () => (asked++ === 0 ? NOW : new Date(at(hours))) };
}

export const clockRows: readonly Row[] = attacks.map(lockRow);
