/**
 * Large answers are judged on a thread of their own: a schema may take 0.3 s for eight megabytes, and whatever else this
 * process serves would wait that long. Never rejects: what could not be judged may not pass.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { ContentControls } from '../../../schemas/content.ts';
import { type Code, LockkeeperError } from '../../../schemas/errors.ts';
import type { Surface } from '../../../schemas/surface.ts';
import { blocked } from '../../content/look.ts';
import { parseMessage, type Response } from '../../wire/message.ts';
import type { Asked, Judged } from '../results.ts';

/** Bytes of an answer from which on asking another thread is worth it: some 10 ms of judging. */
export const LARGE_BYTES = 256 * 1024;
/** A thread that has nothing to do is ended after so long: it holds some 20 MiB. */
const IDLE_MS = 30_000;
const MEMORY_MIB = 1024;

/** What an answer is judged by: plain data, as it has to reach the thread. */
export interface LargeOptions {
  readonly content: ContentControls;
  readonly entry: { readonly server: string };
  /** The called tool alone. */
  readonly surface: Pick<Surface, 'tools'>;
  readonly key: Uint8Array;
}

export interface LargeWork {
  readonly number: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly asked: Asked;
  readonly options: LargeOptions;
}

export interface LargeJudged extends Pick<Judged<Response>, 'found' | 'more'> {
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
  readonly number: number;
  readonly judged?: LargeJudged;
  /** Why it was not judged. */
  readonly failed?: string;
}

type Settle = (answer: Omit<LargeAnswer, 'number'>) => void;

const waiting = new Map<number, Settle>();
let thread: Worker | null = null;
let last = 0;
let idle: NodeJS.Timeout | undefined;

export async function judgeLarge(
  message: Response,
  asked: Asked,
  options: LargeOptions,
): Promise<Judged<Response>> {
  const { promise, resolve } = Promise.withResolvers<Omit<LargeAnswer, 'number'>>();
  const number = ++last;
  waiting.set(number, resolve);
  try {
    give({ number, bytes: Uint8Array.from(message.bytes), asked, options });
  } catch (thrown) {
    waiting.delete(number);
    resolve({ failed: (thrown as Error).message });
  }
  const { judged, failed = 'it ended' } = await promise;
  if (!judged) {
    const error = blocked('unread', `an answer that could not be judged (${failed.slice(0, 200)})`);
    return { message, found: [{ kind: 'unread', at: '' }], more: 0, hidden: false, error };
  }
  const { found, more, error } = judged;
  const hidden = judged.bytes !== null;
  return {
    message: judged.bytes ? (parseMessage(Buffer.from(judged.bytes), true) as Response) : message,
    ...{ found, more, hidden, error: error && new LockkeeperError(error.code, error) },
  };
}

/** Throws where the machine has no room for another thread. */
function give(work: LargeWork): void {
  clearTimeout(idle);
  thread ??= start();
  thread.postMessage(work, [work.bytes.buffer]);
}

/** It keeps no process alive: whoever waits for an answer has a client and a server that do. */
function start(): Worker {
  const worker = new Worker(new URL(`./main${extname(import.meta.url)}`, import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MIB },
    env: {},
  });
  worker.unref();
  worker.on('message', ({ number, ...answer }: LargeAnswer) => {
    waiting.get(number)?.(answer);
    waiting.delete(number);
    if (waiting.size > 0) return;
    idle = setTimeout(() => end(worker, 'it was idle'), IDLE_MS).unref();
  });
  worker.on('error', (error) => end(worker, error.message));
  worker.on('exit', () => end(worker, 'it ended'));
  return worker;
}

/** Nothing that was given to it is judged any more. */
function end(worker: Worker, failed: string): void {
  if (thread !== worker) return;
  thread = null;
  for (const settle of waiting.values()) settle({ failed });
  waiting.clear();
  void worker.terminate();
}
