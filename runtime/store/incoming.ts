/** Bytes that come as a stream from somebody: hashed while they are written, bounded while they are read. */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import { inTime } from '../deadline.ts';
import type { Blobs, Stored } from './blobs.ts';

export interface Receiving {
  /** The file until it is whole; another of that name is never written over. */
  readonly id: string;
  readonly maxBytes: number;
  /** Milliseconds for all of it, and for each pause. */
  readonly wholeMs: number;
  readonly idleMs: number;
  /** Throws for what does not begin as it should; called once, with at most four bytes. */
  readonly assertBegins: (first: Buffer) => void;
  /** Told when all of it is on the disk, before it has its place. */
  readonly placing: (stored: Stored) => Promise<void>;
}

const BEGIN = 4;

/** Puts them into the store. Throws FRAME_TOO_LARGE, REQUEST_SLOW and what `assertBegins` and `placing` do; then nothing is left of them. */
export async function receive(source: Readable, blobs: Blobs, how: Receiving): Promise<Stored> {
  const path = join(blobs.incoming, how.id);
  await mkdir(blobs.incoming, { recursive: true, mode: 0o700 });
  const file = await open(path, 'wx', 0o644);
  try {
    const stored = await written(source, file, how);
    await file.sync();
    await how.placing(stored);
    await blobs.place(path, stored);
    return stored;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

async function written(source: Readable, file: FileHandle, how: Receiving): Promise<Stored> {
  const hash = createHash('sha256');
  let size = 0;
  let first: Buffer | null = Buffer.alloc(0);
  for await (const chunk of chunksOf(source, how)) {
    size += chunk.length;
    if (size > how.maxBytes) throw tooLarge(how.maxBytes);
    if (first !== null) {
      first = Buffer.concat([first, chunk.subarray(0, BEGIN)]).subarray(0, BEGIN);
      if (first.length === BEGIN) how.assertBegins(first);
      if (first.length === BEGIN) first = null;
    }
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  if (first !== null) how.assertBegins(first);
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

/** Whoever sends is not cut off by a refusal: it is answered first. */
async function* chunksOf(source: Readable, { wholeMs, idleMs }: Receiving): AsyncGenerator<Buffer> {
  const until = performance.now() + wholeMs;
  const chunks = source.iterator({ destroyOnReturn: false });
  for (;;) {
    const next: Promise<IteratorResult<Buffer>> = chunks.next();
    const step = await inTime(next, Math.min(idleMs, until - performance.now()));
    if (step === undefined) throw slow(wholeMs, idleMs);
    if (step.done) return;
    yield step.value;
  }
}

/** Removes what was left behind by whoever died, but for the uploads that are not over. Returns how many files. */
export async function removeHalf(blobs: Blobs, open: ReadonlySet<string>): Promise<number> {
  const names = await readdir(blobs.incoming).catch(() => []);
  const half = names.filter((name) => !open.has(name));
  for (const name of half) await rm(join(blobs.incoming, name), { force: true });
  return half.length;
}

export function tooLarge(maxBytes: number, found = 'more'): LockkeeperError {
  return new LockkeeperError('FRAME_TOO_LARGE', {
    expected: `at most ${maxBytes} bytes`,
    found,
    next: 'Make it smaller',
  });
}

function slow(wholeMs: number, idleMs: number): LockkeeperError {
  return new LockkeeperError('REQUEST_SLOW', {
    expected: `all bytes within ${wholeMs / 1000} s, without a pause of ${idleMs / 1000} s`,
    found: 'more time without them',
    next: 'Try again, over a faster line',
  });
}
