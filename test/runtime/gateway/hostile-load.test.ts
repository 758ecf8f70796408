/**
 * A client that is hostile by how much it sends, or how slowly. The gateway is a process of its own here: its memory is
 * measured, and what another caller gets meanwhile.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type GatewaySetup, httpClient, JSON_HEADERS, post } from '../../helpers/gateway.ts';
import type { Standing } from '../../helpers/gateway-process.ts';
import { raw, rawRequest, rawSocket } from '../../helpers/raw-http.ts';
import { codeOf, INITIALIZE } from '../../helpers/session.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

const PROCESS = join(import.meta.dirname, '../../helpers/gateway-process.ts');
const MIB = 1024 * 1024;
const KIB = 1024;

let child: ChildProcessWithoutNullStreams | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  child?.stdin.end();
  if (child && child.exitCode === null) await new Promise((resolve) => child?.once('close', resolve));
  child = undefined;
});

interface Started {
  readonly url: string;
  stands(): Promise<Standing>;
}

/** `files`: how many it may have open. */
async function started(
  setup: Pick<GatewaySetup, 'limits' | 'instances' | 'servers'> = {},
  files?: number,
): Promise<Started> {
  const words = [process.execPath, '--expose-gc', PROCESS, JSON.stringify(setup)];
  const own =
    files === undefined
      ? spawn(words[0] ?? '', words.slice(1))
      : spawn('prlimit', [`--nofile=${files}`, '--', ...words]);
  child = own;
  own.stderr.pipe(process.stderr);
  const lines = createInterface({ input: own.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  const url = `${await next()}/servers/weather/mcp`;
  return {
    url,
    stands: async () => {
      own.stdin.write('\n');
      return JSON.parse(await next()) as Standing;
    },
  };
}

const HELLO = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE });

async function opened(url: string): Promise<Socket> {
  const socket = await rawSocket(url);
  sockets.push(socket);
  return socket;
}

/** What a socket was told, once it is closed. */
function told(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString();
    });
    socket.on('close', () => resolve(text));
  });
}

/** Another caller begins a session and gets an answer, in time. */
async function othersAreServed(url: string): Promise<void> {
  const since = performance.now();
  const bob = await httpClient(url, { 'x-user': 'bob' });
  const [answer] = await bob.request(1, 'tools/call', { name: 'echo', arguments: { message: 'hi' } });
  expect(answer?.result).toEqual({ content: [{ type: 'text', text: 'hi' }] });
  expect(performance.now() - since).toBeLessThan(15_000);
}

const head = (url: string, lines: readonly string[]): string =>
  rawRequest(url, { lines, without: ['content-length', 'connection'] }).toString();

describe('who is slow', () => {
  const WAYS: Readonly<Record<string, [first: (url: string) => string, more: string]>> = {
    'sends nothing': [() => '', ''],
    'sends half a request line': [() => 'POST /serv', ''],
    'sends headers byte by byte': [(url) => head(url, []).slice(0, -2), 'x'],
    'sends a body byte by byte': [(url) => head(url, ['content-length: 5000']), ' '],
    'sends chunks one by one': [(url) => head(url, ['transfer-encoding: chunked']), '1\r\n \r\n'],
    'sends no body': [(url) => head(url, ['content-length: 5000']), ''],
  };

  it('is let go, whatever they are slow in, with nothing begun', async () => {
    const { url, stands } = await started({ limits: { headersMs: 500, requestMs: 1000 } });
    const since = performance.now();
    const answers = Object.entries(WAYS).map(async ([what, [first, more]]) => {
      const slow = await opened(url);
      const text = told(slow);
      slow.write(first(url));
      const timer = setInterval(() => slow.write(more), 50);
      const status = /^HTTP\/1\.1 (\d+)/.exec(await text)?.[1];
      clearInterval(timer);
      return [what, status];
    });
    expect(await Promise.all(answers)).toEqual(Object.keys(WAYS).map((what) => [what, '408']));
    expect(performance.now() - since).toBeLessThan(15_000);
    await othersAreServed(url);
    const { sessions, refusals } = await stands();
    expect([sessions, refusals]).toEqual([1, { REQUEST_INVALID: 6 }]);
  });

  it('500 of them hold up nobody', async () => {
    const { url, stands } = await started({ limits: { headersMs: 3000, requestMs: 3000 } });
    for (let n = 0; n < 500; n++)
      (await opened(url)).resume().write(head(url, [`content-length: ${4 * MIB}`]));
    await othersAreServed(url);
    await expect.poll(() => sockets.filter(({ closed }) => !closed).length).toBe(0);
    expect((await stands()).sessions).toBe(1);
  });
});

