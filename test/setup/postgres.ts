/**
 * Databases for the tests: the embedded PostgreSQL and, where Debian has one installed, that too. Each is migrated once
 * into a template that every test file copies.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runMigrations } from 'graphile-worker';
import type { TestProject } from 'vitest/node';
import { migrate } from '../../registry/db/migrate.ts';
import { type Connection, openPool } from '../../registry/db/pool.ts';
import { startEmbedded } from '../../registry/embedded.ts';
import { until } from '../helpers/wait.ts';

export interface TestServer {
  readonly name: string;
  readonly host: string;
  readonly user: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServer[];
  }
}

const TEMPLATE = 'lockkeeper_template';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-pg-'));
  chmodSync(dir, 0o755);
  // Beside each other: what begins a run, all of it waits for.
  const started = await Promise.all([startOwn(join(dir, 'e')), startSystem(join(dir, 's'))]);
  const running = started.filter((one) => one !== null);
  await Promise.all(running.map(({ server }) => makeTemplate(server)));
  project.provide(
    'servers',
    running.map(({ server }) => server),
  );
  return async () => {
    await Promise.all(running.map(({ stop }) => stop()));
    rmSync(dir, { recursive: true, force: true });
  };
}

interface Running {
  readonly server: TestServer;
  readonly stop: () => Promise<void>;
}

async function startOwn(dir: string): Promise<Running> {
  const { connection, stop } = await startEmbedded({ dir, progress: () => undefined, durable: false });
  const { host, user } = connection as { host: string; user: string };
  return { server: { name: 'embedded PostgreSQL', host, user }, stop };
}

/** A socket is there before its server takes anybody in. */
async function answers(place: Connection): Promise<boolean> {
  const pool = openPool(place, 1);
  const answered = pool.query('select 1').then(
    () => true,
    () => false,
  );
  return answered.finally(() => pool.end());
}

/** The migrated database that `freshDatabase` copies. */
export async function makeTemplate({ host, user }: TestServer): Promise<void> {
  const admin = openPool({ host, user, database: 'postgres' }, 1);
  await admin.query(`create database ${TEMPLATE}`);
  await admin.end();
  const pool = openPool({ host, user, database: TEMPLATE }, 2);
  await migrate(pool);
  await runMigrations({ pgPool: pool });
  await pool.end();
}

async function startSystem(dir: string): Promise<Running | null> {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort() : [];
  const bin = versions.length ? `/usr/lib/postgresql/${versions.at(-1)}/bin` : null;
  if (!bin || !existsSync(`${bin}/initdb`)) return null;
  const as: { uid?: number; gid?: number } = {};
  if (process.getuid?.() === 0) {
    as.uid = Number(execFileSync('id', ['-u', 'postgres']));
    as.gid = Number(execFileSync('id', ['-g', 'postgres']));
  }
  mkdirSync(dir);
  if (as.uid !== undefined && as.gid !== undefined) chownSync(dir, as.uid, as.gid);
  const init = [
    '-D',
    `${dir}/data`,
    '-U',
    'lockkeeper',
    '--auth=trust',
    '--no-sync',
    '--encoding=UTF8',
    '--locale=C',
  ];
  execFileSync(`${bin}/initdb`, init, { ...as, cwd: '/', stdio: 'ignore' });
  const words = [
    '-D',
    `${dir}/data`,
    '-k',
    dir,
    '-c',
    'listen_addresses=',
    '-c',
    'fsync=off',
    '-c',
    'max_connections=400',
  ];
  const child = spawn(`${bin}/postgres`, words, { ...as, cwd: '/', stdio: 'ignore' });
  await until(() => answers({ host: dir, user: 'lockkeeper', database: 'postgres' }));
  return {
    server: { name: 'PostgreSQL of the system', host: dir, user: 'lockkeeper' },
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    },
  };
}
