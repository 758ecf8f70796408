/** Whoever reads slowly slows the other side down; nothing piles up in between. */
import type { Readable, Writable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import { writeTogether } from '../wire/together.ts';
import type { ClientPort } from './options.ts';

const DEAF_MS = 30_000;
const DEAF = new LockkeeperError('SERVER_SILENT', {
  expected: 'a server that reads what it is sent',
  found: `nothing read for ${DEAF_MS / 1000} s`,
  next: 'Use another release',
});

/** Between a client and a server that reads slower than it is written to. */
export class Backpressure {
  readonly #client: Pick<ClientPort, 'pause' | 'resume'>;
  readonly #fail: (error: LockkeeperError) => void;
  #deaf: NodeJS.Timeout | undefined;

  constructor(client: Pick<ClientPort, 'pause' | 'resume'>, fail: (error: LockkeeperError) => void) {
    this.#client = client;
    this.#fail = fail;
  }

  /** What the server does not read, the client may not add to; a server that never reads again is dead. */
  full(): void {
    this.#client.pause();
    this.#deaf ??= setTimeout(() => this.#fail(DEAF), DEAF_MS);
  }

  drained(): void {
    this.over();
    this.#client.resume();
  }

  over(): void {
    clearTimeout(this.#deaf);
    this.#deaf = undefined;
  }
}

const holders = new WeakMap<Readable, number>();

/** Holds a source back until what is returned is called; of several that hold it back, the last one lets it go. */
export function hold(source: Readable): () => void {
  holders.set(source, (holders.get(source) ?? 0) + 1);
  source.pause();
  return () => {
    const left = (holders.get(source) ?? 1) - 1;
    holders.set(source, left);
    if (left === 0) source.resume();
  };
}

const held = new WeakMap<Writable, Map<Readable, () => void>>();

/** Writes, and holds the source back until what was written is taken. */
export function writeTo(output: Writable, bytes: Buffer, source: Readable | undefined): void {
  if (output.write(bytes) || !source) return;
  holdBack(output, source);
}

/** As `writeTo`, for a pipe: what is written in one turn leaves at once. */
export function pipeTo(output: Writable, bytes: Buffer, source: Readable | undefined): void {
  if (!writeTogether(output, bytes) && source) holdBack(output, source);
}

function holdBack(output: Writable, source: Readable): void {
  const waiting = held.get(output);
  if (waiting?.has(source)) return;
  const letGo = hold(source);
  if (waiting) return void waiting.set(source, letGo);
  const sources = new Map([[source, letGo]]);
  held.set(output, sources);
  const done = (): void => {
    held.delete(output);
    output.off('drain', done);
    output.off('close', done);
    for (const go of sources.values()) go();
  };
  output.on('drain', done);
  output.on('close', done);
}
