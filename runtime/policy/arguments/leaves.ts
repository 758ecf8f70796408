/** The values inside of arguments, each with its name. */
import type { Json } from '../../../schemas/common.ts';
import { folded } from '../../wire/names.ts';

export interface Leaf {
  /** Dotted: `options.path`; the index of a list is no part of it. */
  readonly name: string;
  /** The same without the size of letters. */
  readonly folded: string;
  /** A list or an object only where it is empty. */
  readonly value: Json;
  /** It is itself the name of a member, of what is called `name`: `{"files": {"/data/x": "…"}}`. */
  readonly isName?: true;
}

/** In what could be a path, an address or a repository where a name stands. */
const TELLING = /[/\\%~:.]/;

/** Values of one call that are looked at; of a call with more nothing is certain. */
const MAX_LEAVES = 5000;
/** Characters of a dotted name: each value has its own, and they are compared for each condition. */
const MAX_NAME = 1000;

/** All values, and names that may say as much, in order; null where there are more, or longer names, than are looked at. */
export function leavesOf(args: Json): readonly Leaf[] | null {
  const leaves: Leaf[] = [];
  const walk = (value: Json, name: string): boolean => {
    if (leaves.length >= MAX_LEAVES || name.length > MAX_NAME) return false;
    const inner = value === null || typeof value !== 'object' ? [] : Object.entries(value);
    if (inner.length === 0) leaves.push({ name, folded: folded(name), value });
    const list = Array.isArray(value);
    return inner.every(([key, item]) => {
      if (!list && TELLING.test(key)) leaves.push({ name, folded: folded(name), value: key, isName: true });
      return walk(item, list ? name : name === '' ? key : `${name}.${key}`);
    });
  };
  return walk(args, '') ? leaves : null;
}

/** Values of one argument, and those inside of it: of every name that a program could take for this one. */
export function under(leaves: readonly Leaf[], argument: string): readonly Leaf[] {
  const wanted = folded(argument);
  return leaves.filter((leaf) => leaf.folded === wanted || leaf.folded.startsWith(`${wanted}.`));
}

/** The last part of a dotted name. */
export function lastName({ name }: Leaf): string {
  return name.slice(name.lastIndexOf('.') + 1);
}
