/** What every client is held against: a company with two locked servers, its gateway, and the journals of one person. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foundCompany } from '../../cli/drill/company.ts';
import { readJournal } from '../../runtime/journal/journal.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import { here } from '../helpers/here.ts';
import { type LocalPackage, startNpmRegistry } from '../helpers/npm-registry.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const NODE = process.execPath;

/** The alias of a server that speaks both eras, and of one that speaks the older alone. */
export const SERVERS = ['docs', 'olddocs'] as const;
export type ServerAlias = (typeof SERVERS)[number];

export interface World {
  readonly dir: string;
  /** Has `lockkeeper.json` and `mcp.lock`. */
  readonly project: string;
  /** A folder with `lk`, as it is installed on the person's machine. */
  readonly bin: string;
  /** Of the gateway. */
  readonly url: string;
  /** What was recorded on this machine since an instant, oldest first. */
  records(since: Date): Promise<AuditBody[]>;
  close(): Promise<void>;
}

/** Settles when the gateway listens: two servers published, reviewed, approved and locked, as people do it. */
export async function openWorld(say: (line: string) => void): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-clients-'));
  chmodSync(dir, 0o755);
  const ends: (() => unknown)[] = [() => rmSync(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const npm = await startNpmRegistry([
      echoPackage('@acme/docs', { stateless: '' }),
      echoPackage('@acme/olddocs', {}),
    ]);
    ends.push(() => npm.close());
    say('a registry, two servers, two approvals, a lock');
    await lockServers(dir, npm.url, ends);
    const home = join(dir, 'machines/erin');
    const project = join(dir, 'project');
    const bin = join(dir, 'bin');
    mkdirSync(bin);
    const lk = `#!/bin/sh\nLOCKKEEPER_HOME="${home}" NO_COLOR=1 exec "${NODE}" "${MAIN}" "$@"\n`;
    writeFileSync(join(bin, 'lk'), lk, { mode: 0o755 });
    const { url, gateway } = await startGateway(bin, project);
    ends.push(() => stopped(gateway));
    return { dir, project, bin, url, records: (since) => recordsOf(join(home, 'journal'), since), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function echoPackage(name: string, beside: Readonly<Record<string, string>>): LocalPackage {
  const code = readFileSync(join(import.meta.dirname, '../servers/echo.mjs'), 'utf8');
  return {
    name,
    version: '1.0.0',
    publishedAt: '2026-01-01T00:00:00.000Z',
    maintainers: [{ name: 'ann', email: 'ann@acme.example' }],
    manifest: { type: 'module', bin: { server: 'index.mjs' } },
    files: { 'index.mjs': code, ...beside },
  };
}

async function lockServers(dir: string, npmRegistry: string, ends: (() => unknown)[]): Promise<void> {
  const founding = { dir, npmRegistry, environment: process.env, trial: true };
  const company = await foundCompany({ ...founding, speaks: here });
  ends.push(() => company.close());
  for (const [person, roles] of Object.entries({ alice: 'reviewer,auditor', erin: 'developer' })) {
    const { code } = await company.must('admin', 'people', 'add', person, '--roles', roles);
    await company.must(person, 'login', company.url, '--code', String(code));
  }
  for (const verb of ['new', 'enrol']) await company.must('alice', 'keys', verb);
  const accept = ['LK-MNT-01', 'LK-REL-01', 'LK-ART-02'].flatMap((id) => ['--accept', `${id}=looked at`]);
  for (const alias of SERVERS) {
    await company.must('admin', 'publish', `npm:@acme/${alias}@1.0.0`);
    const first = await company.lk('alice', 'approve', alias);
    if (first.exit !== 0) await company.must('alice', 'approve', alias, ...accept);
    await company.must('erin', 'add', alias);
  }
  writeFileSync(join(dir, 'project/lockkeeper.policy'), 'everyone: all locked tools\n');
  await company.must('erin', 'lock');
}

async function startGateway(bin: string, project: string): Promise<{ url: string; gateway: ChildProcess }> {
  const gateway = spawn(join(bin, 'lk'), ['gateway', '--listen', '127.0.0.1:0', '--json'], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(gateway, 'exit').then(([code]) => {
    throw new Error(`the gateway ended with ${code} before it listened`);
  });
  ended.catch(() => undefined);
  if (!gateway.stdout) throw new Error('no output');
  const [hello] = (await Promise.race([once(gateway.stdout, 'data'), ended])) as [Buffer];
  return { url: (JSON.parse(hello.toString()) as { url: string }).url, gateway };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function recordsOf(dir: string, since: Date): Promise<AuditBody[]> {
  const found: AuditBody[] = [];
  for await (const { body } of readJournal(dir)) if (body.at >= since.toISOString()) found.push(body);
  return found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}
