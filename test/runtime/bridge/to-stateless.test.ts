/** A client with a session before a stateless server: what the server is shown, what it may ask, and what is refused. */
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../schemas/common.ts';
import {
  greeted,
  type Lone,
  META,
  NEWER,
  STATELESS,
  sessionWith,
  surfaceOf,
  textOf,
} from '../../helpers/eras.ts';
import { codeOf, plainProcess, type Running } from '../../helpers/session.ts';

let session: Running;
afterEach(async () => {
  await session?.close();
});

const open = async (server: Lone, capabilities?: JsonObject): Promise<Running> =>
  greeted(await sessionWith(server), capabilities);
const call = (id: number, name: string, more: JsonObject = {}): Promise<JsonObject> =>
  session.request(id, 'tools/call', { name, arguments: {}, ...more });
const isAsk = ({ id, method }: JsonObject): boolean => id !== undefined && method !== undefined;
/** Answers every question from now on. */
function answering(result: JsonObject): () => void {
  let over = false;
  const done = new Set<unknown>();
  const loop = async (): Promise<void> => {
    while (!over) {
      const asked = await session.next((one) => isAsk(one) && !done.has(one.id)).catch(() => null);
      if (!asked) return;
      done.add(asked.id);
      session.send({ id: asked.id as string, result });
    }
  };
  void loop();
  return () => {
    over = true;
  };
}
const ANN = { action: 'accept', content: { name: 'Ann' } };

describe('a stateless server', () => {
  it('is greeted, pinged and told levels by nobody: the lock and the bridge answer', async () => {
    const surface = await surfaceOf(STATELESS);
    session = await sessionWith(STATELESS);
    const hello = await session.request(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} });
    expect(hello.result).toMatchObject({ protocolVersion: '2025-11-25', serverInfo: surface.serverInfo });
    session.send({ method: 'notifications/initialized' });
    expect((await session.request(1, 'ping')).result).toEqual({});
    expect((await session.request(2, 'logging/setLevel', { level: 'info' })).result).toEqual({});
    expect(textOf(await call(3, 'test_tool_with_logging'))).toBeDefined();
    const said = session.received.filter(({ method }) => method === 'notifications/message');
    expect(said.length).toBeGreaterThan(0);
  });

  it('is shown the locked capabilities that its client has as well, and no envelope of the client', async () => {
    session = await open(NEWER, { elicitation: { url: {} }, experimental: { mine: {} } });
    const _meta = { [`${META}clientCapabilities`]: { sampling: {} }, [`${META}logLevel`]: 'debug', mine: 1 };
    const seen = JSON.parse(textOf(await call(1, 'plain', { _meta })) ?? '');
    expect(seen[`${META}clientCapabilities`]).toEqual({ elicitation: {} });
    expect(seen[`${META}clientInfo`]).toEqual({ name: 'lockkeeper', version: '1' });
    expect(seen[`${META}logLevel`]).toBeUndefined();
  });

  it('asks by requests that are recorded with their call, and is called again with the answers', async () => {
    session = await open(STATELESS);
    const stop = answering(ANN);
    expect(textOf(await call(1, 'test_input_required_result_elicitation'))).toBe('Hello, Ann!');
    stop();
    const records = await session.records();
    const [forwarded] = records.filter(
      ({ method, kind }) => method === 'tools/call' && kind === 'request.forwarded',
    );
    const rounds = records.filter(({ kind }) => kind === 'call.round');
    expect(rounds).toMatchObject([
      { direction: 'to-client', call: forwarded?.call, detail: { round: 1, asks: ['elicitation/create'] } },
      { direction: 'to-server', call: forwarded?.call, detail: { round: 1, asks: ['user_name'] } },
    ]);
    const question = records.find(({ method }) => method === 'elicitation/create');
    expect(question?.call?.startsWith(`${forwarded?.call}/s-`)).toBe(true);
    expect(
      records.filter(({ kind, method }) => kind === 'request.finished' && method === 'tools/call').length,
    ).toBe(1);
  });

  it('is not told what its client says of answers that it may not give', async () => {
    session = await open(STATELESS);
    const forged = { requestState: 'mine', inputResponses: { user_name: ANN } };
    const asked = session.next(isAsk);
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'test_input_required_result_elicitation', arguments: {}, ...forged },
    });
    expect((await asked).method).toBe('elicitation/create');
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
  });

  it('tells of lists that change and of resources that were subscribed to', async () => {
    session = await open(STATELESS);
    await call(1, 'test_trigger_tool_change');
    const changed = await session.next(({ method }) => method === 'notifications/tools/list_changed');
    expect(changed.params ?? {}).toEqual({});
    const { resources } = await surfaceOf(STATELESS);
    const uri = Object.keys(resources)[0] ?? '';
    expect((await session.request(2, 'resources/subscribe', { uri })).result).toEqual({});
    expect((await session.request(3, 'resources/unsubscribe', { uri })).result).toEqual({});
    expect(codeOf(await session.request(4, 'resources/subscribe', { uri: 'not://locked' }))).toBe(
      'TOOL_REFUSED',
    );
  });
});

