/** What an expression may be, as far as it matters to whoever reads about flows. */
import { PRIVATE_FILE } from './apis.ts';
import { called } from './calls.ts';
import { classOf } from './classes.ts';
import { type Here, meet, spend, stepAt } from './follow.ts';
import { lookedAt } from './guards.ts';
import { isHandlerObject, takeTool } from './handlers.ts';
import { keyOf, type Node } from './parse.ts';
import { bind, checked, memberOf } from './patterns.ts';
import {
  type FunctionNode,
  NOTHING,
  refValue,
  stepped,
  textValue,
  union,
  type Value,
  wordsOf,
} from './value.ts';

const GLOBALS =
  /^(?:process|globalThis|global|window|self|fetch|eval|Function|Buffer|JSON|Object|Array|String|Number|Boolean|BigInt|Math|Date|URL|URLSearchParams|Promise|WebSocket|EventSource|Request|parseInt|parseFloat|atob|btoa|encodeURIComponent|encodeURI|decodeURIComponent|decodeURI|unescape|structuredClone|RegExp|Blob|FormData|TextEncoder|TextDecoder|Uint8Array|require|setTimeout|setInterval)$/;

export function evaluate(node: Node, here: Here): Value {
  spend(here);
  switch (node.type) {
    case 'Identifier':
      return here.env.get(node.name) ?? (GLOBALS.test(node.name) ? refValue(node.name) : NOTHING);
    case 'ThisExpression':
      return here.env.get('this') ?? NOTHING;
    case 'Super':
      return here.env.get('this')?.fields?.get('super') ?? NOTHING;
    case 'StringLiteral':
      return textValue(node.value);
    case 'TemplateLiteral':
      return template(node, here);
    case 'BinaryExpression':
      return binary(node, here);
    case 'MemberExpression':
    case 'OptionalMemberExpression':
      return member(node, here);
    case 'CallExpression':
    case 'OptionalCallExpression':
    case 'NewExpression':
      return called(node, here);
    case 'ImportExpression':
      return called(node, here);
    case 'TaggedTemplateExpression':
      return tagged(node, here);
    case 'ObjectExpression':
      return object(node, here);
    case 'ArrayExpression':
      return list(node, here);
    case 'ArrowFunctionExpression':
    case 'FunctionExpression':
      return functionValue(node, here);
    case 'ClassExpression':
      return classOf(node, here);
    default:
      return passing(node, here);
  }
}

/** Expressions that give on what is inside of them. */
function passing(node: Node, here: Here): Value {
  switch (node.type) {
    case 'AwaitExpression':
    case 'SpreadElement':
    case 'YieldExpression':
      return node.argument ? evaluate(node.argument, here) : NOTHING;
    case 'TSAsExpression':
    case 'TSNonNullExpression':
    case 'TSSatisfiesExpression':
    case 'TSTypeAssertion':
    case 'ParenthesizedExpression':
      return evaluate(node.expression, here);
    case 'SequenceExpression':
      return node.expressions.map((one) => evaluate(one, here)).at(-1) ?? NOTHING;
    case 'ConditionalExpression':
      return either(node, here);
    case 'LogicalExpression': {
      const values = [evaluate(node.left, here), evaluate(node.right, here)];
      return node.operator === '&&' ? (values[1] ?? NOTHING) : union(values);
    }
    case 'AssignmentExpression': {
      const right = evaluate(node.right, here);
      const value = node.operator === '=' ? right : joined([evaluate(node.left, here), right]);
      exported(node.left, value, here);
      bind(node.left, stepped(value, stepAt(here, node, 'assigned')), { here, declare: false, evaluate });
      return value;
    }
    case 'UnaryExpression':
      evaluate(node.argument, here);
      return NOTHING;
    default:
      return NOTHING;
  }
}

/** `ALLOWED.includes(x) ? x : 'a'` looks at x first. */
function either(node: Extract<Node, { type: 'ConditionalExpression' }>, here: Here): Value {
  evaluate(node.test, here);
  const yes = { ...here, env: here.env.branch() };
  const no = { ...here, env: here.env.branch() };
  for (const { place, good } of lookedAt(node.test, here.env)) checked(place, good ? yes : no, evaluate);
  return union([evaluate(node.consequent, yes), evaluate(node.alternate, no)]);
}

