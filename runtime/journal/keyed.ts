/** Hashes under a journal's own key. */
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

const BLOCK = 64;
const DIGEST = 32;
/** Bytes of what is hashed in one piece: the engine's own HMAC is an object that costs more than hashing so little. */
const SHORT = 16 * 1024;

interface Made {
  readonly key: KeyObject;
  /** The key's pads of RFC 2104, each with room for what is hashed after it. */
  readonly inner: Buffer;
  readonly outer: Buffer;
}

/** Made once for each journal: to make a key costs seven times what a short hash does. */
const known = new WeakMap<Buffer, Made>();

function padded(key: Buffer, byte: number, room: number): Buffer {
  const pad = Buffer.alloc(BLOCK + room, byte);
  for (const [at, value] of key.entries()) pad[at] = byte ^ value;
  return pad;
}

function make(key: Buffer): Made {
  const made = {
    key: createSecretKey(key),
    inner: padded(key, 0x36, SHORT),
    outer: padded(key, 0x5c, DIGEST),
  };
  known.set(key, made);
  return made;
}

/** HMAC-SHA-256 as 64 hexadecimal digits. */
export function keyedHash(value: string | Buffer, key: Buffer): string {
  const made = known.get(key) ?? make(key);
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  if (bytes.length > SHORT || key.length > BLOCK)
    return createHmac('sha256', made.key).update(bytes).digest('hex');
  const { inner, outer } = made;
  bytes.copy(inner, BLOCK);
  outer.write(hash('sha256', inner.subarray(0, BLOCK + bytes.length), 'hex'), BLOCK, 'hex');
  // It may be a secret, and this is kept.
  inner.fill(0, BLOCK, BLOCK + bytes.length);
  return hash('sha256', outer, 'hex');
}
