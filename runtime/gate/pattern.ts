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

interface Program {
  readonly states: State[];
  /** The round in which a state was reached last: each is followed once a character. */
  readonly seen: Uint32Array;
  round: number;
}

/** Throws a sentence where the pattern cannot be judged. */
export function compilePattern(source: string): Pattern {
  const budget = { left: MAX_STATES };
  const program = write(parsePattern(source), budget);
  return {
    test: (text, fuel) => search(program, { text, from: 0, anywhere: true, end: -1 }, fuel),
  };
}

function write(node: Node, budget: { left: number }): Program {
  const states: State[] = [];
  emit(node, states, budget);
  states.push({ kind: 'done' });
  return { states, seen: new Uint32Array(states.length), round: 0 };
}

/** Each state goes on to the next one, but for forks. */
function emit(node: Node, program: State[], budget: { left: number }): void {
  if (--budget.left < 0) throw new Error(`a pattern of more than ${MAX_STATES} states`);
  if (node.kind === 'all') for (const part of node.of) emit(part, program, budget);
  else if (node.kind === 'any') emitAny(node.of, program, budget);
  else if (node.kind === 'repeat') emitRepeat(node, program, budget);
  else if (node.kind === 'look')
    program.push({ kind: 'look', program: write(node.of, budget), behind: node.behind, not: node.not });
  else program.push(node);
}

function emitAny(of: readonly Node[], program: State[], budget: { left: number }): void {
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
  program: State[],
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

function search(program: Program, { text, from, anywhere, end }: Where, fuel: Fuel): boolean {
  const last = end < 0 ? text.length : end;
  const { states } = program;
  // What has to stand at the very beginning is not looked for elsewhere.
  const everywhere = anywhere && states[0]?.kind !== 'begin';
  const stack: number[] = [];
  const ready: number[] = [];
  for (let at = from; ; ) {
    if (at === from || everywhere) stack.push(0);
    if (stack.length === 0) return false;
    ready.length = 0;
    const done = follow(program, { text, at, stack, ready }, fuel);
    if (done && (end < 0 || at === end)) return true;
    if (at >= last) return false;
    const point = text.codePointAt(at) ?? 0;
    burn(fuel, ready.length + 1);
    for (const index of ready) {
      const state = states[index];
      if (state?.kind === 'one' && state.fits(point)) stack.push(index + 1);
    }
    at += point > 0xffff ? 2 : 1;
  }
}

interface Here {
  readonly text: string;
  readonly at: number;
  /** Where to go on from; empty afterwards. */
  readonly stack: number[];
  /** Gets the states that wait for a character. */
  readonly ready: number[];
}

/** Follows every way that takes no character; true where one of them is a match. */
function follow(program: Program, here: Here, fuel: Fuel): boolean {
  const { states, seen } = program;
  if (++program.round > 0xffff_fff0) {
    seen.fill(0);
    program.round = 1;
  }
  const { round } = program;
  const { stack, ready } = here;
  let done = false;
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (seen[index] === round) continue;
    seen[index] = round;
    burn(fuel, 1);
    const state = states[index];
    if (!state) continue;
    if (state.kind === 'one') ready.push(index);
    else if (state.kind === 'fork') for (const to of state.to) stack.push(to);
    else if (state.kind === 'done') done = true;
    else if (holds(state, here, fuel)) stack.push(index + 1);
  }
  return done;
}

type Assertion = Exclude<State, { kind: 'one' | 'fork' | 'done' }>;

function holds(state: Assertion, { text, at }: Pick<Here, 'text' | 'at'>, fuel: Fuel): boolean {
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
