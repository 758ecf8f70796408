/** What a log asks of a witness and what it answers, as C2SP tlog-witness writes them. Pure. */
import { LockkeeperError, quote } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';
import { COSIGNS, type Note, parseNote, readNoteKey, SIGNS, type Verifier } from './note.ts';

/** Content type of a refusal that says what size the witness is at. */
export const SIZE_TYPE = 'text/x.tlog.size';
/** A tree of 2^63 leaves needs no more. */
const MAX_PROOF_LINES = 63;
/** Proof lines of 45 bytes and a note of half the size that notes may have: the witness adds a line and reads it again. */
export const MAX_ADD_BYTES = 36 * 1024;
/** What may stand in a name that settings list: no `+` (C2SP), no `@` and `,` (the list itself). */
export const WITNESS_NAME = /^[!-*\-.-?A-~]{1,200}$/;

export interface AddCheckpoint {
  /** The size that the log believes the witness to be at. */
  readonly old: number;
  readonly proof: readonly Buffer[];
  readonly note: string;
}

export function renderAddCheckpoint({ old, proof, note }: AddCheckpoint): string {
  return `old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`;
}

/** Reads the body of add-checkpoint; the note in it is not looked into. Throws REQUEST_INVALID. */
export function readAddCheckpoint(body: Uint8Array): AddCheckpoint {
  if (body.length > MAX_ADD_BYTES) throw malformed(`at most ${MAX_ADD_BYTES} bytes`, `${body.length}`);
  const text = decode(body);
  const end = text.indexOf('\n\n');
  const [first = '', ...lines] = text.slice(0, Math.max(end, 0)).split('\n');
  const [, size] = /^old (0|[1-9][0-9]{0,15})$/.exec(first) ?? [];
  if (size === undefined || !Number.isSafeInteger(Number(size)))
    throw malformed('a first line "old" and a size, then proof lines and an empty line', quote(first, 60));
  if (lines.length > MAX_PROOF_LINES)
    throw malformed(`at most ${MAX_PROOF_LINES} proof lines`, `${lines.length}`);
  return { old: Number(size), proof: lines.map(hashOf), note: text.slice(end + 2) };
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw malformed('text in UTF-8', 'other bytes');
  }
}

function hashOf(line: string): Buffer {
  const hash = Buffer.from(line, 'base64');
  if (hash.length === HASH_BYTES && hash.toString('base64') === line) return hash;
  throw malformed('a hash of 32 bytes in base64 on each proof line', quote(line, 60));
}

function malformed(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', {
    expected: `${expected}, as C2SP tlog-witness writes add-checkpoint`,
    found,
    next: 'Correct the request',
  });
}

/** A note with further signature lines below its own. */
export function withLines(note: string, lines: readonly string[]): string {
  return note + lines.join('');
}

/** The signature lines of a witness's answer, those of this key alone and unverified. Throws DOCUMENT_INVALID. */
export function linesOf(answer: string, key: Verifier): string[] {
  const { signatures }: Note = parseNote(`-\n\n${answer}`);
  const lines = answer.split('\n');
  return signatures.flatMap(({ name, hash }, at) =>
    name === key.name && hash.equals(key.hash) ? [`${lines[at]}\n`] : [],
  );
}

/** Reads the written key of a log. Throws KEY_UNKNOWN, for a witness's too. */
export function readLogKey(text: string): Verifier {
  return readKind(text, SIGNS);
}

/** Reads the written key of a witness. Throws KEY_UNKNOWN, for a log's too. */
export function readWitnessKey(text: string): Verifier {
  return readKind(text, COSIGNS);
}

function readKind(text: string, kind: Verifier['kind']): Verifier {
  const key = readNoteKey(text);
  if (key.kind === kind) return key;
  const words = (of: Verifier['kind']): string => (of === SIGNS ? 'a log' : 'a witness');
  throw new LockkeeperError('KEY_UNKNOWN', {
    expected: `the key of ${words(kind)}`,
    found: `the key of ${words(key.kind)}: ${quote(key.name, 80)}`,
    next: 'Copy the line that the registry (lk log key) or the witness (lk witness) printed',
  });
}
