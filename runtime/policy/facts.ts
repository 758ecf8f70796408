/** What a call's arguments come to under the conditions of a policy: a few bits, by which decisions can be known again. */
import type { Json } from '../../schemas/common.ts';
import { leavesOf } from './arguments/leaves.ts';
import { decide, type Predicate } from './arguments/predicate.ts';

export interface Facts {
  /** Conditions that certainly hold, and those that may. */
  readonly surely: string[];
  readonly maybe: string[];
  /** The same for the same two lists under one policy, and for no others. */
  readonly key: string;
}

export const NO_FACTS: Facts = { surely: [], maybe: [], key: '' };

/** `hidden`: how conditions on text that a journal does not show hold; null for arguments as they came. */
export function factsOf(
  predicates: readonly Predicate[],
  args: Json,
  hidden: 'worst' | 'best' | null,
): Facts {
  const surely: string[] = [];
  const maybe: string[] = [];
  let key = '';
  const leaves = predicates.length === 0 ? [] : leavesOf(args);
  for (const predicate of predicates) {
    const holds = decide(predicate, leaves, hidden !== null);
    const best = hidden === 'best' && holds.hidden;
    const [is, may] = [best || holds.surely, !best && holds.maybe];
    if (is) surely.push(predicate.text);
    if (may) maybe.push(predicate.text);
    key += String((is ? 1 : 0) + (may ? 2 : 0));
  }
  return { surely, maybe, key };
}

/** Arguments that fit every permission and no prohibition. */
export function bestFacts(predicates: readonly Predicate[]): Facts {
  const surely = predicates.map(({ text }) => text);
  return { surely, maybe: [], key: '1'.repeat(predicates.length) };
}
