/** What a stateless server asks for before it answers: each question put to the client as a request, the answers gathered. */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { REQUESTS_TO_CLIENT } from '../gate/methods.ts';
import { type Id, idKey, isObject, type Response } from '../wire/message.ts';
import { strangeQuestion } from '../wire/names.ts';
import { type Notes, refusal } from './notes.ts';
import type { BridgeOptions } from './ports.ts';
import { notice, request } from './words.ts';

const MAX_ROUNDS = 10;
const MAX_QUESTIONS = 16;
const MAX_STATE = 256 * 1024;
/** Before a call that is asked for nothing but its state is sent again, ms. */
const PACE_MS = 200;

/** A request of the client until it is answered. */
export interface Call {
  readonly id: Id;
  readonly method: string;
  readonly target: string | undefined;
  /** As the journal knows it. */
  readonly call: string;
  /** As it was sent; null: it cannot be sent again. */
  bytes: Buffer | null;
  /** It says that its client knows tasks. */
  declares: boolean;
  /** The task that its server made of it. */
  task: string | null;
  /** Its id with the server. */
  upstream: Id;
  round: number;
}

interface Round {
  readonly state: string | null;
  /** By the server's names; null: not answered yet. */
  readonly answers: Map<string, Json | null>;
  /** Our ids of the questions. */
  readonly ids: Map<string, Id>;
  readonly late: NodeJS.Timeout;
}

export interface RoundsOptions {
  readonly notes: Notes;
  /** The record is on the disk: goes on with the call, where it is still waited for. */
  readonly again: (call: Call, params: JsonObject) => void;
  readonly failed: (call: Call, error: LockkeeperError) => void;
}

export class Rounds {
  readonly #b: BridgeOptions;
  readonly #o: RoundsOptions;
  readonly #prefix = `lk-ask-${randomBytes(8).toString('hex')}`;
  readonly #open = new Map<Call, Round>();
  readonly #questions = new Map<string, { readonly call: Call; readonly name: string }>();
  #count = 0;

  constructor(bridge: BridgeOptions, options: RoundsOptions) {
    this.#b = bridge;
    this.#o = options;
  }

  /** Calls whose client is being asked. */
  get asking(): Iterable<Call> {
    return this.#open.keys();
  }

