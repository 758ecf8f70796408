/** What is known of a value while code is followed: which interface it is, what of its text, and whose words are in it. */
import type { Origin, Step } from '../facts.ts';
import type { Node } from './parse.ts';

export type FunctionNode = Extract<
  Node,
  {
    type:
      | 'FunctionDeclaration'
      | 'FunctionExpression'
      | 'ArrowFunctionExpression'
      | 'ObjectMethod'
      | 'ClassMethod'
      | 'ClassPrivateMethod';
  }
>;

/** Words that the code does not know beforehand. */
export interface Taint {
  readonly origin: Origin;
  readonly what: string;
  readonly tool: string;
  readonly steps: readonly Step[];
}

export interface Fn {
  readonly node: FunctionNode;
  readonly env: Env;
  /** The object it belongs to, for `this`. */
  readonly self: Value | null;
}

export interface Value {
  readonly taints: readonly Taint[];
  /** Such as `child_process.exec`: an interface of the platform or of a package. */
  readonly ref: string | null;
  /** The pieces of text in it that are known, joined. */
  readonly text: string;
  /** A text that begins with words of others: they choose the host of an address, or an option of a program. */
  readonly lead: boolean;
  readonly fields: Map<string, Value> | null;
  readonly fn: Fn | null;
  /** Of a schema, and of what it parsed: names whose values cannot be any text. */
  readonly narrow: ReadonlySet<string> | null;
  /** Which of these it is nobody knows: members of a table that are asked for by a computed name. */
  readonly alts: readonly Value[];
  /** Places that say the same in another form, or that this answer is about: who looks at it has looked at them. */
  readonly of: readonly Node[];
}

export const NOTHING: Value = {
  taints: [],
  ref: null,
  text: '',
  lead: false,
  fields: null,
  fn: null,
  narrow: null,
  alts: [],
  of: [],
};
const MAX_ALTS = 50;
const MAX_PLACES = 8;
const MAX_TAINTS = 6;
const MAX_STEPS = 12;
const MAX_TEXT = 400;

export const textValue = (text: string): Value => ({ ...NOTHING, text: text.slice(0, MAX_TEXT) });
export const refValue = (ref: string): Value => ({ ...NOTHING, ref });

/** Either of them: what is known is what all say, whose words are in it is what any says. */
export function union(values: readonly Value[]): Value {
  const [only] = values;
  if (!only) return NOTHING;
  if (values.length === 1) return only;
  const taints = mergeTaints(values);
  return {
    taints,
    ref: values.find(({ ref }) => ref !== null)?.ref ?? null,
    text: values
      .map(({ text }) => text)
      .join(' ')
      .trim()
      .slice(0, MAX_TEXT),
    lead: values.some(({ lead }) => lead),
    fields: values.find(({ fields }) => fields !== null)?.fields ?? null,
    fn: values.find(({ fn }) => fn !== null)?.fn ?? null,
    narrow: values.find(({ narrow }) => narrow !== null)?.narrow ?? null,
    alts: values.flatMap(({ alts }) => alts).slice(0, MAX_ALTS),
    of: [...new Set(values.flatMap(({ of }) => of))].slice(0, MAX_PLACES),
  };
}

/** One of the members, whichever it is. */
export function anyOf(fields: ReadonlyMap<string, Value>): Value {
  const alts = [...fields.values()].filter(({ fn, fields: inner }) => fn !== null || inner !== null);
  return { ...wordsOf([...fields.values()]), alts: alts.slice(0, MAX_ALTS) };
}

function mergeTaints(values: readonly Value[]): readonly Taint[] {
  const all = new Map<string, Taint>();
  for (const { taints } of values)
    for (const taint of taints) {
      const key = `${taint.origin} ${taint.tool} ${taint.what}`;
      if (!all.has(key) && all.size < MAX_TAINTS) all.set(key, taint);
    }
  return [...all.values()];
}

/** Everything whose words are anywhere in it: itself and its fields, some levels deep. */
export function allTaints(value: Value, depth = 3): readonly Taint[] {
  if (!value.fields || depth === 0) return value.taints;
  const inner = [...value.fields.values()]
    .slice(0, 200)
    .map((one) => ({ ...one, taints: allTaints(one, depth - 1) }));
  return mergeTaints([value, ...inner]);
}

/** The same words in another shape. */
export function wordsOf(values: readonly Value[]): Value {
  const taints = mergeTaints(values.map((value) => ({ ...value, taints: allTaints(value) })));
  return taints.length === 0 ? NOTHING : { ...NOTHING, taints, lead: values.some(({ lead }) => lead) };
}

export function stepped(value: Value, step: Step): Value {
  if (value.taints.length === 0) return value;
  const taints = value.taints.map((taint) => {
    const last = taint.steps.at(-1);
    const same = last?.line === step.line && last.path === step.path;
    return same || taint.steps.length >= MAX_STEPS ? taint : { ...taint, steps: [...taint.steps, step] };
  });
  return { ...value, taints };
}

export const clean = (value: Value): Value =>
  value.taints.length === 0 && value.fields === null
    ? value
    : {
        ...value,
        taints: value.taints.filter(({ origin }) => origin === 'private'),
        lead: false,
        fields: null,
        of: [],
      };

/** Names and their values, by scope. A branch keeps what it changes to itself until it is merged. */
export class Env {
  readonly #vars = new Map<string, Value>();
  readonly #parent: Env | null;
  readonly #branch: boolean;

  constructor(parent: Env | null, branch = false) {
    this.#parent = parent;
    this.#branch = branch;
  }

  get(name: string): Value | undefined {
    for (let env: Env | null = this; env; env = env.#parent) {
      const value = env.#vars.get(name);
      if (value) return value;
    }
    return undefined;
  }

  declare(name: string, value: Value): void {
    this.#vars.set(name, value);
  }

  /** Into the scope that has the name, or the nearest branch. */
  set(name: string, value: Value): void {
    for (let env: Env | null = this; env; env = env.#parent) {
      if (env.#branch || env.#vars.has(name)) {
        env.#vars.set(name, value);
        return;
      }
    }
    this.#vars.set(name, value);
  }

  branch(): Env {
    return new Env(this, true);
  }

  /** Takes over what branches changed; each of them may or may not have been gone through. */
  merge(branches: readonly Env[]): void {
    for (const branch of branches)
      for (const [name, value] of branch.#vars) this.set(name, union([value, this.get(name) ?? NOTHING]));
  }
}
