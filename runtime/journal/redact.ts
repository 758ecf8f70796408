/** Arguments as the journal keeps them: what looks like a secret, by its name or by itself, becomes a keyed hash. */
import { createHmac } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';

const SECRET_NAME =
  /pass(?:word|phrase|wd|code)?$|^pwd$|^pin$|secret|token|api[_-]?key|access[_-]?key|^auth$|authorization|credential|private[_-]?key|cookie|bearer|^otp$|signature|session[_-]?id/i;
/** Values that are secrets wherever they stand: bearer headers, well-known key formats, private keys. */
const SECRET_VALUE =
  /^(?:Bearer|Basic) \S{3,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{16,}|\bxox[abpr]-[A-Za-z0-9-]{10,}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.|-----BEGIN [A-Z ]*PRIVATE KEY-----/;
const USERINFO = /^([a-z][a-z0-9+.-]{1,20}:\/\/)[^/?#@\s]+@/i;
/** Characters of one string that are kept; the digest of the whole stands beside it. */
const KEEP = 2000;

export interface Redacted {
  /** As it is kept: long texts cut. */
  readonly kept: Json;
  /** Whole, secrets replaced: what the digest is taken over, so that it gives no secret to whoever guesses. */
  readonly whole: Json;
}

export function redact(value: Json, key: Buffer): Redacted {
  const whole = walk(value, key);
  return { kept: cut(whole), whole };
}

function walk(value: Json, key: Buffer): Json {
  if (typeof value === 'string') return text(value, key);
  if (Array.isArray(value)) return value.map((item) => walk(item, key));
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? String(value) : value;
  if (value === null || typeof value !== 'object') return value;
  const copy: JsonObject = Object.create(null);
  const pair = namesSecret(value);
  for (const [name, item] of Object.entries(value)) {
    const secret = item !== null && (SECRET_NAME.test(name) || (pair && name === 'value'));
    copy[name.toWellFormed()] = secret ? hashed(item, key) : walk(item, key);
  }
  return copy;
}

/** `{"name": "Authorization", "value": "…"}`, as headers and variables are often given. */
function namesSecret(value: JsonObject): boolean {
  const name = value.name ?? value.key;
  return typeof name === 'string' && value.value !== undefined && SECRET_NAME.test(name);
}

function text(value: string, key: Buffer): Json {
  if (SECRET_VALUE.test(value)) return hashed(value, key);
  return value.toWellFormed().replace(USERINFO, (whole, scheme: string) => `${scheme}${hashed(whole, key)}@`);
}

/** One hash for the whole value, however large: nothing of its shape is told. */
function hashed(value: Json, key: Buffer): string {
  return `[secret hmac-sha256:${createHmac('sha256', key).update(JSON.stringify(value)).digest('hex').slice(0, 32)}]`;
}

function cut(value: Json): Json {
  if (typeof value === 'string') {
    return value.length > KEEP
      ? `${value.slice(0, KEEP).toWellFormed()}… (${value.length} characters)`
      : value;
  }
  if (Array.isArray(value)) return value.map(cut);
  if (value === null || typeof value !== 'object') return value;
  const copy: JsonObject = Object.create(null);
  for (const [name, item] of Object.entries(value)) copy[name] = cut(item);
  return copy;
}

const NAMED = /^(?:\/|~\/|\.\.?\/|[A-Za-z]:\\|[a-z][a-z0-9+.-]{1,20}:\/\/)/;

/** What redacted arguments name: paths and addresses, each once, at most 50, at most 300 characters each. */
export function namedData(value: Json): string[] {
  const found = new Set<string>();
  const look = (item: Json): void => {
    if (found.size >= 50) return;
    if (typeof item === 'string') {
      if (item.length <= 2000 && NAMED.test(item) && !/\s{2}|\n/.test(item)) found.add(item.slice(0, 300));
    } else if (Array.isArray(item)) item.forEach(look);
    else if (item !== null && typeof item === 'object') Object.values(item).forEach(look);
  };
  look(value);
  return [...found];
}
