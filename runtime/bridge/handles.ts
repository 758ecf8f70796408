/** Tasks of a server with sessions, as a stateless client holds them: their states, what they ask, and what they end in. */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { readHere } from '../gate/large/here.ts';
import { REQUESTS_TO_CLIENT } from '../gate/methods.ts';
import { clientTask } from '../gate/refusals.ts';
import { judgeState, relatedTask } from '../gate/tasks.ts';
import { told } from '../session/known.ts';
import { TransientMap } from '../transient-map.ts';
import {
  encode,
  type Id,
  idKey,
  isObject,
  type Message,
  type Request,
  type Response,
} from '../wire/message.ts';
import { splice, textAt } from '../wire/splice.ts';
import { ENDLESS, MAX_QUESTIONS, MAX_UNANSWERED } from './open-call.ts';
import type { BridgeOptions } from './ports.ts';
import { failure, request, response, withoutRelated } from './words.ts';

interface Asked {
  /** Of what the server asks for a task, by the names that the client is told. */
  readonly questions: Map<string, Request>;
  count: number;
  /** Its result is asked for, where the server may put its questions. */
  waits: boolean;
}

export class Handles {
  readonly #b: BridgeOptions;
  readonly #tell: (bytes: Buffer) => void;
  readonly #prefix = `lk-held-${randomBytes(8).toString('hex')}`;
  /** What is done with the server's answers to what was asked of it. */
  readonly #waiting = new TransientMap<string, (answer: Response) => void>();
  readonly #asked = new Map<string, Asked>();
  #count = 0;

  constructor(bridge: BridgeOptions, tell: (bytes: Buffer) => void) {
    this.#b = bridge;
    this.#tell = tell;
  }

