/** The tasks that one session made, and no other's: bounded in number and life, each with the call that made it. */
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { Pending } from '../gate/gate.ts';
import { type Task, type TaskBook, taskIn, toldInside } from '../gate/tasks.ts';
import { isObject, type Message, type Notification, type Response } from '../wire/message.ts';
import { type End, endOf } from './records.ts';

const MIB = 1024 * 1024;
/** Tasks that are not over, bytes of the calls that made them, and how many that are over are still known. */
const MAX_TASKS = 128;
const MAX_BYTES = 16 * MIB;
const MAX_OVER = 256;
const MAX_OVER_BYTES = 4 * MIB;
/** Bytes of the calls behind all tasks of one user: sessions are many. */
const MAX_BYTES_EACH = 64 * MIB;
/** Longest life of a task, whatever its server says, ms. */
const MAX_LIFE_MS = 24 * 3_600_000;
const LAST: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);

const heldBy = new Map<string, number>();

function count(user: string, bytes: number): void {
  const held = (heldBy.get(user) ?? 0) + bytes;
  if (held > 0) heldBy.set(user, held);
  else heldBy.delete(user);
}

export interface TasksOptions {
  readonly user: string;
  /** To be recorded. */
  readonly ended: (task: Task, end: End) => void;
  /** Perhaps no server has to run any more. */
  readonly changed: () => void;
}

