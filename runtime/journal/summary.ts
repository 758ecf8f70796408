/** What an answer was, in figures, kinds, digests and names: never its text. */
import type { ContentKind, ResultSummary } from '../../schemas/audit.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { canonical } from '../../schemas/json.ts';
import { isObject, type Response } from '../wire/message.ts';
import { keyedHash } from './keyed.ts';
import { redactText } from './redact.ts';

/** Items of one answer that are looked at; more are counted. */
const LOOK = 1000;
const NAMES = 50;
const NAME_LENGTH = 300;
/** Structured content of a larger answer, in bytes, has no digest of its own; the answer's covers it. */
const STRUCTURED = 1024 * 1024;
const KINDS: ReadonlySet<string> = new Set<ContentKind>([
  'text',
  'image',
  'audio',
  'resource',
  'resource_link',
  'tool_use',
  'tool_result',
]);
const LISTS = ['tools', 'prompts', 'resources', 'resourceTemplates', 'tasks', 'roots'] as const;

/**
 * Pure, and linear in the answer's size. Digests are keyed with the journal's own key, so that whoever reads a record
 * cannot try out what the answer may have been; who holds the journal can prove what it was.
 */
export function summaryOf(message: Response, key: Buffer): ResultSummary {
  if (message.summary) return message.summary.whole;
  const digest = keyed(message.bytes, key);
  if (message.kind === 'error') {
    const { code } = message.error;
    return { digest, ...(Number.isSafeInteger(code) ? { errorCode: code as number } : {}) };
  }
  const { result } = message;
  if (!isObject(result)) return { digest };
  const items = contentOf(result);
  const { structuredContent } = result;
  const small = structuredContent !== undefined && message.bytes.length <= STRUCTURED;
  const structured = small ? formOf(structuredContent) : null;
  const lists = LISTS.flatMap((name) => {
    const list = result[name];
    return Array.isArray(list) ? [[name, list.length] as const] : [];
  });
  const resources = namesOf(items, key);
  return {
    digest,
    ...(result.isError === true ? { isError: true } : {}),
    ...(items.length > 0 ? { content: kindsOf(items) } : {}),
    ...(resources.length > 0 ? { resources } : {}),
    ...(structured === null ? {} : { structured: keyed(structured, key) }),
    ...(lists.length > 0 ? { lists: Object.fromEntries(lists) } : {}),
  };
}

/** Null for what has no canonical form, such as a number beyond all: the answer's digest covers it. */
function formOf(value: Json): string | null {
  try {
    return canonical(value);
  } catch {
    return null;
  }
}

function keyed(value: string | Buffer, key: Buffer): string {
  return `hmac-sha256:${keyedHash(value, key)}`;
}

/** Content of a tool's result or a sampled message, of a prompt's messages, and the contents of a resource. */
function contentOf(result: JsonObject): Json[] {
  const { content, contents, messages } = result;
  if (Array.isArray(contents)) return contents.map((item) => ({ type: 'resource', resource: item }));
  if (Array.isArray(messages))
    return messages.map((message) => (isObject(message) ? (message.content ?? null) : message));
  return Array.isArray(content) ? content : isObject(content) ? [content] : [];
}

function kindsOf(items: readonly Json[]): NonNullable<ResultSummary['content']> {
  const kinds: NonNullable<ResultSummary['content']> = {};
  for (const item of items.slice(0, LOOK)) {
    const named = isObject(item) && typeof item.type === 'string' && KINDS.has(item.type) ? item.type : '';
    const kind = (named || 'other') as ContentKind;
    const sum = kinds[kind] ?? { items: 0, size: 0 };
    kinds[kind] = { items: sum.items + 1, size: sum.size + sizeOf(item) };
  }
  if (items.length > LOOK)
    kinds.other = { items: (kinds.other?.items ?? 0) + items.length - LOOK, size: kinds.other?.size ?? 0 };
  return kinds;
}

/** Characters of text, or bytes behind base64. */
function sizeOf(item: Json): number {
  if (!isObject(item)) return 0;
  const { text, data } = item;
  const { text: inner, blob } = isObject(item.resource) ? item.resource : {};
  const base64 = typeof data === 'string' ? data.length : typeof blob === 'string' ? blob.length : 0;
  const characters = typeof text === 'string' ? text.length : typeof inner === 'string' ? inner.length : 0;
  return characters + Math.floor((base64 * 3) / 4);
}

/** URIs of the resources that an answer links to or embeds, each once. */
function namesOf(items: readonly Json[], key: Buffer): string[] {
  const names = new Set<string>();
  for (const item of items.slice(0, LOOK)) {
    if (names.size >= NAMES) break;
    if (!isObject(item)) continue;
    const uri = item.type === 'resource_link' ? item.uri : isObject(item.resource) && item.resource.uri;
    // Hidden before it is cut: half a secret has no form to know it by.
    if (typeof uri === 'string' && uri !== '')
      names.add(
        redactText(uri.slice(0, NAME_LENGTH * 10), key)
          .slice(0, NAME_LENGTH)
          .toWellFormed(),
      );
  }
  return [...names];
}
