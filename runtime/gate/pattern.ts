/**
 * Patterns whose work is bounded: all ways to match are followed at once, one character after the other, so that time
 * grows with the text and the pattern alone. Each step takes fuel; without any left nothing is decided.
 */
import { type Fits, type Node, parsePattern } from './pattern-parse.ts';

/** Steps that may still be taken. */
export interface Fuel {
  left: number;
}

/** There was no fuel left: the answer is not known. */
export class Exhausted extends Error {
  constructor() {
    super('more work than a judgement may take');
    this.name = 'Exhausted';
  }
}

export function burn(fuel: Fuel, steps: number): void {
  fuel.left -= steps;
  if (fuel.left < 0) throw new Exhausted();
}

export interface Pattern {
  /** Whether it fits anywhere in the text. Throws Exhausted. */
  test(text: string, fuel: Fuel): boolean;
}

/** States of one pattern, repetitions written out; `{1,1000}` of one character takes 2,000. */
const MAX_STATES = 20_000;

type State =
  | { readonly kind: 'one'; readonly fits: Fits }
  | { readonly kind: 'fork'; readonly to: readonly number[] }
  | { readonly kind: 'begin' | 'end' | 'border' | 'inside' | 'done' }
  | { readonly kind: 'look'; readonly program: Program; readonly behind: boolean; readonly not: boolean };
type Program = State[];

/** Throws a sentence where the pattern cannot be judged. */
export function compilePattern(source: string): Pattern {
  const budget = { left: MAX_STATES };
  const program = write(parsePattern(source), budget);
  return {
    test: (text, fuel) => search(program, { text, from: 0, anywhere: true, end: -1 }, fuel),
  };
}

function write(node: Node, budget: { left: number }): Program {
  const program: Program = [];
  emit(node, program, budget);
  program.push({ kind: 'done' });
  return program;
}

/** Each state goes on to the next one, but for forks. */
function emit(node: Node, program: Program, budget: { left: number }): void {
  if (--budget.left < 0) throw new Error(`a pattern of more than ${MAX_STATES} states`);
  if (node.kind === 'all') for (const part of node.of) emit(part, program, budget);
  else if (node.kind === 'any') emitAny(node.of, program, budget);
  else if (node.kind === 'repeat') emitRepeat(node, program, budget);
  else if (node.kind === 'look')
    program.push({ kind: 'look', program: write(node.of, budget), behind: node.behind, not: node.not });
  else program.push(node);
}

function emitAny(of: readonly Node[], program: Program, budget: { left: number }): void {
  const fork: number[] = [];
  program.push({ kind: 'fork', to: fork });
  const ends: number[][] = [];
  for (const part of of) {
    fork.push(program.length);
    emit(part, program, budget);
    const end: number[] = [];
    ends.push(end);
    program.push({ kind: 'fork', to: end });
  }
  for (const end of ends) end.push(program.length);
}

function emitRepeat(
  { of, min, max }: Extract<Node, { kind: 'repeat' }>,
  program: Program,
  budget: { left: number },
): void {
  for (let i = 0; i < min; i++) emit(of, program, budget);
  if (max === Infinity) {
    const at = program.length;
    const fork = [at + 1];
    program.push({ kind: 'fork', to: fork });
    emit(of, program, budget);
    program.push({ kind: 'fork', to: [at] });
    fork.push(program.length);
    return;
  }
  const exits: number[][] = [];
  for (let i = min; i < max; i++) {
    const fork = [program.length + 1];
    exits.push(fork);
    program.push({ kind: 'fork', to: fork });
    emit(of, program, budget);
  }
  for (const exit of exits) exit.push(program.length);
}

interface Where {
  readonly text: string;
  readonly from: number;
  /** A match may begin at any place from there on. */
  readonly anywhere: boolean;
  /** Where a match has to end; -1: anywhere. */
  readonly end: number;
}

function search(program: Program, where: Where, fuel: Fuel): boolean {
  const { text, from, anywhere, end } = where;
  const last = end < 0 ? text.length : end;
  let seen = new Uint32Array(program.length);
  let waiting: number[] = [];
  let round = 0;
  for (let at = from; ; ) {
    round++;
    const starts = at === from || anywhere ? [...waiting, 0] : waiting;
    if (starts.length === 0) return false;
    const ready = follow(program, { text, at, starts, seen, round }, fuel);
    if (ready.done && (end < 0 || at === end)) return true;
    if (at >= last) return false;
    const point = text.codePointAt(at) ?? 0;
    burn(fuel, ready.states.length + 1);
    waiting = [];
    for (const index of ready.states) {
      const state = program[index];
      if (state?.kind === 'one' && state.fits(point)) waiting.push(index + 1);
    }
    at += point > 0xffff ? 2 : 1;
    if (round > 0xffff_fff0) [seen, round] = [new Uint32Array(program.length), 0];
  }
}

interface Here {
  readonly text: string;
  readonly at: number;
  readonly starts: number[];
  /** The round in which a state was reached last: each is followed once a character. */
  readonly seen: Uint32Array;
  readonly round: number;
}

/** Every state that can be reached without a character. */
function follow(program: Program, here: Here, fuel: Fuel): { states: number[]; done: boolean } {
  const stack = here.starts;
  const states: number[] = [];
  let done = false;
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (here.seen[index] === here.round) continue;
    here.seen[index] = here.round;
    burn(fuel, 1);
    const state = program[index];
    if (!state) continue;
    if (state.kind === 'one') states.push(index);
    else if (state.kind === 'fork') stack.push(...state.to);
    else if (state.kind === 'done') done = true;
    else if (holds(state, here, fuel)) stack.push(index + 1);
  }
  return { states, done };
}

type Assertion = Exclude<State, { kind: 'one' | 'fork' | 'done' }>;

function holds(state: Assertion, { text, at }: Here, fuel: Fuel): boolean {
  if (state.kind === 'begin') return at === 0;
  if (state.kind === 'end') return at === text.length;
  if (state.kind === 'look') {
    const where = state.behind
      ? { text, from: 0, anywhere: true, end: at }
      : { text, from: at, anywhere: false, end: -1 };
    return search(state.program, where, fuel) !== state.not;
  }
  const border = isWord(text, at - 1) !== isWord(text, at);
  return state.kind === 'border' ? border : !border;
}

function isWord(text: string, at: number): boolean {
  return /^\w$/.test(text.charAt(at));
}