export class Tasks implements Pick<TaskBook, 'of'> {
  readonly #o: TasksOptions;
  readonly #tasks = new Map<string, Task>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: TasksOptions) {
    this.#o = options;
  }

  /** Those whose server is at it, or has a result that nobody fetched. */
  get open(): Task[] {
    return [...this.#tasks.values()].filter(({ over }) => !over);
  }

  of(id: string): Task | null {
    const task = this.#tasks.get(id);
    return task && task.expires > performance.now() ? task : null;
  }

  /** For a call of so many bytes, beside those in flight that may make tasks as well. */
  hasRoom(bytes: number, inFlight: number): boolean {
    const ofAll = (heldBy.get(this.#o.user) ?? 0) + inFlight;
    // One alone has room, however large it is.
    if (ofAll === 0) return true;
    const { open } = this;
    const held = open.reduce((sum, { maker }) => sum + maker.making.bytes, bytes + inFlight);
    return open.length < MAX_TASKS && held <= MAX_BYTES && ofAll + bytes <= MAX_BYTES_EACH;
  }

  /** The answer of a call that may have made one, once it was judged. */
  made(maker: Pending, answer: Message): void {
    const { making, target } = maker;
    const state = making && answer.kind === 'response' ? taskIn(answer.result, making.era) : null;
    if (!making || target === undefined || typeof state?.taskId !== 'string') return;
    const task: Task = {
      id: state.taskId,
      maker: { ...maker, making, target },
      status: 'working',
      over: false,
      expires: 0,
    };
    // One whose time is over, and whose id its server gives again.
    const before = this.#tasks.get(task.id);
    if (before) this.#expired(before);
    this.#tasks.set(task.id, task);
    count(this.#o.user, making.bytes);
    this.#forget();
    this.seen(task, state, { outcome: 'ok', bytes: 0 });
  }

  /** Its state was told to the client; `end` is its outcome, where this was its last word. */
  seen(task: Task, state: JsonObject, end: End): void {
    const { era } = task.maker.making;
    if (typeof state.status === 'string') task.status = state.status;
    const ttl = era === 'session' ? state.ttl : state.ttlMs;
    if (task.expires === 0 || ttl !== undefined) {
      const life = typeof ttl === 'number' ? Math.min(ttl, MAX_LIFE_MS) : MAX_LIFE_MS;
      task.expires = task.maker.since + life;
    }
    this.#watch();
    // Where the result is fetched by a request of its own, its server is needed until then.
    const fetches = task.status === 'completed' && (era === 'session' || state.resultType === 'task');
    if (LAST.has(task.status) && !fetches)
      this.end(task, task.status === 'cancelled' ? { ...end, outcome: 'lost', message: 'cancelled' } : end);
  }

  /** A call or a request about a task was answered, and the answer passes. */
  answered(pending: Pending, message: Response): void {
    const { task, rule, method, making } = pending;
    if (making) return this.made(pending, message);
    const result = message.kind === 'response' ? message.result : null;
    const bytes = message.bytes.length;
    if (rule.task === 'list' && isObject(result) && Array.isArray(result.tasks))
      for (const state of result.tasks) this.#listed(state);
    if (!task) return;
    if (rule.task === 'result') return this.end(task, endOf(message));
    if (message.kind === 'error') return;
    if (method === 'tasks/cancel')
      this.end(task, { outcome: 'lost', bytes, message: 'cancelled by the client' });
    else if (isObject(result) && rule.task !== 'ack') this.seen(task, result, endInside(message, result));
  }

  /** The same, and the answer does not pass: what its tool said in the end is refused. */
  keptBack({ task, rule }: Pending, message: Response, error: LockkeeperError): void {
    const result = message.kind === 'response' ? message.result : null;
    const last = rule.task === 'result' || (rule.task === 'inlined' && toldInside(result) !== undefined);
    if (task && last) this.refused(task, message, error);
  }

  refused(task: Task, { bytes: { length: bytes } }: Message, { code, message }: LockkeeperError): void {
    this.end(task, { outcome: 'refused', bytes, code, message });
  }

  /** Its server told its state by itself. */
  told(task: Task, message: Notification): void {
    this.seen(task, message.params, endInside(message, message.params));
  }

  #listed(state: Json): void {
    const task = isObject(state) && typeof state.taskId === 'string' ? this.of(state.taskId) : null;
    if (task && isObject(state))
      this.seen(task, state, { outcome: state.status === 'failed' ? 'error' : 'ok', bytes: 0 });
  }

  /** Recorded once. */
  end(task: Task, end: End): void {
    if (task.over) return;
    task.over = true;
    this.#o.ended(task, end);
    this.#o.changed();
  }

  /** The server is gone, and all that it knew of them. */
  lose(message: string): void {
    clearTimeout(this.#timer);
    for (const task of this.#tasks.values()) {
      this.#drop(task);
      this.end(task, { outcome: 'lost', bytes: 0, message });
    }
  }

  /** Of those that are over the oldest are not known any more. */
  #forget(): void {
    const over = [...this.#tasks.values()].filter((task) => task.over);
    let held = over.reduce((sum, { maker }) => sum + maker.making.bytes, 0);
    for (let left = over.length; left > 0 && (left > MAX_OVER || held > MAX_OVER_BYTES); left--) {
      const oldest = over[over.length - left];
      held -= oldest?.maker.making.bytes ?? 0;
      if (oldest) this.#drop(oldest);
    }
  }

  #drop({ id, maker }: Task): void {
    if (this.#tasks.delete(id)) count(this.#o.user, -maker.making.bytes);
  }

  #watch(): void {
    clearTimeout(this.#timer);
    const next = Math.min(...[...this.#tasks.values()].map(({ expires }) => expires));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, next - performance.now())).unref();
  }

  #expire(): void {
    const now = performance.now();
    for (const task of this.#tasks.values()) if (task.expires <= now) this.#expired(task);
    this.#watch();
  }

  #expired(task: Task): void {
    this.#drop(task);
    this.end(task, { outcome: 'lost', bytes: 0, message: 'it lived as long as it may' });
  }
}

/** What its tool said in the end, where it has. */
function endInside(message: Response | Notification, state: JsonObject): End {
  const { bytes } = message;
  const result = toldInside(state);
  if (result === undefined)
    return { outcome: state.status === 'failed' ? 'error' : 'ok', bytes: bytes.length };
  const inside = 'summary' in message ? message.summary?.inside : undefined;
  return endOf({ kind: 'response', id: 0, result, bytes, ...(inside ? { summary: { whole: inside } } : {}) });
}
