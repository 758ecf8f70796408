/** All servers of a lock behind one address. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { Names } from '../../../runtime/gateway/all/names.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { LockkeeperError } from '../../../schemas/errors.ts';
import type { Surface } from '../../../schemas/surface.ts';
import { inBothEras } from '../../helpers/eras.ts';
import {
  eventsIn,
  type GatewaySetup,
  httpClient,
  messagesOf,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { codeOf } from '../../helpers/session.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

const TWO = { weather: 'good', docs: 'good' };
const BOTH = {
  servers: TWO,
  surface: inBothEras,
} satisfies GatewaySetup;

async function started(
  setup: GatewaySetup = { servers: TWO },
): Promise<{ gateway: RunningGateway; url: string }> {
  gateway = await startGateway(setup);
  return { gateway, url: `${gateway.url}/mcp` };
}

const namesIn = (message: JsonObject | undefined): string[] =>
  ((message?.result as { tools?: { name: string }[] } | undefined)?.tools ?? []).map(({ name }) => name);
const echo = (alias: string, message: string): JsonObject => ({
  name: `${alias}__echo`,
  arguments: { message },
});

describe('all servers as one', () => {
  it('lists every tool under the name of its server, and starts none for it', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const [list] = await client.request(1, 'tools/list');
    expect(namesIn(list)).toEqual(['weather__echo', 'weather__act', 'docs__echo', 'docs__act']);
    expect(gateway.processes.length).toBe(0);
  });

  it('drops nothing that a client tells without a record, also while no server is asked', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    await (await client.post({ method: 'notifications/evil', params: { what: 'x' } })).text();
    await (await client.post({ method: 'notifications/cancelled', params: { requestId: 77 } })).text();
    expect(await gateway.records()).toMatchObject([
      { kind: 'notice.refused', method: 'notifications/evil', arguments: { what: 'x' }, user: 'erin' },
      { kind: 'response.refused', message: 'the end of a request that nobody has' },
    ]);
  });

  it('sends a call to the one server it names, under the name that server knows', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const [answer] = await client.request(1, 'tools/call', echo('docs', 'hi'));
    expect(answer).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'hi' }] } });
    expect(gateway.processes.length).toBe(1);
    expect(readFileSync(gateway.log('docs'), 'utf8')).toContain('"name":"echo"');
    const records = await gateway.records();
    expect(records.find(({ kind }) => kind === 'request.forwarded')).toMatchObject({
      target: 'echo',
      user: 'erin',
    });
  });

  it.each([
    'echo',
    'weather__shell',
    'weather__',
    '__echo',
    'other__echo',
    'constructor',
    'docs__weather__echo',
  ])('refuses %s by name, with a record, and nothing runs', async (name) => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const [answer] = await client.request(1, 'tools/call', { name, arguments: {} });
    expect(codeOf(answer ?? {})).toBe('TOOL_REFUSED');
    expect(gateway.processes.length).toBe(0);
    expect((await gateway.records()).at(-1)).toMatchObject({ kind: 'request.refused', code: 'TOOL_REFUSED' });
  });

  it('keeps apart what two servers ask at once, and brings each its own answer', async () => {
    const { url } = await started();
    const client = await httpClient(url, {}, { sampling: {} });
    const ask = async (alias: string, id: number): Promise<string> => {
      const params = { name: `${alias}__act`, arguments: { what: 'ask' } };
      const response = await client.post({ id, method: 'tools/call', params });
      const reader = response.body?.getReader();
      let text = '';
      let answered = false;
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        text += Buffer.from(value ?? new Uint8Array()).toString();
        const asked = eventsIn(text).find(({ method }) => method === 'sampling/createMessage');
        if (asked && !answered) {
          answered = true;
          await client.post({ id: asked.id ?? '', result: { role: 'assistant', model: alias } });
        }
        if (done) return JSON.stringify(eventsIn(text).at(-1));
      }
    };
    const [weather, docs] = await Promise.all([ask('weather', 1), ask('docs', 2)]);
    expect(weather).toContain('asked weather');
    expect(docs).toContain('asked docs');
  });

  it('sees one server die without the other, and calls it again', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    const slow = client.request(1, 'tools/call', { name: 'docs__act', arguments: { what: 'wait 300' } });
    const [died] = await client.request(2, 'tools/call', {
      name: 'weather__act',
      arguments: { what: 'die' },
    });
    expect(codeOf(died ?? {})).toBe('SERVER_DIED');
    expect((await slow)[0]?.error).toBeUndefined();
    expect((await client.request(3, 'tools/call', echo('weather', 'again')))[0]?.error).toBeUndefined();
    expect(gateway.processes.length).toBe(3);
  });

  it('leaves no process behind when the session ends', async () => {
    const { gateway, url } = await started();
    const client = await httpClient(url);
    for (const alias of ['weather', 'docs']) await client.request(alias, 'tools/call', echo(alias, 'hi'));
    await fetch(url, { method: 'DELETE', headers: client.headers });
    await Promise.all(gateway.processes.map(({ exited }) => exited));
    expect(gateway.processes.length).toBe(2);
  });

  it('shows a credential for one server that server alone', async () => {
    const { url } = await started();
    const client = await httpClient(url, { 'x-servers': 'docs' });
    expect(namesIn((await client.request(1, 'tools/list'))[0])).toEqual(['docs__echo', 'docs__act']);
    const [answer] = await client.request(2, 'tools/call', echo('weather', 'hi'));
    expect(codeOf(answer ?? {})).toBe('NOT_LOCKED');
  });

  it('lists what the policy permits the caller, of every server', async () => {
    const { url } = await started({
      servers: TWO,
      policy: 'team interns = as signed in\neveryone: all locked tools\ninterns: not the docs server\n',
    });
    const client = await httpClient(url, { 'x-teams': 'interns' });
    expect(namesIn((await client.request(1, 'tools/list'))[0])).toEqual(['weather__echo', 'weather__act']);
    expect(codeOf((await client.request(2, 'tools/call', echo('docs', 'hi')))[0] ?? {})).toBe(
      'POLICY_REFUSED',
    );
  });

  it('speaks the stateless era as well, each client with its own ids', async () => {
    const { gateway, url } = await started(BOTH);
    const [hello] = await messagesOf(await stateless(url, { id: 1, method: 'server/discover' }));
    expect(hello).toMatchObject({ result: { instructions: expect.stringContaining('# docs') } });
    const answers = await Promise.all(
      ['weather', 'docs', 'weather'].map(async (alias) =>
        messagesOf(await stateless(url, { id: 7, method: 'tools/call', params: echo(alias, alias) })),
      ),
    );
    expect(answers.map(([answer]) => answer)).toEqual(
      ['weather', 'docs', 'weather'].map((text) => ({
        jsonrpc: '2.0',
        id: 7,
        result: { content: [{ type: 'text', text }] },
      })),
    );
    expect(gateway.processes.length).toBe(2);
    const listed = await messagesOf(await stateless(url, { id: 8, method: 'tools/list' }));
    expect(namesIn(listed[0]).length).toBe(4);
  });

  it('says in each era’s own words what is not there, and starts nothing for it', async () => {
    const { gateway, url } = await started(BOTH);
    const uri = 'test://nowhere';
    for (const method of ['resources/subscribe', 'resources/unsubscribe', 'ping', 'tools/unheard']) {
      const gone = await stateless(url, { id: 1, method, params: { uri } });
      expect(gone.status).toBe(404);
      const [error] = await messagesOf(gone);
      expect(error).toMatchObject({ error: { code: -32601, data: { code: 'METHOD_REFUSED' } } });
    }
    const read = { id: 2, method: 'resources/read', params: { uri } };
    const [missing] = await messagesOf(await stateless(url, read));
    expect(missing).toMatchObject({ error: { code: -32602, data: { uri, code: 'TOOL_REFUSED' } } });
    const client = await httpClient(url);
    const [before] = await client.request(3, 'resources/read', { uri });
    expect(before).toMatchObject({ error: { code: -32002, data: { uri, code: 'TOOL_REFUSED' } } });
    expect(gateway.processes).toEqual([]);
  });
});

describe('names of all servers', () => {
  const surface = (more: Partial<Record<'tools' | 'resources' | 'resourceTemplates', string[]>>): Surface =>
    ({
      tools: {},
      prompts: {},
      resources: {},
      resourceTemplates: {},
      ...Object.fromEntries(
        Object.entries(more).map(([section, names]) => [
          section,
          Object.fromEntries(names.map((name) => [name, {}])),
        ]),
      ),
    }) as unknown as Surface;
  const code = (run: () => unknown): string => {
    try {
      return String(run());
    } catch (error) {
      return error instanceof LockkeeperError ? error.code : String(error);
    }
  };

  it('that would be the same refuse to start', () => {
    const both = new Map([
      ['a', surface({ tools: ['b__c'] })],
      ['a__b', surface({ tools: ['c'] })],
    ]);
    expect(code(() => new Names(both))).toBe('NAME_AMBIGUOUS');
  });

  it('an address that two servers have is asked of neither', () => {
    const names = new Names(
      new Map([
        [
          'a',
          surface({ resources: ['file:///x', 'file:///a'], resourceTemplates: ['note://{id}', 'a://{id}'] }),
        ],
        ['b', surface({ resources: ['file:///x'], resourceTemplates: ['note://{name}'] })],
      ]),
    );
    expect(names.ambiguous).toEqual(['file:///x']);
    expect(code(() => names.addressee('file:///x'))).toBe('NAME_AMBIGUOUS');
    expect(code(() => names.addressee('file:///a'))).toBe('a');
    expect(code(() => names.addressee('a://1'))).toBe('a');
    expect(code(() => names.addressee('note://1'))).toBe('NAME_AMBIGUOUS');
    expect(code(() => names.addressee('other://1'))).toBe('TOOL_REFUSED');
    expect([names.shows('resources', 'a', 'file:///x'), names.shows('resources', 'a', 'file:///a')]).toEqual([
      false,
      true,
    ]);
  });
});