/** `module.exports = …` and `exports.name = …`. */
function exported(target: Node, value: Value, { module }: Here): void {
  if (target.type !== 'MemberExpression') return;
  const key = keyOf(target.property, target.computed);
  const { object } = target;
  if (key === null) return;
  if (object.type === 'Identifier' && object.name === 'module' && key === 'exports') {
    module.exports.set('default', value);
    for (const [name, field] of value.fields ?? []) module.exports.set(name, field);
  } else if (object.type === 'Identifier' && object.name === 'exports') module.exports.set(key, value);
  else if (object.type === 'MemberExpression' && keyOf(object.property, object.computed) === 'exports')
    module.exports.set(key, value);
}

/** Pieces of text one after the other: who writes the first of them chooses where it leads. */
export function joined(pieces: readonly Value[]): Value {
  const text = pieces
    .map((one) => one.text)
    .join(' ')
    .slice(0, 400);
  const words = wordsOf(pieces);
  const first = pieces.findIndex((one) => one.text !== '' || one.taints.length > 0);
  const begins = pieces[first];
  const scheme = /^\s*(?:https?|wss?|ftp|file):\/\/$/.test(begins?.text ?? '') ? pieces[first + 1] : begins;
  return { ...words, text, lead: words.taints.length > 0 && scheme?.lead === true };
}

function template(node: Extract<Node, { type: 'TemplateLiteral' }>, here: Here): Value {
  const pieces = node.quasis.flatMap(({ value }, at) => {
    const hole = node.expressions[at];
    return [textValue(value.cooked ?? value.raw), ...(hole ? [evaluate(hole, here)] : [])];
  });
  return stepped(joined(pieces), stepAt(here, node, 'put into a text'));
}

/** Templates of query builders and shells keep what is put in apart from what is around it. */
function tagged(node: Extract<Node, { type: 'TaggedTemplateExpression' }>, here: Here): Value {
  evaluate(node.tag, here);
  for (const hole of node.quasi.expressions) evaluate(hole, here);
  return NOTHING;
}

function binary(node: Extract<Node, { type: 'BinaryExpression' }>, here: Here): Value {
  const pieces: Value[] = [];
  let left: Node = node;
  while (left.type === 'BinaryExpression') {
    pieces.push(evaluate(left.right, here));
    if (left.operator !== '+') {
      if (left.left.type !== 'PrivateName') evaluate(left.left, here);
      return NOTHING;
    }
    left = left.left;
  }
  pieces.push(evaluate(left, here));
  return stepped(joined(pieces.reverse()), stepAt(here, node, 'put into a text'));
}

function member(
  node: Extract<Node, { type: 'MemberExpression' | 'OptionalMemberExpression' }>,
  here: Here,
): Value {
  if (node.computed) evaluate(node.property, here);
  const value = memberOf(evaluate(node.object, here), keyOf(node.property, node.computed));
  return value.taints.length > 0 ? stepped(value, stepAt(here, node, 'read')) : value;
}

/** After `--` nothing is an option any more, whoever writes it. */
function list(node: Extract<Node, { type: 'ArrayExpression' }>, here: Here): Value {
  const values = node.elements.map((one) => (one ? evaluate(one, here) : NOTHING));
  const end = values.findIndex(({ text, taints }) => text === '--' && taints.length === 0);
  return wordsOf(values.map((one, at) => (end >= 0 && at > end ? { ...one, lead: false } : one)));
}

function object(node: Extract<Node, { type: 'ObjectExpression' }>, here: Here): Value {
  const fields = new Map<string, Value>();
  const spread: Value[] = [];
  for (const property of node.properties) {
    if (property.type === 'SpreadElement') {
      const value = evaluate(property.argument, here);
      spread.push(value);
      for (const [name, field] of value.fields ?? []) fields.set(name, field);
      continue;
    }
    const value =
      property.type === 'ObjectMethod' ? functionValue(property, here) : evaluate(property.value, here);
    const key = keyOf(property.key, property.computed);
    fields.set(key ?? `?${fields.size}`, value);
  }
  const value: Value = { ...wordsOf(spread), fields };
  if (isHandlerObject(fields)) takeTool(fields, node, here);
  return value;
}

export function functionValue(node: FunctionNode, here: Here, self: Value | null = null): Value {
  const fn = { node, env: here.env, self };
  meet(here, fn);
  return { ...NOTHING, fn };
}

/** Does this text name a file that holds keys? */
export const isPrivate = (text: string): boolean => PRIVATE_FILE.test(text);
