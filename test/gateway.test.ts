/** `lk gateway` as people meet it: a locked server over HTTP, a lock that changes under it, a revocation. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Company } from '../cli/drill/company.ts';
import type { AuditRecord } from '../schemas/audit.ts';
import { type EchoCompany, foundEcho } from './helpers/echo-company.ts';
import { httpClient, post } from './helpers/gateway.ts';
import { databaseUrl } from './helpers/registry.ts';
import { codeOf, INITIALIZE } from './helpers/session.ts';
import { until } from './helpers/wait.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');

/** What this server says to every call: it was reached. */
const REACHED = { content: [{ type: 'text', text: 'done' }] };

describe('lk gateway', () => {
  let dir: string;
  let founded: EchoCompany;
  let company: Company;
  let gateway: ChildProcessWithoutNullStreams;
  let url: string;
  let stderr = '';
  const started: ChildProcessWithoutNullStreams[] = [];
  const lk = (...words: string[]): ChildProcessWithoutNullStreams => {
    const env = { ...process.env, LOCKKEEPER_HOME: join(dir, 'machines/erin'), NO_COLOR: '1' };
    const child = spawn(process.execPath, [MAIN, ...words], { cwd: join(dir, 'project'), env });
    started.push(child);
    return child;
  };
  /** The first line of data that it writes. */
  const lineOf = async (child: ChildProcessWithoutNullStreams): Promise<string> => {
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    await until(() => stdout.includes('\n') || child.exitCode !== null);
    return stdout;
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-gateway-'));
    founded = await foundEcho(dir, { database: await databaseUrl(), also: ['neighbour'] });
    company = founded.company;
    writeFileSync(join(dir, 'project/lockkeeper.policy'), 'everyone: all locked tools\n');
    await company.must('erin', 'lock');
    gateway = lk('gateway', '--listen', '127.0.0.1:0', '--json');
    gateway.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    url = (JSON.parse(await lineOf(gateway)) as { servers: string[] }).servers[0] ?? '';
  });
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL');
    await founded?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is shown by lk ps before it keeps a server, and ended by lk stop with its process alone', async () => {
    const { data } = await company.lk('erin', 'ps');
    const address = new URL(url).origin;
    expect(data).toMatchObject({ count: 0, gateways: [{ pid: gateway.pid, url: address, gone: false }] });
    expect(JSON.stringify(data)).toContain('"serves":["echo","neighbour"]');
    const other = lk('gateway', '--listen', '127.0.0.1:0', '--json');
    const { url: second } = JSON.parse(await lineOf(other)) as { url: string };
    const stopped = await company.must('erin', 'stop', String(other.pid));
    expect(stopped).toEqual({ stopped: [{ pid: other.pid, aliases: [], gateway: second }] });
    expect((await company.must('erin', 'ps')).gateways).toEqual([expect.objectContaining({ url: address })]);
  });

  it('says at once that a registry takes callers of others from a runtime alone', async () => {
    const token = lk('gateway', 'token', 'add', '--user', 'ada', '--all-servers', '--file', 'tokens.json');
    await once(token, 'exit');
    const identity = { resource: 'http://127.0.0.1:7413/', tokens: { file: 'tokens.json' } };
    const config = join(dir, 'project/many.json');
    writeFileSync(config, JSON.stringify({ lockkeeper: 'gateway/v1', identity }));
    const many = lk('gateway', '--listen', '127.0.0.1:0', '--config', config);
    let said = '';
    many.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await until(() => /--roles runtime/.test(said) || many.exitCode !== null);
    expect(said).toMatch(/no records of callers from erin.*found developer.*lk people add gateway/s);
    many.kill('SIGTERM');
    await once(many, 'exit');
    expect(stderr).not.toContain('--roles runtime');
  });

  it('serves the locked server to the person at this machine, each call recorded', async () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/servers\/echo\/mcp$/);
    const client = await httpClient(url);
    const [list] = await client.request(1, 'tools/list');
    expect(JSON.stringify(list)).toContain('"name":"echo"');
    const [answer] = await client.request(2, 'tools/call', { name: 'echo', arguments: {} });
    expect(answer?.result).toMatchObject(REACHED);
    const [refused] = await client.request(3, 'tools/call', { name: 'shell', arguments: {} });
    expect(codeOf(refused ?? {})).toBe('TOOL_REFUSED');
    const running = async (): Promise<string> => JSON.stringify((await company.lk('erin', 'ps')).data);
    expect(await running()).toContain('"READY"');
    await fetch(url, { method: 'DELETE', headers: client.headers });
    await expect.poll(running).not.toContain('"alias":"echo"');
  });

  it('keeps what a server said on stderr, for whoever stands at this machine', async () => {
    const logs = async (): Promise<unknown> => (await company.lk('erin', 'logs', 'echo')).data.logs;
    const heard = {
      alias: 'echo',
      server: 'npm.acme/echo',
      version: '1.0.0',
      user: 'erin',
      pid: gateway.pid,
    };
    await expect.poll(logs).toMatchObject([{ ...heard, said: 13, text: 'echo listens\n' }]);
    expect((await company.must('erin', 'logs')).logs).toMatchObject([{ ...heard, said: 13 }]);
  });

  it('tells whether it is well, and what it counted', async () => {
    const at = (path: string): Promise<Response> => fetch(new URL(path, url));
    expect(await (await at('/healthz')).json()).toEqual({ ok: true });
    expect(await (await at('/readyz')).json()).toEqual({ ok: true, reasons: [] });
    const open = await httpClient(url);
    const counted = await (await at('/metrics')).text();
    await fetch(url, { method: 'DELETE', headers: open.headers });
    expect(counted).toMatch(/lockkeeper_gateway_sessions [1-9]/);
    expect(counted).toContain('tool="echo"');
  });

  it('serves all servers as one as well', async () => {
    const client = await httpClient(url.replace('/servers/echo', ''));
    const [list] = await client.request(1, 'tools/list');
    expect(JSON.stringify(list)).toContain('"name":"echo__echo"');
    const [answer] = await client.request(2, 'tools/call', { name: 'echo__echo', arguments: {} });
    expect(answer?.result).toMatchObject(REACHED);
  });

  it('goes on under a lock that is signed anew, and what is said to it goes on', async () => {
    const client = await httpClient(url);
    await client.request(1, 'tools/call', { name: 'echo', arguments: {} });
    await company.must('erin', 'lock');
    await expect.poll(() => stderr).toContain('is taken over: echo');
    const [answer] = await client.request(2, 'tools/call', { name: 'echo', arguments: {} });
    expect(answer?.result).toMatchObject(REACHED);
  });

  it('keeps the lock it has when the changed one does not verify', async () => {
    const path = join(dir, 'project/mcp.lock');
    writeFileSync(path, '{}');
    await expect.poll(() => stderr).toContain('the one before stands');
    const client = await httpClient(url);
    const [answer] = await client.request(1, 'tools/call', { name: 'echo', arguments: {} });
    expect(answer?.result).toMatchObject(REACHED);
    rmSync(path);
    await company.must('erin', 'lock');
  });

  it('ends a revoked release and takes no new session to it; then it stops in order', async () => {
    const client = await httpClient(url);
    await client.request(1, 'tools/call', { name: 'echo', arguments: {} });
    await company.must('alice', 'revoke', 'echo@1.0.0', '--reason', 'posts what it reads');
    await expect.poll(async () => (await client.post({ id: 2, method: 'tools/list' })).status).toBe(404);
    const again = await post(url, { id: 1, method: 'initialize', params: INITIALIZE });
    expect(await again.text()).toContain('RELEASE_REVOKED');
    const shipped = async () => {
      const page = await company.must('alice', 'audit', '--kind', 'quarantined');
      return (page as unknown as { records: AuditRecord[] }).records.length;
    };
    await expect.poll(shipped).toBeGreaterThan(0);
  });

  it('refuses the revoked one by name under a lock that is read again, and serves its neighbour', async () => {
    const neighbour = await httpClient(url.replace('echo', 'neighbour'));
    await neighbour.request(1, 'tools/call', { name: 'echo', arguments: {} });
    const now = new Date();
    utimesSync(join(dir, 'project/mcp.lock'), now, now);
    await expect.poll(() => stderr).toMatch(/is taken over: neighbour$/m);
    expect(stderr).toContain('lk: echo is refused: ');
    const [answer] = await neighbour.request(2, 'tools/call', { name: 'echo', arguments: {} });
    expect(answer?.result).toMatchObject(REACHED);
    const shut = await post(url, { id: 1, method: 'initialize', params: INITIALIZE });
    expect(shut.status).toBe(422);
    expect(await shut.text()).toContain('RELEASE_REVOKED');
    const closed = once(gateway, 'close') as Promise<[number]>;
    gateway.kill('SIGTERM');
    expect((await closed)[0]).toBe(0);
  });

  it('starts with the neighbours of a revoked one, and so does lk run', async () => {
    const again = lk('gateway', '--listen', '127.0.0.1:0', '--json');
    const { url: base, servers } = JSON.parse(await lineOf(again)) as { url: string; servers: string[] };
    expect(servers).toEqual([`${base}/servers/neighbour/mcp`, `${base}/mcp`]);
    const all = await httpClient(`${base}/mcp`);
    const [list] = await all.request(1, 'tools/list');
    expect(JSON.stringify(list)).not.toContain('echo__echo');
    const [reached] = await all.request(2, 'tools/call', { name: 'neighbour__echo', arguments: {} });
    expect(reached?.result).toMatchObject(REACHED);
    const [refused] = await all.request(3, 'tools/call', { name: 'echo__echo', arguments: {} });
    expect(codeOf(refused ?? {})).toBe('RELEASE_REVOKED');
    const shut = await post(`${base}/servers/echo/mcp`, { id: 1, method: 'initialize', params: INITIALIZE });
    expect(await shut.text()).toContain('RELEASE_REVOKED');
    again.kill('SIGTERM');
    const run = lk('run', 'neighbour');
    const hello = { jsonrpc: '2.0', id: 1, method: 'initialize', params: INITIALIZE };
    run.stdin.write(`${JSON.stringify(hello)}\n`);
    expect(await lineOf(run)).toContain('serverInfo');
    expect(await company.lk('erin', 'run', 'echo')).toMatchObject({
      exit: 3,
      data: { error: { code: 'RELEASE_REVOKED' } },
    });
    const gate = await company.lk('erin', 'ci');
    expect([gate.exit, gate.data.code]).toEqual([3, 'RELEASE_REVOKED']);
  });

  it('starts nothing where all of a lock is revoked', async () => {
    await company.must('alice', 'revoke', 'neighbour@1.0.0', '--reason', 'as well');
    const none = lk('gateway', '--listen', '127.0.0.1:0', '--json');
    expect(await lineOf(none)).toContain('RELEASE_REVOKED');
    await until(() => none.exitCode !== null);
    expect(none.exitCode).toBe(3);
  });
});
