/** One caller with many sessions, credentials and failing calls: the others go on. */
import { afterEach, describe, expect, it } from 'vitest';
import { Instances } from '../../../runtime/gateway/instances.ts';
import { Breakers } from '../../../runtime/lifecycle/breakers.ts';
import type { RunningServer } from '../../../runtime/ports.ts';
import {
  callsIn,
  httpClient,
  post,
  type RunningGateway,
  startGateway,
  stateless,
} from '../../helpers/gateway.ts';
import { codeOf } from '../../helpers/session.ts';
import { until } from '../../helpers/wait.ts';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
});

const ECHO = { name: 'echo', arguments: { message: 'hi' } };
const act = (what: string) => ({ name: 'act', arguments: { what } });

describe('one caller beside others', () => {
  it('whose calls end their server has a rest, and nobody else', async () => {
    // A clock that stands: what rests, rests however long this takes.
    gateway = await startGateway({ door: { breakers: new Breakers({ now: () => 0 }) } });
    const url = `${gateway.url}/servers/weather/mcp`;
    const [eve, bob] = await Promise.all(['eve', 'bob'].map((user) => httpClient(url, { 'x-user': user })));
    const codes: unknown[] = [];
    for (let id = 1; id <= 4; id++)
      codes.push(codeOf((await eve?.request(id, 'tools/call', act('die')))?.[0] ?? {}));
    expect(codes).toEqual(['SERVER_DIED', 'SERVER_DIED', 'SERVER_DIED', 'SERVER_RESTING']);
    const again = await httpClient(url, { 'x-user': 'eve', 'x-credential': 'another' });
    expect(codeOf((await again.request(1, 'tools/call', ECHO))[0] ?? {})).toBe('SERVER_RESTING');
    expect(gateway.processes.length).toBe(3);
    expect((await bob?.request(1, 'tools/call', ECHO))?.[0]?.error).toBeUndefined();
  });

  it('has so many requests without answer in all sessions and with all credentials', async () => {
    gateway = await startGateway({ limits: { waitingEach: 3 } });
    const running = gateway;
    const url = `${gateway.url}/servers/weather/mcp`;
    const own = ['t1', 't2'].map((credential) => ({ 'x-user': 'eve', 'x-credential': credential }));
    const [one, two] = await Promise.all(own.map((headers) => httpClient(url, headers)));
    const held = [
      one?.post({ id: 1, method: 'tools/call', params: act('never') }),
      two?.post({ id: 1, method: 'tools/call', params: act('never') }),
      stateless(url, { id: 1, method: 'tools/call', params: act('never') }, own[0]),
    ];
    await until(() => callsIn(running, 'weather').split('never').length > 3);
    for (const headers of own) {
      const over = await stateless(url, { id: 2, method: 'tools/call', params: act('one more') }, headers);
      expect([over.status, await over.text()]).toEqual([429, expect.stringContaining('at most 3 requests')]);
    }
    const over = await two?.post({ id: 2, method: 'tools/call', params: act('one more') });
    expect(over?.status).toBe(429);
    const events = { ...two?.headers, accept: 'text/event-stream, application/json' };
    const message = { id: 3, method: 'tools/call', params: act('one more') };
    expect((await post(url, message, events)).status).toBe(429);
    const other = await httpClient(url, { 'x-user': 'bob' });
    expect((await other.request(1, 'tools/call', ECHO))[0]?.error).toBeUndefined();
    expect(callsIn(running, 'weather')).not.toContain('one more');
    // What ends gives its places back.
    await fetch(url, { method: 'DELETE', headers: two?.headers ?? {} });
    await (await held[1])?.text();
    expect((await one?.request(3, 'tools/call', ECHO))?.[0]?.error).toBeUndefined();
    await one?.post({ method: 'notifications/cancelled', params: { requestId: 1 } });
    await (await held[0])?.text();
  });

  it('has so many sessions with all credentials', async () => {
    gateway = await startGateway({ limits: { sessionsEach: 2 } });
    const url = `${gateway.url}/servers/weather/mcp`;
    const sessions = await Promise.all(
      ['t1', 't2'].map((each) => httpClient(url, { 'x-user': 'eve', 'x-credential': each })),
    );
    expect(sessions.every(({ session }) => session !== '')).toBe(true);
    expect((await httpClient(url, { 'x-user': 'EVE', 'x-credential': 't3' })).session).toBe('');
    expect((await httpClient(url, { 'x-user': 'bob' })).session).not.toBe('');
  });
});

describe('servers that start', () => {
  const server = (): RunningServer => ({ exited: new Promise(() => undefined) }) as unknown as RunningServer;

  it('of one caller are not all before the first of another', async () => {
    const instances = new Instances({ running: 64, runningEach: 48, starting: 2, waitMs: 60_000 });
    const order: string[] = [];
    const ready: (() => void)[] = [];
    const start = (owner: string): Promise<RunningServer> =>
      instances.start(owner, async () => {
        order.push(owner);
        await new Promise<void>((resolve) => ready.push(resolve));
        return server();
      });
    const all = [...Array.from({ length: 20 }, () => 'eve'), 'bob', 'cleo'].map(start);
    await until(() => order.length === 2);
    for (let n = 0; n < all.length; n++) {
      await until(() => ready.length > n);
      ready[n]?.();
      await until(() => order.length >= Math.min(all.length, n + 3));
    }
    await Promise.all(all);
    expect(order.slice(0, 2)).toEqual(['eve', 'eve']);
    expect(order.slice(2, 5).sort()).toContain('bob');
    expect(order.slice(2, 5)).toContain('cleo');
  });

  it('make room by letting rest what whoever has most does not need', async () => {
    const instances = new Instances({ running: 3, runningEach: 3, starting: 3, waitMs: 60_000 });
    const rested: string[] = [];
    const running = async (owner: string): Promise<void> => {
      const exited = Promise.withResolvers<void>();
      await instances.start(owner, async () => ({ exited: exited.promise }) as unknown as RunningServer);
      instances.spares(owner)(() => {
        rested.push(owner);
        exited.resolve();
      });
    };
    for (const owner of ['bob', 'eve', 'eve', 'cleo']) await running(owner);
    expect(rested).toEqual(['eve']);
  });
});
