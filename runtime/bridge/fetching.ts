/**
 * Calls that a server with sessions takes as tasks: of tools that it serves so alone, whose result is fetched for a client that
 * waits for it, and of clients that hold tasks themselves.
 */
import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../schemas/common.ts';
import { taskSupport } from '../gate/task-terms.ts';
import { judgeFirst, relatedTask, taskIn } from '../gate/tasks.ts';
import { type Id, idKey, type Notification, type Request, type Response } from '../wire/message.ts';
import { insert } from '../wire/splice.ts';
import { heldState } from './handles.ts';
import type { Notes } from './notes.ts';
import type { OpenCalls } from './open-calls.ts';
import type { BridgeOptions } from './ports.ts';
import { failure, request, response, withoutRelated } from './words.ts';

export interface FetchingOptions {
  readonly notes: Notes;
  readonly calls: OpenCalls;
  readonly tell: (bytes: Buffer) => void;
  readonly endTask: (id: string) => void;
}

export class Fetching {
  readonly #b: BridgeOptions;
  readonly #o: FetchingOptions;
  readonly #prefix = `lk-fetch-${randomBytes(8).toString('hex')}`;
  #count = 0;

  constructor(bridge: BridgeOptions, options: FetchingOptions) {
    this.#b = bridge;
    this.#o = options;
  }

  /** A call as its server takes it. */
  asked({ id, method, params }: Request, bytes: Buffer): Buffer {
    const { name } = params;
    const needs =
      method === 'tools/call' && typeof name === 'string' && (this.#needs(name) || this.#holds(id));
    return needs ? insert(bytes, ['params'], { task: {} }) : bytes;
  }

  #needs(tool: string): boolean {
    return taskSupport(this.#b.surface, tool) === 'required';
  }

  /** The client of this request takes a task for an answer. */
  #holds(id: Id | undefined): boolean {
    return id !== undefined && this.#b.exchange.fromClient.get(idKey(id))?.making !== undefined;
  }

  /** True: a call became a task, and its result is asked for once that is on the disk. */
  heard(message: Response): boolean {
    const { calls, notes, tell } = this.#o;
    const call = message.kind === 'response' ? calls.of(message.id) : undefined;
    const state = message.kind === 'response' ? taskIn(message.result, 'session') : null;
    if (!call && typeof state?.taskId === 'string') this.#stray(state.taskId);
    const holds = this.#holds(call?.current?.id);
    if (!call || !state || call.task !== null || !(holds || this.#needs(call.target ?? ''))) return false;
    const error = judgeFirst(state, (id) => calls.ofTask(id) !== undefined);
    if (error) return calls.answered(failure(call.upstream, error) as Response);
    if (holds)
      return calls.answered(message, (_call, id) =>
        this.#b.heard(response(id, { resultType: 'task', ...heldState(state) })),
      );
    const taskId = String(state.taskId);
    call.task = taskId;
    const { method, target, round, current, first } = call;
    const made = {
      call: current?.call ?? first,
      method,
      target,
      round,
      state: taskId,
      asks: ['tasks/result'],
    };
    this.#b.exchange.record(notes.round({ ...made, direction: 'to-server' }), () => {
      const id = `${this.#prefix}:${++this.#count}`;
      // Not where nobody waits for it any more.
      if (calls.moved(call, id)) tell(request(id, 'tasks/result', { taskId }).bytes);
    });
    return true;
  }

  /** A task that was made of a call which nobody waits for any more. */
  #stray(id: string): void {
    if (!this.#o.calls.ofTask(id) && !this.#b.exchange.tasks.of(id)) this.#o.endTask(id);
  }

  /** The state of a task is a sign of life of its call. False: it is of none. */
  alive({ method, params }: Notification): boolean {
    const { taskId } = params;
    const told = method === 'notifications/tasks/status' && typeof taskId === 'string';
    const call = told ? this.#o.calls.ofTask(taskId) : undefined;
    const pending = call?.current ? this.#b.exchange.fromClient.get(idKey(call.current.id)) : undefined;
    if (pending) pending.heard = performance.now();
    return call !== undefined;
  }

  /** What is said for the task of a call is said for the call: its client knows of no task. */
  ofCall<M extends Request | Notification>(message: M): M {
    const related: JsonObject[string] | undefined = relatedTask(message.params);
    const call = typeof related === 'string' ? this.#o.calls.ofTask(related) : undefined;
    return call ? withoutRelated(message) : message;
  }
}
