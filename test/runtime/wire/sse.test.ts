import { describe, expect, it } from 'vitest';
import { Gathered } from '../../../runtime/wire/gathered.ts';
import { type SseEvent, SseReader } from '../../../runtime/wire/sse.ts';

interface Read {
  readonly events: (Omit<SseEvent, 'data'> & { readonly data: string })[];
  readonly retries: number[];
  readonly reader: SseReader;
}

function read(chunks: readonly string[], maxBytes = 1000): Read {
  const events: Read['events'] = [];
  const retries: number[] = [];
  const reader = new SseReader(maxBytes, {
    event: ({ data, ...rest }) => void events.push({ ...rest, data: data.toString('utf8') }),
    retry: (ms) => void retries.push(ms),
  });
  for (const chunk of chunks) reader.push(Buffer.from(chunk, 'utf8'));
  return { events, retries, reader };
}

const STREAM =
  '\ufeff: a comment\nid: 1\ndata: {"a":1}\n\nevent: other\r\ndata:one\r\ndata:  two\r\n\r\ndata\rid: 3\r\rretry: 250\nid\ndata: h\u00e9\n\n';
const EVENTS = [
  { event: 'message', data: '{"a":1}', id: '1' },
  { event: 'other', data: 'one\n two', id: '1' },
  { event: 'message', data: '', id: '3' },
  { event: 'message', data: 'hé', id: '' },
];

describe('a stream of events', () => {
  it('is read whatever ends its lines', () => {
    const { events, retries } = read([STREAM]);
    expect(events).toEqual(EVENTS);
    expect(retries).toEqual([250]);
  });

  it('is read the same wherever it is cut', () => {
    const bytes = Buffer.from(STREAM, 'utf8');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const events: unknown[] = [];
      const reader = new SseReader(1000, {
        event: ({ data, ...rest }) => void events.push({ ...rest, data: data.toString('utf8') }),
      });
      reader.push(bytes.subarray(0, cut));
      reader.push(bytes.subarray(cut));
      expect(events, `cut at ${cut}`).toEqual(EVENTS);
    }
    expect(read([...STREAM]).events).toEqual(EVENTS);
  });

  it('holds of a chunk what was said in it, not the chunk', () => {
    const kept: number[] = [];
    const reader = new SseReader(100_000, { event: ({ data }) => void kept.push(data.buffer.byteLength) });
    const comment = `:${'x'.repeat(16_000)}\n`;
    reader.push(Buffer.from(`data: y\n${comment}`));
    reader.push(Buffer.from('\n'));
    expect(kept).toEqual([1]);
    const gathered = new Gathered();
    gathered.push(Buffer.alloc(16_000).subarray(0, 1));
    expect(gathered.take().buffer.byteLength).toBe(1);
    for (let n = 0; n < 1024; n++) gathered.push(Buffer.alloc(1));
    expect(gathered.take().buffer.byteLength).toBe(1024);
  });

  it('says nothing that it did not finish', () => {
    const { events, reader } = read(['data: {"a":1}\n']);
    expect(events).toEqual([]);
    expect(reader.partial).toBe(true);
    reader.push(Buffer.from('\n'));
    expect(events).toHaveLength(1);
    expect(reader.partial).toBe(false);
  });

  it.each([
    ['a line without end', ['data: ', 'x'.repeat(600), 'x'.repeat(600)]],
    ['lines without end', Array.from({ length: 200 }, () => 'data: 12345\n')],
    ['empty lines of data without end', Array.from({ length: 1200 }, () => 'data\n')],
    ['a field that nobody knows, without end', ['unknown: ', 'x'.repeat(1001)]],
    ['a comment without end', [':', 'x'.repeat(1001)]],
    ['one long line', [`data: ${'x'.repeat(1100)}\n\n`]],
  ])('refuses %s', (_, chunks) => {
    expect(() => read(chunks)).toThrow(expect.objectContaining({ code: 'FRAME_TOO_LARGE' }));
  });

  it.each([
    ['an id with a zero byte', 'id: a\u0000b\ndata: x\n\n', { id: null }],
    ['a retry that is no number', 'retry: 1e9\ndata: x\n\n', { id: null }],
    ['fields that nobody knows', 'hello: there\nDATA: no\ndata: x\n\n', { data: 'x' }],
  ])('takes no notice of %s', (_, stream, expected) => {
    const { events, retries } = read([stream]);
    expect(events).toEqual([expect.objectContaining(expected)]);
    expect(retries).toEqual([]);
  });

  it('keeps no id that no header could carry', () => {
    const ids = [1024, 1025, 3].map((length) => 'i'.repeat(length));
    const { events } = read(
      ids.map((id) => `id: ${id}\ndata: x\n\n`),
      10_000,
    );
    expect(events.map(({ id }) => id)).toEqual([ids[0], '', 'iii']);
  });

  it('does not count what was handed out', () => {
    expect(read(Array.from({ length: 500 }, () => 'data: 12345\n\n')).events).toHaveLength(500);
  });

  it.each([
    ['a message with its name, its id and a wait', 'event: message\nid: 1\nretry: 5\ndata: x\n\n', 0],
    ['what else stands beside a message', ': a\n: b\nid: 1\nx\nx\ndata: x\n\n', 2],
    ['an event of another name', 'event: other\nid: 1\ndata: x\n\n', 2],
    ['an event without data', 'id: 1\n\n', 2],
    ['an empty line', '\n', 1],
    ['an empty line of data', 'data:\n\n', 1],
  ])('counts %s for what it costs beside messages', (_, stream, lines) => {
    let count = 0;
    const reader = new SseReader(1000, { event: () => undefined, aside: () => void count++ });
    for (let n = 0; n < 10; n++) reader.push(Buffer.from(stream));
    expect(count).toBe(10 * lines);
  });
});
