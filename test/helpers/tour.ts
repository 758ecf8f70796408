/** The commands of a page of the documentation, run in order against a registry of their own. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = dirname(dirname(import.meta.dirname));
export const MAIN = join(root, 'cli/main.ts');

/** Lines of every shell block of a page. */
export function shellLines(page: string): string[] {
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

export interface Tour {
  readonly url: string;
  readonly code: string;
  /** Runs one line in `dir`/project, where `lk` is the command line at hand. */
  shell(line: string): Promise<Ran>;
  /** Its output; throws what it said where it fails. */
  must(line: string): Promise<string>;
  /** Signs the administrator in; alice and bob review, each with a key. */
  people(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a registry in `dir`/registry with these variables; `environment` is what its commands get. */
export async function startTour(
  dir: string,
  { serve, environment }: { serve: NodeJS.ProcessEnv; environment: () => Record<string, string> },
): Promise<Tour> {
  const words = ['serve', '--json', '--port', '0', '--data', join(dir, 'registry')];
  const server = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: serve,
  });
  const [hello] = (await once(server.stdout, 'data')) as [Buffer];
  const { url, code } = JSON.parse(hello.toString()) as { url: string; code: string };
  const shell = async (line: string): Promise<Ran> => {
    const script = `lk() { "${process.execPath}" --disable-warning=ExperimentalWarning "${MAIN}" "$@"; }; ${line}`;
    const options = { cwd: join(dir, 'project'), env: environment() };
    return run('/bin/bash', ['-ec', script], options).then(
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
    ...{ url, code, shell, must },
    people: async () => {
      await must(`lk login ${url} --code ${code}`);
      for (const name of ['alice', 'bob']) {
        const said = await must(`lk people add ${name} --roles reviewer,auditor --as admin`);
        await must(`lk login ${url} --code ${/--code (\S+)/.exec(said)?.[1]}`);
        await must(`lk keys new --as ${name} && lk keys enrol --as ${name}`);
      }
    },
    close: async () => {
      if (server.exitCode !== null) return;
      server.kill('SIGINT');
      await once(server, 'close');
    },
  };
}
