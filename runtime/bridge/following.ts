/** Calls that a stateless server made tasks of, for a client that waits for their results: looked at until they end. */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { judgeFirst, judgeState } from '../gate/tasks.ts';
import { TransientMap } from '../transient-map.ts';
import { encode, idKey, isObject, type Message, parseMessage, type Response } from '../wire/message.ts';
import { textAt } from '../wire/splice.ts';
import type { Notes } from './notes.ts';
import { MAX_UNANSWERED } from './open-call.ts';
import type { BridgeOptions } from './ports.ts';
import type { Call } from './rounds.ts';
import { failure, notice } from './words.ts';

/** How often a task is looked at where its server does not say, at the most and at the least, ms. */
const LOOK_MS = 1000;
const OFTEN_MS = 200;
const SELDOM_MS = 15_000;

interface Followed {
  readonly call: Call;
  readonly id: string;
  /** Names of questions that were put to the client. */
  readonly asked: Set<string>;
  /** What its server last told of it, but for its result. */
  told: string;
  looks: number;
  everyMs: number;
  next: NodeJS.Timeout | undefined;
}

export interface FollowingOptions {
  readonly notes: Notes;
  /** Says it to the server, with an envelope that declares tasks. */
  readonly say: (id: string, method: string, params: JsonObject) => void;
  /** Puts questions to the client; what it says comes back by `answers`. */
  readonly ask: (call: Call, questions: JsonObject) => void;
  readonly ended: (call: Call, answer: Message) => void;
}

export class Following {
  readonly #b: BridgeOptions;
  readonly #o: FollowingOptions;
  readonly #prefix = `lk-task-${randomBytes(8).toString('hex')}`;
  readonly #open = new Map<Call, Followed>();
  /** What was asked of the server; null: its answer is of no use. */
  readonly #asked = new TransientMap<string, { readonly of: Followed; readonly method: string } | null>();
  #count = 0;

  constructor(bridge: BridgeOptions, options: FollowingOptions) {
    this.#b = bridge;
    this.#o = options;
  }

  get calls(): Iterable<Call> {
    return this.#open.keys();
  }

