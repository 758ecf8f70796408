/** Checkpoints of the registry's log: whose signatures make one believable, and what may follow one seen before. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { verifyConsistency } from '../../schemas/merkle.ts';
import { type Checkpoint, parseNote, readCheckpoint, readNoteKey, signersOf } from '../../schemas/note.ts';
import type { LogRole } from '../../schemas/root.ts';

/** A checkpoint whose signatures were verified, with the note that proves it. */
export interface OpenedCheckpoint extends Checkpoint {
  readonly note: string;
  /** Names of the witnesses that cosigned it, with the time each gave: seconds since the epoch. */
  readonly witnesses: ReadonlyMap<string, number>;
}

/**
 * 1 the note's form, 2 the signature of a log key, 3 the origin, 4 as many witnesses as the root asks for.
 * Throws DOCUMENT_INVALID, LOG_SIGNATURE or LOG_WITNESS.
 */
export function openCheckpoint(note: string, log: LogRole): OpenedCheckpoint {
  const parsed = parseNote(note);
  const checkpoint = readCheckpoint(parsed.text);
  const logKeys = log.keys.map(readNoteKey);
  const witnessKeys = log.witnesses.map(readNoteKey);
  const signers = signersOf(parsed, logKeys);
  const cosigners = signersOf(parsed, witnessKeys);
  if (!signers?.has(log.origin) || cosigners === null || checkpoint.origin !== log.origin) {
    throw new LockkeeperError('LOG_SIGNATURE', {
      expected: `a checkpoint of ${log.origin}, signed by a log key of the root`,
      found:
        signers === null || cosigners === null
          ? 'a signature that does not verify'
          : `one of ${checkpoint.origin}`,
      next: 'Do not use what rests on it; tell your security team',
    });
  }
  const witnesses = new Map<string, number>();
  for (const { name } of witnessKeys) {
    const time = cosigners.get(name);
    if (typeof time === 'number') witnesses.set(name, time);
  }
  if (witnesses.size < log.threshold) {
    throw new LockkeeperError('LOG_WITNESS', {
      expected: `cosignatures of ${log.threshold} of the witnesses ${witnessKeys.map(({ name }) => name).join(', ')}`,
      found: witnesses.size === 0 ? 'none' : [...witnesses.keys()].join(', '),
      next: 'Check that the witnesses run and see this registry, then run: lk lock',
    });
  }
  return { ...checkpoint, note, witnesses };
}

/**
 * The later checkpoint is the earlier one with entries added. `proof` is the RFC 6962 consistency proof from the
 * earlier size; null when there is none. Throws LOG_FORK for two trees that cannot both be true, LOG_ROLLBACK for a
 * smaller one, LOG_UNPROVEN when nothing shows either.
 */
export function assertGrew(earlier: Checkpoint, later: Checkpoint, proof: readonly Buffer[] | null): void {
  const say = (checkpoint: Checkpoint): string =>
    `${checkpoint.size} entries with root ${checkpoint.root.toString('base64')}`;
  const misbehaviour = { next: 'The log was rewritten: keep both checkpoints and tell your security team' };
  if (later.size < earlier.size)
    throw new LockkeeperError('LOG_ROLLBACK', {
      expected: `a log of at least ${earlier.size} entries, as seen before`,
      found: `${later.size}`,
      ...misbehaviour,
    });
  if (later.size === earlier.size) {
    if (later.root.equals(earlier.root)) return;
    throw new LockkeeperError('LOG_FORK', {
      expected: `${say(earlier)}, as seen before`,
      found: say(later),
      ...misbehaviour,
    });
  }
  // Whatever there is continues nothing.
  if (earlier.size === 0) return;
  if (proof === null)
    throw new LockkeeperError('LOG_UNPROVEN', {
      expected: `a proof that the log of ${later.size} entries continues the one of ${earlier.size} seen before`,
      found: 'none',
      next: 'Go online and run: lk ci, which asks the registry for it',
    });
  const growth = { size1: earlier.size, size2: later.size, root1: earlier.root, root2: later.root, proof };
  if (verifyConsistency(growth)) return;
  throw new LockkeeperError('LOG_FORK', {
    expected: `a log that continues ${say(earlier)}`,
    found: `${say(later)}, whose proof does not fit`,
    ...misbehaviour,
  });
}
