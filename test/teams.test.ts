/**
 * From the groups of a real issuer's token to what a tool does: one gateway, a server over stdio and one over HTTP, both eras,
 * two people; and the same once the policy is another one while it runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { McpServer } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJournal } from '../runtime/journal/journal.ts';
import type { AuditBody } from '../schemas/audit.ts';
import type { JsonObject } from '../schemas/common.ts';
import { sha256 } from '../schemas/json.ts';
import { type EchoCompany, foundEcho } from './helpers/echo-company.ts';
import { type HttpClient, httpClient, messagesOf, stateless } from './helpers/gateway.ts';
import { startIssuer, type TestIssuer } from './helpers/issuer.ts';
import { portToKeep } from './helpers/ports.ts';
import { databaseUrl } from './helpers/registry.ts';
import { serveBoth, sharedTls } from './helpers/remote.ts';
import { codeOf } from './helpers/session.ts';
import { until } from './helpers/wait.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
const READS = { readOnlyHint: true, openWorldHint: false };
const WRITES = { readOnlyHint: false, destructiveHint: false, openWorldHint: false };
const TOOLS = { look: READS, change: WRITES, shout: WRITES } as const;

/** Three lines, of which the last is another one after the change. */
const POLICY = 'team interns = as signed in\neveryone: all locked tools\ninterns: no write tools\n';
const CHANGED = POLICY.replace('no write tools', 'not tool look of the search server');
const ALL = ['change', 'look', 'shout'];
/** Of a policy, what an intern may call. */
const OF_INTERNS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  [POLICY]: { echo: ['look'], search: ['look'] },
  [CHANGED]: { echo: ALL, search: ['change', 'shout'] },
};

const stdioTools = Object.entries(TOOLS).map(([name, annotations]) => ({
  ...{ name, description: `Does ${name}`, inputSchema: { type: 'object' }, annotations },
}));

function remoteTools(server: McpServer): void {
  for (const [name, annotations] of Object.entries(TOOLS))
    server.registerTool(name, { description: `Does ${name}`, annotations }, () => ({
      content: [{ type: 'text', text: `${name} is done` }],
    }));
}

/** Somebody, with a token whose groups are these, before a door in one era. */
interface Asking {
  ask(id: number, method: string, params?: JsonObject): Promise<JsonObject>;
  /** Of the session era; null in the other. */
  readonly session: HttpClient | null;
}

const ERAS = ['session', 'stateless'] as const;

async function asking(era: (typeof ERAS)[number], url: string, token: string): Promise<Asking> {
  const headers = { authorization: `Bearer ${token}` };
  const last = (messages: JsonObject[]): JsonObject => messages.at(-1) ?? {};
  if (era === 'stateless')
    return {
      session: null,
      ask: async (id, method, params = {}) =>
        last(await messagesOf(await stateless(url, { id, method, params }, headers))),
    };
  const session = await httpClient(url, headers);
  return {
    session,
    ask: async (id, method, params) => last(await session.request(id, method, params)),
  };
}

