/** Clients and servers that nobody here wrote, each of one protocol era, over the gateway. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gatewayWith, newerClient, OLDER, olderClient, STATELESS, textOf } from '../../helpers/eras.ts';
import type { RunningGateway } from '../../helpers/gateway.ts';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await gatewayWith({ older: OLDER, newer: STATELESS });
});
afterAll(() => gateway.close());

const urlOf = (alias: string): string => `${gateway.url}/servers/${alias}/mcp`;

describe('a client of the older SDK before a stateless server', () => {
  it('lists, calls, reads, and answers what the server asks in its results', async () => {
    const client = await olderClient(urlOf('newer'));
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('test_simple_text');
    const call = async (name: string): Promise<string | undefined> =>
      textOf(await client.callTool({ name, arguments: {} }));
    expect(await call('test_simple_text')).toContain('simple text');
    expect(await call('test_input_required_result_elicitation')).toBe('Hello, Ann!');
    expect(await call('test_input_required_result_multiple_inputs')).toBe('hi Ann, of file:///srv');
    expect(await call('test_input_required_result_multi_round')).toBe('Ann likes Ann');
    expect(await call('test_input_required_result_request_state')).toBe('state-ok');
    const prompt = await client.getPrompt({ name: 'test_input_required_result_prompt' });
    expect(JSON.stringify(prompt.messages)).toContain('Context: Ann');
    expect((await client.listResources()).resources.length).toBeGreaterThan(0);
    await client.ping();
    await client.close();
  });
});

describe('a client of the newer SDK, stateless, before a server of the older one', () => {
  it('discovers, lists, calls, reads, and is asked by results', async () => {
    const client = await newerClient(urlOf('older'));
    expect(client.getServerVersion()).toMatchObject({ name: 'older' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('greet');
    const call = async (name: string, args = {}): Promise<string | undefined> =>
      textOf(await client.callTool({ name, arguments: args }));
    expect(await call('echo', { words: 'hello' })).toBe('hello');
    expect(await call('greet', { greeting: 'Hi' })).toBe('Hi, Ann');
    expect(await call('twice')).toBe('Ann and Ann');
    expect(await call('both')).toBe('Ann hi');
    expect(await call('where')).toBe('file:///srv');
    const { contents } = await client.readResource({ uri: 'note://one' });
    expect(contents).toMatchObject([{ text: 'a note' }]);
    await client.close();
  });
});

describe('all servers as one, of either era', () => {
  it('are called by a client of either', async () => {
    for (const client of [await olderClient(`${gateway.url}/mcp`), await newerClient(`${gateway.url}/mcp`)]) {
      const names = (await client.listTools()).tools.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['older__echo', 'newer__test_simple_text']));
      const call = async (name: string, args = {}): Promise<string | undefined> =>
        textOf(await client.callTool({ name, arguments: args }));
      expect(await call('older__greet', { greeting: 'Hi' })).toBe('Hi, Ann');
      expect(await call('newer__test_input_required_result_elicitation')).toBe('Hello, Ann!');
      await client.close();
    }
  });

  it('says in each session which era the client and which the server speaks', async () => {
    const started = (await gateway.records()).filter(({ kind }) => kind === 'session.started');
    const eras = started.map(({ detail }) => detail as { era: string; serverEra: string });
    const pairs = new Set(eras.map(({ era, serverEra }) => `${era} ${serverEra}`));
    expect([...pairs].sort()).toEqual([
      'session session',
      'session stateless',
      'stateless session',
      'stateless stateless',
    ]);
  });
});
