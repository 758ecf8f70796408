/** One run of a client: a home of its own with nothing inherited, what it is connected to, what it printed. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Client, type Face, isAdopted, type Target } from './client.ts';
import { UNDONE } from './judge.ts';
import type { Model } from './model.ts';
import { lineFor } from './page.ts';
import type { ServerAlias, World } from './world.ts';

/** Milliseconds that a client has for all it does. */
const WHOLE = 120_000;
const MAX_SAID = 200_000;
const SDK = join(import.meta.dirname, 'sdk.ts');

export interface Visit {
  readonly world: World;
  readonly model: Model;
  readonly modules: string;
  readonly face: Face;
  readonly server: ServerAlias;
  readonly message: string;
}

export interface Visited {
  readonly began: Date;
  readonly said: string;
  /** null when it was killed, or ran out of time. */
  readonly exit: number | null;
}

/** Runs a client to its end. What it leaves behind of its own group is killed. */
export async function visit(client: Client, how: Visit): Promise<Visited> {
  const home = mkdtempSync(join(tmpdir(), 'lk-client-'));
  try {
    const target = targetOf(client, how);
    const adopts = isAdopted(how.face) ? client.adopts : undefined;
    const files = { ...client.files?.(target), ...(adopts ? { [adopts.file]: adopts.text(target) } : {}) };
    for (const [path, text] of Object.entries(files)) write(join(home, path), text);
    const program = client.program === '' ? SDK : join(how.modules, client.program);
    const node = /\.[jt]s$/.test(program) ? `"${process.execPath}" ` : '';
    write(join(home, 'bin', client.command), `#!/bin/sh\nexec ${node}"${program}" "$@"\n`);
    chmodSync(join(home, 'bin', client.command), 0o755);
    mkdirSync(join(home, 'work'), { recursive: true });
    Object.assign(how.model, { message: how.message, tool: new RegExp(`(?:^|[^a-z])${target.tool}$`) });
    const env = { ...environmentOf(home, how), ...client.environment?.(target) };
    const began = new Date();
    return { began, ...(await shell(scriptOf(client, target, how), join(home, 'work'), env)) };
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Between `lk adopt` and `lk adopt --undo`, where it is about its file. */
function scriptOf(client: Client, target: Target, { face, world }: Visit): string {
  const script = client.script(target);
  if (!isAdopted(face) || !client.adopts) return script;
  const file = `"$HOME/${client.adopts.file}"`;
  const gateway = face === 'adopted http' ? ` --gateway ${world.url}` : '';
  return [
    `cp ${file} ../before`,
    `lk adopt ${file} --project ${world.project}${gateway} --yes`,
    script,
    `lk adopt ${file} --undo --yes`,
    `cmp ${file} ../before && echo ${UNDONE}`,
  ].join('\n');
}

function targetOf(client: Client, { world, model, face, server }: Visit): Target {
  const { project, url } = world;
  const run = `lk run ${server} --project ${project}`;
  const http = `${url}/servers/${server}/mcp`;
  const at = { stdio: run, http, all: `${url}/mcp`, adopted: run, 'adopted http': http }[face];
  const tool = face === 'all' ? `${server}__echo` : 'echo';
  const isLined = client.name !== 'SDK' && !isAdopted(face);
  const line = !isLined ? '' : lineFor(client.name, face, { alias: server, project, url });
  return { face, at, line, tool, model: model.url };
}

/** Only loopback is reached without the stand-in's word, which refuses and remembers. */
function environmentOf(home: string, { world, model, message }: Visit): Record<string, string> {
  const path = [join(home, 'bin'), world.bin, dirname(process.execPath), '/usr/bin', '/bin'];
  const [proxy, direct] = [model.url, '127.0.0.1,localhost'];
  return {
    HOME: home,
    PATH: path.join(':'),
    MESSAGE: message,
    NO_COLOR: '1',
    DO_NOT_TRACK: '1',
    ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, NO_PROXY: direct },
    ...{ http_proxy: proxy, https_proxy: proxy, no_proxy: direct },
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function shell(
  script: string,
  cwd: string,
  env: Record<string, string>,
): Promise<{ said: string; exit: number | null }> {
  const child = spawn('/bin/bash', ['-ec', script], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (chunk: Buffer): void => void (said = (said + chunk).slice(-MAX_SAID));
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const timer = setTimeout(() => killGroup(child.pid), WHOLE);
  const exit = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  clearTimeout(timer);
  killGroup(child.pid);
  return { said, exit };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