describe('a question of a stateless server', () => {
  it.each<[string, JsonObject]>([
    ['the client cannot be asked', {}],
    ['the client will not answer', { elicitation: {}, sampling: {}, roots: {} }],
  ])('where %s: the call ends in a sentence', async (_why, capabilities) => {
    session = await open(STATELESS, capabilities);
    void session.next(isAsk).then(
      ({ id }) => session.send({ id: id as string, error: { code: -1, message: 'I will not' } }),
      () => undefined,
    );
    const answer = await call(1, 'test_input_required_result_elicitation');
    expect(answer.error ?? (answer.result as JsonObject).isError).toBeTruthy();
    expect(textOf(await call(2, 'test_simple_text'))).toBeDefined();
  });

  it('that is not answered in time ends the call, and is taken back', async () => {
    session = await greeted(await sessionWith(STATELESS, { answerMs: 300 }));
    expect(codeOf(await call(1, 'test_input_required_result_elicitation'))).toBe('ROUND_REFUSED');
    expect(session.received.some(({ method }) => method === 'notifications/cancelled')).toBe(true);
  });

  it('is taken back from the client when the call is', async () => {
    session = await open(STATELESS);
    session.send({
      id: 1,
      method: 'tools/call',
      params: { name: 'test_input_required_result_elicitation', arguments: {} },
    });
    const asked = await session.next(isAsk);
    session.send({ method: 'notifications/cancelled', params: { requestId: 1 } });
    const over = await session.next(({ method }) => method === 'notifications/cancelled');
    expect(over.params).toMatchObject({ requestId: asked.id });
    session.send({ id: asked.id as string, result: ANN });
    expect(textOf(await call(2, 'test_simple_text'))).toBeDefined();
    expect(session.received.some(({ id, method }) => id === 1 && method === undefined)).toBe(false);
  });
});

describe('a stateless server with bad manners', () => {
  it.each([
    ['endless', 'ROUND_REFUSED', 10],
    ['pacing', 'ROUND_REFUSED', 10],
    ['heavy', 'RESULT_INVALID', 0],
    ['flood', 'RESULT_INVALID', 0],
    ['dressed', 'RESULT_INVALID', 0],
  ])('%s: %s after %i rounds, and the next call is answered', async (name, code, rounds) => {
    session = await open(NEWER);
    const stop = answering(ANN);
    expect(codeOf(await call(1, name))).toBe(code);
    stop();
    expect(textOf(await call(2, 'plain'))).toBeDefined();
    const records = await session.records();
    const put = records.filter(({ kind, direction }) => kind === 'call.round' && direction === 'to-client');
    expect(put.length).toBe(rounds);
  });

  it.each(['unheard-of', 'task'])(
    'that asks by a request of its own is refused; an answer that is %s is none',
    async (type) => {
      const script = `
      import { createInterface } from 'node:readline';
      const send = (m) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...m }) + '\\n');
      const tools = [{ name: 'odd', description: 'Odd', inputSchema: { type: 'object' } }];
      createInterface({ input: process.stdin }).on('line', (line) => {
        const { id, method, error } = JSON.parse(line);
        if (method === 'server/discover')
          send({ id, result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, serverInfo: { name: 'odd' } } });
        else if (method === 'tools/list') send({ id, result: { tools, resultType: 'complete' } });
        else if (method === 'tools/call') {
          send({ id: 7, method: 'roots/list', params: {} });
          globalThis.call = id;
        } else if (error) send({ id: globalThis.call, result: { resultType: '${type}', taskId: 'one', status: 'working', content: [] } });
      });`;
      const words = ['--input-type=module', '-e', script];
      const odd: Lone = { words, era: 'stateless' };
      session = await greeted(await sessionWith(odd, { start: () => plainProcess(words) }));
      expect(codeOf(await call(1, 'odd'))).toBe('RESULT_INVALID');
      expect(session.received.some(isAsk)).toBe(false);
      const refused = (await session.records()).filter(({ kind }) => kind === 'request.refused');
      expect(refused).toMatchObject([
        { method: 'roots/list', code: 'ROUND_REFUSED', direction: 'to-client' },
      ]);
    },
  );
});
