import { once } from 'node:events';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { writeTogether } from '../../../runtime/wire/together.ts';

describe('lines that are written in one turn', () => {
  it('leave in one write, in order, and those of the next turn in another', async () => {
    const writes: string[] = [];
    const stream = new Writable({
      writev: (chunks, done) => {
        writes.push(chunks.map(({ chunk }) => String(chunk)).join(''));
        done();
      },
    });
    for (const line of ['a\n', 'b\n', 'c\n']) writeTogether(stream, Buffer.from(line));
    expect(writes).toEqual([]);
    await new Promise((resolve) => setImmediate(resolve));
    writeTogether(stream, Buffer.from('d\n'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(writes).toEqual(['a\nb\nc\n', 'd\n']);
  });

  it('say when they are too many, and when there is room again', async () => {
    const stream = new Writable({ highWaterMark: 10, write: (_, __, done) => void setImmediate(done) });
    expect(writeTogether(stream, Buffer.alloc(4))).toBe(true);
    expect(writeTogether(stream, Buffer.alloc(8))).toBe(false);
    await once(stream, 'drain');
    expect(writeTogether(stream, Buffer.alloc(4))).toBe(true);
  });
});
