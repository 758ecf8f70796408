/** A hostile server among others behind one address: what it does not answer, says twice or asks too often is its own. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../schemas/common.ts';
import {
  callsIn,
  eventsIn,
  type HttpClient,
  httpClient,
  type RunningGateway,
  startGateway,
} from '../../helpers/gateway.ts';
import { capture, plainProcess } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

const SPEAKING = join(import.meta.dirname, '../../servers/speaking.mjs');
const TWO = { weather: 'good', docs: 'good' };

let gateway: RunningGateway;
afterEach(() => gateway.close());

const act = (alias: string, what: string): JsonObject => ({ name: `${alias}__act`, arguments: { what } });
const namesIn = (message: JsonObject | undefined): string[] =>
  ((message?.result as { tools?: { name: string }[] } | undefined)?.tools ?? []).map(({ name }) => name);

describe('the list of all servers', () => {
  it('does not wait for one that never answers: it is left out with a record, and told', async () => {
    gateway = await startGateway({ servers: TWO, askMs: 500 });
    const client = await httpClient(`${gateway.url}/mcp`);
    await client.request(1, 'tools/list');
    await client.request(2, 'tools/call', act('weather', 'lists never'));
    const [list] = await client.request(3, 'tools/list');
    expect(namesIn(list)).toEqual(['docs__echo', 'docs__act']);
    await until(() => /"cancelled":"lk-all-/.test(callsIn(gateway, 'weather')));
    expect((await gateway.records()).map(({ message }) => message)).toContain(
      'tools/list of weather, which took too long',
    );
    expect((await client.request(4, 'tools/call', act('weather', 'x')))[0]?.result).toBeDefined();
  });

  it('has each tool once, however often and on however many pages its server names it', async () => {
    gateway = await startGateway({ servers: TWO });
    const client = await httpClient(`${gateway.url}/mcp`);
    await client.request(1, 'tools/call', act('weather', 'lists again'));
    const [list] = await client.request(2, 'tools/list');
    expect(namesIn(list)).toEqual(['weather__echo', 'docs__echo', 'docs__act']);
  });
});

describe('questions of servers', () => {
  const question = (id: number): string =>
    JSON.stringify({ jsonrpc: '2.0', id, method: 'sampling/createMessage', params: { messages: [] } });
  const line = (alias: string, said: string): JsonObject => ({
    name: `${alias}__line`,
    arguments: { json: said },
  });

  async function asking(): Promise<HttpClient> {
    gateway = await startGateway({
      servers: TWO,
      captured: await capture([SPEAKING]),
      start: (_alias, log) => plainProcess([SPEAKING, 'good', log]),
    });
    return httpClient(`${gateway.url}/mcp`, {}, { sampling: {} });
  }
  const answer = (client: HttpClient, id: unknown, model: string): Promise<Response> =>
    client.post({ id: id as number, result: { role: 'assistant', model } });

  /** Everything that a client is told, on the stream that belongs to no request and as answers. */
  async function hearing(client: HttpClient): Promise<JsonObject[]> {
    const said: JsonObject[] = [];
    const headers = { ...client.headers, accept: 'text/event-stream' };
    const main = await fetch(`${gateway.url}/mcp`, { headers });
    void (async () => {
      let text = '';
      for await (const part of main.body ?? []) {
        text += Buffer.from(part).toString();
        const whole = text.lastIndexOf('\n\n') + 1;
        said.push(...eventsIn(text.slice(0, whole)));
        text = text.slice(whole);
      }
    })().catch(() => undefined);
    return said;
  }
  const asks = (said: JsonObject[]): JsonObject[] =>
    said.filter(({ method }) => method === 'sampling/createMessage');

  it('of one that asks without an end push out none of another', async () => {
    const client = await asking();
    const said = await hearing(client);
    said.push(...(await client.request(1, 'tools/call', line('docs', question(1)))));
    await until(() => asks(said).length === 1);
    const many = Array.from({ length: 256 }, (_, n) => question(n)).join('\n');
    said.push(...(await client.request(2, 'tools/call', line('weather', many))));
    await until(() => asks(said).length === 257);
    await answer(client, asks(said)[0]?.id, 'mine');
    await until(() => callsIn(gateway, 'docs').includes('"model":"mine"'));
    expect(callsIn(gateway, 'weather')).toBe('');
  });

  it('of one that died are taken back: no answer to them is one to the next that it asks', async () => {
    const client = await asking();
    const said = await hearing(client);
    said.push(...(await client.request(1, 'tools/call', line('docs', question(1)))));
    const first = await until(() => asks(said)[0]);
    await gateway.processes[0]?.stop(0);
    const back = await until(() => said.find(({ method }) => method === 'notifications/cancelled'));
    expect(back.params).toMatchObject({ requestId: first.id });
    said.push(...(await client.request(2, 'tools/call', line('docs', question(1)))));
    const second = await until(() => asks(said)[1]);
    await answer(client, first.id, 'old');
    await answer(client, second.id, 'new');
    await until(() => callsIn(gateway, 'docs').includes('"model":"new"'));
    expect(callsIn(gateway, 'docs')).not.toContain('old');
    const lost = (await gateway.records()).filter(({ outcome }) => outcome === 'lost');
    expect(lost.map(({ method }) => method)).toEqual(['sampling/createMessage']);
  });
});