describe('the groups of a token', () => {
  let dir: string;
  let issuer: TestIssuer;
  let founded: EchoCompany;
  let gateway: ChildProcess;
  let base: string;
  let said = '';
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-teams-'));
    issuer = await startIssuer();
    founded = await foundEcho(dir, { database: await databaseUrl(), tools: stdioTools });
  });
  afterAll(async () => {
    gateway?.kill('SIGKILL');
    await founded?.close();
    await issuer?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const project = (name: string): string => join(dir, 'project', name);

  async function lockRemote(url: string): Promise<void> {
    const { company } = founded;
    writeFileSync(project('ca.pem'), sharedTls().authority.cert);
    const words = [
      '--release',
      '1.0.0',
      '--name',
      'acme.tools/search',
      '--private',
      '--ca',
      project('ca.pem'),
    ];
    await company.must('admin', 'publish', url, ...words);
    await company.must('alice', 'approve', 'acme.tools/search', '--accept', 'LK-ART-01=ours');
    await company.must('erin', 'add', 'acme.tools/search', '--alias', 'search');
    writeFileSync(project('lockkeeper.policy'), POLICY);
    await company.must('erin', 'lock');
  }

  async function startGateway(): Promise<void> {
    const port = await portToKeep();
    base = `http://127.0.0.1:${port}`;
    const user = { claim: 'email' };
    const jwt = [{ issuer: issuer.url, user, teams: { path: ['groups'] }, scopes: ['mcp'] }];
    const listen = { host: '127.0.0.1', port };
    const config = { lockkeeper: 'gateway/v1', listen, identity: { resource: `${base}/`, jwt } };
    writeFileSync(project('lockkeeper.gateway.json'), JSON.stringify(config));
    const env = { ...process.env, LOCKKEEPER_HOME: join(dir, 'machines/erin'), NO_COLOR: '1' };
    gateway = spawn(process.execPath, [MAIN, 'gateway', '--json'], { cwd: project(''), env });
    gateway.stderr?.on('data', (chunk: Buffer) => void (said += chunk.toString()));
    const ready = once(gateway.stdout ?? gateway, 'data').then(() => true);
    const ended = once(gateway, 'exit').then(() => Promise.reject(new Error(said)));
    ended.catch(() => undefined);
    await Promise.race([ready, ended]);
  }

  const tokenOf = async (email: string, groups: readonly string[]): Promise<string> => {
    issuer.claims = { email, email_verified: true, groups };
    return issuer.token(`${base}/`);
  };

  /** What is listed, and what of all there is may be called. */
  async function seen(at: Asking, names: readonly string[]): Promise<{ listed: string[]; called: string[] }> {
    const { result } = await at.ask(1, 'tools/list');
    const { tools } = result as { tools: { name: string }[] };
    const called: string[] = [];
    for (const [index, name] of names.entries()) {
      const answer = await at.ask(index + 2, 'tools/call', { name, arguments: {} });
      if (answer.error === undefined) {
        expect(JSON.stringify(answer.result)).toContain('done');
        called.push(name);
      } else expect([name, codeOf(answer)]).toEqual([name, 'POLICY_REFUSED']);
    }
    return { listed: tools.map(({ name }) => name).sort(), called };
  }

  /** Every door in every era shows this person exactly what it lets them call; gives the sessions that are open. */
  async function shows(
    token: string,
    allowed: Readonly<Record<string, readonly string[]>>,
  ): Promise<Asking[]> {
    const open: Asking[] = [];
    const doors = [
      ...Object.entries(allowed).map(([alias, names]) => [`/servers/${alias}/mcp`, ALL, names] as const),
      [
        '/mcp',
        Object.keys(allowed).flatMap((alias) => ALL.map((name) => `${alias}__${name}`)),
        Object.entries(allowed).flatMap(([alias, names]) => names.map((name) => `${alias}__${name}`)),
      ] as const,
    ];
    for (const era of ERAS)
      for (const [door, all, names] of doors) {
        const at = await asking(era, `${base}${door}`, token);
        const what = { era, door, ...(await seen(at, all)) };
        expect(what).toEqual({ era, door, listed: [...names], called: [...names] });
        if (at.session) open.push(at);
      }
    return open;
  }

  it('becomes a team of the policy, which lists what may be called, before and after it is another one', async () => {
    const served = await serveBoth('stateless', undefined, remoteTools);
    await lockRemote(served.url);
    await startGateway();
    const everything = { echo: ALL, search: ALL };
    const intern = await tokenOf('ida@acme.test', ['interns', 'people']);
    const dev = await tokenOf('dan@acme.test', ['people']);
    const open = await shows(intern, OF_INTERNS[POLICY] ?? {});
    open.push(...(await shows(dev, everything)));
    // What was refused reached nobody.
    const reached = served.seen.filter(({ body }) => body.includes('tools/call'));
    expect(reached.filter(({ body }) => body.includes('change'))).toHaveLength(4);
    expect(served.seen.some(({ headers }) => headers.authorization !== undefined)).toBe(false);

    writeFileSync(project('lockkeeper.policy'), CHANGED);
    await founded.company.must('erin', 'lock');
    await until(() => said.includes('is taken over: echo, search'));
    for (const { session } of open)
      expect((await session?.post({ id: 9, method: 'tools/list' }))?.status).toBe(404);
    await shows(intern, OF_INTERNS[CHANGED] ?? {});
    await shows(dev, everything);
    await shows(await tokenOf('ida@acme.test', ['people']), everything);

    const closed = once(gateway, 'close');
    gateway.kill('SIGTERM');
    await closed;
    const calls: AuditBody[] = [];
    for await (const { body } of readJournal(join(dir, 'machines/erin/journal')))
      if (body.method === 'tools/call') calls.push(body);
    const refused = calls.filter(({ kind }) => kind === 'request.refused');
    // Of three doors, in two eras: of each server two, then one of the second.
    expect(refused).toHaveLength((4 + 4) * 2 + (1 + 1) * 2);
    const rules = new Set(
      refused.map(({ user, caller, decision }) => [user, caller?.teams, decision?.rule].join('; ')),
    );
    expect([...rules]).toEqual(
      [POLICY, CHANGED].map((text) => `ida@acme.test; interns,people; line 3: ${lastOf(text)}`),
    );
    const made = calls.filter(({ kind }) => kind === 'request.forwarded');
    expect(new Set([...refused, ...made].map(({ decision }) => decision?.policy))).toEqual(
      new Set([POLICY, CHANGED].map((text) => sha256(text))),
    );
  });
});

const lastOf = (text: string): string | undefined => text.trimEnd().split('\n').at(-1);
