/** Code followed from where unknown words come in to where they are used: one package, function by function, by rules alone. */
import { type CodeFacts, type Flow, lineAround, type Sink, type Step } from '../facts.ts';
import { lineOf, type Node, startOf } from './parse.ts';
import { allTaints, Env, type Fn, type Taint, type Value } from './value.ts';

/** Nodes that are looked at in one file, and how deep calls are followed. */
export const FILE_BUDGET = 2_000_000;
export const MAX_DEPTH = 6;
const MAX_FLOWS = 200;

export interface Module {
  readonly path: string;
  readonly text: string;
  readonly env: Env;
  /** What it gives others, by name; `default` and `module.exports` among them. */
  readonly exports: Map<string, Value>;
}

/** What is known while one package is followed. */
export interface Following {
  /** A file of the package by the path that an import names, as seen from another; null where there is none. */
  readonly load: (from: string, specifier: string) => Module | null;
  readonly flows: Map<string, Flow>;
  readonly tools: Set<string>;
  /** Files that were not followed to their end. */
  readonly unfollowed: Set<string>;
  /** Functions that were met, and whether they were followed on their own. */
  readonly met: Map<Node, { readonly fn: Fn; readonly module: Module; followed: boolean }>;
  /** Results by function and what its arguments carry; null while it is being followed. */
  readonly results: Map<string, Value | null>;
  readonly ids: Map<object, number>;
  budget: number;
}

export function startFollowing(load: Following['load']): Following {
  return {
    ...{
      load,
      flows: new Map(),
      tools: new Set(),
      unfollowed: new Set(),
      met: new Map(),
      results: new Map(),
      ids: new Map(),
    },
    budget: FILE_BUDGET,
  };
}

/** The place where code is being followed. */
export interface Here {
  readonly all: Following;
  readonly module: Module;
  readonly env: Env;
  readonly depth: number;
  /** The tool whose arguments these are, where a function is asked for tools by their names. */
  readonly tool: string;
  /** Values that the function around this place gives back; added to. */
  readonly returns: Value[];
}

export class OutOfBudget extends Error {}

export function spend({ all }: Here): void {
  if (--all.budget < 0) throw new OutOfBudget();
}

export function stepAt({ module }: Here, node: Node, what: string): Step {
  return { what, path: module.path, line: lineOf(node), excerpt: lineAround(module.text, startOf(node)) };
}

interface Arrival {
  readonly node: Node;
  readonly value: Value;
  readonly sink: Sink;
  readonly call: string;
}

/** Which origins are worth telling at which sink. The rest is what programs are for. */
const TOLD: Readonly<Record<Taint['origin'], readonly Sink[]>> = {
  argument: ['shell', 'program', 'program argument', 'code', 'path', 'address', 'query', 'whole query'],
  answer: ['shell', 'program', 'code'],
  private: ['network'],
};

/** Something unknown is used here: told once for each place and origin. */
export function arrive(here: Here, { node, value, sink, call }: Arrival): void {
  const { flows } = here.all;
  for (const taint of allTaints(value)) {
    if (!TOLD[taint.origin].includes(sink) || flows.size >= MAX_FLOWS) continue;
    const { origin, what, steps } = taint;
    const tool = taint.tool === '' && origin === 'argument' ? here.tool : taint.tool;
    const last = stepAt(here, node, `${call}()`);
    const key = `${origin} ${tool} ${what} ${sink} ${last.path}:${last.line}`;
    const { path, line, excerpt } = last;
    if (!flows.has(key))
      flows.set(key, { origin, what, tool, sink, call, path, line, excerpt, steps: [...steps, last] });
  }
}

export function meet(here: Here, fn: Fn): void {
  if (!here.all.met.has(fn.node)) here.all.met.set(fn.node, { fn, module: here.module, followed: false });
}

export function idOf({ ids }: Following, node: object): number {
  const known = ids.get(node) ?? ids.size;
  ids.set(node, known);
  return known;
}

export const emptyModule = (path: string, text: string): Module => ({
  ...{ path, text },
  env: new Env(null),
  exports: new Map<string, Value>(),
});

export type FlowFacts = Pick<CodeFacts, 'flows' | 'tools' | 'unfollowed'>;
