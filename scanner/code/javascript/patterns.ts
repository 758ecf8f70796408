/** Names bound to values: parameters, destructuring, assignment. */
import type { Here } from './follow.ts';
import { bare, keyOf, type Node } from './parse.ts';
import { anyOf, clean, NOTHING, refValue, union, type Value, wordsOf } from './value.ts';

const ENVIRONMENT = 'the environment';

/** A member of a value: a known field, a member of an interface, or the same unknown words under a longer name. */
export function memberOf(value: Value, key: string | null): Value {
  // One variable, whichever it is.
  if (value.ref === ENVIRONMENT) return NOTHING;
  if (value.alts.length > 0) return union(value.alts.map((one) => memberOf(one, key)));
  if (key === null && value.fields) return anyOf(value.fields);
  if (key === null)
    return value.taints.length > 0 ? { ...NOTHING, taints: value.taints, lead: value.lead } : NOTHING;
  const field = value.fields?.get(key);
  if (field) return field;
  if (value.ref !== null) {
    if (value.ref === 'process' && key === 'env') return environment();
    if (key === 'default') return value;
    const ref = /^(?:globalThis|global|window|self)$/.test(value.ref) ? key : `${value.ref}.${key}`;
    return { ...refValue(ref), taints: value.taints };
  }
  if (value.taints.length === 0 || key === 'length') return NOTHING;
  if (value.narrow?.has(key)) return NOTHING;
  const taints = value.taints.map((taint) =>
    taint.origin === 'argument' && value.narrow !== null ? { ...taint, what: key } : taint,
  );
  return { ...NOTHING, taints, lead: value.lead || value.narrow !== null };
}

/** All of it, as one value: names of single variables are no secret. */
function environment(): Value {
  const taint = { origin: 'private', what: 'the whole environment', tool: '', steps: [] } as const;
  return { ...refValue(ENVIRONMENT), taints: [taint] };
}

type Evaluate = (node: Node, here: Here) => Value;

/** Gives a pattern its value. `declare` makes new names; otherwise names that are there change. */
export function bind(
  pattern: Node,
  value: Value,
  {
    here,
    declare,
    evaluate,
  }: { readonly here: Here; readonly declare: boolean; readonly evaluate: Evaluate },
): void {
  const how = { here, declare, evaluate };
  const { env } = here;
  switch (pattern.type) {
    case 'Identifier':
      if (declare) env.declare(pattern.name, value);
      else env.set(pattern.name, value);
      return;
    case 'AssignmentPattern':
      bind(
        pattern.left,
        value.taints.length > 0 || value.fn ? value : orElse(value, evaluate(pattern.right, here)),
        how,
      );
      return;
    case 'RestElement':
      bind(pattern.argument, value, how);
      return;
    case 'TSParameterProperty':
      bind(pattern.parameter, value, how);
      return;
    case 'ObjectPattern':
      for (const property of pattern.properties) {
        if (property.type === 'RestElement') bind(property.argument, value, how);
        else bind(property.value, memberOf(value, keyOf(property.key, property.computed)), how);
      }
      return;
    case 'ArrayPattern':
      for (const element of pattern.elements) if (element) bind(element, wordsOf([value]), how);
      return;
    case 'MemberExpression':
      setMember(pattern, value, how);
  }
}

function orElse(value: Value, other: Value): Value {
  return value.ref !== null || value.fields !== null || value.text !== '' ? value : other;
}

function setMember(
  pattern: Extract<Node, { type: 'MemberExpression' }>,
  value: Value,
  { here, evaluate }: { readonly here: Here; readonly evaluate: Evaluate },
): void {
  const key = keyOf(pattern.property, pattern.computed);
  const owner = evaluate(pattern.object, here);
  if (key !== null && owner.fields) owner.fields.set(key, value);
  else if (key !== null && bare(pattern.object).type === 'Identifier')
    bind(
      bare(pattern.object),
      { ...owner, fields: new Map([[key, value]]) },
      { here, declare: false, evaluate },
    );
}

/** What was looked at is taken as it should be: the name or member has no unknown words any more. */
export function checked(node: Node, here: Here, evaluate: Evaluate, seen = new Set<string>()): void {
  const inner = bare(node);
  const how = { here, declare: false, evaluate };
  if (inner.type === 'Identifier') {
    if (seen.has(inner.name)) return;
    seen.add(inner.name);
    const value = here.env.get(inner.name) ?? NOTHING;
    bind(inner, clean(value), how);
    // Who looks at one form has looked at what it was made of.
    for (const one of value.of) checked(one, here, evaluate, seen);
  } else if (inner.type === 'MemberExpression') {
    const owner = bare(inner.object);
    const key = keyOf(inner.property, inner.computed);
    const value = owner.type === 'Identifier' ? here.env.get(owner.name) : undefined;
    if (key === null || owner.type !== 'Identifier' || !value) return;
    // `url.hostname` is a part of what was parsed.
    if (value.of.length > 0) return checked(owner, here, evaluate, seen);
    const fields = new Map(value.fields ?? []).set(key, NOTHING);
    bind(owner, { ...value, fields }, how);
  } else if (inner.type === 'TemplateLiteral')
    for (const one of inner.expressions) checked(one, here, evaluate, seen);
}
