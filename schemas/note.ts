/**
 * Signed notes and the checkpoints in them, as C2SP writes them (signed-note, tlog-checkpoint, tlog-cosignature): a text
 * that people can read, and Ed25519 signatures below it. A checkpoint says how large a log is and what its root is.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { LockkeeperError, quote } from './errors.ts';
import { HASH_BYTES } from './merkle.ts';
import { type Static, Type } from './type.ts';

/** `name+hash+base64`: a key and the name it signs under. */
export const NoteKey = Type.String({
  pattern: '^[^\\s+]{1,200}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]{44}$',
  description: 'name, key hash and public key of a log or witness, joined by +',
});
export type NoteKey = Static<typeof NoteKey>;

/** First byte of a key: a plain signature, or one that carries a time. */
export const SIGNS = 1;
export const COSIGNS = 4;
const RAW_KEY_BYTES = 32;
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const MAX_NOTE_BYTES = 64 * 1024;
const MAX_SIGNATURES = 64;

export interface Verifier {
  readonly name: string;
  /** The first four bytes of SHA-256 over name, newline, kind and key. */
  readonly hash: Buffer;
  readonly kind: typeof SIGNS | typeof COSIGNS;
  readonly key: KeyObject;
}

export interface Signer {
  readonly name: string;
  readonly privateKey: KeyObject;
}

/** The written form of the key that a signer's signatures are verified with. A log signs, a witness cosigns. */
export function noteKeyOf({ name, privateKey }: Signer, role: 'log' | 'witness'): NoteKey {
  const body = keyBody(role === 'log' ? SIGNS : COSIGNS, rawKey(createPublicKey(privateKey)));
  return `${name}+${hashOf(name, body).toString('hex')}+${body.toString('base64')}`;
}

/** Reads a written key. Throws KEY_UNKNOWN for another form, another kind or a hash that does not fit. */
export function readNoteKey(text: string): Verifier {
  const [name = '', hash = '', base64 = ''] = text.split(/\+([0-9a-f]{8})\+(.*)/s);
  const body = Buffer.from(base64, 'base64');
  const [kind] = body;
  const fits = body.length === RAW_KEY_BYTES + 1 && hashOf(name, body).toString('hex') === hash;
  if (fits && body.toString('base64') === base64 && (kind === SIGNS || kind === COSIGNS)) {
    const der = Buffer.concat([SPKI_PREFIX, body.subarray(1)]);
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return { name, hash: Buffer.from(hash, 'hex'), kind, key };
  }
  throw new LockkeeperError('KEY_UNKNOWN', {
    expected: 'a key as name+hash+base64 whose hash fits',
    found: quote(text, 120),
    next: 'Copy the whole line that the log or the witness printed',
  });
}

function rawKey(publicKey: KeyObject): Buffer {
  if (publicKey.asymmetricKeyType === 'ed25519')
    return publicKey.export({ type: 'spki', format: 'der' }).subarray(-RAW_KEY_BYTES);
  throw new LockkeeperError('KEY_UNKNOWN', {
    expected: 'an Ed25519 key for notes',
    found: quote(String(publicKey.asymmetricKeyType)),
    next: 'Make one with: lk keys new',
  });
}

function keyBody(kind: number, raw: Buffer): Buffer {
  return Buffer.concat([Buffer.from([kind]), raw]);
}

function hashOf(name: string, body: Buffer): Buffer {
  return createHash('sha256').update(`${name}\n`).update(body).digest().subarray(0, 4);
}

export interface Note {
  /** Ends with a newline; what is signed. */
  readonly text: string;
  readonly signatures: readonly { readonly name: string; readonly hash: Buffer; readonly bytes: Buffer }[];
}

/** Text and signature lines of a note, nothing verified. Throws DOCUMENT_INVALID. */
export function parseNote(note: string): Note {
  const at = note.lastIndexOf('\n\n');
  const text = note.slice(0, at + 1);
  const lines = note.slice(at + 2).split('\n');
  const whole = at > 0 && lines.pop() === '' && lines.length > 0 && lines.length <= MAX_SIGNATURES;
  const plain = !/[\u0000-\u0009\u000b-\u001f\u007f]/.test(note) && note.isWellFormed();
  const signatures = lines.map(signatureOf);
  if (whole && plain && note.length <= MAX_NOTE_BYTES && signatures.every((item) => item !== null))
    return { text, signatures: signatures.filter((item) => item !== null) };
  throw new LockkeeperError('DOCUMENT_INVALID', {
    expected: 'a signed note: text, an empty line, and a line for each signature',
    found: quote(note, 80),
    next: 'Fetch it again',
  });
}

function signatureOf(line: string): Note['signatures'][number] | null {
  const [, name, base64] = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
  if (name === undefined || base64 === undefined) return null;
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length < 5 || bytes.toString('base64') !== base64) return null;
  return { name, hash: bytes.subarray(0, 4), bytes: bytes.subarray(4) };
}

function signatureLine(name: string, hash: Buffer, signature: Buffer): string {
  return `\u2014 ${name} ${Buffer.concat([hash, signature]).toString('base64')}\n`;
}

/** A note with the log's own signature. `text` ends with a newline. */
export function signNote(text: string, { name, privateKey }: Signer): string {
  const body = keyBody(SIGNS, rawKey(createPublicKey(privateKey)));
  return `${text}\n${signatureLine(name, hashOf(name, body), sign(null, Buffer.from(text), privateKey))}`;
}

/** A witness's signature line for a note, which says when it saw it. `seconds` since the epoch. */
export function cosign(text: string, { name, privateKey }: Signer, seconds: number): string {
  const body = keyBody(COSIGNS, rawKey(createPublicKey(privateKey)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = sign(null, cosigned(text, seconds), privateKey);
  return signatureLine(name, hashOf(name, body), Buffer.concat([time, signature]));
}

function cosigned(text: string, seconds: number | bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}

/**
 * Who of these signed: name and, of a witness, when (seconds since the epoch). Signatures of unknown keys are passed
 * over; one of a known key that does not verify makes the whole note invalid, as signed-note demands.
 */
export function signersOf(note: Note, verifiers: readonly Verifier[]): Map<string, number | null> | null {
  const good = new Map<string, number | null>();
  for (const { name, hash, bytes } of note.signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.hash.equals(hash));
    if (!verifier) continue;
    const time = verifier.kind === COSIGNS && bytes.length === 72 ? bytes.readBigUInt64BE() : null;
    const [data, signature] =
      time === null ? [Buffer.from(note.text), bytes] : [cosigned(note.text, time), bytes.subarray(8)];
    const form = verifier.kind === SIGNS || time !== null;
    if (!form || signature.length !== 64 || !verify(null, data, verifier.key, signature)) return null;
    good.set(name, time === null ? null : Number(time));
  }
  return good;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** The three lines of a checkpoint; extension lines are allowed and not read. Throws DOCUMENT_INVALID. */
export function readCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', base64 = ''] = text.split('\n');
  const root = Buffer.from(base64, 'base64');
  const count = /^(?:0|[1-9][0-9]{0,15})$/.test(size) ? Number(size) : Number.NaN;
  const whole = origin !== '' && Number.isSafeInteger(count) && root.length === HASH_BYTES;
  if (whole && root.toString('base64') === base64) return { origin, size: count, root };
  throw new LockkeeperError('DOCUMENT_INVALID', {
    expected: 'a checkpoint: origin, size and root hash, one a line',
    found: quote(text, 120),
    next: 'Fetch it again',
  });
}
