/** `lk policy replay`: what a changed policy would have said of calls that a journal recorded. */
import type { Caller } from '../../runtime/gate/caller.ts';
import { FlowState } from '../../runtime/policy/flows.ts';
import type { Decision, Policy } from '../../runtime/policy/open.ts';
import type { Item } from '../../runtime/policy/world.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { resourceItems, wordOf } from './cases.ts';

export interface Difference {
  readonly at: string;
  readonly user: string;
  readonly server: string;
  readonly what: string;
  readonly was: string;
  /** What it would be; `hidden` where that rests on what the journal does not show: text, or which of two aliases it was. */
  readonly now: string;
  readonly rule: string;
}

export interface Replayed {
  /** Calls that were judged again. */
  readonly calls: number;
  readonly same: number;
  readonly differ: number;
  readonly hidden: number;
  /** Of servers, or of items of them, that are not in this lock. */
  readonly gone: number;
  /** The first of them. */
  readonly differences: readonly Difference[];
}

/** Differences that are kept; those beyond are counted. */
const MOST = 10_000;
/** People or sessions whose reading is followed at a time. */
const MOST_SESSIONS = 10_000;

export class Replay {
  readonly #policy: Policy;
  readonly #entries: ReadonlyMap<string, LockEntry>;
  readonly #flows = new Map<string, FlowState>();
  readonly #readAt = new WeakMap<FlowState, number>();
  /** Calls that people were asked about, or that wait for their end: call -> what it reads. */
  readonly #asked = new Set<string>();
  readonly #open = new Map<string, Item>();
  readonly #differences: Difference[] = [];
  #calls = 0;
  #same = 0;
  #hidden = 0;
  #gone = 0;

  constructor(policy: Policy, entries: ReadonlyMap<string, LockEntry>) {
    this.#policy = policy;
    this.#entries = entries;
  }

  /** Records in the order of their journal. */
  take(body: AuditBody): void {
    const { kind, session, call } = body;
    if (kind === 'session.ended' && this.#policy.remembers.by !== 'person') this.#flows.delete(session);
    if (kind === 'request.finished' && call !== undefined) return this.#finished(body, call);
    const was = wasOf(body, this.#asked);
    if (body.direction !== 'to-server' || was === null) return;
    if (kind === 'call.waiting' && call !== undefined) this.#asked.add(call);
    const candidates = this.#candidatesOf(body);
    if (candidates === null) return;
    this.#calls++;
    const first = candidates[0]?.[0];
    if (first === undefined) {
      this.#gone++;
      return;
    }
    if (call !== undefined && kind !== 'request.refused') this.#open.set(call, first);
    this.#compare(body, was, candidates);
  }

  get result(): Replayed {
    const counts = { calls: this.#calls, same: this.#same, hidden: this.#hidden, gone: this.#gone };
    const differ = counts.calls - counts.same - counts.hidden - counts.gone;
    return { ...counts, differ, differences: this.#differences };
  }

  #compare(body: AuditBody, was: string, candidates: readonly (readonly Item[])[]): void {
    const decisions = candidates.flatMap((items) =>
      (['worst', 'best'] as const).map((hidden) => this.#judge(body, items, hidden)),
    );
    const [word = '', ...others] = new Set(decisions.map(wordOf));
    const now = others.length === 0 ? word : 'hidden';
    if (sameAs(was, now)) {
      this.#same++;
      return;
    }
    if (now === 'hidden') this.#hidden++;
    if (this.#differences.length >= MOST) return;
    this.#differences.push({
      at: body.at,
      user: body.user,
      server: body.subject?.server ?? '',
      what: body.target ?? '',
      was,
      now,
      rule: [...new Set(decisions.map(({ rule }) => rule))].slice(0, now === 'hidden' ? 4 : 1).join(', or '),
    });
  }

  #judge(body: AuditBody, items: readonly Item[], hidden: 'worst' | 'best'): Decision {
    const call = {
      caller: callerOf(body),
      arguments: body.arguments ?? {},
      now: new Date(body.at),
      read: this.#flowOf(body).read,
      hidden,
    };
    const decisions = items.map((item) => this.#policy.judge({ ...call, item }));
    return (
      decisions.find(({ effect }) => effect === 'deny') ?? decisions[0] ?? { effect: 'deny', rule: 'none' }
    );
  }

  #finished(body: AuditBody, call: string): void {
    const { outcome } = body;
    const item = this.#open.get(call);
    this.#open.delete(call);
    this.#asked.delete(call);
    if (item === undefined || (outcome !== 'ok' && outcome !== 'error')) return;
    const flow = this.#flowOf(body);
    const read = this.#policy.reads(item);
    flow.saw(read, { call, what: `${item.server}/${item.name}` });
    if (read.untrusted || read.private) this.#readAt.set(flow, Date.parse(body.at));
  }

  /** Of one person while it is remembered, or of one session: a record does not say which credential it was. */
  #flowOf({ user, session, at }: AuditBody): FlowState {
    const { by, ms } = this.#policy.remembers;
    const whose = by === 'person' ? user.toLowerCase() : session;
    const known = this.#flows.get(whose);
    if (known && (by !== 'person' || Date.parse(at) < (this.#readAt.get(known) ?? 0) + ms)) return known;
    const [oldest] = this.#flows.size >= MOST_SESSIONS ? this.#flows.keys() : [];
    if (oldest !== undefined) this.#flows.delete(oldest);
    const flow = new FlowState();
    this.#flows.set(whose, flow);
    return flow;
  }

  /**
   * What it may have been, one list for each alias where its record does not name one of this lock. Null for what a policy does not judge;
   * empty for what is not in this lock.
   */
  #candidatesOf({ method, target, subject }: AuditBody): Item[][] | null {
    const kind = method === undefined ? undefined : KINDS[method];
    if (kind === undefined || target === undefined || subject === null) return null;
    const named = [...this.#entries].filter(([, { server }]) => server === subject.server);
    const called = named.filter(([alias]) => alias === subject.alias);
    const same = (called.length > 0 ? called : named).filter(
      ([, { closure }]) => closure.digest === subject.closure,
    );
    return (same.length > 0 ? same : called.length > 0 ? called : named)
      .map(([server, { surface }]) => {
        if (kind === 'resources') return resourceItems(server, target, surface);
        return Object.hasOwn(surface[kind], target) ? [{ server, kind, name: target }] : [];
      })
      .filter((items) => items.length > 0);
  }
}

const KINDS: Readonly<Record<string, 'tools' | 'prompts' | 'resources'>> = {
  'tools/call': 'tools',
  'prompts/get': 'prompts',
  'resources/read': 'resources',
  'resources/subscribe': 'resources',
};

/** What the policy of then said; null for records of something else. */
function wasOf({ kind, code, call }: AuditBody, asked: ReadonlySet<string>): string | null {
  if (kind === 'call.waiting') return 'ask';
  if (kind === 'request.refused') return code === 'POLICY_REFUSED' ? 'deny' : null;
  // Asked about before: that record was judged already.
  return kind === 'request.forwarded' && !(call !== undefined && asked.has(call)) ? 'allow' : null;
}

/** A record does not say how many people were asked. */
function sameAs(was: string, now: string): boolean {
  return was === now || (was === 'ask' && now.startsWith('ask'));
}

function callerOf({ user, caller }: AuditBody): Caller {
  const via = (['sign-in', 'token', 'jwt', 'certificate'] as const).find((one) => one === caller?.via);
  return { user, teams: caller?.teams ?? [], via: via ?? 'nobody', actors: [] };
}
