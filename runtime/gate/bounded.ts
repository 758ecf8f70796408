/**
 * Values against JSON Schemas that nobody trusts, in bounded time: each step takes fuel, and without any left the value
 * does not fit. Schemas are never turned into code, no address is fetched, and what cannot be judged permits nothing.
 */
import type { Json, JsonObject } from '../../schemas/common.ts';
import { applicatorsOf } from './applicators.ts';
import { assertionsOf } from './assertions.ts';
import { burn, Exhausted, type Fuel } from './pattern.ts';
import { References } from './references.ts';

/** Steps for any value, and more for each character and item of it: linear in what somebody took the trouble to send. */
const FUEL = 200_000;
const FUEL_PER_UNIT = 8;
/** Schemas applied within one another. */
const MAX_DEPTH = 500;
/** Schemas of one document that are read; what is never applied is not. */
const MAX_NODES = 20_000;
const MAX_PROBLEMS = 5;

export interface Problem {
  /** JSON pointer into the value. */
  readonly at: string;
  readonly message: string;
}

/** What of an object or array a schema has looked at, for the `unevaluated` keywords. */
export interface Seen {
  readonly names: Set<string>;
  readonly items: Set<number>;
  /** All items before this one, Infinity for all. */
  before: number;
  allNames: boolean;
}

export interface Run {
  readonly fuel: Fuel;
  readonly path: (string | number)[];
  readonly problems: Problem[];
  /** Above zero inside of what may fail: problems there are none of the value. */
  quiet: number;
  depth: number;
}

/** One keyword, or several that belong together. */
export type Check = (value: Json, run: Run, seen: Seen | null) => boolean;
/** Applies the schema at this value; `below` names the child that the value is, if it is one. */
export type Apply = (value: Json, run: Run, seen: Seen | null, below?: string | number) => boolean;

/** What the keyword files need from here. */
export interface Compiler {
  /** Read when it is first applied, so that schemas may refer to themselves. */
  compile(schema: Json, base: string): Apply;
  readonly references: References;
}

export interface BoundedSchema {
  /** No problem: it fits. */
  problems(value: Json): readonly Problem[];
}

const UNREADABLE: readonly Problem[] = [{ at: '', message: 'the locked schema cannot be read' }];

/** Never throws: a schema that cannot be judged fits nothing, and says why. */
export function boundedSchema(schema: Json | undefined): BoundedSchema {
  if (schema === null || typeof schema !== 'object' || Array.isArray(schema))
    return { problems: () => UNREADABLE };
  let root: Apply | null = null;
  return {
    problems: (value) => {
      const run = runWith(FUEL + FUEL_PER_UNIT * sizeOf(value));
      try {
        root ??= compilerOf(schema).compile(schema, '');
        if (root(value, run, null)) return [];
      } catch (error) {
        return [{ at: '', message: reasonOf(error) }];
      }
      return run.problems.length > 0 ? run.problems : [{ at: '', message: 'does not fit' }];
    },
  };
}

export function runWith(fuel: number): Run {
  return { fuel: { left: fuel }, path: [], problems: [], quiet: 0, depth: 0 };
}

/** Characters, names and items of a value. */
function sizeOf(value: Json): number {
  if (typeof value === 'string') return value.length;
  if (value === null || typeof value !== 'object') return 1;
  let size = 1;
  if (Array.isArray(value)) for (const item of value) size += sizeOf(item);
  else for (const [name, item] of Object.entries(value)) size += name.length + sizeOf(item);
  return size;
}

function reasonOf(error: unknown): string {
  if (error instanceof Exhausted) return `takes ${error.message}`;
  return `the locked schema cannot be judged: ${(error as Error).message.slice(0, 200)}`;
}

/** Says that the value does not fit here. */
export function problem(run: Run, message: string): false {
  if (run.quiet === 0 && run.problems.length < MAX_PROBLEMS) {
    const at = run.path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`);
    run.problems.push({ at: at.join(''), message });
  }
  return false;
}

/** Whether it fits, without saying what does not. */
export function quietly(run: Run, fits: () => boolean): boolean {
  run.quiet++;
  const result = fits();
  run.quiet--;
  return result;
}

export function newSeen(): Seen {
  return { names: new Set(), items: new Set(), before: 0, allNames: false };
}

/** Adds what an applied schema looked at, once it fits. */
export function addSeen(to: Seen | null, from: Seen | null, fuel: Fuel): void {
  if (!to || !from) return;
  burn(fuel, from.names.size + from.items.size);
  for (const name of from.names) to.names.add(name);
  for (const item of from.items) to.items.add(item);
  to.before = Math.max(to.before, from.before);
  to.allNames ||= from.allNames;
}

const never: Apply = (_, run, __, below) => {
  if (below !== undefined) run.path.push(below);
  problem(run, 'is not permitted to be there');
  if (below !== undefined) run.path.pop();
  return false;
};

function compilerOf(document: JsonObject): Compiler {
  const references = new References(document);
  const known = new Map<Json, Apply>();
  let nodes = 0;
  const compiler: Compiler = {
    references,
    compile: (schema, base) => {
      if (typeof schema === 'boolean') return schema ? () => true : never;
      if (schema === null || typeof schema !== 'object' || Array.isArray(schema))
        throw new Error('a schema that is none');
      let apply = known.get(schema);
      if (!apply) {
        if (++nodes > MAX_NODES) throw new Error(`more than ${MAX_NODES} schemas in one`);
        apply = applyOf(schema, compiler, base);
        known.set(schema, apply);
      }
      return apply;
    },
  };
  return compiler;
}

function applyOf(schema: JsonObject, compiler: Compiler, outer: string): Apply {
  const base = compiler.references.baseOf(schema, outer);
  const watches = 'unevaluatedProperties' in schema || 'unevaluatedItems' in schema;
  let checks: readonly Check[] | null = null;
  return (value, run, seen, below) => {
    checks ??= [...assertionsOf(schema), ...applicatorsOf(schema, compiler, base)];
    burn(run.fuel, checks.length + 1);
    if (++run.depth > MAX_DEPTH) throw new Error(`schemas applied ${MAX_DEPTH} deep`);
    if (below !== undefined) run.path.push(below);
    const mine = watches ? newSeen() : seen;
    let fits = true;
    for (const check of checks) if (!check(value, run, mine)) fits = false;
    if (watches && fits) addSeen(seen, mine, run.fuel);
    if (below !== undefined) run.path.pop();
    run.depth--;
    return fits;
  };
}
