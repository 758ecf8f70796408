/** Whoever sends much in pieces of nearly nothing costs what they send, and not what it takes to hold each piece alone. */
import { PassThrough, Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { readBody } from '../../../runtime/gateway/guard.ts';
import { bodyOf } from '../../../runtime/remote/body.ts';
import { asides, LIMITS } from '../../../runtime/remote/outlet.ts';
import { readLines } from '../../../runtime/wire/lines.ts';
import { SseReader } from '../../../runtime/wire/sse.ts';

const PIECES = 1_000_000;
/** What one may cost, bytes; held alone, it costs a hundred. */
const EACH = 20;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What this process holds after a million pieces more than before them, in bytes of its heap. */
function held(push: (piece: Buffer) => void, text: string): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < PIECES; n++) push(Buffer.from(text));
  collect();
  return process.memoryUsage().heapUsed - before;
}

const json = (line: (bytes: Buffer) => void): ReturnType<typeof bodyOf> =>
  bodyOf(
    { status: 200, header: (name) => (name === 'content-type' ? 'application/json' : undefined) },
    { line },
    { limits: LIMITS, asides: asides() },
  );

describe('a million pieces of one byte', () => {
  it('of a line of a server are one line', () => {
    const stream = new PassThrough();
    const lines: number[] = [];
    const on = { end: () => undefined, error: () => undefined };
    readLines(stream, 2 * PIECES, { ...on, line: ({ length }) => void lines.push(length) });
    expect(held((piece) => stream.emit('data', piece), 'x')).toBeLessThan(EACH * PIECES);
    stream.emit('data', Buffer.from('\n'));
    expect(lines).toEqual([PIECES]);
  });

  it('of the body of a request are one body', async () => {
    const request = Object.assign(new Readable({ read: () => undefined }), { headers: {} });
    const body = readBody(request as never, 2 * PIECES, () => true);
    expect(held((piece) => request.emit('data', piece), 'x')).toBeLessThan(EACH * PIECES);
    request.emit('end');
    expect((await body).length).toBe(PIECES);
  });

  it('of the answer of a remote server are one answer', () => {
    const lines: number[] = [];
    const body = json(({ length }) => void lines.push(length));
    expect(held((piece) => body.data(piece), 'x')).toBeLessThan(EACH * PIECES);
    body.end();
    expect(lines).toEqual([PIECES]);
  });

  it('of a line of an event, and lines of an event, are one event', () => {
    const sizes: number[] = [];
    const reader = new SseReader(8 * PIECES, { event: ({ data }) => void sizes.push(data.length) });
    reader.push(Buffer.from('data:'));
    expect(held((piece) => reader.push(piece), 'x')).toBeLessThan(EACH * PIECES);
    expect(held((piece) => reader.push(piece), '\ndata')).toBeLessThan(EACH * PIECES);
    expect(reader.partial).toBe(true);
    reader.push(Buffer.from('\n\n'));
    expect([sizes, reader.partial]).toEqual([[2 * PIECES], false]);
  });
});
