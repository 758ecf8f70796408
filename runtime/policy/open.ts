/** A policy ready to judge: which calls a caller may make, and what of a list they may see. */
import type { Json } from '../../schemas/common.ts';
import type { Caller } from '../gate/caller.ts';
import { ask, type Entity, MAX_SETS, prepare, type Question, setsRead, type Verdict } from './cedar.ts';
import { type Compiled, type CompiledPolicy, compilePolicy, textsOf } from './compile.ts';
import { bestFacts, type Facts, factsOf, NO_FACTS } from './facts.ts';
import type { Read } from './flows.ts';
import { type Principal, Principals, parentsOf } from './principal.ts';
import { type Full, type Rates, ratesOf } from './rates.ts';
import { lets, type Remembers } from './rules.ts';
import { ACTION_OF } from './schema.ts';
import { sliceFor, sliceOf } from './slice.ts';
import { momentOf, NO_MOMENT } from './time.ts';
import {
  type Item,
  type Known,
  keyOf,
  type LockedEntry,
  type LockedTexts,
  namesOf,
  readsOf,
  worldOf,
} from './world.ts';

export interface Decision {
  readonly effect: 'allow' | 'deny' | 'ask';
  /** The rule that decided, as records name it. */
  readonly rule: string;
  /** Of `ask`: how many have to let it pass, and how long they may take. */
  readonly people?: 1 | 2;
  readonly minutes?: number;
}

export interface JudgedCall {
  readonly caller: Caller;
  readonly item: Item;
  /** As they came. */
  readonly arguments: Json;
  readonly now: Date;
  readonly read: Read;
  /** Arguments from a journal: conditions on hidden text hold as badly as they can, or as well. */
  readonly hidden?: 'worst' | 'best';
}

export interface Policy {
  readonly digest: string;
  readonly remembers: Remembers;
  judge(call: JudgedCall): Decision;
  /** The line that lets no more calls of these pass for now; null: it may. `count`: where it may, it is one more. */
  bounded(caller: Caller, items: readonly Item[], count: boolean): Full | null;
  /** Whether some arguments exist that this caller may use it with now, or with people who let it pass. */
  canSee(caller: Caller, item: Item): Decision;
  /** Whether something of this server that sends out may be used by a session that has read that; null: nothing does. */
  sends(caller: Caller, server: string, read: Read): boolean | null;
  /** What it brings, and whether it sends out; what is no tool, or the server itself, counts as all of its tools together. */
  reads(item: Item | { readonly server: string }): Read & { readonly sends: boolean };
}

export interface PolicySource {
  readonly text: string;
  readonly digest: string;
  readonly environment: string;
  /** Every server of the lock, by alias: what a policy may name. */
  readonly entries: ReadonlyMap<string, LockedEntry>;
  /** Locked texts of the servers to be judged; calls of the others are denied. */
  readonly surfaces: ReadonlyMap<string, LockedTexts>;
}

/** Throws POLICY_INVALID. */
export function openPolicy(source: PolicySource): Policy {
  const compiled = compilePolicy(source.text, namesOf(source.entries));
  return new Engine(source, compiled);
}

const DEFAULT: Decision = { effect: 'deny', rule: 'default: no line permits it' };
/** Principals and items whose slices and decisions are kept. */
const MAX_KEPT = 20_000;
/** Decisions of one slice that are kept; with more, all of them are forgotten. */
const MAX_DECIDED = 64;
const NOTHING_READ: Read = { untrusted: false, private: false };

interface When {
  readonly read: Read;
  readonly now: Date;
}

/** All that is the same for every call of one item by one principal. */
interface Slice {
  readonly hard: string;
  readonly asking: string | null;
  readonly uses: { readonly arguments: boolean; readonly time: boolean };
  readonly entities: readonly Entity[];
  /** By what the session has read, and by what arguments and time come to where they matter. */
  readonly decided: Map<string, Decision>;
}

class Engine implements Policy {
  readonly digest: string;
  readonly remembers: Remembers;
  readonly #compiled: CompiledPolicy;
  readonly #byId: ReadonlyMap<string, Compiled>;
  readonly #world: ReadonlyMap<string, Known>;
  readonly #environment: string;
  readonly #items = new Map<string, readonly Compiled[]>();
  readonly #slices = new Map<string, Slice>();
  readonly #principals: Principals;
  readonly #rates: Rates | null;
  /** By tool. */
  readonly #reads = new Map<string, ReturnType<Policy['reads']>>();

  constructor({ digest, environment, entries, surfaces }: PolicySource, compiled: CompiledPolicy) {
    this.digest = digest;
    this.remembers = compiled.parsed.remembers;
    this.#compiled = compiled;
    this.#byId = new Map(compiled.policies.map((policy) => [policy.id, policy]));
    this.#principals = new Principals(compiled.teams);
    this.#environment = environment;
    this.#world = worldOf(entries, surfaces, compiled.unlabelled);
    this.#rates = ratesOf({ policies: compiled.policies, environment, world: this.#world });
  }

