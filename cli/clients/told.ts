/** What `lk adopt` says: the difference first, then what was done and what was not. Pure. */
import { counted } from '../../scanner/text.ts';
import { plain } from '../output.ts';
import type { ReadFile } from './files.ts';
import type { Planned } from './plan.ts';

/** One file, and what becomes of it. */
export interface Work {
  readonly path: string;
  readonly file: ReadFile;
  readonly planned: readonly Planned[];
  /** Null where nothing is to be written. */
  readonly after: string | null;
}

export function differenceOf({ path, planned }: Work): string[] {
  return planned
    .filter(({ change }) => change !== null)
    .flatMap(({ name, minus, plus, notes }) => [
      plain(`${path}: ${name}`),
      ...minus.map((line) => plain(`  - ${line}`)),
      ...plus.map((line) => plain(`  + ${line}`)),
      ...notes.map((note) => plain(`  ${note}`)),
    ]);
}

export function endOf({ path, planned }: Work, copy: string | undefined): string[] {
  const of = (outcome: Planned['outcome']): Planned[] => planned.filter((one) => one.outcome === outcome);
  const already = of('already').map(({ name }) => name);
  return [
    ...(planned.length === 0 ? [`${path} names no server of this project.`] : []),
    ...(already.length > 0 ? [`${path} has ${already.join(', ')} run through the lock already.`] : []),
    ...(copy ? [`${path} is written: ${counted(of('adopted').length, 'server')}. As it was: ${copy}`] : []),
    ...of('refused').flatMap(({ name, why, next }, at, all) => [
      `Not adopted: ${name}: ${why}`,
      ...(all[at + 1]?.next === next ? [] : [`  Next: ${next}`]),
    ]),
  ].map(plain);
}

export function dataOf(works: readonly Work[], copies: ReadonlyMap<string, string>): object {
  const files = works.map(({ path, planned }) => ({
    ...{ file: path, written: copies.has(path), copy: copies.get(path) ?? null },
    servers: planned.map(({ change: _, ...one }) => one),
  }));
  return { files };
}
