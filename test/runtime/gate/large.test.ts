import { describe, expect, it } from 'vitest';
import { LARGE_BYTES } from '../../../runtime/gate/large/judge.ts';
import { type Asked, contentJudge } from '../../../runtime/gate/results.ts';
import { parseMessage, type Response } from '../../../runtime/wire/message.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import type { ContentControls } from '../../../schemas/content.ts';
import { TOKENS } from '../../helpers/tokens.ts';

const [secret = ''] = Object.values(TOKENS);
const ROW = { type: 'object', properties: { id: { type: 'integer' } }, required: ['id'] };
const TOOL = { outputSchema: { type: 'object', properties: { rows: { type: 'array', items: ROW } } } };
const surface = { tools: { read: { name: 'read', ...TOOL } } };
const asked: Asked = { method: 'tools/call', target: 'read', rule: {} };
const immediate = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const judgeBy = (content: ContentControls) =>
  contentJudge({
    content,
    entry: { server: 'io.github.acme/large' },
    surface: { ...surface },
    journal: { key: Buffer.alloc(32, 7) },
  });

function answer(rows: number, more: JsonObject[] = [], text = 'x'): Response {
  const structuredContent = { rows: [...Array.from({ length: rows }, (_, id) => ({ id })), ...more] };
  const result = { content: [{ type: 'text', text }], structuredContent };
  return parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result })), true) as Response;
}

describe('a large answer', () => {
  it('is judged while this thread does other things; a small one, and one that is too large, at once', async () => {
    const judge = judgeBy({ maxResultBytes: 1024 * 1024 });
    expect([judge.aside(answer(10), asked), judge.aside(answer(200_000), asked)]).toEqual([null, null]);
    const large = answer(50_000);
    expect(large.bytes.length).toBeGreaterThan(LARGE_BYTES);
    let judged: unknown;
    void judge.aside(large, asked)?.then((said) => {
      judged = said;
    });
    let turns = 0;
    for (; judged === undefined; turns++) await immediate();
    expect(judged).toEqual({ message: large, found: [], more: 0, hidden: false, error: null });
    expect(turns).toBeGreaterThan(10);
  });

  it.each<[string, ContentControls, Response]>([
    ['fits', {}, answer(50_000)],
    ['does not fit its schema', {}, answer(50_000, [{ id: 'x' }])],
    ['does not fit its schema, which is flagged', { outputSchema: 'flag' }, answer(50_000, [{ id: 'x' }])],
    ['has a secret in it', {}, answer(50_000, [], secret)],
    ['has a secret in it, which is hidden', { secrets: 'hide' }, answer(50_000, [], secret)],
    ['has a secret in it, which is blocked', { secrets: 'block' }, answer(50_000, [], secret)],
    ['has more text than is read', { instructions: 'block' }, answer(10, [], 'ab '.repeat(1_500_000))],
  ])('is judged like any other where it %s', async (_, content, message) => {
    const judge = judgeBy(content);
    const [aside, here] = [await judge.aside(message, asked), judge.answer(message, asked)];
    expect(aside).toEqual(here);
    expect(aside?.error?.code).toBe(here.error?.code);
    expect(aside?.message.bytes.equals(here.message.bytes)).toBe(true);
  });

  it('of one session waits for no larger one of another', async () => {
    const judge = judgeBy({ maxResultBytes: 32 * 1024 * 1024 });
    const order: string[] = [];
    const all = [250_000, 250_000, 250_000, 30_000, 30_000].map(async (rows, at) => {
      const large = answer(rows);
      const judged = await judge.aside(large, asked);
      order.push(rows > 100_000 ? 'larger' : `smaller ${at}`);
      return judged?.message === large && judged.error === null;
    });
    expect(await Promise.all(all)).toEqual(all.map(() => true));
    expect(order.at(-1)).toBe('larger');
    expect(order.filter((one) => one !== 'larger')).toEqual(['smaller 3', 'smaller 4']);
  });

  it('of somebody waits for one of each other caller, and not for all of one', async () => {
    const judge = judgeBy({ maxResultBytes: 32 * 1024 * 1024 });
    const order: string[] = [];
    const all = [...'eeeeeebc'].map(async (caller) => {
      await judge.aside(answer(30_000), asked, caller);
      order.push(caller);
    });
    await Promise.all(all);
    // Two are taken at once, before anybody else came.
    expect(order.indexOf('b')).toBeLessThan(5);
    expect(order.indexOf('c')).toBeLessThan(6);
  });

  it('that the thread cannot judge does not pass, and the next one is judged again', async () => {
    const judge = judgeBy({});
    const large = answer(50_000);
    const broken = { ...large, bytes: Buffer.concat([large.bytes, Buffer.from('x')]) };
    const [first, second] = [judge.aside(broken, asked), judge.aside(large, asked)];
    expect(await first).toMatchObject({ hidden: false, error: { code: 'CONTENT_BLOCKED' } });
    expect(await second).toMatchObject({ error: null });
  });

  it('that the thread cannot even be given does not pass, and fails nothing else', async () => {
    const noData = { read: { ...TOOL, inputSchema: () => true } } as unknown as typeof surface.tools;
    const key = Buffer.alloc(32);
    const judge = contentJudge({ entry: { server: 'a/b' }, surface: { tools: noData }, journal: { key } });
    const judged = await judge.aside(answer(50_000), asked);
    expect(judged).toMatchObject({ hidden: false, error: { code: 'CONTENT_BLOCKED' } });
    expect(await judgeBy({}).aside(answer(50_000), asked)).toMatchObject({ error: null });
  });
});
