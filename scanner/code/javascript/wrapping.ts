/** What bundlers and compilers put around modules and functions. */
import { type Call, into } from './calls.ts';
import { evaluate } from './evaluate.ts';
import type { Here } from './follow.ts';
import { NOTHING, refValue, type Value } from './value.ts';

/** A field that says what calling the value gives. */
export const GIVES = '()';

/** `__commonJS({"a.js"(exports, module) {…}})`, as a bundler writes a module: calling it gives what it exports. */
export function bundled(node: Exclude<Call, { type: 'ImportExpression' }>, here: Here): Value {
  const [first] = node.arguments;
  const fn = first ? [...(evaluate(first, here).fields?.values() ?? [])].find((one) => one.fn)?.fn : null;
  if (!fn) return NOTHING;
  const exports: Value = { ...NOTHING, fields: new Map() };
  const module: Value = { ...NOTHING, fields: new Map([['exports', exports]]) };
  into(fn, [exports, module], { ...here, depth: 0 });
  return { ...NOTHING, fields: new Map([[GIVES, module.fields?.get('exports') ?? exports]]) };
}

/** Functions around a function or module that leave it what it is. */
export function wrapped(
  node: Exclude<Call, { type: 'ImportExpression' }>,
  { name, owner }: { name: string; owner: Value | null },
  here: Here,
): Value {
  if (name === 'createRequire') return refValue('require');
  if (name === 'bind' && owner) return owner;
  const [first] = node.arguments;
  return first ? evaluate(first, here) : NOTHING;
}
