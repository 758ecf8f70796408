/** Looking at Cedar expressions without evaluating them: what they rest on, and what is decided before any call. */

import { isObject } from '../../schemas/common.ts';
import type { Expression, PolicyJson } from './cedar.ts';
import type { Known } from './world.ts';

/** What a policy rests on beside who calls what. */
export interface Uses {
  readonly arguments: boolean;
  readonly time: boolean;
  readonly flows: boolean;
}

const GROUP: Readonly<Record<string, keyof Uses | 'fixed'>> = {
  environment: 'fixed',
  surely: 'arguments',
  maybe: 'arguments',
  minute: 'time',
  weekday: 'time',
  day: 'time',
  readUntrusted: 'flows',
  readPrivate: 'flows',
};

/** The one key of an expression and what is below it. */
function headOf(expression: unknown): [string, unknown] {
  if (!isObject(expression)) return ['', undefined];
  const [key] = Object.keys(expression);
  return key === undefined ? ['', undefined] : [key, expression[key]];
}

function isVariable(expression: unknown, name: string): boolean {
  const [key, value] = headOf(expression);
  return key === 'Var' && value === name;
}

/** The attribute of a variable, as in `context.day`; undefined for anything else. */
function attributeOf(expression: unknown, variable: string): string | undefined {
  const [key, value] = headOf(expression);
  if (key !== '.' || !isObject(value) || !isVariable(value.left, variable)) return undefined;
  return typeof value.attr === 'string' ? value.attr : undefined;
}

/** Every expression inside of one, itself first. */
function* within(expression: unknown): Generator<unknown> {
  yield expression;
  const inner = Array.isArray(expression)
    ? expression
    : isObject(expression)
      ? Object.values(expression)
      : [];
  for (const one of inner) yield* within(one);
}

/** What it rests on. The context as a whole, in whatever way, is all of it. */
export function usesOf({ conditions }: PolicyJson): Uses {
  const uses = { arguments: false, time: false, flows: false };
  const look = (expression: unknown): void => {
    const group = GROUP[attributeOf(expression, 'context') ?? ''];
    if (group !== undefined) {
      if (group !== 'fixed') uses[group] = true;
      return;
    }
    if (isVariable(expression, 'context')) Object.assign(uses, { arguments: true, time: true, flows: true });
    const inner = Array.isArray(expression)
      ? expression
      : isObject(expression)
        ? Object.values(expression)
        : [];
    for (const one of inner) look(one);
  };
  for (const { body } of conditions) look(body);
  return uses;
}

/**
 * The texts of `context.surely.contains("…")` in a permission, `context.maybe.contains("…")` in a prohibition. Null
 * where either stands in any other way: then what is unknown could permit.
 */
export function conditionsIn({ effect, conditions }: PolicyJson): string[] | null {
  const wanted = effect === 'permit' ? 'surely' : 'maybe';
  const texts: string[] = [];
  const mentions = (expression: unknown): boolean =>
    [...within(expression)].some((one) => ['surely', 'maybe'].includes(attributeOf(one, 'context') ?? ''));
  const look = (expression: unknown): boolean => {
    const [key, value] = headOf(expression);
    if ((key === '&&' || key === '||') && isObject(value)) return look(value.left) && look(value.right);
    if (key === 'contains' && isObject(value) && attributeOf(value.left, 'context') === wanted) {
      const [kind, text] = headOf(value.right);
      if (kind === 'Value' && typeof text === 'string') texts.push(text);
      return kind === 'Value' && typeof text === 'string';
    }
    return !mentions(expression);
  };
  const sound = conditions.every(({ kind, body }) => (kind === 'when' ? look(body) : !mentions(body)));
  return sound ? texts : null;
}

/** Every entity that a policy names. */
export function entitiesIn(policy: PolicyJson): { type: string; id: string }[] {
  const found: { type: string; id: string }[] = [];
  for (const one of within(policy)) {
    const [key, value] = headOf(one);
    const uid = key === '__entity' ? value : one;
    if (isObject(uid) && typeof uid.type === 'string' && typeof uid.id === 'string')
      found.push({ type: uid.type, id: uid.id });
  }
  return found;
}

/** Of a validated policy these have a value whatever the call; arithmetic may overflow, and a failure has to deny. */
const SAFE = new Set([
  'Value',
  'Var',
  '.',
  '!',
  '&&',
  '||',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  'in',
  'is',
  'like',
  'has',
]);

function neverFails(expression: unknown): boolean {
  const [key, value] = headOf(expression);
  if (key === 'Value' || key === 'Var') return true;
  if (key === 'contains') return isObject(value) && neverFails(value.left) && neverFails(value.right);
  if (!SAFE.has(key) || !isObject(value)) return false;
  return ['left', 'right', 'arg'].every((side) => value[side] === undefined || neverFails(value[side]));
}

/** What is known before a call. */
export interface Before {
  readonly item: Known;
  readonly environment: string;
}

/** The value of an expression where it follows from the lock alone; undefined where it does not. */
export function fixedValue(expression: Expression | unknown, before: Before): unknown {
  const [key, value] = headOf(expression);
  if (key === 'Value') return isObject(value) || Array.isArray(value) ? undefined : value;
  if (attributeOf(expression, 'context') === 'environment') return before.environment;
  const attribute = attributeOf(expression, 'resource');
  if (attribute !== undefined)
    return Object.hasOwn(before.item.attributes, attribute) ? before.item.attributes[attribute] : undefined;
  if (!isObject(value)) return undefined;
  if (key === '!') {
    const inner = fixedValue(value.arg, before);
    return typeof inner === 'boolean' ? !inner : undefined;
  }
  if (key !== '&&' && key !== '||' && key !== '==') return undefined;
  const left = fixedValue(value.left, before);
  const right = fixedValue(value.right, before);
  if (key === '==') return left === undefined || right === undefined ? undefined : left === right;
  // As Cedar does: what stands first decides, and the second is looked at only where it does not.
  const ends = key === '||';
  if (left === ends || (right === ends && neverFails(value.left))) return ends;
  return left === !ends && typeof right === 'boolean' ? right : undefined;
}
