/** Asking one witness for its cosignature: C2SP tlog-witness from the side of the log. */
import { readBounded, whyUnanswered } from '../../runtime/fetched.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type NoteKey, parseNote, signersOf, type Verifier } from '../../schemas/note.ts';
import { linesOf, readWitnessKey, renderAddCheckpoint, SIZE_TYPE } from '../../schemas/witness.ts';
import { cosignaturesOf, cosignedSize, insertCosignature } from '../db/cosignatures.ts';
import type { StoredCheckpoint } from '../db/log.ts';
import type { Pool } from '../db/pool.ts';
import { consistencyProof } from '../log.ts';

/** A witness as the settings name it. */
export interface Witness {
  readonly key: NoteKey;
  readonly url: string;
}

const ANSWER_MS = 5_000;
/** Other replicas may move the witness on between two questions. */
const MAX_TRIES = 6;
const MAX_ANSWER = 16 * 1024;

/** What stored lines are kept under. */
export function witnessId({ name, hash }: Verifier): string {
  return `${name}+${hash.toString('hex')}`;
}

/**
 * Asks for a cosignature unless there is one, and stores it once it verifies. Where the witness is at another size than
 * was remembered, it is asked again from there. A number: it has seen so many entries, more than there are in this
 * checkpoint. Throws LOG_WITNESS with what the witness said.
 */
export async function askWitness(
  pool: Pool,
  witness: Witness,
  checkpoint: StoredCheckpoint,
): Promise<'signed' | number> {
  const key = readWitnessKey(witness.key);
  const id = witnessId(key);
  if ((await cosignaturesOf(pool, checkpoint.size)).has(id)) return 'signed';
  let old = await cosignedSize(pool, id);
  if (old > checkpoint.size) return old;
  for (let left = MAX_TRIES; ; left--) {
    const proof = old === 0 ? [] : await consistencyProof(pool, old, checkpoint.size);
    const answer = await post(witness.url, renderAddCheckpoint({ old, proof, note: checkpoint.note }));
    if (answer.status === 200) {
      const line = verifiedLine(answer.text, checkpoint.note, key);
      await insertCosignature(pool, { size: checkpoint.size, witness: id, line });
      return 'signed';
    }
    const at = sizeOf(answer);
    if (at !== null && at > checkpoint.size) return at;
    if (at === null || left === 0)
      throw refused(key.name, `status ${answer.status}: ${quote(answer.text.trim(), 300)}`);
    old = at;
  }
}

/**
 * How many entries the witness has seen, whatever is remembered of it here: it is asked to go on from this checkpoint,
 * and says where it stands if that is elsewhere. 0 where it does not say. Throws LOG_WITNESS where there is no answer.
 */
export async function sizeSeenBy({ url }: Witness, { size, note }: StoredCheckpoint): Promise<number> {
  return sizeOf(await post(url, renderAddCheckpoint({ old: size, proof: [], note }))) ?? 0;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** At most five seconds and 16 KiB. Throws LOG_WITNESS where there is no answer. */
async function post(url: string, body: string): Promise<Answer> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/add-checkpoint`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      redirect: 'error',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const bytes = await readBounded(response.body, MAX_ANSWER);
    if (bytes === null) throw new Error(`more than ${MAX_ANSWER} bytes`);
    const type = response.headers.get('content-type') ?? '';
    return { status: response.status, type, text: bytes.toString('utf8') };
  } catch (error) {
    throw refused(url, quote(whyUnanswered(error)), error);
  }
}

function sizeOf({ status, type, text }: Answer): number | null {
  const size = /^(0|[1-9][0-9]{0,15})\n$/.exec(text)?.[1];
  return status === 409 && type.split(';')[0] === SIZE_TYPE && size !== undefined ? Number(size) : null;
}

/** The witness's line, which verifies below the note. Lines of other keys are passed over. */
function verifiedLine(answer: string, note: string, key: Verifier): string {
  const { text } = parseNote(note);
  for (const line of linesOf(answer, key))
    if (typeof signersOf(parseNote(`${text}\n${line}`), [key])?.get(key.name) === 'number') return line;
  throw refused(key.name, 'an answer without a cosignature of its key that verifies');
}

function refused(who: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('LOG_WITNESS', {
    expected: `a cosignature from the witness ${quote(who, 200)}`,
    found,
    next: 'Check that the witness runs and watches this log; if it says that the log was rewritten, tell your security team',
    cause,
  });
}