  /** The server answered with questions. They go to the client as requests of a server, which the gate judges. */
  ask(call: Call, { inputRequests = {}, requestState }: JsonObject): void {
    const asked = isObject(inputRequests) ? Object.entries(inputRequests) : null;
    const error = asked ? wrong(call, asked, requestState) : unreadable('no object of questions');
    if (error || !asked) return this.#o.failed(call, error ?? unreadable('nothing'));
    call.round++;
    const state = typeof requestState === 'string' ? requestState : null;
    const late = setTimeout(
      () => (asked.length === 0 ? this.#answer(call) : this.#o.failed(call, LATE)),
      asked.length === 0 ? PACE_MS : this.#b.answerMs,
    );
    late.unref();
    const round: Round = {
      state,
      late,
      ids: new Map(),
      answers: new Map(asked.map(([name]) => [name, null])),
    };
    this.#open.set(call, round);
    this.#b.exchange.note(
      this.#record(
        call,
        round,
        'to-client',
        asked.map(([, one]) => methodOf(one)),
      ),
    );
    for (const [name, question] of asked) this.#put(call, name, question);
  }

  #put(call: Call, name: string, question: Json): void {
    const round = this.#open.get(call);
    if (!round || !isObject(question)) return;
    const id = `${this.#prefix}:${++this.#count}`;
    round.ids.set(name, id);
    this.#questions.set(idKey(id), { call, name });
    this.#b.exchange.during.set(idKey(id), call.call);
    const { method, params = {} } = question;
    this.#b.heard(request(id, String(method), isObject(params) ? params : {}));
  }

  /** An answer of the client, or why it was not asked. False: nobody asked for it. */
  answered(message: Response): boolean {
    const key = message.id === null ? '' : idKey(message.id);
    const question = this.#questions.get(key);
    this.#questions.delete(key);
    const round = question && this.#open.get(question.call);
    if (!question || !round) return false;
    const { call, name } = question;
    if (message.kind === 'error') {
      const said = typeof message.error.message === 'string' ? message.error.message : 'an error';
      this.#o.failed(call, unanswered(said));
      return true;
    }
    round.answers.set(name, message.result);
    if (![...round.answers.values()].includes(null)) this.#answer(call);
    return true;
  }

  #answer(call: Call): void {
    const round = this.#open.get(call);
    if (!round) return;
    clearTimeout(round.late);
    this.#open.delete(call);
    const { answers, state } = round;
    const params: JsonObject = {
      ...(answers.size === 0 ? {} : { inputResponses: Object.fromEntries(answers) as JsonObject }),
      ...(state === null ? {} : { requestState: state }),
    };
    const { exchange } = this.#b;
    exchange.record(this.#record(call, round, 'to-server', [...answers.keys()]), () =>
      this.#o.again(call, params),
    );
  }

  /** Nobody waits for these answers any more; the client is told. */
  drop(call: Call, why: string): void {
    const round = this.#open.get(call);
    if (!round) return;
    clearTimeout(round.late);
    this.#open.delete(call);
    const { exchange } = this.#b;
    for (const id of round.ids.values()) {
      const key = idKey(id);
      this.#questions.delete(key);
      if (!exchange.fromServer.has(key)) continue;
      this.#b.heard(notice('notifications/cancelled', { requestId: id, reason: why }));
    }
  }

  over(): void {
    for (const { late } of this.#open.values()) clearTimeout(late);
    this.#open.clear();
    this.#questions.clear();
  }

  #record(call: Call, round: Round, direction: 'to-server' | 'to-client', asks: string[]) {
    const { method, target } = call;
    return this.#o.notes.round({
      call: call.call,
      method,
      target,
      direction,
      round: call.round,
      asks,
      state: round.state,
    });
  }
}

function methodOf(question: Json): string {
  return isObject(question) ? String(question.method) : '';
}

/** Why these questions cannot be put to anybody; null where they can. */
function wrong(
  call: Call,
  asked: readonly [string, Json][],
  state: Json | undefined,
): LockkeeperError | null {
  if (state !== undefined && (typeof state !== 'string' || state.length > MAX_STATE))
    return unreadable(`a state that is no text of at most ${MAX_STATE} characters`);
  if (asked.length === 0 && state === undefined) return unreadable('neither questions nor a state');
  if (asked.length > MAX_QUESTIONS) return unreadable(`${asked.length} questions at once`);
  const other = asked.find(
    ([, one]) => !(isObject(one) && asks(one.method) && strangeQuestion(one) === null),
  );
  if (other) return unreadable('a question that no client of the session era knows');
  if (call.round >= MAX_ROUNDS)
    return refusal(
      `an answer after ${MAX_ROUNDS} rounds of questions`,
      'more questions',
      'Use another release: it never ends',
    );
  if (call.bytes || call.task !== null) return null;
  return refusal(
    'a request that can be sent again',
    `one of ${call.method} that is not kept`,
    'Ask for less at a time',
  );
}

function asks(method: Json | undefined): boolean {
  return typeof method === 'string' && method !== 'ping' && Object.hasOwn(REQUESTS_TO_CLIENT, method);
}

function unreadable(found: string): LockkeeperError {
  return new LockkeeperError('RESULT_INVALID', {
    expected: `at most ${MAX_QUESTIONS} questions of the kinds that a client can be asked`,
    found,
    next: 'The server breaks the protocol; use another release',
  });
}

function unanswered(said: string): LockkeeperError {
  return refusal(
    'the client to answer what the server asks',
    said.slice(0, 300),
    'Use a client that can be asked for it',
  );
}

const LATE = refusal('answers of the client in time', 'none', 'Call again, and answer in time');
