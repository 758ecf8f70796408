/** Classes, each as one object that all its methods share. */
import { evaluate, functionValue } from './evaluate.ts';
import type { Here } from './follow.ts';
import { keyOf, type Node } from './parse.ts';
import { NOTHING, type Value } from './value.ts';

type Class = Extract<Node, { type: 'ClassDeclaration' | 'ClassExpression' }>;

/** A class as one object that all its methods share. */
export function classOf(node: Class, here: Here): Value {
  const fields = new Map<string, Value>();
  const self: Value = { ...NOTHING, fields };
  const above = node.superClass ? evaluate(node.superClass, here) : null;
  // Methods of the class above are this object's as well.
  for (const [name, value] of above?.fields ?? [])
    fields.set(name, value.fn ? { ...value, fn: { ...value.fn, self } } : value);
  if (above?.fields) fields.set('super', { ...NOTHING, fields: new Map(fields) });
  for (const item of node.body.body) {
    if (item.type === 'ClassMethod' || item.type === 'ClassPrivateMethod') {
      const key =
        item.type === 'ClassMethod' ? keyOf(item.key, item.computed === true) : `#${item.key.id.name}`;
      fields.set(key ?? '?', functionValue(item, here, self));
    } else if ((item.type === 'ClassProperty' || item.type === 'ClassPrivateProperty') && item.value) {
      const key =
        item.type === 'ClassProperty' ? keyOf(item.key, item.computed === true) : `#${item.key.id.name}`;
      fields.set(key ?? '?', evaluate(item.value, { ...here, env: thisIn(here, self) }));
    }
  }
  return self;
}

function thisIn({ env }: Here, self: Value): Here['env'] {
  const inner = env.branch();
  inner.declare('this', self);
  return inner;
}
