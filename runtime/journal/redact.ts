/** Arguments as the journal keeps them: what looks like a secret by its name is replaced by a keyed hash. */
import { createHmac } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';

const SECRET_NAME =
  /pass(word|phrase|wd)?$|secret|token|api[_-]?key|authorization|credential|private[_-]?key|cookie|bearer/i;
/** Characters of one string that are kept; the digest of the whole stands beside it. */
const KEEP = 2000;

export function redact(value: Json, key: Buffer): Json {
  return walk(value, key, false);
}

function walk(value: Json, key: Buffer, secret: boolean): Json {
  if (Array.isArray(value)) return value.map((item) => walk(item, key, secret));
  if (value !== null && typeof value === 'object') {
    const copy: JsonObject = Object.create(null);
    for (const [name, item] of Object.entries(value))
      copy[name] = walk(item, key, secret || SECRET_NAME.test(name));
    return copy;
  }
  if (secret && value !== null)
    return `[secret hmac-sha256:${createHmac('sha256', key).update(JSON.stringify(value)).digest('hex').slice(0, 32)}]`;
  if (typeof value === 'string' && value.length > KEEP)
    return `${value.slice(0, KEEP).toWellFormed()}… (${value.length} characters)`;
  return value;
}

const NAMED = /^(?:\/|~\/|\.\.?\/|[A-Za-z]:\\|[a-z][a-z0-9+.-]{1,20}:\/\/)/;

/** What the arguments name: paths and addresses, each once, at most 50, at most 300 characters each. */
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
