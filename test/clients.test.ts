/** Clients that nobody here wrote, through lk run and lk gateway; npm run clients has more of them than package.json. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { overtaken } from '../runtime/session/era.ts';
import type { AuditBody } from '../schemas/audit.ts';
import { clients } from './clients/all.ts';
import { type Client, facesOf } from './clients/client.ts';
import { openStage, type Stage, takeOne } from './clients/command.ts';
import { installed } from './clients/install.ts';
import { judge, nameOf, type Taken } from './clients/judge.ts';
import { openModel } from './clients/model.ts';
import { lineFor } from './clients/page.ts';

const root = join(import.meta.dirname, '..');
// The newer SDK is met as it prefers; before an older server as well, below.
const here = clients.filter(({ here, mode }) => here && mode !== 'v2');

describe('clients that package.json installs', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(() => undefined);
  });
  afterAll(() => stage?.close());

  const all = here.flatMap((client) =>
    facesOf(client, 'docs')
      .filter((face) => face !== 'all' || client.mode !== undefined)
      .map((face) => [nameOf(client), face, client] as const),
  );

  it.each(all)(
    '%s over %s calls in the era it prefers, and is in the journal',
    async (_name, face, client) => {
      const modules = await installed(client, () => undefined);
      const began = new Date();
      const { row, said } = await takeOne(stage, client, { modules, face, server: 'docs' });
      expect(row.wrong, said).toEqual([]);
      expect(row).toMatchObject({ called: true, recorded: 'ok', explained: [], beyond: [] });
      if (face !== 'stdio') return;
      const started = (await stage.world.records(began)).find(({ kind }) => kind === 'session.started');
      expect(started?.detail).toMatchObject({ era: row.era, client: { name: client.calls } });
    },
  );

  it('start what lk adopt wrote into their file, through the lock', async () => {
    const { project, bin } = stage.world;
    const file = join(project, '.mcp.json');
    const args = ['-y', '@acme/docs'];
    const docs = { type: 'stdio', command: 'npx', args, env: { NODE_OPTIONS: '--require=/nowhere.js' } };
    writeFileSync(file, JSON.stringify({ mcpServers: { docs } }));
    const env = { HOME: join(project, 'docs'), PATH: `${bin}:${dirname(process.execPath)}:/usr/bin:/bin` };
    const run = async (...words: string[]): Promise<{ code: number; stdout: string }> =>
      promisify(execFile)('/bin/sh', ['-c', '"$@"', 'sh', ...words], { cwd: project, env }).then(
        ({ stdout }) => ({ code: 0, stdout }),
        ({ code, stdout, stderr }) => ({ code, stdout: stdout + stderr }),
      );
    const before = await run('lk', 'discover', '--check');
    expect(before).toMatchObject({ code: 3, stdout: expect.stringContaining('Next: lk adopt .mcp.json') });
    const old = readFileSync(file, 'utf8');
    const answer = (word: string): Promise<{ stdout: string }> =>
      run('/bin/sh', '-c', `echo ${word} | script -qec 'lk adopt .mcp.json' /dev/null`);
    expect((await answer('n')).stdout).toContain('Nothing was written.');
    expect(readFileSync(file, 'utf8')).toBe(old);
    const { stdout } = await answer('y');
    expect(stdout).toContain('NODE_OPTIONS goes');
    expect(stdout).toContain('As it was: ');
    expect((await run('lk', 'discover', '--check')).code).toBe(0);
    const inspector = here.find(({ name, mode }) => name === 'Inspector' && !mode) as Client;
    const program = join(await installed(inspector, () => undefined), inspector.program);
    const began = new Date();
    const call = ['--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', 'message=adopted'];
    const said = await run('node', program, '--cli', '--config', file, '--server', 'docs', ...call);
    expect(said.stdout).toContain('adopted');
    const records = await stage.world.records(began);
    const made = records.find(({ kind, method }) => kind === 'request.forwarded' && method === 'tools/call');
    expect(made?.arguments).toEqual({ message: 'adopted' });
    rmSync(file);
  });

  it.each(['stdio', 'http'] as const)(
    'is met in its own era before an older server over %s',
    async (face) => {
      const client = here.find(({ mode }) => mode === 'v2-auto') as Client;
      const { row, said } = await takeOne(stage, client, { modules: '', face, server: 'olddocs' });
      expect(row.wrong, said).toEqual([]);
      expect(row).toMatchObject({ opened: 'server/discover', era: 'stateless' });
    },
  );
});

describe('the judgement', () => {
  const client = here[0] as Client;
  const about = { at: '2026-11-24T12:00:00.000Z', runtime: 'j', user: 'erin', subject: null, session: 's' };
  const info = { name: client.calls, version: client.version };
  const started: AuditBody = {
    ...about,
    kind: 'session.started',
    method: 'initialize',
    detail: { era: 'session', client: info },
  };
  const list: AuditBody = { ...about, kind: 'request.finished', method: 'tools/list' };
  const named = { method: 'tools/call', target: 'echo', call: 'c' } as const;
  const call: AuditBody = { ...about, ...named, kind: 'request.forwarded', arguments: { message: 'm1' } };
  const end: AuditBody = { ...about, ...named, kind: 'request.finished', outcome: 'ok' };
  const good: Taken = {
    client,
    face: 'stdio',
    server: 'docs',
    message: 'm1',
    said: 'echo: m1',
    records: [started, list, call, end],
    beyond: [],
  };

  it('holds where all of it is there', () => {
    expect(judge(good).wrong).toEqual([]);
  });

  it.each<[string, Partial<Taken>]>([
    ['no call is in the journal', { records: [started, list] }],
    [
      'no call is in the journal',
      { records: [started, list, { ...call, arguments: { message: 'm2' } }, end] },
    ],
    ['the journal does not say how the call ended', { records: [started, list, call] }],
    ['the call ended error', { records: [started, list, call, { ...end, outcome: 'error' }] }],
    ['it listed no tools', { records: [started, call, end] }],
    ['it called as mallory', { records: [started, list, { ...call, user: 'mallory' }, end] }],
    ['it did not print what the tool answered', { said: 'echo: m2' }],
    ['not initialize', { records: [{ ...started, method: 'server/discover' }, list, call, end] }],
    [
      'not session',
      { records: [{ ...started, detail: { era: 'stateless', client: info } }, list, call, end] },
    ],
    [
      'not inspector-cli',
      { records: [{ ...started, detail: { era: 'session', client: null } }, list, call, end] },
    ],
    [
      'not 2.12.0',
      {
        records: [
          { ...started, detail: { era: 'session', client: { ...info, version: '1.0.0' } } },
          list,
          call,
          end,
        ],
      },
    ],
  ])('does not hold: %s', (why, change) => {
    expect(judge({ ...good, ...change }).wrong.join('; ')).toContain(why);
  });

  it('takes a session for the other era only where the client did not wait for the answer', () => {
    const refused: AuditBody = {
      ...about,
      kind: 'request.refused',
      method: 'server/discover',
      message: overtaken().message,
    };
    const hasty: Taken = {
      ...good,
      client: { ...client, opens: 'server/discover' },
      records: [refused, started, list, call, end],
    };
    expect(judge(hasty)).toMatchObject({
      wrong: [],
      explained: [expect.stringContaining('before its server')],
    });
    for (const change of [
      { face: 'http' as const },
      { records: [{ ...refused, message: 'another reason' }, started, list, call, end] },
      { records: [{ ...started, method: 'server/discover' }, list, call, end] },
    ])
      expect(judge({ ...hasty, ...change }).wrong.join()).toContain(
        'it called in the era session, not stateless',
      );
  });

  it('takes a missing end for what is named, over stdio alone', () => {
    const killing = { ...good, client: { ...client, leaves: 'it kills' }, records: [started, list, call] };
    expect(judge(killing)).toMatchObject({ wrong: [], explained: [expect.stringContaining('it kills')] });
    expect(judge({ ...killing, face: 'http' }).wrong).not.toEqual([]);
  });
});

describe('the stand-in for a model', () => {
  const result = 'echo: m1';
  const apis: readonly [string, object, object][] = [
    [
      '/v1/messages',
      { tools: [{ name: 'mcp__docs__echo' }], messages: [] },
      { messages: [{ role: 'user', content: [{ type: 'tool_result', content: result }] }] },
    ],
    [
      '/v1/responses',
      { tools: [{ type: 'namespace', name: 'mcp__docs', tools: [{ name: 'echo' }] }] },
      { input: [{ type: 'function_call_output', output: result }] },
    ],
    [
      '/v1/chat/completions',
      { tools: [{ type: 'function', function: { name: 'docs_echo' } }] },
      { messages: [{ role: 'tool', content: result }] },
    ],
    [
      '/v1beta/models/m:generateContent',
      { tools: [{ functionDeclarations: [{ name: 'docs_echo' }] }] },
      { contents: [{ parts: [{ functionResponse: { response: { output: result } } }] }] },
    ],
  ];

  it.each(apis)('calls echo first and then says what it answered: %s', async (path, first, then) => {
    const model = await openModel();
    model.message = 'm1';
    const ask = async (body: object, at = path): Promise<string> =>
      (await fetch(`${model.url}${at}`, { method: 'POST', body: JSON.stringify(body) })).text();
    const streamed = path.replace(':generate', ':streamGenerate');
    for (const text of [await ask(first), await ask({ ...first, stream: true }, streamed)])
      expect(text).toMatch(/echo[\s\S]*m1/);
    for (const text of [await ask(then), await ask({ ...then, stream: true }, streamed)])
      expect(text).toContain('The tool said: ');
    expect(await ask({})).toContain('Nothing.');
    await model.close();
  });
});

describe('docs/clients.md', () => {
  const page = readFileSync(join(root, 'docs/clients.md'), 'utf8');
  const named = clients.filter(({ name }) => name !== 'SDK');

  it.each(named.map((client) => [nameOf(client), client] as const))('says how to connect %s', (_, client) => {
    const place = { alias: 'olddocs', project: '/p', url: 'http://127.0.0.1:1' };
    const stdio = lineFor(client.name, 'stdio', place);
    for (const part of ['olddocs', '/p', 'run']) expect(stdio).toContain(part);
    expect(lineFor(client.name, 'http', place)).toContain('http://127.0.0.1:1/servers/olddocs/mcp');
    expect(lineFor(client.name, 'all', place)).toContain('http://127.0.0.1:1/mcp');
  });

  it('names the versions that npm run clients takes, and what each begins with', () => {
    const rows = new Set(named.filter(({ mode }) => !mode).map(({ name }) => name));
    for (const { name, version, opens } of named.filter(({ mode }) => !mode))
      expect(page.replace(/ +\|/g, ' |')).toContain(`| ${name} | ${version} | \`${opens}\` |`);
    expect(rows.size).toBe(7);
  });

  it('has the versions that package.json has', () => {
    for (const { package: name, version } of here) {
      const path = join(root, 'node_modules', name, 'package.json');
      expect(existsSync(path) && JSON.parse(readFileSync(path, 'utf8')).version).toBe(version);
    }
  });
});
