/** Hashes under a journal's own key. */
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** Made once for each journal: to make it costs seven times what a short hash does. */
const known = new WeakMap<Buffer, KeyObject>();

/** HMAC-SHA-256 as 64 hexadecimal digits. */
export function keyedHash(value: string | Buffer, key: Buffer): string {
  let made = known.get(key);
  if (!made) {
    made = createSecretKey(key);
    known.set(key, made);
  }
  return createHmac('sha256', made).update(value).digest('hex');
}
