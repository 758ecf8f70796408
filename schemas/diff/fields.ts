/** One changed field of a surface: what happened to it, and how much it matters. */
import { isObject, type Json } from '../common.ts';
import { canonical } from '../json.ts';
import { KEY_OF, pointerParts, type Section } from '../surface.ts';
import { booleanClass, executionRisk, iconRisk, isDialect, promptClass } from './marks.ts';

export type RiskClass = 'cosmetic' | 'additive' | 'text' | 'contract' | 'risk';
/**
 * `widened` takes or gives more than before, `narrowed` less; `reworded` says it otherwise; `flipped` is a hint that changed its
 * mind; `default` is what happens where nothing is said; `reordered` means the same as before.
 */
type How =
  | 'added'
  | 'removed'
  | 'renamed'
  | 'widened'
  | 'narrowed'
  | 'reworded'
  | 'flipped'
  | 'default'
  | 'reordered'
  | 'changed';
export type Kind = 'added' | 'removed' | 'changed';
export type FieldClass = { readonly how: How; readonly risk: RiskClass };

export const RANK: Readonly<Record<RiskClass, number>> = {
  cosmetic: 0,
  additive: 1,
  text: 2,
  contract: 3,
  risk: 4,
};

export interface Field {
  readonly at: string;
  readonly kind: Kind;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

const SCHEMAS = new Set(['inputSchema', 'outputSchema']);
/** Keywords whose members are names. */
const NAMES = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
const LEAVES = /^(?:enum|const|required|examples|icons|default)$/;
const TEXTS = new Set([
  'description',
  'instructions',
  'examples',
  'enumNames',
  'prompt',
  'title',
  '$comment',
]);
const COSMETIC = new Set(['version', 'websiteUrl', 'size']);

/** Whether the last part is a name that somebody chose, where schemas have names; a parameter may be called `default`. */
function isName(parts: readonly string[]): boolean {
  let name = false;
  for (let i = 3; i < parts.length; i++) name = !name && i > 3 && NAMES.has(parts[i - 1] ?? '');
  return name;
}

/** Values compared whole: splitting them further explains nothing. */
export function isLeaf(at: string): boolean {
  const parts = pointerParts(at);
  if (!LEAVES.test(parts.at(-1) ?? '')) return false;
  return !(SCHEMAS.has(parts[2] ?? '') && isName(parts));
}

/** The rules, most specific first. */
export function classOf(field: Field): FieldClass {
  const { at, kind } = field;
  const parts = pointerParts(at);
  const last = parts.at(-1) ?? '';
  const name = parts[2] ?? last;
  if (name === 'annotations') return hintClass(parts, field);
  if (last === 'icons' && !SCHEMAS.has(name)) return { how: kind, risk: iconRisk(field) };
  if (name === 'execution') return { how: kind, risk: executionRisk(field) };
  if (parts[0] === 'prompts' && name === 'arguments') return promptClass(field);
  if (SCHEMAS.has(name) && parts.length > 3) return schemaClass(parts, field);
  if (parts[0] === 'instructions' || TEXTS.has(last)) return textClass(field);
  if (parts[0] === 'serverInfo') return { how: kind, risk: last === 'name' ? 'contract' : 'cosmetic' };
  if (parts[0] === 'capabilities') return { how: kind, risk: kind === 'added' ? 'additive' : 'contract' };
  if (name === 'inputSchema') return { how: kind, risk: kind === 'removed' ? 'risk' : 'contract' };
  if (name === 'outputSchema') return { how: kind, risk: kind !== 'added' ? 'contract' : quiet(field.after) };
  if (name === '_meta') return { how: kind, risk: 'risk' };
  if (name === 'mimeType') return { how: kind, risk: 'contract' };
  if (COSMETIC.has(last)) return { how: kind, risk: 'cosmetic' };
  if (KEY_OF[(parts[0] ?? 'tools') as Section] === name) return { how: kind, risk: 'contract' };
  return { how: kind, risk: 'text' };
}

/** A schema that says nothing in words adds; one that speaks is text. */
const quiet = (value: Json | undefined): RiskClass => (hasText(value) ? 'text' : 'additive');

function textClass({ kind, before, after }: Field): FieldClass {
  const same = plain(before) === plain(after);
  return {
    how: same ? 'reordered' : kind === 'changed' ? 'reworded' : kind,
    risk: same ? 'cosmetic' : 'text',
  };
}

/**
 * Line breaks and blanks are how a text is laid out, and canonically equivalent characters are one; other white space is not
 * seen either, and may be told apart. Of a list the order says nothing.
 */
function plain(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : list(value).sort().join(' ');
  return text
    .normalize('NFC')
    .replace(/[ \t\r\n]+/g, ' ')
    .replace(/^ | $/g, '');
}

/** Does a schema say anything to a model in words? */
function hasText(value: Json | undefined): boolean {
  if (value === undefined || value === null || typeof value !== 'object') return false;
  if (Array.isArray(value)) return value.some(hasText);
  return Object.entries(value).some(
    ([key, item]) => (typeof item === 'string' && TEXTS.has(key)) || hasText(item),
  );
}

/** All hints at once: as risky as the riskiest of them. */
function hintClass(parts: readonly string[], { kind, after }: Field): FieldClass {
  const how = kind === 'changed' ? 'flipped' : kind;
  if (parts[0] !== 'tools') {
    // Whom a resource is meant for, and when it was written last; no policy reads either.
    return { how, risk: parts[3] === 'lastModified' ? 'cosmetic' : 'text' };
  }
  if (parts.length > 3) {
    const hint = parts[3] ?? '';
    return {
      how: hint === 'title' && kind === 'changed' ? 'reworded' : how,
      risk: hintRisk(hint, kind, after),
    };
  }
  if (kind !== 'added' || after === undefined || !isObject(after)) return { how, risk: 'risk' };
  const risks = Object.entries(after).map(([hint, value]) => hintRisk(hint, kind, value));
  return { how, risk: risks.reduce((top, risk) => (RANK[risk] > RANK[top] ? risk : top), 'additive') };
}

/**
 * Hints that lower a guard are risk. So is a hint that first appears and promises less harm than its absence does: a
 * policy that reads it would let more through. One that admits more says more than was said before.
 */
function hintRisk(hint: string, kind: Kind, after: Json | undefined): RiskClass {
  if (hint === 'title') return 'text';
  if (kind === 'removed') return 'risk';
  const lowersGuard =
    (hint === 'readOnlyHint' && after === false) ||
    (hint === 'destructiveHint' && after === true) ||
    (hint === 'openWorldHint' && after === true) ||
    (hint === 'idempotentHint' && after === false);
  const promises =
    (hint === 'readOnlyHint' && after === true) ||
    (hint === 'destructiveHint' && after === false) ||
    (hint === 'openWorldHint' && after === false) ||
    (hint === 'idempotentHint' && after === true);
  if (kind === 'added') return promises ? 'risk' : 'additive';
  // Either way: it admits more harm than was approved, or promises less than it did.
  return promises || lowersGuard || typeof after !== 'boolean' ? 'risk' : 'contract';
}

/** What a schema takes or gives: a new parameter is new reach, a bound that opens is risk, one that closes is contract. */
function schemaClass(parts: readonly string[], field: Field): FieldClass {
  const { kind, after } = field;
  const output = parts[2] === 'outputSchema';
  const last = parts.at(-1) ?? '';
  if (isName(parts)) {
    // One of them is no object: `true` takes anything, `false` nothing.
    if (kind === 'changed') return booleanClass(after, output);
    if (parts.at(-2) === '$defs' || parts.at(-2) === 'definitions') return { how: kind, risk: 'contract' };
    if (output) return { how: kind, risk: kind === 'added' ? quiet(after) : 'contract' };
    return { how: kind, risk: kind === 'added' ? 'risk' : 'contract' };
  }
  if (TEXTS.has(last)) return textClass(field);
  if (last === '$schema') return { how: kind, risk: isDialect(after) ? 'cosmetic' : 'contract' };
  if (last === '$ref' && typeof after === 'string' && !after.startsWith('#'))
    return { how: 'widened', risk: output ? 'contract' : 'risk' };
  if (last === 'default') return { how: 'default', risk: 'contract' };
  const how = boundHow(last, field);
  if (how === 'reordered') return { how, risk: 'cosmetic' };
  const opens = (how === 'widened' && last !== 'required') || admits(last, field);
  return { how, risk: opens && !output ? 'risk' : 'contract' };
}

/** Of values that are exchanged, or a pattern that is another, nobody can say that what is taken was taken before. */
function admits(keyword: string, { kind, before, after }: Field): boolean {
  if (kind !== 'changed') return false;
  if (keyword === 'pattern' || keyword === 'const') return true;
  if (keyword !== 'enum' && keyword !== 'type') return false;
  const was = new Set(typed(list(before)));
  return list(after).some((item) => !was.has(item));
}

const MOST = /^(?:maxLength|maximum|exclusiveMaximum|maxItems|maxProperties)$/;
const LEAST = /^(?:minLength|minimum|exclusiveMinimum|minItems|minProperties)$/;
/** A pattern that anything fits. */
const OPEN = /^\^?(?:\.|\[\\s\\S\]|\(\?:\.\|\\n\))[*+]?\$?$|^\^?\$?$/;

/** Whether a keyword takes more or less than before. What cannot be told apart counts as narrowed: callers may break. */
function boundHow(keyword: string, { kind, before, after }: Field): How {
  if (keyword === 'required') return setHow(list(after), list(before));
  if (keyword === 'enum' || keyword === 'type' || keyword === 'anyOf' || keyword === 'oneOf') {
    if (kind === 'removed') return 'widened';
    return kind === 'added' ? 'narrowed' : setHow(typed(list(before)), typed(list(after)));
  }
  if (keyword === 'additionalProperties' || keyword === 'unevaluatedProperties')
    return after === false ? 'narrowed' : 'widened';
  if (keyword === 'allOf' && setHow(list(before), list(after)) === 'reordered') return 'reordered';
  if (NAMES.has(keyword) || keyword === 'allOf') return kind === 'added' ? 'widened' : 'narrowed';
  if (kind !== 'changed') return kind === 'removed' ? 'widened' : 'narrowed';
  if (typeof before === 'number' && typeof after === 'number' && (MOST.test(keyword) || LEAST.test(keyword)))
    return after > before === MOST.test(keyword) ? 'widened' : 'narrowed';
  if (keyword === 'pattern' && typeof after === 'string' && OPEN.test(after)) return 'widened';
  return 'narrowed';
}

const list = (value: Json | undefined): string[] =>
  value === undefined ? [] : (Array.isArray(value) ? value : [value]).map((item) => canonical(item));
/** Every integer is a number. */
const typed = (types: readonly string[]): string[] =>
  types.includes('"number"') ? [...types, '"integer"'] : [...types];

function setHow(before: readonly string[], after: readonly string[]): How {
  const [was, is] = [new Set(before), new Set(after)];
  if (![...was].every((item) => is.has(item))) return 'narrowed';
  return was.size === is.size ? 'reordered' : 'widened';
}
