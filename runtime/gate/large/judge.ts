/**
 * Large answers are judged on threads of their own: a schema may take 0.3 s for eight megabytes, and whatever else this
 * process serves would wait that long. There are two: one takes any answer, the other the smaller ones alone, of those
 * who wait, each in turn, one at a time, and for so long that no answer holds the next ones up for ever. A session has one
 * answer here at once. Nobody else reads it. Never rejects: what could not be judged may not pass.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Json, JsonObject } from '../../../schemas/common.ts';
import type { ContentControls } from '../../../schemas/content.ts';
import { type Code, LockkeeperError } from '../../../schemas/errors.ts';
import type { Surface } from '../../../schemas/surface.ts';
import { blocked } from '../../content/look.ts';
import type { Id, Response } from '../../wire/message.ts';
import type { Asked, Judged } from '../results.ts';

/** Up to here it is judged in a tenth of a second or so: it need not wait for one that takes longer. */
const SMALLER_BYTES = 2 * 1024 * 1024;
/** A thread that has nothing to do is ended after so long: it holds some 20 MiB. */
const IDLE_MS = 30_000;

/** What an answer is judged by: plain data, as it has to reach the thread. */
export interface LargeOptions {
  /** Whose call it answers: they take turns. */
  readonly caller: string;
  readonly content: ContentControls;
  readonly entry: { readonly server: string };
  /** The called tool alone. */
  readonly surface: Pick<Surface, 'tools'>;
  readonly key: Uint8Array;
  /** How long it may take, ms. Default: what its thread permits. */
  readonly withinMs?: number;
}

export interface LargeWork {
  readonly id: Id | null;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly asked: Asked;
  readonly options: LargeOptions;
}

/** An answer without what is large in it. */
export type Shell =
  | { readonly kind: 'response'; readonly result: Json }
  | { readonly kind: 'error'; readonly error: JsonObject };

export interface LargeJudged extends Pick<Judged<Response>, 'found' | 'more'> {
  /** Null: what is beside its content is large as well. */
  readonly shell: Shell | null;
  readonly summary: NonNullable<Response['summary']>;
  /** Where something in it is hidden. */
  readonly bytes: Uint8Array | null;
  readonly error: {
    readonly code: Code;
    readonly expected: string;
    readonly found: string;
    readonly next: string;
  } | null;
}

export interface LargeAnswer {
  readonly judged?: LargeJudged;
  /** Why it was not judged. */
  readonly failed?: string;
}

interface Waiting extends Omit<LargeWork, 'bytes' | 'id'> {
  readonly message: Pick<Response, 'id' | 'bytes'>;
  readonly settle: (answer: LargeAnswer) => void;
}

/** What no thread has taken yet, in the order it came: its bytes are held once, by its session. */
const queue: Waiting[] = [];
/** Of those who wait: when one of theirs was taken last, counted. */
const served = new Map<string, number>();
let count = 0;

/** Of those up to this size, of whoever was not served for longest. */
function takeFrom(most: number): Waiting | undefined {
  const turn = ({ options }: Waiting): number => served.get(options.caller) ?? 0;
  let next: Waiting | undefined;
  for (const one of queue)
    if (one.message.bytes.length <= most && (!next || turn(one) < turn(next))) next = one;
  if (!next) return undefined;
  queue.splice(queue.indexOf(next), 1);
  served.set(next.options.caller, ++count);
  if (queue.length === 0) served.clear();
  return next;
}

/** Of what comes back, only a part is here; null where that cannot be told from the rest. */
export async function judgeLarge(
  { id, bytes }: Pick<Response, 'id' | 'bytes'>,
  asked: Asked,
  options: LargeOptions,
): Promise<Judged<Response> | null> {
  const { promise, resolve: settle } = Promise.withResolvers<LargeAnswer>();
  queue.push({ message: { id, bytes }, asked, options, settle });
  for (const lane of LANES) lane.next();
  const { judged, failed = 'it ended' } = await promise;
  if (!judged) {
    const error = blocked('unread', `an answer that could not be judged (${failed.slice(0, 200)})`);
    const message = { kind: 'error', id, error: {}, bytes } as const;
    return { message, found: [{ kind: 'unread', at: '' }], more: 0, hidden: false, error };
  }
  const { found, more, error, shell, summary } = judged;
  if (!shell) return null;
  const hidden = judged.bytes !== null;
  const said = { id, summary, bytes: judged.bytes ? Buffer.from(judged.bytes) : bytes };
  return {
    message: { ...shell, ...said } as Response,
    ...{ found, more, hidden, error: error && new LockkeeperError(error.code, error) },
  };
}

interface Limits {
  /** Bytes of an answer that it takes. */
  readonly most: number;
  readonly memoryMib: number;
  /** How long one may take. */
  readonly ms: number;
}

class Lane {
  readonly #limits: Limits;
  #thread: Worker | null = null;
  #judging: Waiting | null = null;
  #idle: NodeJS.Timeout | undefined;
  #late: NodeJS.Timeout | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Takes the first one that is for it, if it has nothing to do. */
  next(): void {
    if (this.#judging) return;
    const work = takeFrom(this.#limits.most);
    if (!work) return;
    this.#judging = work;
    clearTimeout(this.#idle);
    try {
      this.#give(work);
    } catch (thrown) {
      this.#judging = null;
      work.settle({ failed: (thrown as Error).message });
      setImmediate(() => this.next());
    }
  }

  /** Throws where the machine has no room for another thread. */
  #give({ message, asked, options }: Waiting): void {
    this.#thread ??= this.#start();
    const worker = this.#thread;
    const bytes = new Uint8Array(message.bytes);
    const { withinMs = this.#limits.ms } = options;
    worker.postMessage({ id: message.id, bytes, asked, options } satisfies LargeWork, [bytes.buffer]);
    const late = `it took longer than ${withinMs / 1000} s`;
    this.#late = setTimeout(() => this.#end(worker, late), withinMs).unref();
  }

  /** It keeps no process alive: whoever waits for an answer has a client and a server that do. */
  #start(): Worker {
    const worker = new Worker(new URL(`./main${extname(import.meta.url)}`, import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: this.#limits.memoryMib },
      env: {},
    });
    worker.unref();
    worker.on('message', (answer: LargeAnswer) => this.#done(answer));
    worker.on('error', (error) => this.#end(worker, error.message));
    worker.on('exit', () => this.#end(worker, 'it ended'));
    return worker;
  }

  #done(answer: LargeAnswer): void {
    const work = this.#judging;
    this.#judging = null;
    clearTimeout(this.#late);
    work?.settle(answer);
    const worker = this.#thread;
    if (worker) this.#idle = setTimeout(() => this.#end(worker, 'it was idle'), IDLE_MS).unref();
    this.next();
  }

  /** What it was at is not judged; the next one is, by another thread. */
  #end(worker: Worker, failed: string): void {
    if (this.#thread !== worker) return;
    this.#thread = null;
    void worker.terminate();
    this.#done({ failed });
  }
}

/** The smaller ones first: where both are free, the other stays so for one that only it takes. */
const LANES = [
  new Lane({ most: SMALLER_BYTES, memoryMib: 256, ms: 10_000 }),
  new Lane({ most: Number.POSITIVE_INFINITY, memoryMib: 1024, ms: 30_000 }),
];
