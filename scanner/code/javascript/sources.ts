/** What comes back of calls to others: words that nobody knows beforehand, and what schemas let through of them. */
import { isRequest, PRINTS_SECRETS, readsFiles } from './apis.ts';
import type { Call } from './calls.ts';
import { isPrivate, joined } from './evaluate.ts';
import { type Here, stepAt } from './follow.ts';
import { narrowIn } from './guards.ts';
import type { Node } from './parse.ts';
import { NOTHING, type Taint, type Value } from './value.ts';

/** What a schema lets through, under the names it has; those of numbers and choices are no text any more. */
export function parsed(value: Value = NOTHING, owner: Value | null, name: string): Value {
  if (value.taints.length === 0) return value;
  const narrow = new Set([...(value.narrow ?? []), ...(owner?.narrow ?? [])]);
  const inner: Value = value.narrow === null ? value : { ...value, narrow };
  return name.startsWith('safe') ? { ...NOTHING, fields: new Map([['data', inner]]) } : inner;
}

export function schemaIn(node: Call, { module }: Here): ReadonlySet<string> {
  const [first] = 'arguments' in node ? node.arguments : [];
  return first ? narrowIn(first, module.text) : new Set();
}

/** Where unknown words come from: other machines, files that hold keys, programs that print them. */
export function source(ref: string, args: readonly Value[], node: Node, here: Here): Value | null {
  const from = (origin: Taint['origin'], what: string): Value => ({
    ...NOTHING,
    taints: [{ origin, what: what.slice(0, 120), tool: '', steps: [stepAt(here, node, `${ref}()`)] }],
    lead: true,
  });
  const text = joined(args).text;
  if (isRequest(ref)) return from('answer', /:\/\/([\w.:-]+)/.exec(text)?.[1] ?? 'another machine');
  if (readsFiles(ref) && isPrivate(args[0]?.text.replaceAll(' ', '/') ?? ''))
    return from('private', args[0]?.text ?? '');
  if (/^child_process\.exec(?:Sync)?$/.test(ref) && PRINTS_SECRETS.test(text)) return from('private', text);
  return null;
}
