/** A witness's judgement of a checkpoint: what it cosigns, what it refuses, and what proves that a log misbehaved. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { emptyRoot, verifyConsistency } from '../../schemas/merkle.ts';
import { type Checkpoint, parseNote, readCheckpoint, signersOf, type Verifier } from '../../schemas/note.ts';
import { type AddCheckpoint, linesOf } from '../../schemas/witness.ts';

/** The newest checkpoint of a log that the witness cosigned, with the note that proves it. */
export interface Remembered extends Checkpoint {
  readonly note: string;
}

/** Two signed checkpoints that should not both exist. */
export interface Misbehaviour {
  /** `fork`: one size, two roots, a proof by itself. `unproven`: a growth that the log did not prove. */
  readonly kind: 'fork' | 'unproven';
  readonly origin: string;
  readonly earlier: string;
  readonly later: string;
  readonly proof: readonly string[];
}

export type Judgement =
  | {
      readonly status: 200;
      /** What to cosign, and what to remember: the log's own signature alone below it. */
      readonly text: string;
      readonly checkpoint: Remembered;
    }
  | {
      readonly status: 400 | 403 | 404 | 409 | 422;
      readonly error: LockkeeperError;
      /** The size that the witness is at, where the log believed another. */
      readonly size?: number;
      readonly misbehaviour?: Misbehaviour;
    };

export interface Knowledge {
  /** Keys of the logs it watches; a log's key has the log's name. */
  readonly logs: readonly Verifier[];
  readonly remembered: (origin: string) => Remembered | null;
}

/**
 * The checks of C2SP tlog-witness in its order: 1 form, 2 origin (404), 3 signature (403), 4 old size against the
 * checkpoint (400), 5 two roots of one size (409), 6 old size against memory (409 with the size), 7 proof (422).
 */
export function judgeCheckpoint(asked: AddCheckpoint, { logs, remembered }: Knowledge): Judgement {
  const { text, checkpoint, keys, note } = opened(asked.note, logs);
  const { origin, size, root } = checkpoint;
  if (keys.length === 0) return refusal(404, 'NOT_FOUND', ['a log that this witness watches', quote(origin)]);
  if (note === null)
    return refusal(403, 'LOG_SIGNATURE', [`a signature of ${quote(origin)} that verifies`, 'none']);
  if (asked.old > size)
    return refusal(400, 'REQUEST_INVALID', [`an old size of at most ${size}`, `${asked.old}`]);
  const last = remembered(origin);
  const misbehaviour = (kind: Misbehaviour['kind']): Misbehaviour => ({
    kind,
    origin,
    earlier: last?.note ?? '',
    later: note,
    proof: asked.proof.map((hash) => hash.toString('base64')),
  });
  if (last?.size === size && !last.root.equals(root)) {
    const found = `${root.toString('base64')}: the log was rewritten`;
    const fork = refusal(409, 'LOG_FORK', [
      `${size} entries with root ${last.root.toString('base64')}`,
      found,
    ]);
    return { ...fork, misbehaviour: misbehaviour('fork') };
  }
  const have = last?.size ?? 0;
  if (asked.old !== have)
    return {
      ...refusal(409, 'STATE_CONFLICT', [`the old size ${have}, which this witness is at`, `${asked.old}`]),
      size: have,
    };
  if (proves(asked, checkpoint, last)) return { status: 200, checkpoint: { ...checkpoint, note }, text };
  const unproven = refusal(422, 'LOG_UNPROVEN', [`a proof that ${size} entries continue ${have}`, 'another']);
  return last && size > last.size ? { ...unproven, misbehaviour: misbehaviour('unproven') } : unproven;
}

interface Opened {
  readonly text: string;
  readonly checkpoint: Checkpoint;
  readonly keys: readonly Verifier[];
  /** With one signature of the log and nothing else; null without one that verifies. */
  readonly note: string | null;
}

function opened(asked: string, logs: readonly Verifier[]): Opened {
  const parsed = parseNote(asked);
  const { text } = parsed;
  const checkpoint = readCheckpoint(text);
  const keys = logs.filter(({ name }) => name === checkpoint.origin);
  const known = signersOf(parsed, keys)?.has(checkpoint.origin) ?? false;
  const [line] = keys.flatMap((key) => linesOf(asked.slice(text.length + 1), key));
  return { text, checkpoint, keys, note: known && line !== undefined ? `${text}\n${line}` : null };
}

function proves({ proof }: AddCheckpoint, next: Checkpoint, last: Remembered | null): boolean {
  // Every log continues the empty one: there is nothing to prove, and so nothing may be said.
  if (last === null || last.size === 0)
    return proof.length === 0 && (next.size > 0 || next.root.equals(emptyRoot()));
  const { size: size1, root: root1 } = last;
  return verifyConsistency({ size1, root1, size2: next.size, root2: next.root, proof });
}

function refusal<S extends 400 | 403 | 404 | 409 | 422>(
  status: S,
  code: LockkeeperError['code'],
  [expected, found]: readonly [string, string],
): { status: S; error: LockkeeperError } {
  const next = 'Send what the log has grown to since, or tell the people who run this witness';
  return { status, error: new LockkeeperError(code, { expected, found, next }) };
}
