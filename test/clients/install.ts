/** Clients that are too large to be dependencies: npm brings each once, in its exact version, into a cache folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Client } from './client.ts';

const HERE = join(import.meta.dirname, '../../node_modules');
const WORDS = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--save-exact', '--loglevel=error'];

type Wanted = Pick<Client, 'package' | 'version' | 'here'>;

/** The node_modules that a client is in; it is there once this settles. Throws with what npm said, or once `stop` fires. */
export async function installed(
  client: Wanted,
  say: (line: string) => void,
  stop?: AbortSignal,
): Promise<string> {
  if (client.here) return HERE;
  const spec = `${client.package}@${client.version}`;
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const dir = join(cache, 'lockkeeper/clients', spec.replace('/', '+'));
  const modules = join(dir, 'node_modules');
  // npm writes this file last.
  if (existsSync(join(modules, '.package-lock.json')) && versionIn(modules, client) === client.version)
    return modules;
  say(`npm installs ${spec} into ${dir}`);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'package.json'), '{"private":true}\n');
  const npm = spawn('npm', [...WORDS, spec], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(stop ? { signal: stop } : {}),
  });
  let said = '';
  npm.stderr.on('data', (chunk: Buffer) => void (said = (said + chunk).slice(-2000)));
  const [code] = (await once(npm, 'close')) as [number | null];
  if (code !== 0) throw new Error(`npm did not install ${spec}: ${said}`);
  return modules;
}

function versionIn(modules: string, client: Wanted): string | null {
  const path = join(modules, client.package, 'package.json');
  if (!existsSync(path)) return null;
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
