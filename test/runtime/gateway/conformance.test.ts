/** What the conformance suite asks of the gateway beyond passing bytes on, before a real server of both eras. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../schemas/common.ts';
import { stdioGateway } from '../../conformance/ways.ts';
import { eventsIn, httpClient, messagesOf, type RunningGateway, stateless } from '../../helpers/gateway.ts';

let gateway: RunningGateway;
let url: string;
beforeAll(async () => {
  gateway = await stdioGateway();
  url = `${gateway.url}/servers/conformance/mcp`;
});
afterAll(() => gateway.close());

const call = async (name: string): Promise<JsonObject[]> =>
  messagesOf(await stateless(url, { id: 1, method: 'tools/call', params: { name, arguments: {} } }));

interface Listener {
  heard(): string[];
  /** Settles when so many messages came. */
  count(many: number): Promise<void>;
  close(): void;
}

/** Every listener has the same id: they are connections of their own. */
async function listen(notifications: JsonObject): Promise<Listener> {
  const stop = new AbortController();
  const params = { notifications };
  const response = await stateless(url, { id: 7, method: 'subscriptions/listen', params }, {}, stop.signal);
  let text = '';
  const looks = new Set<() => void>();
  const read = async (): Promise<void> => {
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      for (const look of looks) look();
    }
  };
  void read().catch(() => undefined);
  const events = (): JsonObject[] => eventsIn(text);
  return {
    heard: () =>
      events().map(({ method, params }) => {
        const { _meta } = params as { _meta?: JsonObject };
        return `${String(method).replace('notifications/', '')} ${_meta?.['io.modelcontextprotocol/subscriptionId']}`;
      }),
    count: (many) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (events().length >= many) resolve();
        };
        looks.add(look);
        look();
      }),
    close: () => stop.abort(),
  };
}

describe('subscriptions of one caller on several connections', () => {
  it('each hear what they asked for, by their own id, and nothing of the others', async () => {
    const tools = await listen({ toolsListChanged: true });
    const prompts = await listen({ promptsListChanged: true });
    const both = await listen({ toolsListChanged: true, promptsListChanged: true });
    await Promise.all([tools, prompts, both].map((one) => one.count(1)));
    await call('test_trigger_tool_change');
    await Promise.all([tools.count(2), both.count(2)]);
    await call('test_trigger_prompt_change');
    await Promise.all([prompts.count(2), both.count(3)]);
    const begun = 'subscriptions/acknowledged 7';
    expect(tools.heard()).toEqual([begun, 'tools/list_changed 7']);
    expect(prompts.heard()).toEqual([begun, 'prompts/list_changed 7']);
    expect(both.heard()).toEqual([begun, 'tools/list_changed 7', 'prompts/list_changed 7']);
    tools.close();
    await call('test_trigger_tool_change');
    await both.count(4);
    expect(prompts.heard().length).toBe(2);
    for (const one of [prompts, both]) one.close();
  });
});

describe('a resource that the lock does not have', () => {
  const uri = 'test://nonexistent';

  it('is missing in the words of either era, names itself, and the server is not asked', async () => {
    const client = await httpClient(url);
    const [older] = await client.request(1, 'resources/read', { uri });
    expect(older?.error).toMatchObject({ code: -32002, data: { uri, code: 'TOOL_REFUSED' } });
    const response = await stateless(url, { id: 2, method: 'resources/read', params: { uri } });
    expect((await messagesOf(response))[0]?.error).toMatchObject({ code: -32602, data: { uri } });
    const reads = (await gateway.records()).filter(({ method }) => method === 'resources/read');
    expect(reads.map(({ kind }) => kind)).toEqual(['request.refused', 'request.refused']);
  });
});

describe('an answer', () => {
  const list = { id: 3, method: 'tools/call', params: { name: 'test_simple_text', arguments: {} } };

  it('is a stream that can be taken up again for a client that names events first, else JSON', async () => {
    const client = await httpClient(url);
    const first = { ...client.headers, accept: 'text/event-stream, application/json' };
    const body = JSON.stringify({ jsonrpc: '2.0', ...list });
    const headers = { ...first, 'content-type': 'application/json' };
    const streamed = await fetch(url, { method: 'POST', headers, body });
    expect(streamed.headers.get('content-type')).toBe('text/event-stream');
    const text = await streamed.text();
    expect(text).toMatch(/^id: 1-0\nretry: 1000\ndata: \n\nid: 1-1\n/);
    expect(eventsIn(text)).toMatchObject([{ id: 3, result: { content: [{ type: 'text' }] } }]);
    const plain = await client.post({ ...list, id: 4 });
    expect(plain.headers.get('content-type')).toBe('application/json');
    await plain.text();
  });
});
