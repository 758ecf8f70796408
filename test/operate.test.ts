/** What an operator is told to write and to run: the unit by systemd's own reader, backup and restore on a real registry. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig, SETTINGS } from '../registry/config.ts';
import { openPool } from '../registry/db/pool.ts';
import { type Registry, startRegistry } from '../registry/start.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { servers } from './helpers/registry.ts';

const run = promisify(execFile);
const read = (page: string): string => readFileSync(join(import.meta.dirname, '../docs', page), 'utf8');
const dir = mkdtempSync(join(tmpdir(), 'lk-operate-'));
chmodSync(dir, 0o755);
const running: Registry[] = [];
afterAll(async () => {
  for (const registry of running) await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('the unit of docs/operate.md', () => {
  const [, unit = ''] = /```ini\n([\s\S]*?)```/.exec(read('operate.md')) ?? [];

  it('sets what is a setting', () => {
    const names = [...unit.matchAll(/^Environment=(\w+)=/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(Object.keys(SETTINGS)).toContain(name);
  });

  it.each(globSync('/usr/bin/systemd-analyze'))('is taken by %s without a word', async (analyze) => {
    const path = join(dir, 'lockkeeper.service');
    const here = unit.replace('/usr/local/bin/lk', process.execPath);
    writeFileSync(path, here);
    expect(await run(analyze, ['verify', path])).toEqual({ stdout: '', stderr: '' });
    writeFileSync(path, here.replace('WantedBy', 'WantedFor'));
    expect((await run(analyze, ['verify', path])).stderr).toContain('WantedFor');
  });
});

/** The block of a page in which a program is run, with the folder of a registry in the place of the page's. */
function linesWith(program: string, page: string, data: string): string {
  const blocks = [...read(page).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return (blocks.find((block) => block.includes(`${program} `)) ?? 'false').replaceAll(
    '/srv/lockkeeper',
    data,
  );
}

describe.each(servers().filter(({ name }) => name === 'PostgreSQL of the system'))(
  'on the $name',
  (server) => {
    /** A database made of the migrated template, or an empty one. */
    async function database(name: string, template: string): Promise<string> {
      const admin = openPool({ host: server.host, user: server.user, database: 'postgres' }, 1);
      await admin.query(`create database ${name} template ${template}`);
      await admin.end();
      return `postgres://${server.user}@/${name}?host=${encodeURIComponent(server.host)}`;
    }
    async function start(data: string, url: string): Promise<Registry> {
      const environment = {
        LOCKKEEPER_DATA: data,
        DATABASE_URL: url,
        LOCKKEEPER_PORT: '0',
        LOCKKEEPER_ROLE: 'registry',
      };
      const registry = await startRegistry(loadConfig(environment), { log: () => undefined });
      running.push(registry);
      return registry;
    }
    const shell = (script: string, url: string): Promise<unknown> =>
      run('/bin/bash', ['-ec', script], { cwd: dir, env: { ...process.env, DATABASE_URL: url } });
    const ask = async (
      url: string,
      path: string,
      token?: string,
      body?: unknown,
    ): Promise<Record<string, unknown>> => {
      const headers = {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      };
      const more = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
      const answer = await fetch(`${url}${path}`, { headers, ...more });
      return (await answer.json()) as Record<string, unknown>;
    };
    const signedIn = async ({ url, code }: Registry): Promise<string> =>
      String((await ask(url, '/v1/sign-in', undefined, { code })).token);

    it('comes back from the backup as it is written, and not without its keys', async () => {
      const [from, to, bare] = ['data', 'restored', 'bare'].map((name) => join(dir, name)) as [
        string,
        string,
        string,
      ];
      const before = await database('operate_before', 'lockkeeper_template');
      const after = await database('operate_after', 'template0');
      const first = await start(from, before);
      const token = await signedIn(first);
      await ask(first.url, '/v1/people', token, { person: 'alice', roles: ['reviewer'] });
      mkdirSync(join(from, 'scan'));
      const { digest } = await (await openBlobs(join(from, 'blobs'))).put(Buffer.from('an artifact'));
      const people = await ask(first.url, '/v1/people', token);
      const log = await ask(first.url, '/v1/log');
      expect(people).toMatchObject({ people: [{ person: 'admin' }, { person: 'alice' }] });
      const { rootKeys } = first;
      await first.close();

      await shell(linesWith('pg_dump', 'operate.md', from), before);
      mkdirSync(to);
      await shell(linesWith('pg_restore', 'recovery.md', to), after);
      const kept = execFileSync('tar', ['-tf', join(dir, 'lockkeeper-data.tar')], { encoding: 'utf8' });
      expect(kept).not.toMatch(/^\.\/scan/m);

      await expect(start(bare, after)).rejects.toMatchObject({ code: 'ROOT_UNTRUSTED' });
      const second = await start(to, after);
      expect(second.rootKeys).toEqual(rootKeys);
      expect(await ask(second.url, '/v1/people', await signedIn(second))).toEqual(people);
      expect(await ask(second.url, '/v1/log')).toEqual(log);
      expect((await (await openBlobs(join(to, 'blobs'))).get(digest)).toString()).toBe('an artifact');
      await second.close();
    });
  },
);
