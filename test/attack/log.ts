/** The transparency log as victim: forked, cut back, left out of, and its checkpoints forged or unwitnessed. */

import { sha256 } from '../../schemas/json.ts';
import type { LockFile } from '../../schemas/lock.ts';
import type { LogEvidence, Logged } from '../../schemas/log.ts';
import { checkpointText, cosign, noteKeyOf, type Signer, signNote } from '../../schemas/note.ts';
import { type MemoryLog, memoryLog } from '../helpers/log.ts';
import { type LockParts, logSigner, makeKey, makeLock, makeRoot, NOW } from '../helpers/trust.ts';
import { makeSigner } from '../helpers/witness.ts';
import type { Row } from './row.ts';
import { type LockAttack, lockRow, type Scene } from './scene.ts';

const OPERATOR = 'the registry with its log key';
const SECONDS = NOW.getTime() / 1000 - 1800;
const one = makeSigner('witness.test/one');
const two = makeSigner('witness.test/two');

const version =
  (number: number): NonNullable<LockParts['lock']> =>
  (lock) =>
    void (lock.version = number);
const fill = (log: MemoryLog, count: number): void => {
  for (let n = 0; n < count; n++)
    log.append({ kind: 'audit', subject: `runtime#${n}`, digest: sha256(`${n}`) });
};

/** A lock of a log, then the next: of the same log that grew, or of another that the operator made. */
function afterSeen(rewritten: (seen: MemoryLog, from: number) => LockFile, more = 0): Scene {
  const log = memoryLog(logSigner);
  fill(log, more);
  const seen = makeLock({ log, lock: version(8) });
  const from = log.size;
  const forged = rewritten(log, from);
  const honest = makeLock({
    log,
    lock: version(9),
    evidence: (of, entries) => of.evidence(entries, { from: [from] }),
  });
  return { seen, honest, forged };
}

const rewriting: LockAttack[] = [
  {
    id: 'log-fork-same-size',
    attacker: OPERATOR,
    attack: 'shows another log of the size that was seen',
    code: 'LOG_FORK',
    scene: () => afterSeen(() => makeLock({ lock: version(9) })),
  },
  {
    id: 'log-fork-larger',
    attacker: OPERATOR,
    attack: 'shows another, larger log and proves its own growth',
    code: 'LOG_FORK',
    scene: () =>
      afterSeen((_, from) => {
        const log = memoryLog(logSigner);
        fill(log, 12);
        return makeLock({
          log,
          lock: version(9),
          evidence: (of, entries) => of.evidence(entries, { from: [from] }),
        });
      }),
  },
  {
    id: 'log-truncated',
    attacker: OPERATOR,
    attack: 'shows a log that was cut back',
    code: 'LOG_ROLLBACK',
    scene: () => afterSeen(() => makeLock({ lock: version(9) }), 20),
  },
  {
    id: 'log-unproven',
    attacker: OPERATOR,
    attack: 'shows a larger log and nothing that says it grew out of the one seen',
    code: 'LOG_UNPROVEN',
    scene: () => afterSeen((log) => makeLock({ log, lock: version(9) })),
  },
];

/** Evidence of a log that never took up one of the entries. */
function without(which: number, disguise: boolean): Scene {
  const evidence = (_: MemoryLog, entries: Logged[]): LogEvidence => {
    const left = entries.filter((_entry, index) => index !== which);
    const log = memoryLog(logSigner);
    fill(log, 9);
    log.append(...left);
    const made = log.evidence(left);
    const [other] = Object.values(made.proofs);
    const digest = entries[which]?.digest;
    if (disguise && other && digest) made.proofs[digest] = other;
    return made;
  };
  return { forged: makeLock({ evidence }) };
}

function exchanged(log: MemoryLog, entries: Logged[]): LogEvidence {
  const made = log.evidence(entries);
  const [first = '', second = ''] = Object.keys(made.proofs);
  const { [first]: mine, [second]: other } = made.proofs;
  if (mine && other) Object.assign(made.proofs, { [first]: other, [second]: mine });
  return made;
}