  /** The client asks for, or says something to, a task that the gate knows to be its own. False: it does neither. */
  take({ id, method, params }: Request): boolean {
    const { taskId, inputResponses } = params;
    if (!method.startsWith('tasks/') || typeof taskId !== 'string') return false;
    if (method === 'tasks/update') {
      this.#answers(taskId, isObject(inputResponses) ? inputResponses : {});
      this.#b.heard(this.#said(id, {}));
      return true;
    }
    this.#ask(method, taskId, (answer) => {
      if (answer.kind === 'error') this.#b.heard(named(answer, id));
      else if (method === 'tasks/cancel') this.#over(taskId, this.#said(id, {}));
      else this.#state(id, taskId, answer.result);
    });
    return true;
  }

  /** True: an answer of the server to what was asked here. */
  heard(message: Response): boolean {
    const take = message.id === null ? undefined : this.#waiting.take(idKey(message.id));
    take?.(message);
    return take !== undefined;
  }

  /** What the server asks for a task that the client holds is told with its state. Undefined: it is for none; else why not. */
  put(message: Request): LockkeeperError | null | undefined {
    const taskId = relatedTask(message.params);
    if (typeof taskId !== 'string' || !this.#b.exchange.tasks.of(taskId)) return undefined;
    const { method, params } = message;
    if (method === 'ping' || !Object.hasOwn(REQUESTS_TO_CLIENT, method)) return UNASKED;
    if (params.task !== undefined) return clientTask();
    const asked = this.#of(taskId);
    if (asked.questions.size >= MAX_QUESTIONS) return ENDLESS;
    asked.questions.set(`input-${++asked.count}`, withoutRelated(message));
    return null;
  }

  /** The server takes a question back. */
  withdrawn(id: Json | undefined): void {
    for (const { questions } of this.#asked.values())
      for (const [name, question] of questions) if (question.id === id) questions.delete(name);
  }

  over(): void {
    this.#waiting.takeAll();
    this.#asked.clear();
  }

  #of(taskId: string): Asked {
    const known = this.#asked.get(taskId);
    if (known) return known;
    for (const id of this.#asked.keys()) if (!this.#b.exchange.tasks.of(id)) this.#asked.delete(id);
    const asked = { questions: new Map(), count: 0, waits: false };
    this.#asked.set(taskId, asked);
    return asked;
  }

  #over(taskId: string, answer: Message): void {
    this.#asked.delete(taskId);
    this.#b.heard(answer);
  }

  #ask(method: string, taskId: string, take: (answer: Response) => void): void {
    const id = `${this.#prefix}:${++this.#count}`;
    this.#waiting.setAmong(MAX_UNANSWERED, idKey(id), take);
    this.#tell(request(id, method, { taskId }).bytes);
  }

  #said(id: Id, result: JsonObject): ReturnType<typeof response> {
    const { resultType = 'complete', _meta = {} } = told('stateless', {}, this.#b.surface);
    return response(id, { resultType, ...result, _meta });
  }

  #state(id: Id, taskId: string, state: Json): void {
    const error = judgeState(state, taskId, 'state');
    if (error || !isObject(state)) return this.#b.heard(failure(id, error ?? UNASKED));
    if (state.status === 'completed' || state.status === 'failed')
      return this.#ask('tasks/result', taskId, (answer) => this.#end(id, taskId, { state, answer }));
    const asked = this.#of(taskId);
    const waits = state.status === 'input_required';
    // Many servers ask where the result is waited for.
    if (waits && !asked.waits) this.#ask('tasks/result', taskId, () => undefined);
    asked.waits ||= waits;
    const inputRequests = Object.fromEntries(
      [...asked.questions].map(([name, { method, params }]) => [name, { method, params }]),
    );
    const asks = asked.questions.size > 0 && state.status === 'working';
    const status = asks ? 'input_required' : (state.status ?? null);
    this.#b.heard(
      this.#said(id, {
        ...heldState({ ...state, status }),
        ...(status === 'input_required' ? { inputRequests } : {}),
      }),
    );
  }

  /** What it ended in stands in its state, in the very bytes. */
  #end(
    id: Id,
    taskId: string,
    { state, answer }: { readonly state: JsonObject; readonly answer: Response },
  ): void {
    const member = answer.kind === 'error' ? 'error' : 'result';
    const status = answer.kind === 'error' ? 'failed' : 'completed';
    const said = textAt(answer.bytes, [member]) ?? Buffer.from('null');
    const { bytes } = this.#said(id, heldState({ ...state, status }));
    const whole = Buffer.concat([
      bytes.subarray(0, bytes.length - 2),
      Buffer.from(`,"${member}":`),
      said,
      Buffer.from('}}'),
    ]);
    // One level deeper than its server said it, it may be more than is read.
    const read = readHere({ kind: 'unread', id, bytes: whole });
    this.#over(taskId, read instanceof LockkeeperError ? failure(id, read) : read);
  }

  #answers(taskId: string, answers: JsonObject): void {
    const asked = this.#asked.get(taskId);
    for (const [name, result] of Object.entries(answers)) {
      const question = asked?.questions.get(name);
      // What is answered already, or was never asked, answers nothing.
      if (!question || !asked?.questions.delete(name)) continue;
      this.#tell(encode({ jsonrpc: '2.0', id: question.id, result }));
    }
  }
}

/** The state of a task as the stateless era words it. */
export function heldState({ taskId, status, ttl = null, pollInterval, ...state }: JsonObject): JsonObject {
  const kept = ['statusMessage', 'createdAt', 'lastUpdatedAt'].filter((name) => state[name] !== undefined);
  return {
    ...{ taskId: taskId ?? null, status: status ?? null, ttlMs: ttl },
    ...Object.fromEntries(kept.map((name) => [name, state[name] ?? null])),
    ...(pollInterval === undefined ? {} : { pollIntervalMs: pollInterval }),
  };
}

function named(answer: Extract<Response, { kind: 'error' }>, id: Id): Response {
  return { ...answer, id, bytes: splice(answer.bytes, [{ path: ['id'], value: id }]) };
}

const UNASKED = new LockkeeperError('METHOD_REFUSED', {
  expected: 'a question that a client can be asked',
  found: 'another one',
  next: 'The server must do without',
});