  reads(item: Item | { readonly server: string }): ReturnType<Policy['reads']> {
    const key = 'kind' in item && item.kind === 'tools' ? keyOf(item) : '';
    const before = this.#reads.get(key);
    if (before) return before;
    const tool = this.#world.get(key);
    const known = tool ? [tool] : [...this.#world.values()].filter(({ server }) => server === item.server);
    const read = readsOf(known, this.#compiled.unlabelled);
    if (tool) this.#reads.set(key, read);
    return read;
  }

  judge(call: JudgedCall): Decision {
    const { now, read, hidden = 'worst' } = call;
    const { predicates } = this.#compiled;
    return this.#decide(call, { read, now }, () =>
      factsOf(predicates, call.arguments, call.hidden === undefined ? null : hidden),
    );
  }

  bounded(caller: Caller, items: readonly Item[], count: boolean): Full | null {
    return this.#rates?.full(this.#principals.of(caller), items, count) ?? null;
  }

  canSee(caller: Caller, item: Item, read = NOTHING_READ): Decision {
    const when = { read, now: new Date() };
    return this.#decide({ caller, item }, when, () => bestFacts(this.#compiled.predicates));
  }

  sends(caller: Caller, server: string, read: Read): boolean | null {
    const senders = [...this.#world.values()].filter(
      (known) => known.server === server && known.attributes.sendsOut === true,
    );
    if (senders.length === 0) return null;
    return senders.some((item) => lets(this.canSee(caller, item, read)));
  }

  /** Asked once for everything that the policies of this slice can tell apart. */
  #decide({ caller, item }: Pick<JudgedCall, 'caller' | 'item'>, when: When, facts: () => Facts): Decision {
    const known = this.#world.get(keyOf(item));
    if (known === undefined) return { effect: 'deny', rule: 'default: not a thing that this policy judges' };
    const principal = this.#principals.of(caller);
    const slice = this.#slice(principal, known);
    const { surely, maybe, key } = slice.uses.arguments ? facts() : NO_FACTS;
    const moment = slice.uses.time ? momentOf(when.now, this.#compiled.zone) : NO_MOMENT;
    const { minute, weekday, day } = moment;
    const { untrusted, private: secret } = when.read;
    const at = `${untrusted ? 1 : 0}${secret ? 1 : 0} ${minute} ${weekday} ${day} ${key}`;
    const before = slice.decided.get(at);
    if (before) return before;
    const decision = this.#evaluate(slice, {
      principal: principal.uid,
      action: { type: 'Action', id: ACTION_OF[known.kind] },
      resource: known.uid,
      context: {
        environment: this.#environment,
        readUntrusted: untrusted,
        readPrivate: secret,
        ...moment,
        surely,
        maybe,
      },
      entities: slice.entities,
    });
    if (slice.decided.size >= MAX_DECIDED) slice.decided.clear();
    slice.decided.set(at, decision);
    return decision;
  }

  /** Permitted first; then whether people have to lift something. */
  #evaluate({ hard, asking }: Slice, question: Question): Decision {
    const verdict = ask(hard, question);
    if (!verdict.allowed) return this.#denied(verdict);
    if (asking === null) return { effect: 'allow', rule: this.#ruleOf(verdict.reasons) };
    const lifted = ask(asking, question);
    if (lifted.allowed) return { effect: 'allow', rule: this.#ruleOf(verdict.reasons) };
    const asks = lifted.reasons.flatMap((id) => this.#byId.get(id)?.ask ?? []);
    if (lifted.error !== null || asks.length === 0) return this.#denied(lifted);
    const people = asks.some((one) => one.people === 2) ? 2 : 1;
    const minutes = Math.min(...asks.map((one) => one.minutes));
    return { effect: 'ask', rule: this.#ruleOf(lifted.reasons), people, minutes };
  }

  #denied({ error, reasons }: Verdict): Decision {
    if (error !== null) return { effect: 'deny', rule: `error: ${this.#ruleOf(reasons)}` };
    return reasons.length === 0 ? DEFAULT : { effect: 'deny', rule: this.#ruleOf(reasons) };
  }

  /** The uppermost of those that decided. */
  #ruleOf(ids: readonly string[]): string {
    const found = ids.flatMap((id) => this.#byId.get(id) ?? []);
    const [first] = found.sort((a, b) => a.line - b.line || (a.id < b.id ? -1 : 1));
    return first?.rule ?? 'none';
  }

  #slice(principal: Principal, item: Known): Slice {
    const key = `${principal.key} ${keyOf(item)}`;
    const known = this.#slices.get(key);
    if (known) return known;
    const made = this.#makeSlice(principal, item);
    const [oldest] = this.#slices.size >= MAX_KEPT ? this.#slices.keys() : [];
    if (oldest !== undefined) this.#slices.delete(oldest);
    this.#slices.set(key, made);
    return made;
  }

  #makeSlice(principal: Principal, item: Known): Slice {
    const at = keyOf(item);
    const ofItem = this.#items.get(at) ?? sliceFor(this.#compiled.policies, item, this.#environment);
    this.#items.set(at, ofItem);
    // The engine keeps every set it read: past its bound, sets are by item alone.
    const policies = setsRead() < MAX_SETS ? sliceOf(ofItem, principal) : ofItem;
    const hard = policies.filter(({ ask, rate }) => ask === null && !rate);
    const asks = policies.filter((policy) => policy.ask !== null);
    const attrs = { vouched: principal.vouched };
    return {
      hard: prepare(textsOf(hard)),
      asking:
        asks.length === 0
          ? null
          : prepare({ ...textsOf(asks), otherwise: 'permit (principal, action, resource);' }),
      uses: {
        arguments: policies.some(({ uses }) => uses.arguments),
        time: policies.some(({ uses }) => uses.time),
      },
      entities: [{ uid: principal.uid, attrs, parents: parentsOf(principal) }, item.entity],
      decided: new Map(),
    };
  }
}
