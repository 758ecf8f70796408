/** The commands of a page of the documentation, run in order against a registry of their own. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Machine } from '../../cli/drill/company.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { shareCode } from './code.ts';
import { here } from './here.ts';
import { databaseUrl } from './registry.ts';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
export const MAIN = join(root, 'cli/main.ts');

/** Lines of every shell block of a page. */
function shellLines(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, block = '']) => block.split('\n'))
    .filter((line) => line !== '');
}

/** What a client of the older era says: its greeting, these calls one after the other, and one of a tool that nobody has. */
export function clientLines(...calls: readonly { name: string; arguments: object }[]): string {
  const clientInfo = { name: 'docs', version: '1' };
  const greeting = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const asked = [...calls, { name: 'run_shell', arguments: {} }].map((params, index) => ({
    ...{ id: index + 2, method: 'tools/call', params },
  }));
  return [
    { id: 1, method: 'initialize', params: greeting },
    { method: 'notifications/initialized' },
    ...asked,
  ]
    .map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    .join('');
}

export interface Ran {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the first line of a page with these words in it said. */
export type Told = (words: string) => string;

export interface Tour {
  /** Reachable by whoever a sandbox runs as. */
  readonly dir: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Runs one line in `dir`/project, where `lk` is the command line at hand. */
  shell(line: string): Promise<Ran>;
  /** Its output; throws what it said where it fails. */
  must(line: string): Promise<string>;
  /** Signs the administrator in; alice and bob review, each with a key. */
  people(): Promise<void>;
  /** Each shell line of a page in order; what `instead` answers stands for the line that it was asked about. */
  follow(page: string, instead?: (line: string) => Promise<string | null>): Promise<Told>;
  /** The file of the project as JSON. */
  json(name: string): ReturnType<typeof JSON.parse>;
  close(): Promise<void>;
}

/** Starts a registry in a folder of its own; `variables` may lay things out there, and name them for every command. */
export async function startTour(
  name: string,
  variables: (dir: string) => Record<string, string> = () => ({}),
): Promise<Tour> {
  const dir = mkdtempSync(join(tmpdir(), `lk-${name}-`));
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'project'));
  const environment = {
    ...(process.env as Record<string, string>),
    NO_COLOR: '1',
    LOCKKEEPER_HOME: join(dir, 'home'),
    ...variables(dir),
  };
  shareCode(join(dir, 'registry/scan'));
  const words = ['serve', '--json', '--port', '0', '--data', join(dir, 'registry')];
  const server = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...environment, DATABASE_URL: await databaseUrl() },
  });
  const [hello] = (await once(server.stdout, 'data')) as [Buffer];
  const { url, code } = JSON.parse(hello.toString()) as { url: string; code: string };
  const shell = async (line: string): Promise<Ran> => {
    const script = `lk() { "${process.execPath}" --disable-warning=ExperimentalWarning "${MAIN}" "$@"; }; ${line}`;
    return run('/bin/bash', ['-ec', script], { cwd: join(dir, 'project'), env: environment }).then(
      ({ stdout, stderr }) => ({ exit: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => ({ ...error, exit: error.code }),
    );
  };
  const must = async (line: string): Promise<string> => {
    const { exit, stdout, stderr } = await shell(line);
    if (exit !== 0) throw new Error(`${line}: exit ${exit}\n${stdout}\n${stderr}`);
    return stdout;
  };
  return {
    ...{ dir, environment, shell, must },
    people: () => signIn({ cwd: join(dir, 'project'), env: environment }, { url, code }),
    follow: async (page, instead = async () => null) => {
      const said: [string, string][] = [];
      for (const line of shellLines(page)) said.push([line, (await instead(line)) ?? (await must(line))]);
      return (words) => said.find(([line]) => line.includes(words))?.[1] ?? '';
    },
    json: (file) => JSON.parse(readFileSync(join(dir, 'project', file), 'utf8')),
    close: async () => {
      if (server.exitCode === null) {
        server.kill('SIGINT');
        await once(server, 'close');
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function signIn(machine: Machine, { url, code }: { url: string; code: string }): Promise<void> {
  const must = async (line: string): Promise<JsonObject> => {
    const { exit, data } = await here([...line.split(' '), '--json'], machine);
    if (exit !== 0) throw new Error(`lk ${line}: exit ${exit}: ${JSON.stringify(data)}`);
    return data;
  };
  await must(`login ${url} --code ${code}`);
  for (const name of ['alice', 'bob']) {
    const invited = await must(`people add ${name} --roles reviewer,auditor --as admin`);
    await must(`login ${url} --code ${invited.code}`);
    for (const verb of ['new', 'enrol']) await must(`keys ${verb} --as ${name}`);
  }
}