describe('who takes what a machine has few of', () => {
  /** Files that a process may open in all, so that `free` of them are left. */
  const limit = (pid: number | undefined, free: number): void => {
    const taken = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
    let most = 0;
    for (let left = free; left > 0; most++) if (!taken.has(most)) left--;
    execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${most}:`]);
  };
  const greeted = async (url: string): Promise<(message: string) => Promise<string>> => {
    const { session } = await httpClient(url);
    const socket = await opened(url);
    return (message) => {
      const params = { name: 'echo', arguments: { message } };
      const body = JSON.stringify({ jsonrpc: '2.0', id: message, method: 'tools/call', params });
      const lines = [`mcp-session-id: ${session}`, 'connection: keep-alive'];
      socket.write(rawRequest(url, { lines, body }));
      return new Promise((resolve) => {
        let text = '';
        const take = (part: Buffer): void => {
          text += part.toString();
          if (!text.endsWith('}')) return;
          socket.off('data', take);
          resolve(text);
        };
        socket.on('data', take);
      });
    };
  };

  it('connections leave enough files for servers and the journal', async () => {
    const { url } = await started({}, 120);
    const call = await greeted(url);
    const many = await Promise.all(Array.from({ length: 300 }, () => opened(url)));
    await until(() => many.filter(({ closed }) => closed).length >= 240);
    expect(await call('hi')).toContain('{"type":"text","text":"hi"}');
    for (const socket of many) socket.destroy();
    await othersAreServed(url);
  });

  it('a server that cannot be started for want of files is a refusal, and is started once there are some', async () => {
    const { url } = await started();
    const call = await greeted(url);
    limit(child?.pid, 2);
    expect(await call('none')).toContain('"code":"ISOLATION_FAILED"');
    execFileSync('prlimit', ['--pid', `${child?.pid}`, '--nofile=1000:']);
    await until(async () => (await call('some')).includes('{"type":"text","text":"some"}'));
  });
});

describe('who sends much', () => {
  it('a body that never ends is not read on, and answered', async () => {
    const { url, stands } = await started({ limits: { messageBytes: MIB } });
    const before = await stands();
    const endless = await opened(url);
    const text = told(endless);
    endless.write(head(url, ['transfer-encoding: chunked']));
    const chunk = `10000\r\n${' '.repeat(65_536)}\r\n`;
    const since = performance.now();
    while (!endless.closed && !endless.destroyed && performance.now() - since < 20_000) {
      if (!endless.write(chunk))
        await Promise.race([new Promise((go) => endless.once('drain', go)), sleep(50)]);
    }
    const answer = await text;
    expect([answer.slice(0, 12), answer.includes('FRAME_TOO_LARGE')]).toEqual(['HTTP/1.1 413', true]);
    expect(performance.now() - since).toBeLessThan(10_000);
    expect((await stands()).rss - before.rss).toBeLessThan(150 * MIB);
    await othersAreServed(url);
  });

  it('the longest message that is taken passes whole, one byte more does not', async () => {
    const { url } = await started();
    const client = await httpClient(url);
    const message = (fill: number): string =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"${'x'.repeat(fill)}"}}}`;
    const room = 8 * MIB - message(0).length;
    const [whole, over] = [
      await post(url, message(room), client.headers),
      await post(url, message(room + 1), client.headers),
    ];
    expect((await whole.text()).length).toBeGreaterThan(room);
    expect([whole.status, over.status]).toEqual([200, 413]);
  });

  it('what waits for its answer is bounded for each caller, and others are served', async () => {
    const limits = { heldBytes: 12 * MIB, heldBytesEach: 8 * MIB };
    const { url, stands } = await started({ limits });
    const before = await stands();
    const statuses: Promise<string>[] = [];
    for (let n = 0; n < 20; n++) {
      const socket = await opened(url);
      statuses.push(told(socket));
      socket.write(head(url, [`content-length: ${4 * MIB}`, 'x-user: mallory']));
      socket.write(Buffer.alloc(3 * MIB, 32));
    }
    await expect.poll(async () => (await stands()).refusals.RATE_LIMITED ?? 0).toBeGreaterThan(15);
    await othersAreServed(url);
    expect((await stands()).rss - before.rss).toBeLessThan(120 * MIB);
    for (const socket of sockets) socket.end();
    for (const socket of sockets) socket.destroy();
    await Promise.all(statuses);
    const again = await post(url, HELLO, { 'x-user': 'mallory' });
    expect(again.status).toBe(200);
  });

  it('8 MiB of the smallest values are read in a bounded time', async () => {
    const { url } = await started();
    const client = await httpClient(url);
    const message = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[${'{},'.repeat(2_600_000)}{}]}}`;
    const since = performance.now();
    const answer = await post(url, message, client.headers);
    expect([200, 400]).toContain(answer.status);
    await answer.text();
    expect(performance.now() - since).toBeLessThan(20_000);
    await othersAreServed(url);
  });

  it('5,000 requests in one write are answered one after the other', async () => {
    const { url, stands } = await started();
    const before = await stands();
    const one = (connection: string): string =>
      rawRequest(url, { method: 'GET', target: '/nowhere', lines: [`connection: ${connection}`] }).toString();
    const { statuses } = await raw(url, one('keep-alive').repeat(4999) + one('close'), PATIENCE_MS);
    expect(statuses.length).toBe(5000);
    expect(new Set(statuses)).toEqual(new Set([404]));
    expect((await stands()).rss - before.rss).toBeLessThan(80 * MIB);
  });
});

describe('who begins much', () => {
  const begun = async (
    url: string,
    count: number,
    headers: Record<string, string> = {},
  ): Promise<string[]> => {
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const ids: string[] = [];
    const one = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const sent = request(
          url,
          { method: 'POST', agent, headers: { ...JSON_HEADERS, ...headers } },
          (response) => {
            ids.push(String(response.headers['mcp-session-id'] ?? ''));
            response.resume().on('end', resolve);
          },
        );
        sent.on('error', reject).end(HELLO);
      });
    let left = count;
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (left-- > 0) await one();
      }),
    );
    agent.destroy();
    return ids;
  };

  it('10,000 idle sessions take at most 48 KiB each, and the next caller is told that there is no room', async () => {
    const { url, stands } = await started({ limits: { sessions: 10_000, sessionsEach: 20_000 } });
    await begun(url, 200);
    const before = await stands();
    await begun(url, 9800);
    const after = await stands();
    expect(after).toMatchObject({ sessions: 10_000, processes: 0 });
    const each = (bytes: number): number => Math.round((bytes / 9800 / KIB) * 10) / 10;
    const [rss, heap] = [each(after.rss - before.rss), each(after.heap - before.heap)];
    const idle = Math.round(before.rss / MIB);
    process.stdout.write(
      `an idle session: ${rss} KiB resident, ${heap} KiB of heap; the gateway by itself: ${idle} MiB\n`,
    );
    expect(rss).toBeLessThan(48);
    const full = await post(url, HELLO);
    expect([full.status, codeOf((await full.json()) as never)]).toEqual([429, 'RATE_LIMITED']);
  });

  it('one caller who takes all that one may leaves room for others', async () => {
    const { url, stands } = await started({
      limits: { sessions: 60, sessionsEach: 50 },
      instances: { running: 4, runningEach: 2, starting: 2, waitMs: 500 },
    });
    const mallory = await Promise.all(
      Array.from({ length: 5 }, () => httpClient(url, { 'x-user': 'mallory' })),
    );
    await begun(url, 100, { 'x-user': 'mallory' });
    expect((await stands()).sessions).toBe(50);
    const call = { name: 'echo', arguments: { message: 'hi' } };
    const answers = await Promise.all(mallory.map((one) => one.request(1, 'tools/call', call)));
    expect(answers.filter(([answer]) => codeOf(answer ?? {}) === 'RATE_LIMITED').length).toBe(3);
    await othersAreServed(url);
  });

  it('2,000 open streams are held, and let go', async () => {
    const { url, stands } = await started({ limits: { sessionsEach: 3000 } });
    const ids = await begun(url, 2000);
    const before = await stands();
    const open = await Promise.all(
      ids.map(async (id) => {
        const socket = await opened(url);
        socket.write(
          rawRequest(url, {
            method: 'GET',
            lines: [`mcp-session-id: ${id}`, 'accept: text/event-stream', 'connection: keep-alive'],
            without: ['content-length', 'content-type'],
          }),
        );
        return new Promise<string>((resolve) =>
          socket.once('data', (part: Buffer) => resolve(part.toString())),
        );
      }),
    );
    expect(open.every((text) => text.startsWith('HTTP/1.1 200'))).toBe(true);
    const during = await stands();
    expect((during.rss - before.rss) / 2000 / KIB).toBeLessThan(64);
    await othersAreServed(url);
    for (const socket of sockets.splice(0)) socket.destroy();
    await expect.poll(async () => (await stands()).heap - before.heap).toBeLessThan(10 * MIB);
  });
});

describe('who does not read', () => {
  it('a stream that is not read holds back its own server and nobody else, in bounded memory', async () => {
    const { url, stands } = await started();
    const client = await httpClient(url);
    const before = await stands();
    const deaf = await opened(url);
    deaf.pause();
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'act', arguments: { what: 'notices' } },
    };
    deaf.write(rawRequest(url, { lines: [`mcp-session-id: ${client.session}`], body: JSON.stringify(call) }));
    await sleep(1500);
    await othersAreServed(url);
    const during = await stands();
    expect(during.rss - before.rss).toBeLessThan(120 * MIB);
    expect(during.warnings).toEqual([]);
  });

  it('answers that nobody fetches are kept within a bound', async () => {
    const { url, stands } = await started({ limits: { keptBytes: 8 * MIB, keptBytesEach: 4 * MIB } });
    const client = await httpClient(url);
    await client.request(0, 'tools/list');
    const before = await stands();
    // each answer comes after its client is gone
    for (let id = 1; id <= 40; id++) {
      const socket = await opened(url);
      const params = { name: 'echo', arguments: { message: 'x'.repeat(MIB) } };
      const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
      const accept = 'accept: text/event-stream, application/json';
      socket.write(rawRequest(url, { lines: [`mcp-session-id: ${client.session}`, accept], body }));
      await new Promise((resolve) => socket.once('data', resolve));
      socket.destroy();
    }
    await expect.poll(async () => (await stands()).heap - before.heap).toBeLessThan(12 * MIB);
    await othersAreServed(url);
  });
});