  /** The server made a task of a call: once that is on the disk, it is looked at. Else, why not. */
  begin(call: Call, state: JsonObject): LockkeeperError | null {
    const error = judgeFirst(state, (id) => [...this.#open.values()].some((one) => one.id === id));
    if (error) return error;
    const id = String(state.taskId);
    const rest = { told: toldBy(state), looks: 0, everyMs: LOOK_MS, next: undefined };
    const followed: Followed = { call, id, asked: new Set(), ...rest };
    call.task = id;
    this.#open.set(call, followed);
    const { method, target, round } = call;
    const { exchange } = this.#b;
    const made = { call: call.call, method, target, round, state: id, asks: ['tasks/get'] };
    exchange.record(this.#o.notes.round({ ...made, direction: 'to-server' }), () => {
      if (state.status === 'working') this.#later(followed, state);
      else this.#look(followed);
    });
    return null;
  }

  /** What the client said when it was asked for a task. False: the call is none. */
  answers(call: Call, params: JsonObject): boolean {
    const followed = this.#open.get(call);
    if (followed) this.#ask(followed, 'tasks/update', params);
    return followed !== undefined;
  }

  /** True: it was for a task, and is dealt with. */
  heard(message: Message): boolean {
    if (message.kind === 'request' || message.kind === 'notification') return false;
    const key = message.id === null ? '' : idKey(message.id);
    if (!this.#asked.has(key)) return false;
    const asked = this.#asked.take(key);
    if (asked && this.#open.get(asked.of.call) === asked.of) this.#answered(asked.of, asked.method, message);
    return true;
  }

  /** Nobody waits for it any more; a server that still works is told. */
  drop(call: Call): void {
    const followed = this.#open.get(call);
    if (!followed) return;
    this.#forget(followed);
    this.#ask(followed, 'tasks/cancel');
  }

  /** A task that was made of a call which nobody waits for any more. */
  stray({ taskId }: JsonObject): void {
    const known = [...this.#open.values()].some(({ id }) => id === taskId);
    if (typeof taskId === 'string' && !known) this.#say(null, 'tasks/cancel', { taskId });
  }

  /** Where the server is still there, it is told that nobody waits. */
  over(): void {
    for (const call of [...this.#open.keys()]) this.drop(call);
    this.#asked.takeAll();
  }

  #forget({ call, next }: Followed): void {
    clearTimeout(next);
    this.#open.delete(call);
  }

  #later(followed: Followed, { pollIntervalMs }: JsonObject): void {
    if (typeof pollIntervalMs === 'number') followed.everyMs = pollIntervalMs;
    const ms = Math.max(OFTEN_MS, Math.min(SELDOM_MS, followed.everyMs));
    clearTimeout(followed.next);
    followed.next = setTimeout(() => this.#look(followed), ms).unref();
  }

  #look(followed: Followed): void {
    if (this.#open.get(followed.call) !== followed) return;
    followed.looks++;
    this.#ask(followed, 'tasks/get');
  }

  #ask(of: Followed, method: string, params: JsonObject = {}): void {
    this.#say(method === 'tasks/cancel' ? null : { of, method }, method, { taskId: of.id, ...params });
  }

  #say(
    asked: { readonly of: Followed; readonly method: string } | null,
    method: string,
    params: JsonObject,
  ): void {
    const id = `${this.#prefix}:${++this.#count}`;
    this.#asked.setAmong(MAX_UNANSWERED, idKey(id), asked);
    this.#o.say(id, method, params);
  }

  #answered(of: Followed, method: string, message: Response): void {
    if (message.kind === 'error') return this.#end(of, renamed(message, of.call));
    if (method === 'tasks/update') return this.#later(of, {});
    const { result } = message;
    const error = judgeState(result, of.id, 'inlined');
    if (error || !isObject(result)) return this.#fail(of, error ?? NO_STATE);
    this.#alive(of, result);
    if (result.status === 'working') return this.#later(of, result);
    if (result.status === 'input_required') return this.#questions(of, result);
    if (result.status === 'cancelled') return this.#fail(of, CANCELLED);
    const member = result.status === 'completed' ? 'result' : 'error';
    const said = isObject(result[member]) ? textAt(message.bytes, ['result', member]) : null;
    if (!said) return this.#fail(of, NO_STATE);
    this.#end(of, answerOf(of.call, member, said));
  }

  /** A task that moves is a sign of life; its words are told to who asked for progress. */
  #alive(of: Followed, state: JsonObject): void {
    const told = toldBy(state);
    if (told === of.told) return;
    of.told = told;
    const pending = this.#b.exchange.fromClient.get(idKey(of.call.id));
    if (!pending) return;
    pending.heard = performance.now();
    const { statusMessage: message } = state;
    if (pending.token === undefined || typeof message !== 'string') return;
    const params = { progressToken: pending.token, progress: of.looks, message };
    this.#b.heard(notice('notifications/progress', params));
  }

  /** Each is put once: a server names it until it has taken the answer in. */
  #questions(of: Followed, state: JsonObject): void {
    const all = isObject(state.inputRequests) ? Object.entries(state.inputRequests) : [];
    const fresh = all.filter(([name]) => !of.asked.has(name));
    if (fresh.length === 0) return this.#later(of, state);
    for (const [name] of fresh) of.asked.add(name);
    this.#o.ask(of.call, Object.fromEntries(fresh));
  }

  #fail(of: Followed, error: LockkeeperError): void {
    this.#end(of, failure(of.call.id, error));
  }

  #end(of: Followed, answer: Message): void {
    this.#forget(of);
    this.#o.ended(of.call, answer);
  }
}

function toldBy({ status, statusMessage, lastUpdatedAt }: JsonObject): string {
  return JSON.stringify([status, statusMessage, lastUpdatedAt]);
}

/** What its tool said, in the very bytes, as the answer to the call. */
function answerOf({ id }: Call, member: 'result' | 'error', said: Buffer): Message {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"${member}":`;
  return parseMessage(Buffer.concat([Buffer.from(head), said, Buffer.from('}')]), true);
}

function renamed({ error }: Extract<Response, { kind: 'error' }>, { id }: Call): Message {
  return { kind: 'error', id, error, bytes: encode({ jsonrpc: '2.0', id, error }) };
}

const NO_STATE = new LockkeeperError('RESULT_INVALID', {
  expected: 'the state of a task with what it ended in',
  found: 'another one',
  next: 'The server breaks the protocol of tasks; use another release',
});
const CANCELLED = new LockkeeperError('TASK_ENDED', {
  expected: 'the result of the call, which its server made a task of',
  found: 'one that the server cancelled',
  next: 'Call again',
});
