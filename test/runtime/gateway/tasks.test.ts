/** Tasks over HTTP: of one caller, of one server, by the names that the address of all servers gives them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Parts } from '../../../runtime/gateway/all/parts.ts';
import type { Backend, Door, Visit } from '../../../runtime/gateway/ports.ts';
import type { ClientPort, SessionEnd } from '../../../runtime/session/options.ts';
import { parseMessage, type Request } from '../../../runtime/wire/message.ts';
import type { JsonObject } from '../../../schemas/common.ts';
import { inBothEras, textOf } from '../../helpers/eras.ts';
import {
  callsIn,
  httpClient,
  messagesOf,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { capture, codeOf, SCRIPTED } from '../../helpers/session.ts';

const META = 'io.modelcontextprotocol/';
const _meta = { [`${META}clientCapabilities`]: { extensions: { [`${META}tasks`]: {} } } };

describe('tasks behind a gateway', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({
      servers: { weather: 'tasks', desk: 'tasks' },
      captured: await capture([SCRIPTED, 'tasks']),
      surface: inBothEras,
    });
  });
  afterAll(() => gateway.close());

  const one = (): string => `${gateway.url}/servers/weather/mcp`;
  const all = (): string => `${gateway.url}/mcp`;
  let count = 0;
  const ask = async (
    url: string,
    method: string,
    params: JsonObject,
    headers: Record<string, string> = {},
  ): Promise<JsonObject> => {
    const asked = stateless(url, { id: ++count, method, params: { ...params, _meta } }, headers);
    return (await messagesOf(await asked)).at(-1) ?? {};
  };
  const make = (url: string, tool: string, id: string, headers = {}): Promise<JsonObject> =>
    ask(url, 'tools/call', { name: tool, arguments: { what: `make ${id}` } }, headers);
  const idOf = ({ result }: JsonObject): unknown => (result as JsonObject | undefined)?.taskId;
  const resultOf = (message: JsonObject | undefined): JsonObject => (message?.result ?? {}) as JsonObject;
  const paramsOf = (message: JsonObject | undefined): JsonObject => (message?.params ?? {}) as JsonObject;
  const statusOf = ({ result }: JsonObject): unknown => (result as JsonObject | undefined)?.status;

  it('belong to the caller who made them', async () => {
    const bob = { 'x-user': 'bob' };
    expect(idOf(await make(one(), 'act', 'bobs', bob))).toBe('bobs');
    expect(statusOf(await ask(one(), 'tasks/get', { taskId: 'bobs' }, bob))).toBe('working');
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      expect(codeOf(await ask(one(), method, { taskId: 'bobs' }))).toBe('TASK_UNKNOWN');
    expect(callsIn(gateway, 'weather').split('tasks/').length).toBe(2);
    const session = await httpClient(one(), bob);
    expect(codeOf((await session.request(1, 'tasks/get', { taskId: 'bobs' })).at(-1) ?? {})).toBe(
      'TASK_UNKNOWN',
    );
  });

  it('are named by the header as well, and by no other name', async () => {
    await make(one(), 'act', 'named');
    const other = await ask(one(), 'tasks/get', { taskId: 'named' }, { 'mcp-name': 'another' });
    expect([codeOf(other), (other.error as JsonObject).code]).toEqual(['HEADER_MISMATCH', -32020]);
  });

  it('of all servers are each their own server’s, though both say the same id', async () => {
    const [made, other] = [await make(all(), 'weather__act', 'same'), await make(all(), 'desk__act', 'same')];
    expect([idOf(made), idOf(other)]).toEqual(['weather:same', 'desk:same']);
    const settle = { name: 'desk__act', arguments: { what: 'settle same ends' } };
    await ask(all(), 'tools/call', settle);
    const [left, right] = await Promise.all(
      ['weather:same', 'desk:same'].map((taskId) => ask(all(), 'tasks/get', { taskId })),
    );
    expect([idOf(left ?? {}), statusOf(left ?? {})]).toEqual(['weather:same', 'working']);
    expect([idOf(right ?? {}), statusOf(right ?? {})]).toEqual(['desk:same', 'completed']);
    expect(textOf(resultOf(right).result)).toBe('done same');
    const undeclared = stateless(all(), { id: ++count, method: 'tasks/get', params: { taskId: 'nobody' } });
    expect(codeOf((await messagesOf(await undeclared)).at(-1) ?? {})).toBe('TASK_UNDECLARED');
    const before = callsIn(gateway, 'weather', 'desk').split('tasks/').length;
    await make(all(), 'weather__act', 'mine');
    for (const taskId of ['desk:mine', 'mine', 'nobody:mine', ':mine', 'weather:', 'weather:foreign', 7])
      expect(codeOf(await ask(all(), 'tasks/get', { taskId: taskId as string }))).toBe('TASK_UNKNOWN');
    expect(callsIn(gateway, 'weather', 'desk').split('tasks/').length).toBe(before);
    const refused = (await gateway.records()).filter(
      ({ code, kind }) => kind === 'request.refused' && code === 'TASK_UNKNOWN',
    );
    expect(refused.length).toBeGreaterThanOrEqual(7);
  });

  it('of all servers are offered in each era as it has them, and ask their client under their names', async () => {
    const discovered = await ask(all(), 'server/discover', {});
    const said = (discovered.result as JsonObject).capabilities as JsonObject;
    expect([said.tasks, said.extensions]).toEqual([undefined, { [`${META}tasks`]: {} }]);
    const client = await httpClient(all(), {}, { elicitation: {} });
    const act = (what: string, more: JsonObject = {}): Promise<JsonObject[]> =>
      client.request(++count, 'tools/call', { name: 'weather__act', arguments: { what }, ...more });
    const made = (await act('make asks', { task: {} })).at(-1)?.result as { task: JsonObject };
    expect(made.task.taskId).toBe('weather:asks');
    const related = (taskId: string): JsonObject => ({ [`${META}related-task`]: { taskId } });
    const question = {
      jsonrpc: '2.0',
      id: 'q',
      method: 'elicitation/create',
      params: { message: 'Who?', _meta: related('asks') },
    };
    // What is asked for a task comes where its result is waited for.
    const waiting = client.request(++count, 'tasks/result', { taskId: 'weather:asks' });
    await expect.poll(() => callsIn(gateway, 'weather')).toContain('tasks/result');
    await act(`tell ${JSON.stringify(question)}`);
    await act('settle asks ends');
    const heard = await waiting;
    expect(resultOf(heard.at(-1))._meta).toEqual(related('weather:asks'));
    const asked = heard.find(({ method }) => method === 'elicitation/create');
    expect(paramsOf(asked)._meta).toEqual(related('weather:asks'));
    await (
      await client.post({ id: asked?.id ?? 0, result: { action: 'accept', _meta: related('weather:asks') } })
    ).text();
    await expect.poll(() => callsIn(gateway, 'weather')).toContain(JSON.stringify(related('asks')));
    const status = {
      jsonrpc: '2.0',
      method: 'notifications/tasks/status',
      params: { taskId: 'asks', status: 'working' },
    };
    const told = (await act(`tell ${JSON.stringify(status)}`)).find(({ method }) => method === status.method);
    expect(paramsOf(told).taskId).toBe('weather:asks');
    const cancelled = (await client.request(++count, 'tasks/cancel', { taskId: 'weather:asks' })).at(-1);
    expect(cancelled?.result).toMatchObject({ taskId: 'weather:asks', status: 'cancelled' });
    expect(codeOf((await act('x', { _meta: related('desk:asks') })).at(-1) ?? {})).toBe('TASK_UNKNOWN');
  });

  it('of all servers are listed to the session that made them, and no server is asked that made none', async () => {
    const client = await httpClient(all());
    const list = async (): Promise<unknown[]> => {
      const { tasks } = resultOf((await client.request(++count, 'tasks/list')).at(-1)) as {
        tasks: JsonObject[];
      };
      return tasks.map(({ taskId, status }) => [taskId, status]);
    };
    const made = (tool: string, id: string): Promise<JsonObject[]> =>
      client.request(++count, 'tools/call', { name: tool, arguments: { what: `make ${id}` }, task: {} });
    const listings = (): number => callsIn(gateway, 'weather', 'desk').split('tasks/list').length - 1;
    expect([await list(), listings()]).toEqual([[], 0]);
    await made('desk__act', 'listed');
    expect([await list(), listings()]).toEqual([[['desk:listed', 'working']], 1]);
    await made('weather__act', 'listed');
    expect(await list()).toEqual(
      [
        ['weather:listed', 'working'],
        ['desk:listed', 'working'],
      ].reverse(),
    );
    const other = await httpClient(all());
    expect(resultOf((await other.request(++count, 'tasks/list')).at(-1))).toEqual({ tasks: [] });
    expect(codeOf(await ask(all(), 'tasks/list', {}))).toBe('METHOD_REFUSED');
  });
});

describe('an answer at the address of all servers', () => {
  it('names its task with the alias however many calls were cancelled before', () => {
    const sent: JsonObject[] = [];
    let server: ClientPort | undefined;
    const open = (port: ClientPort): Backend => {
      server = port;
      const run = (): Promise<SessionEnd> => new Promise(() => undefined);
      return { recorded: Promise.resolve(), take: () => undefined, end: () => undefined, run };
    };
    const port = { send: (bytes: Buffer) => void sent.push(JSON.parse(bytes.toString()) as JsonObject) };
    const parts = new Parts({
      doors: new Map([
        ['weather', { open: (_: unknown, port: ClientPort) => open(port) } as unknown as Door],
      ]),
      visit: {} as Visit,
      port: port as unknown as ClientPort,
      greeting: () => null,
      answered: () => undefined,
      ended: () => undefined,
    });
    const call = (id: number): void => {
      const message = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'act', _meta } };
      parts.take('weather', parseMessage(Buffer.from(JSON.stringify(message))) as Request);
    };
    const answer = (id: number): void => {
      const bytes = Buffer.from(
        JSON.stringify({ jsonrpc: '2.0', id, result: { taskId: 'one', status: 'working' } }),
      );
      server?.send(bytes, `n${id}`, undefined);
    };
    call(0);
    for (let id = 1; id < 1500; id++) {
      call(id);
      parts.of('weather').tell('notifications/cancelled', { requestId: id });
    }
    // Cancelled, and answered before its server heard of it.
    answer(1499);
    answer(0);
    expect(sent.map(({ result }) => (result as JsonObject).taskId)).toEqual(['weather:one', 'weather:one']);
  });
});