const leavingOut: LockAttack[] = [
  {
    id: 'log-lock-missing',
    attacker: 'the lock key',
    attack: 'signs a lock and keeps it out of the log',
    code: 'LOG_INCLUSION',
    scene: () => without(0, false),
  },
  {
    id: 'log-other-entry',
    attacker: 'the lock key',
    attack: 'shows the proof of another entry for it',
    code: 'LOG_INCLUSION',
    scene: () => without(0, true),
  },
  {
    id: 'log-root-missing',
    attacker: 'the root holders',
    attack: 'keep the root under a lock out of the log',
    code: 'LOG_INCLUSION',
    scene: () => without(1, true),
  },
  {
    id: 'log-approval-missing',
    attacker: 'two reviewers',
    attack: 'approve behind the log’s back',
    code: 'LOG_INCLUSION',
    scene: () => without(2, true),
  },
  {
    id: 'log-proofs-exchanged',
    attacker: 'the repository',
    attack: 'exchanges two proofs of one lock',
    code: 'LOG_INCLUSION',
    scene: () => ({ forged: makeLock({ evidence: exchanged }) }),
  },
];

/** A root with this many of two witnesses; the forged lock's checkpoint is what `note` makes. */
function witnessed(threshold: number, note: (log: MemoryLog) => string): Scene {
  const root = makeRoot((of) => {
    of.log.witnesses = threshold === 0 ? [] : [one, two].map((signer) => noteKeyOf(signer, 'witness'));
    of.log.threshold = threshold;
  });
  const lockWith = (made: (log: MemoryLog) => string): LockFile =>
    makeLock({ root, evidence: (log, entries) => log.evidence(entries, { note: made(log) }) });
  return { honest: lockWith((log) => log.note([one, two], SECONDS)), forged: lockWith(note) };
}

const textOf = (log: MemoryLog, origin = logSigner.name): string =>
  checkpointText({ origin, size: log.size, root: log.root() });
const signedBy = (signer: Signer) => (log: MemoryLog) => signNote(textOf(log, signer.name), signer);
const lineOf = (note: string): string => note.slice(note.indexOf('\n\n') + 2);

/** The last bytes of a signature line, replaced. */
const bent = (line: string): string => line.replace(/.{8}\n$/, 'AAAAAAA=\n');

const signing: LockAttack[] = [
  {
    id: 'checkpoint-other-origin',
    attacker: 'the log key',
    attack: 'signs a checkpoint of a log of another name',
    code: 'LOG_SIGNATURE',
    scene: () => witnessed(0, signedBy({ ...logSigner, name: 'log.other.test' })),
  },
  {
    id: 'checkpoint-other-key',
    attacker: 'a key of their own',
    attack: 'signs a checkpoint in the log’s name',
    code: 'LOG_SIGNATURE',
    scene: () => witnessed(0, signedBy({ name: logSigner.name, privateKey: makeKey('log').key })),
  },
  {
    id: 'witness-missing',
    attacker: OPERATOR,
    attack: 'shows a checkpoint that no witness saw',
    code: 'LOG_WITNESS',
    scene: () => witnessed(1, (log) => log.note()),
  },
  {
    id: 'witness-one-of-two',
    attacker: OPERATOR,
    attack: 'shows a checkpoint that one of two witnesses saw',
    code: 'LOG_WITNESS',
    scene: () => witnessed(2, (log) => log.note([one], SECONDS)),
  },
  {
    id: 'witness-counted-twice',
    attacker: 'the registry and one witness',
    attack: 'lets that witness sign twice, at two times',
    code: 'LOG_WITNESS',
    scene: () => witnessed(2, (log) => log.note([one], SECONDS) + cosign(textOf(log), one, SECONDS + 1)),
  },
  {
    id: 'witness-forged',
    attacker: OPERATOR,
    attack: 'signs in a witness’s name with another key',
    code: 'LOG_WITNESS',
    scene: () => witnessed(1, (log) => log.note([makeSigner(one.name)], SECONDS)),
  },
  {
    id: 'witness-bent',
    attacker: OPERATOR,
    attack: 'puts other bytes under a witness’s own key',
    code: 'LOG_SIGNATURE',
    scene: () => witnessed(1, (log) => log.note() + bent(cosign(textOf(log), one, SECONDS))),
  },
  {
    id: 'witness-other-checkpoint',
    attacker: OPERATOR,
    attack: 'moves a cosignature of another checkpoint under this one',
    code: 'LOG_SIGNATURE',
    scene: () =>
      witnessed(
        1,
        (log) =>
          log.note() +
          cosign(checkpointText({ origin: logSigner.name, size: 3, root: log.root(3) }), one, SECONDS),
      ),
  },
  {
    id: 'witness-name-by-log',
    attacker: 'the log key',
    attack: 'signs once more under the name of a witness',
    code: 'LOG_WITNESS',
    scene: () =>
      witnessed(
        1,
        (log) =>
          log.note() + lineOf(signNote(textOf(log), { name: one.name, privateKey: logSigner.privateKey })),
      ),
  },
];

export const logRows: readonly Row[] = [...rewriting, ...leavingOut, ...signing].map(lockRow);
