import { describe, expect, it } from 'vitest';
import { judgeLarge } from '../../../runtime/gate/large/judge.ts';
import { type Asked, contentJudge, type Judged } from '../../../runtime/gate/results.ts';
import { summaryOf } from '../../../runtime/journal/summary.ts';
import { LARGE_BYTES, parseMessage, type Response, type Unread } from '../../../runtime/wire/message.ts';
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
  const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
  return parseMessage(bytes, true, Number.POSITIVE_INFINITY) as Response;
}

const unread = (bytes: Buffer): Unread => ({ kind: 'unread', id: 1, bytes });

describe('a large answer', () => {
  it('is judged while this thread does other things; a small one, and one that is too large, at once', async () => {
    const judge = judgeBy({ maxResultBytes: 1024 * 1024 });
    const over = judge.large(unread(answer(200_000).bytes), asked);
    expect(over).toMatchObject({ error: { code: 'RESULT_INVALID' } });
    const large = answer(50_000);
    expect(large.bytes.length).toBeGreaterThan(LARGE_BYTES);
    let judged: unknown;
    void Promise.resolve(judge.large(unread(large.bytes), asked)).then((said) => {
      judged = said;
    });
    let turns = 0;
    for (; judged === undefined; turns++) await immediate();
    expect(judged).toMatchObject({ found: [], more: 0, hidden: false, error: null });
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
    const [aside, here] = [await judge.large(unread(message.bytes), asked), judge.answer(message, asked)];
    expect({ ...aside, message: null }).toEqual({ ...here, message: null });
    expect(aside.error?.code).toBe(here.error?.code);
    expect(aside.message.bytes.equals(here.message.bytes)).toBe(true);
    const key = Buffer.alloc(32, 7);
    expect(summaryOf(aside.message, key)).toEqual(summaryOf(message, key));
  });

  it('of one session waits for no larger one of another', async () => {
    const judge = judgeBy({ maxResultBytes: 32 * 1024 * 1024 });
    const order: string[] = [];
    const all = [250_000, 250_000, 250_000, 30_000, 30_000].map(async (rows, at) => {
      const large = answer(rows);
      const judged = await judge.large(large, asked);
      order.push(rows > 100_000 ? 'larger' : `smaller ${at}`);
      return judged.message.bytes === large.bytes && judged.error === null;
    });
    expect(await Promise.all(all)).toEqual(all.map(() => true));
    expect(order.at(-1)).toBe('larger');
    expect(order.filter((one) => one !== 'larger')).toEqual(['smaller 3', 'smaller 4']);
  });

  it('of somebody waits for one of each other caller, and not for all of one', async () => {
    const judge = judgeBy({ maxResultBytes: 32 * 1024 * 1024 });
    const order: string[] = [];
    const all = [...'eeeeeebc'].map(async (caller) => {
      await judge.large(answer(30_000), asked, caller);
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
    const [first, second] = [judge.large(broken, asked), judge.large(large, asked)];
    expect(await first).toMatchObject({ hidden: false, error: { code: 'CONTENT_BLOCKED' } });
    expect(await second).toMatchObject({ error: null });
  });

  it('that the thread cannot even be given does not pass, and fails nothing else', async () => {
    const noData = { read: { ...TOOL, inputSchema: () => true } } as unknown as typeof surface.tools;
    const key = Buffer.alloc(32);
    const judge = contentJudge({ entry: { server: 'a/b' }, surface: { tools: noData }, journal: { key } });
    const judged = await judge.large(answer(50_000), asked);
    expect(judged).toMatchObject({ hidden: false, error: { code: 'CONTENT_BLOCKED' } });
    expect(await judgeBy({}).large(answer(50_000), asked)).toMatchObject({ error: null });
  });

  it('that takes too long is blocked in words, and holds up none behind it', async () => {
    const options = { caller: '', content: {}, entry: { server: 'a/b' }, surface, key: Buffer.alloc(32) };
    // Names that are all others take the thread most of a second. Nothing else is done here meanwhile.
    const names = Array.from({ length: 400_000 }, (_, at) => `"${at}":0`);
    const bytes = Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{${names.join()}}}}`);
    const [behind, small] = [answer(250_000), answer(30_000)];
    const slow = judgeLarge({ id: 1, bytes }, asked, { ...options, withinMs: 5 });
    const others = [behind, small].map((one) => judgeLarge(one, asked, options));
    const late = await slow;
    expect(late).toMatchObject({ hidden: false, error: { code: 'CONTENT_BLOCKED' } });
    expect(late?.error?.message).toContain('it took longer than 0.005 s');
    for (const other of await Promise.all(others)) expect(other).toMatchObject({ error: null });
  });

  it('is read by the thread alone: what stands in it twice, or is another’s, is blocked by name', async () => {
    const judge = judgeBy({});
    const { bytes } = answer(50_000);
    const twice = Buffer.from(bytes.toString().replace('{"id":49999}', '{"id":1,"id":1}'));
    const other = Buffer.from(bytes.toString().replace('"id":1,"result"', '"id":2,"result"'));
    const asks = Buffer.from(bytes.toString().replace('"result":', '"method":"ping","params":'));
    for (const wrong of [twice, other, asks]) {
      const judged = await judge.large(unread(wrong), asked);
      expect(judged).toMatchObject({ found: [{ kind: 'unread' }], error: { code: 'CONTENT_BLOCKED' } });
    }
  });

  it('comes back as what is beside its content, whose presence is told', async () => {
    const text = 'x'.repeat(LARGE_BYTES);
    const said = async (result: JsonObject, of: Asked = asked): Promise<unknown> => {
      const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
      const { message } = await judgeBy({ outputSchema: 'flag' }).large(unread(bytes), of);
      return message.kind === 'response' ? message.result : message.error;
    };
    const content = [{ type: 'text', text }];
    expect(await said({ content, isError: true, _meta: { a: 1 } })).toEqual({
      content: null,
      isError: true,
      _meta: { a: 1 },
    });
    const state = { taskId: 'a', status: 'completed', result: { content, isError: true } };
    const get = { method: 'tasks/get', target: 'read', rule: { task: 'inlined' } } as const;
    expect(await said(state, get)).toEqual({ ...state, result: { isError: true } });
    // What is large beside it is read here, as all of it is looked at.
    const beside = { resultType: 'input_required', inputRequests: { a: { method: 'x', params: { text } } } };
    expect(await said(beside)).toEqual(beside);
  });

  it('that is compared with the lock is read here, in bounded work', async () => {
    const judge = judgeBy({});
    const list = (count: number): Buffer => {
      const tools = Array.from({ length: count }, (_, at) => ({ name: `tool ${at}` }));
      return Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools } }));
    };
    const of: Asked = { method: 'tools/list', target: undefined, rule: { lists: 'tools' } };
    const read = judge.large(unread(list(15_000)), of) as Judged<Response>;
    expect(read).toMatchObject({ error: null, message: { kind: 'response' } });
    const refused = judge.large(unread(list(140_000)), of) as Judged<Response>;
    expect(refused.error).toMatchObject({ code: 'RESULT_INVALID' });
    expect(refused.error?.message).toContain('at most 131072 members and items');
  });
});
