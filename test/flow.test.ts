import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Company, foundCompany } from '../cli/drill/company.ts';
import { type DrillNpm, startDrillNpm } from '../cli/drill/npm.ts';
import { npmOptionsOf } from '../scanner/npm.ts';
import type { AuditRecord } from '../schemas/audit.ts';
import type { JsonObject } from '../schemas/common.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { shareCode } from './helpers/code.ts';
import { here } from './helpers/here.ts';
import { databaseUrl } from './helpers/registry.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const MAIN = join(root, 'cli/main.ts');
const SERVER = 'npm.modelcontextprotocol/server-filesystem';
const ACCEPT = ['LK-MNT-01', 'LK-REL-01', 'LK-ART-02', 'LK-SRF-01', 'LK-CAP-01', 'LK-TXT-02'].flatMap(
  (check) => ['--accept', `${check}=looked at`],
);

describe('[npm] one official server, from unknown to running', () => {
  let dir: string;
  let npm: DrillNpm;
  let company: Company;
  let machine: NodeJS.ProcessEnv;
  let project: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-flow-'));
    chmodSync(dir, 0o755);
    shareCode(join(dir, 'registry/scan'));
    npm = await startDrillNpm(await npmOptionsOf(dir), dir);
    const database = await databaseUrl();
    company = await foundCompany({
      dir,
      npmRegistry: npm.url,
      environment: process.env,
      database,
      speaks: here,
    });
    project = join(dir, 'project');
    const audit = join(dir, 'audit.json');
    const sinks = { local: { kind: 'file', path: join(dir, 'told.cef'), format: 'cef' } };
    writeFileSync(audit, JSON.stringify({ lockkeeper: 'audit/v1', sinks }));
    machine = { ...process.env, LOCKKEEPER_HOME: join(dir, 'machines/erin'), LOCKKEEPER_AUDIT: audit };
    for (const [person, roles] of Object.entries({
      dave: 'publisher',
      alice: 'reviewer,auditor',
      bob: 'reviewer',
      erin: 'developer',
    })) {
      const { code } = (await company.must('admin', 'people', 'add', person, '--roles', roles)) as {
        code: string;
      };
      await company.must(person, 'login', company.url, '--code', code);
      if (roles.includes('reviewer'))
        for (const verb of ['new', 'enrol']) await company.must(person, 'keys', verb);
    }
  });
  afterAll(async () => {
    await company?.close();
    await npm?.close();
  });

  const publish = async (version: string): Promise<Report> => {
    const { report } = (await company.must(
      'dave',
      'publish',
      `npm:@modelcontextprotocol/server-filesystem@${version}`,
      '--arg',
      '/data',
      '--mount',
      '/data:ro',
    )) as unknown as { report: Report };
    return report;
  };
  /** The schedule submits new versions by itself; nobody publishes this one. */
  const candidate = async (version: string): Promise<Report> => {
    for (let i = 0; i < 90; i++) {
      const { data } = await company.lk('alice', 'review', `${SERVER}@${version}`);
      if (data.report) {
        expect(data.release).toMatchObject({ requestedBy: 'lockkeeper', state: 'in_review' });
        return data.report as unknown as Report;
      }
      await sleep(1000);
    }
    throw new Error(`${version} did not appear`);
  };
  const approve = async (version: string): Promise<void> => {
    for (const person of ['alice', 'bob'])
      await company.must(person, 'approve', `${SERVER}@${version}`, ...ACCEPT);
  };
  const fired = (report: Report): string[] =>
    report.checks.filter((check: CheckResult) => check.outcome === 'fired').map((check) => check.id);

  it('is scanned: every artifact verified, and the version whose schemas a dependency emptied says so', async () => {
    const report = await publish('2025.8.21');
    expect(report.closure.artifacts).toBe(report.closure.verified);
    expect(report.closure.artifacts).toBeGreaterThan(50);
    expect(report.surface.tools).toHaveLength(14);
    const { release } = (await company.must('alice', 'review', `${SERVER}@2025.8.21`)) as unknown as {
      release: Release;
    };
    const zod =
      release.closure?.artifacts.find((artifact) => artifact.location === 'node_modules/zod')?.purl ?? '';
    const surface = JSON.stringify(await company.must('alice', 'diff', `${SERVER}@2025.8.21`));
    expect(surface).toContain('"before":null');
    // The closure settles it: with zod 4 the generator of this version loses every schema, with zod 3 it keeps them.
    expect(fired(report).includes('LK-SRF-02')).toBe(/zod@4/.test(zod));
  });

  it('is approved by two, locked, gated, and serves a client of the SDK', async () => {
    await publish('2025.11.25');
    // Who asked for it is told so, and not to make a key first.
    const own = await company.lk('dave', 'approve', `${SERVER}@2025.11.25`, ...ACCEPT);
    expect(own).toMatchObject({ exit: 3, data: { error: { code: 'APPROVAL_REQUESTER' } } });
    await approve('2025.11.25');
    writeFileSync(join(project, 'docs/note.txt'), 'a note');
    const npx = (...args: string[]) => ({ command: 'npx', args: ['-y', ...args] });
    const other = { other: npx('@acme/other') };
    writeFileSync(join(project, 'other.json'), JSON.stringify({ mcpServers: other }));
    expect((await company.lk('erin', 'add', 'other.json')).exit).toBe(3);
    expect(existsSync(join(project, 'lockkeeper.json'))).toBe(false);
    const mcpServers = {
      filesystem: npx('@modelcontextprotocol/server-filesystem@2025.11.25', './docs'),
      ...other,
    };
    writeFileSync(join(project, '.mcp.json'), JSON.stringify({ mcpServers }));
    expect(await company.lk('erin', 'add', '.mcp.json')).toMatchObject({
      exit: 3,
      data: { missing: [{ alias: 'other', next: 'lk publish npm:@acme/other' }] },
    });
    expect(JSON.parse(readFileSync(join(project, 'lockkeeper.json'), 'utf8')).servers).toEqual({
      filesystem: { mounts: { '/data': './docs' }, range: '2025.11.25', server: SERVER },
    });
    await company.must('erin', 'lock');
    expect(await company.must('erin', 'ci')).toMatchObject({
      conclusion: 'ok',
      servers: [{ version: '2025.11.25', approvedBy: ['alice', 'bob'] }],
    });
    expect(await company.must('erin', 'verify')).toMatchObject({ conclusion: 'ok' });

    const client = new OldClient({ name: 'flow', version: '1' });
    const env = Object.fromEntries(
      Object.entries(machine).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [MAIN, 'run', 'filesystem'],
        cwd: project,
        env,
        stderr: 'ignore',
      }),
    );
    expect((await client.listTools()).tools).toHaveLength(14);
    const read = (path: string): Promise<unknown> =>
      client.callTool({ name: 'read_text_file', arguments: { path } });
    expect(JSON.stringify(await read('/data/note.txt'))).toContain('a note');
    expect(await read('/etc/passwd')).toMatchObject({ isError: true });
    expect(
      await client.callTool({ name: 'write_file', arguments: { path: '/data/new.txt', content: 'x' } }),
    ).toMatchObject({ isError: true });
    await expect(client.callTool({ name: 'run_shell', arguments: {} })).rejects.toThrow('not in the lock');
    await expect(client.callTool({ name: 'read_text_file', arguments: { path: 7 } })).rejects.toThrow(
      'locked schema',
    );
    await client.close();
    expect(readdirSync(join(project, 'docs'))).toEqual(['note.txt']);
    const { records } = (await company.must('alice', 'audit', '--tool', 'read_text_file')) as unknown as {
      records: AuditRecord[];
    };
    const call = records.find(
      (record) => record.body.kind === 'request.forwarded' && record.body.data?.includes('/data/note.txt'),
    );
    expect(call?.body).toMatchObject({
      user: 'erin',
      subject: { alias: 'filesystem', server: SERVER, version: '2025.11.25', approvedBy: ['alice', 'bob'] },
      arguments: { path: '/data/note.txt' },
    });
    expect(
      records.some((record) => record.body.kind === 'request.finished' && record.body.outcome === 'ok'),
    ).toBe(true);
    // The configured sink has it as well, with the caller.
    const told = (): string => readFileSync(join(dir, 'told.cef'), 'utf8');
    await expect.poll(told).toMatch(/\|session\.ended\|/);
    expect(told()).toMatch(/\|request\.forwarded\|.* suser=erin .*read_text_file/);
    expect(told()).toMatch(/\|request\.refused\|.* suser=erin .*run_shell/);
  });

  it('serves a client nobody here wrote', async () => {
    const words = [
      '--cli',
      '-e',
      `LOCKKEEPER_HOME=${join(dir, 'machines/erin')}`,
      process.execPath,
      MAIN,
      'run',
      'filesystem',
      '--method',
      'tools/call',
      '--tool-name',
      'list_directory',
      '--tool-arg',
      'path=/data',
    ];
    const { stdout } = await run(
      process.execPath,
      [join(root, 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'), ...words],
      {
        cwd: project,
        env: { ...machine, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
      },
    );
    expect(stdout).toContain('[FILE] note.txt');
  });

  it('is under the policy that its lock carries', async () => {
    const file = join(project, 'lockkeeper.policy');
    const locked = (): string => readFileSync(join(project, 'mcp.lock'), 'utf8');
    writeFileSync(file, 'everyone: tool list_directory of the filesystem server\n');
    const gate = await company.lk('erin', 'ci');
    expect(gate.exit).toBe(3);
    expect(JSON.stringify(gate)).toContain('POLICY_DIFFERS');
    expect(JSON.stringify(await company.must('erin', 'lock'))).toContain('+ policy');
    expect((await company.lk('erin', 'ci')).exit).toBe(0);
    const env = Object.fromEntries(
      Object.entries(machine).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const words = { command: process.execPath, args: [MAIN, 'run', 'filesystem'] };
    const client = new OldClient({ name: 'policy', version: '1' });
    await client.connect(new StdioClientTransport({ ...words, cwd: project, env, stderr: 'ignore' }));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['list_directory']);
    const call = (name: string, path: string): Promise<unknown> =>
      client.callTool({ name, arguments: { path } });
    expect(JSON.stringify(await call('list_directory', '/data'))).toContain('note.txt');
    await expect(call('read_text_file', '/data/note.txt')).rejects.toThrow('The policy does not permit it');
    await client.close();
    // What is not understood of this lock is not put into one.
    const before = locked();
    writeFileSync(file, 'everyone: the docs server\n');
    expect(JSON.stringify(await company.lk('erin', 'lock'))).toContain('POLICY_INVALID');
    expect(locked()).toBe(before);
    rmSync(file);
    const refused = async (...words: string[]): Promise<string> => {
      const { exit, ...said } = await company.lk('erin', ...words);
      expect(exit).toBe(3);
      return JSON.stringify(said);
    };
    // A policy that is gone is not dropped: not by the command line, and not by the registry for one that forgot it.
    expect(await refused('lock')).toContain('POLICY_DROPPED');
    expect(locked()).toBe(before);
    rmSync(join(project, 'mcp.lock'));
    expect(await refused('lock')).toContain('POLICY_DROPPED');
    expect(existsSync(join(project, 'mcp.lock'))).toBe(false);
    await company.must('erin', 'lock', '--drop-policy');
    expect(JSON.parse(locked()).lock.policyDropped).toMatchObject({ by: 'erin' });
    // It is said as long as there is none, and a pipeline takes it only where it says so itself.
    await company.must('erin', 'lock');
    expect(JSON.parse(locked()).lock.policyDropped).toMatchObject({ by: 'erin' });
    expect(await refused('ci')).toContain('POLICY_DROPPED');
    expect((await company.lk('erin', 'ci', '--drop-policy')).exit).toBe(0);
    writeFileSync(file, 'anyone: everything locked\n');
    expect((await company.lk('erin', 'lock', '--drop-policy')).exit).toBe(2);
    expect(JSON.stringify(await company.must('erin', 'lock'))).toContain('+ policy');
    expect(locked()).not.toContain('policyDropped');
  });

  it('leaves the lock where it is when a newer version comes along, until that is approved', async () => {
    const report = await candidate('2026.8.31');
    expect(report.baseline).toMatchObject({ version: '2025.11.25' });
    expect(fired(report)).toContain('LK-SRF-01');
    const diff = (await company.must('alice', 'diff', `${SERVER}@2026.8.31`)) as {
      changes: { at: string; risk: string }[];
    };
    expect(diff.changes.length).toBeGreaterThan(5);
    const intent = readFileSync(join(project, 'lockkeeper.json'), 'utf8');
    writeFileSync(join(project, 'lockkeeper.json'), intent.replace('"2025.11.25"', '"*"'));
    expect(JSON.stringify(await company.must('erin', 'lock'))).toContain('= filesystem 2025.11.25');
    await approve('2026.8.31');
    expect(JSON.stringify(await company.must('erin', 'lock'))).toContain(
      '~ filesystem 2025.11.25 -> 2026.8.31',
    );
  });

  it.each<[string, (text: string) => string, string]>([
    [
      'a byte of the signature',
      (text) => text.replace(/"sig": "(.)(?!.*"sig")/s, (_, c: string) => `"sig": "${c === 'A' ? 'B' : 'A'}`),
      'SIGNATURE_INVALID',
    ],
    [
      'a digest of an artifact',
      (text) => text.replace(/"sha256": "sha256:[0-9a-f]{4}/, '"sha256": "sha256:0000'),
      'SIGNATURE_INVALID',
    ],
    ['a wider mount', (text) => text.replace('"mode": "ro"', '"mode": "rw"'), 'SIGNATURE_INVALID'],
    [
      'an unknown field',
      (text) => text.replace('"audience"', '"allow": true,\n    "audience"'),
      'DOCUMENT_INVALID',
    ],
    [
      'a duplicate key',
      (text) =>
        text.replace(
          '"environment": "development",',
          '"environment": "development",\n    "environment": "development",',
        ),
      'JSON_INVALID',
    ],
    ['another tool’s lock', () => '{"lockfileVersion": 3}', 'DOCUMENT_FOREIGN'],
    ['nothing', () => '', 'JSON_INVALID'],
  ])(
    'refuses a lock with %s changed: gate, verify and runtime, and starts nothing',
    async (_name, change, code) => {
      const path = join(project, 'mcp.lock');
      const good = readFileSync(path, 'utf8');
      const bad = change(good);
      expect(bad).not.toBe(good);
      writeFileSync(path, bad);
      const before = await count(join(dir, 'machines/erin/journal'));
      const said = [
        await company.lk('erin', 'ci'),
        await company.lk('erin', 'verify'),
        await company.lk('erin', 'run', 'filesystem'),
      ];
      writeFileSync(path, good);
      expect(said.map(({ exit }) => exit)).toEqual([3, 3, 3]);
      expect(said.map(({ data }) => (data.error as JsonObject | undefined)?.code ?? data.code)).toEqual([
        code,
        code,
        code,
      ]);
      expect(await count(join(dir, 'machines/erin/journal'))).toBe(before);
      expect((await company.lk('erin', 'ci')).exit).toBe(0);
    },
  );

  it('could not verify is not ok: exit 4 when the registry does not answer', async () => {
    const intent = join(project, 'lockkeeper.json');
    const good = readFileSync(intent, 'utf8');
    await company.close();
    const gate = await company.lk('erin', 'ci');
    expect([gate.exit, gate.data.conclusion, gate.data.code]).toEqual([
      4,
      'unverified',
      'REGISTRY_UNREACHABLE',
    ]);
    expect((await company.lk('erin', 'verify')).exit).toBe(0);
    const child = spawn(process.execPath, [MAIN, 'run', 'filesystem'], { cwd: project, env: machine });
    child.stdin.end(
      '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n',
    );
    const [exit] = (await once(child, 'close')) as [number];
    // 2026.8.31 was never pulled to this machine: without the registry there are no bytes to run.
    expect(exit).toBe(4);
    writeFileSync(intent, good);
  });
});

/** Bytes of all journals: what did not grow was not started. */
async function count(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && entry.name.endsWith('.ndjson'))
      bytes += readFileSync(join(entry.parentPath, entry.name)).length;
  return bytes;
}
