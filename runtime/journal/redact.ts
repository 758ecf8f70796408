/** What the journal keeps of what was said: whatever looks like a secret, by its name or by itself, becomes a keyed hash. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { keyedHash } from './keyed.ts';
import { announcesSecret, hideSecrets, isSecretName } from './secrets.ts';

/** Characters of one string that are kept; the digest of the whole stands beside it. */
const KEEP = 2000;
/** Characters of one record's arguments that are kept, names and marks included. */
const KEEP_ALL = 100_000;

export interface Redacted {
  /** As it is kept: long texts cut. */
  readonly kept: Json;
  /** Whole, secrets replaced: what the digest is taken over, so that it gives no secret to whoever guesses. */
  readonly whole: Json;
}

export function redact(value: Json, key: Buffer): Redacted {
  const whole = walk(value, key);
  return { kept: cut(whole, { left: KEEP_ALL }), whole };
}

/** A sentence, a name or an address as it may stand in a record. */
export function redactText(text: string, key: Buffer): string {
  return hideSecrets(text, (secret) => hashed(secret, key));
}

function walk(value: Json, key: Buffer): Json {
  if (typeof value === 'string') return redactText(value, key);
  if (Array.isArray(value)) {
    const [first] = value;
    // ["Authorization", "…"], as lists of headers have them.
    const pair = value.length === 2 && typeof first === 'string' && isSecretName(first);
    const items = value.map((item, at) =>
      pair && at === 1 && item !== null ? hashed(item, key) : walkItem(item, value[at - 1], key),
    );
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  if (typeof value === 'number') return hasForm(value) ? value : String(value);
  if (value === null || typeof value !== 'object') return value;
  return walkObject(value, key);
}

/** Whether a record can carry it as a number: 1e400 is read as one that JSON has no words for. */
function hasForm(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

/** The very object where there is nothing to hide in it, which is nearly always. */
function walkObject(value: JsonObject, key: Buffer): JsonObject {
  const pair = namesSecret(value);
  let copy: JsonObject | null = null;
  for (const name of Object.keys(value)) {
    const item = value[name] as Json;
    const secret = item !== null && (isSecretName(name) || (pair && name === 'value'));
    let shownName = redactName(name, key);
    // Who knows a mark writes it as a name beside the name that it stands for: each is to be seen.
    if (shownName !== name)
      while (Object.hasOwn(value, shownName) || (copy && Object.hasOwn(copy, shownName)))
        shownName = `${shownName} ${hashed(name, key)}`;
    const shown = secret ? hashed(item, key) : walk(item, key);
    if (shownName !== name || shown !== item) copy ??= upTo(name, value);
    if (copy) copy[shownName] = shown;
  }
  return copy ?? value;
}

/** The members before this one. */
function upTo(end: string, value: JsonObject): JsonObject {
  const copy: JsonObject = Object.create(null);
  for (const name of Object.keys(value)) {
    if (name === end) break;
    copy[name] = value[name] as Json;
  }
  return copy;
}

/** Names that were looked at and hide nothing: the same ones come with each call. */
const harmless = new Set<string>();
const MAX_HARMLESS = 2000;

/** The name of an argument or a tool as it may stand in a record. */
export function redactName(name: string, key: Buffer): string {
  if (harmless.has(name)) return name;
  const shown = redactText(name, key);
  if (shown === name && name.length <= 64) {
    if (harmless.size >= MAX_HARMLESS) harmless.clear();
    harmless.add(name);
  }
  return shown;
}

/** `["--password", "…"]`, as command lines are given. */
function walkItem(item: Json, before: Json | undefined, key: Buffer): Json {
  const announced = typeof before === 'string' && announcesSecret(before) && item !== null;
  return announced ? hashed(item, key) : walk(item, key);
}

/** `{"name": "Authorization", "value": "…"}`, as headers and variables are often given. */
function namesSecret(value: JsonObject): boolean {
  const name = value.name ?? value.key ?? value.header;
  return typeof name === 'string' && value.value !== undefined && isSecretName(name);
}

/** What stands in the place of one secret: the same for the same secret and journal. */
export function secretMark(secret: string, key: Buffer): string {
  return hashed(secret, key);
}

/** One hash for the whole value, however large: nothing of its shape is told. */
function hashed(value: Json, key: Buffer): string {
  return `[secret hmac-sha256:${keyedHash(JSON.stringify(value), key).slice(0, 32)}]`;
}

/** `budget.left`: characters that may still be kept; what is over it is counted, not kept. */
function cut(value: Json, budget: { left: number }): Json {
  if (typeof value === 'string') {
    const room = Math.min(KEEP, Math.max(budget.left, 0));
    budget.left -= Math.min(value.length, room) + 2;
    return value.length > room
      ? `${value.slice(0, room).toWellFormed()}… (${value.length} characters)`
      : value;
  }
  budget.left -= 8;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) {
    const kept: Json[] = [];
    for (const item of value) {
      if (budget.left <= 0) return [...kept, `… (${value.length - kept.length} more)`];
      kept.push(cut(item, budget));
    }
    return kept.every((item, at) => item === value[at]) ? value : kept;
  }
  return cutObject(value, budget);
}

function cutObject(value: JsonObject, budget: { left: number }): JsonObject {
  const entries = Object.entries(value);
  const kept: (readonly [string, Json])[] = [];
  let changed = false;
  for (const [at, [name, item]] of entries.entries()) {
    if (budget.left <= 0) {
      kept.push(['…', `${entries.length - kept.length} more`]);
      changed = true;
      break;
    }
    budget.left -= Math.min(name.length, KEEP);
    const long = name.length > KEEP;
    const shown = cut(item, budget);
    // With its place: others may begin alike.
    kept.push([long ? `${name.slice(0, KEEP).toWellFormed()}… (${at + 1})` : name, shown]);
    changed ||= long || shown !== item;
  }
  if (!changed) return value;
  const copy: JsonObject = Object.create(null);
  for (const [name, item] of kept) copy[name] = item;
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
