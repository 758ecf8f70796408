/** What the code of a release has that its last approved release had not, package by package. */
import type { CodeFacts } from '../code/facts.ts';
import type { Facts } from './check.ts';
import { changedIn, nameOf } from './packages.ts';

export interface Fresh<T> {
  readonly purl: string;
  readonly name: string;
  readonly facts: CodeFacts;
  /** The same package in the last approved release; empty where it is new. */
  readonly before: readonly CodeFacts[];
  readonly items: readonly T[];
}

/**
 * Only packages whose bytes changed are looked at; without a baseline, all of them. Same bytes say nothing new. An item is known by
 * any of its keys: a file that has another name, or a line that is in another file, is not new.
 */
export async function freshIn<T>(
  facts: Facts,
  itemsOf: (code: CodeFacts) => readonly T[],
  keysOf: (item: T) => readonly string[],
): Promise<Fresh<T>[]> {
  const { closure, baseline } = facts;
  const old = new Map<string, CodeFacts[]>();
  for (const purl of changedIn(baseline?.closure.artifacts ?? [], closure.artifacts)) {
    const list = old.get(nameOf(purl)) ?? [];
    list.push(await facts.code(purl));
    old.set(nameOf(purl), list);
  }
  const fresh: Fresh<T>[] = [];
  for (const purl of changedIn(closure.artifacts, baseline?.closure.artifacts ?? [])) {
    const name = nameOf(purl);
    const code = await facts.code(purl);
    const before = old.get(name) ?? [];
    const known = new Set(before.flatMap((one) => itemsOf(one).flatMap((item) => keysOf(item))));
    const items = itemsOf(code).filter((item) => !keysOf(item).some((key) => known.has(key)));
    fresh.push({ purl, name, facts: code, before, items });
  }
  return fresh;
}

/** A line that says so much is the same line wherever it stands. */
const TELLING = 24;

/** The key by which an item is known in another file; none where its line is too short to tell. */
export const moved = (key: string, excerpt: string): string[] => (excerpt.length >= TELLING ? [key] : []);
