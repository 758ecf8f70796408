/** Witnesses against logs that lie: in memory first, then the registry's own, with a superuser at its database. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openCheckpoints, witnessedCheckpoint } from '../../registry/checkpoints/checkpoints.ts';
import { loadConfig } from '../../registry/config.ts';
import { appendEntries } from '../../registry/db/log.ts';
import { withTransaction } from '../../registry/db/pool.ts';
import { logKey } from '../../registry/log.ts';
import { openTrust } from '../../registry/trust.ts';
import { assertGrew, openCheckpoint } from '../../runtime/trust/checkpoint.ts';
import { canonical } from '../../schemas/json.ts';
import { leafHash, nodeHash } from '../../schemas/merkle.ts';
import { cosign, noteKeyOf, parseNote, readCheckpoint, signersOf } from '../../schemas/note.ts';
import type { LogRole } from '../../schemas/root.ts';
import { readLogKey, readWitnessKey, renderAddCheckpoint, withLines } from '../../schemas/witness.ts';
import { BARE } from '../helpers/bare.ts';
import { here } from '../helpers/here.ts';
import { numberedLog } from '../helpers/log.ts';
import { portToKeep } from '../helpers/ports.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import { PATIENCE_MS, until } from '../helpers/wait.ts';
import { makeSigner, makeWitness, type TestWitness } from '../helpers/witness.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const evidenceIn = (dir: string): string[] =>
  readdirSync(dir).filter((name) => name.startsWith('misbehaviour-'));

describe('a witness', () => {
  const signer = makeSigner('log.test/one');
  const log = numberedLog(signer);
  const other = numberedLog(signer, (index) => (index === 3 ? ' forged' : ''));
  const mine = makeSigner('witness.test/one');
  let dir: string;
  let witness: TestWitness;

  beforeEach(async () => {
    dir = tempDir();
    witness = await makeWitness(dir, { signer: mine, logs: [readLogKey(log.key)] });
  });
  afterEach(() => witness.close());

  const ask = (old: number, size: number, from = log): ReturnType<TestWitness['post']> =>
    witness.post(renderAddCheckpoint({ old, proof: from.proof(old, size), note: from.noteAt(size) }));
  const restart = async (signer = mine): Promise<void> => {
    await witness.close();
    witness = await makeWitness(dir, { signer, logs: [readLogKey(log.key)] });
  };

  it('cosigns a log that grows, at every size, and again what it signed before', async () => {
    let old = 0;
    for (const size of [1, 2, 3, 7, 8, 8, 20]) {
      const { status, text } = await ask(old, size);
      expect(status, text).toBe(200);
      const note = parseNote(withLines(log.noteAt(size), [text]));
      const time = signersOf(note, [readWitnessKey(witness.key)])?.get('witness.test/one');
      expect(Math.abs((time ?? 0) - Date.now() / 1000)).toBeLessThan(10);
      old = size;
    }
    expect(evidenceIn(dir)).toEqual([]);
  });

  it('says what size it is at when it is asked from another', async () => {
    expect((await ask(3, 7)).text).toBe('0\n');
    await ask(0, 7);
    for (const old of [0, 3]) {
      const { status, type, text } = await ask(old, 9);
      expect([status, type, text]).toEqual([409, 'text/x.tlog.size', '7\n']);
    }
    // A log that was cut back: its own older checkpoint is nothing to sign again.
    expect((await ask(5, 5)).text).toBe('7\n');
    expect((await ask(9, 7)).status).toBe(400);
    expect(evidenceIn(dir)).toEqual([]);
  });

  it('refuses another root of one size, and keeps both notes as proof, once', async () => {
    await ask(0, 7);
    for (const old of [0, 7, 7]) expect((await ask(old, 7, other)).status).toBe(409);
    const [name = '', ...more] = evidenceIn(dir);
    expect(more).toEqual([]);
    const evidence = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    expect(evidence).toMatchObject({ kind: 'fork', origin: 'log.test/one' });
    const roots = [evidence.earlier, evidence.later].map((note: string) => {
      const parsed = parseNote(note);
      expect(signersOf(parsed, [readLogKey(log.key)])?.has('log.test/one')).toBe(true);
      return readCheckpoint(parsed.text);
    });
    expect(roots.map(({ size }) => size)).toEqual([7, 7]);
    expect(roots[0]?.root.equals(roots[1]?.root ?? Buffer.of())).toBe(false);
    expect(witness.said.filter((line) => line.startsWith('MISBEHAVIOUR of log.test/one'))).toHaveLength(1);
    expect((await ask(7, 9)).status).toBe(200);
  });

  it('refuses a growth whose proof does not fit, and keeps it', async () => {
    await ask(0, 7);
    expect((await ask(7, 12, other)).status).toBe(422);
    expect(evidenceIn(dir)).toHaveLength(1);
    expect((await ask(0, 12)).text).toBe('7\n');
    expect((await ask(7, 12)).status).toBe(200);
  });

  it('refuses logs and signatures it does not know', async () => {
    const strange = numberedLog(makeSigner('log.test/two'));
    const forged = numberedLog(makeSigner('log.test/one'));
    expect((await ask(0, 3, strange)).status).toBe(404);
    expect((await ask(0, 3, forged)).status).toBe(403);
    const bent = log.noteAt(3).replace(/ (\S+)=\n$/, (_, base64: string) => ` ${base64.slice(0, -3)}AAA=\n`);
    expect((await witness.post(renderAddCheckpoint({ old: 0, proof: [], note: bent }))).status).toBe(403);
    expect(existsSync(join(dir, 'state.json'))).toBe(false);
  });

  it('remembers over a restart, under any number of foreign signature lines', async () => {
    const lines = Array.from({ length: 40 }, (_, n) => cosign('x\n', makeSigner(`w${n}`), 1));
    const note = withLines(log.noteAt(7), lines);
    expect((await witness.post(renderAddCheckpoint({ old: 0, proof: [], note }))).status).toBe(200);
    await restart();
    expect((await ask(0, 9)).text).toBe('7\n');
    expect((await ask(7, 7, other)).status).toBe(409);
    expect((await ask(7, 9)).status).toBe(200);
  });

  it.each<[string, (text: string) => string]>([
    ['empty', () => ''],
    ['torn', (text) => text.slice(0, text.length / 2)],
    ['another size', (text) => text.replace('\\n7\\n', '\\n5\\n')],
    ['without its cosignature', (text) => text.replace(/\\n— witness[^"]*/, '\\n')],
    ['another origin', (text) => text.replace('"log.test/one"', '"log.test/two"')],
  ])('does not start on a memory that is %s', async (_, change) => {
    await ask(0, 7);
    const path = join(dir, 'state.json');
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const start = makeWitness(dir, { signer: mine, logs: [] });
    await expect(start).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
    await expect(start).rejects.toThrow(/memory of the witness/);
    // Nor does one that runs go on from a file that somebody else wrote.
    expect((await ask(7, 9)).status).toBe(500);
  });

  it('does not start with another key than it remembers under', async () => {
    await ask(0, 7);
    await expect(makeWitness(dir)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });

  it('signs one of two histories that come at once', async () => {
    await ask(0, 7);
    const at = (n: number): Promise<number> => ask(7, 9 + (n % 2), log).then(({ status }) => status);
    const both = await Promise.all([...Array(10).keys()].map(at));
    expect(both.filter((status) => status === 200).length).toBeGreaterThan(0);
    await restart();
    await witness.close();
    dir = tempDir();
    witness = await makeWitness(dir, { signer: mine, logs: [readLogKey(log.key)] });
    const first = await Promise.all([ask(0, 7), ask(0, 7, other), ask(0, 7), ask(0, 7, other)]);
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set([200, 409]));
    const [winner] = first.filter(({ status }) => status === 200);
    expect(winner).toBeDefined();
    expect(evidenceIn(dir)).toHaveLength(1);
  });

  const note = log.noteAt(7);
  it.each<[string, string | Uint8Array, number]>([
    ['nothing', '', 400],
    ['binary', Uint8Array.from({ length: 4000 }, (_, n) => (n * 7) % 256), 400],
    ['no empty line', `old 0\n${note.replaceAll('\n\n', '\n')}`, 400],
    ['no old line', `\n${note}`, 400],
    ['a padded size', `old 00\n\n${note}`, 400],
    ['a size beyond numbers', `old 9999999999999999\n\n${note}`, 400],
    ['wrong base64', `old 0\nAAAA\n\n${note}`, 400],
    ['base64 of another alphabet', `old 0\n${'-'.repeat(43)}=\n\n${note}`, 400],
    ['carriage returns', `old 0\r\n\r\n${note}`, 400],
    ['64 proof lines', `old 0\n${`${'A'.repeat(43)}=\n`.repeat(64)}\n${note}`, 400],
    ['a proof from nothing', `old 0\n${'A'.repeat(43)}=\n\n${note}`, 422],
    ['a note without signatures', `old 0\n\n${parseNote(note).text}\n`, 400],
    ['a hundred thousand proof lines', `old 0\n${`${'A'.repeat(43)}=\n`.repeat(100_000)}\n${note}`, 413],
    ['a hundred thousand empty lines', `old 0\n${'\n'.repeat(100_000)}`, 413],
    ['20 MiB', new Uint8Array(20 << 20), 413],
  ])('refuses %s, and goes on', async (_, body, status) => {
    expect((await witness.post(body)).status).toBe(status);
    expect(existsSync(join(dir, 'state.json'))).toBe(false);
    expect((await ask(0, 7)).status).toBe(200);
  });

  it('is nothing but that one call', async () => {
    for (const [method, path] of [
      ['GET', '/add-checkpoint'],
      ['POST', '/'],
      ['PUT', '/add-checkpoint'],
      ['GET', '/state.json'],
    ])
      expect((await fetch(witness.url + path, { method: method as string })).status).toBe(404);
  });

  describe('as a command', () => {
    interface Started {
      readonly said: { url: string; key: string; logs: { origin: string; size: number | null }[] };
      stop(signal: NodeJS.Signals): Promise<number | null>;
    }
    const start = async (home: string): Promise<Started> => {
      const name = ['--name', 'witness.test/cli', '--listen', '127.0.0.1:0'];
      const child = spawn(process.execPath, [MAIN, 'witness', '--json', '--log', log.key, ...name], {
        env: { ...BARE, LOCKKEEPER_HOME: home },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [hello] = (await once(child.stdout, 'data')) as [Buffer];
      return {
        said: JSON.parse(hello.toString()),
        stop: async (signal) => {
          child.kill(signal);
          return (await once(child, 'close'))[0] as number | null;
        },
      };
    };
    const post = (url: string, old: number, size: number): Promise<Response> => {
      const body = renderAddCheckpoint({ old, proof: log.proof(old, size), note: log.noteAt(size) });
      return fetch(`${url}/add-checkpoint`, { method: 'POST', body });
    };

    it('makes its key, prints it, and remembers', async () => {
      const home = tempDir();
      const first = await start(home);
      const line = await (await post(first.said.url, 0, 7)).text();
      const noted = parseNote(withLines(log.noteAt(7), [line]));
      expect(signersOf(noted, [readWitnessKey(first.said.key)])?.has('witness.test/cli')).toBe(true);
      expect(await first.stop('SIGTERM')).toBe(0);
      const second = await start(home);
      expect(second.said).toMatchObject({ key: first.said.key, logs: [{ origin: 'log.test/one', size: 7 }] });
      expect(await second.stop('SIGTERM')).toBe(0);
    });

    it('has on disk whatever it signed, when it is killed at any moment', async () => {
      const home = tempDir();
      let signed = 0;
      // Killed after so many signatures, while the next one is asked for.
      for (const count of [0, 1, 5, 20]) {
        const running = await start(home);
        const [{ size } = { size: null }] = running.said.logs;
        expect(size ?? 0).toBeGreaterThanOrEqual(signed);
        let old = size ?? 0;
        const end = old + count;
        let killed: Promise<unknown> | null = null;
        for (let open = true; open; ) {
          const asked = post(running.said.url, old, old + 1).catch(() => null);
          if (old >= end) killed ??= running.stop('SIGKILL');
          const answer = await asked;
          open = answer?.status === 200 && (await answer.text().catch(() => '')) !== '';
          if (open) signed = old += 1;
        }
        await killed;
      }
      const last = await start(home);
      expect(last.said.logs[0]?.size ?? 0).toBeGreaterThanOrEqual(signed);
      expect(signed).toBeGreaterThan(0);
      await last.stop('SIGTERM');
    });
  });
});

describe('the settings of witnesses', () => {
  const key = noteKeyOf(makeSigner('witness.test/one'), 'witness');
  const key2 = noteKeyOf(makeSigner('witness.test/two'), 'witness');
  const key3 = noteKeyOf(makeSigner('witness.test/three'), 'witness');
  const load = (list: string, threshold?: string): ReturnType<typeof loadConfig>['witnesses'] =>
    loadConfig({
      LOCKKEEPER_WITNESSES: list,
      ...(threshold === undefined ? {} : { LOCKKEEPER_WITNESS_THRESHOLD: threshold }),
    }).witnesses;

  it('take more than half unless told otherwise', () => {
    expect(loadConfig({}).witnesses).toBeNull();
    expect(load('none')).toEqual({ list: [], threshold: 0 });
    expect(load(`${key}@http://127.0.0.1:7412`)).toEqual({
      list: [{ key, url: 'http://127.0.0.1:7412' }],
      threshold: 1,
    });
    expect(load(`${key}@http://a,${key2}@https://b/w`)?.threshold).toBe(2);
    expect(load(`${key}@http://a,${key2}@http://b,${key3}@http://c`)?.threshold).toBe(2);
    expect(load(`${key}@http://a`, '0')?.threshold).toBe(0);
  });

  it.each([
    ['a bare address', 'http://a', undefined],
    ['a key without address', key, undefined],
    ['a log’s key', `${noteKeyOf(makeSigner('l'), 'log')}@http://a`, undefined],
    ['a key whose hash does not fit', `${key.replace('one', 'two')}@http://a`, undefined],
    ['one name twice', `${key}@http://a,${key}@http://b`, undefined],
    ['another scheme', `${key}@ftp://a`, undefined],
    ['a stray comma', `${key}@http://a,`, undefined],
    ['more than there are', `${key}@http://a`, '2'],
    ['no number', `${key}@http://a`, 'all'],
  ])('refuse %s', (_, list, threshold) => {
    expect(() => load(list, threshold)).toThrow(/expected/);
  });
});

describe.each(servers().slice(0, 1))('the witnessed log on $name', (server) => {
  const signer = makeSigner('witness.test/one');
  let registry: TestRegistry;
  let witness: TestWitness;
  let published: string;
  let url: string;
  let token: string;
  let version = 0;

  beforeEach(async () => {
    witness = await makeWitness(tempDir(), { signer, port: await portToKeep() });
    published = tempDir();
    registry = await startTestRegistry(server, {
      witnesses: { list: [witness], threshold: 1 },
      publish: { folder: published, git: false },
    });
    witness.logs.push(readLogKey(logKey(registry.deps.trust.logSigner)));
    await registry.person('dave', 'publisher');
    token = await registry.person('eve', 'developer');
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(async () => {
    await registry.close();
    await witness.close();
  });

  const grow = async (): Promise<void> => {
    const { status } = await registry.submit('dave', submissionOf(`1.0.${version++}`));
    expect(status).toBe(201);
  };
  const size = async (): Promise<number> =>
    Number((await registry.pool.query('select count(*) as n from log_entries')).rows[0].n);
  const served = async (): Promise<string> => (await registry.call<string>(null, 'GET', '/checkpoint')).body;
  const root = async (): Promise<LogRole> => (await registry.deps.trust.current()).trusted.root.log;
  const publishedThere = async (entries: number): Promise<void> => {
    // `checkpoint` is written last, over the one from before.
    const newest = join(published, 'checkpoint');
    const held = (): number => Number(readFileSync(newest, 'utf8').split('\n')[1]);
    await until(() => existsSync(newest) && held() >= entries);
    await until(() => existsSync(join(published, `checkpoints/${entries}`)));
  };
  const verify = (...words: string[]): Promise<{ exit: number; data: Record<string, unknown> }> =>
    here(['log', 'verify', '--json', ...words], {
      cwd: process.cwd(),
      env: {
        ...BARE,
        LOCKKEEPER_HOME: tempDir(),
        LOCKKEEPER_TOKEN: token,
        LOCKKEEPER_REGISTRY: url,
        LOCKKEEPER_ROOT_KEYS: registry.keys.pin.rootKeys.join(','),
      },
    });
  /** What a superuser can do: triggers off, everything replaced, the whole tree built again. */
  const rewrite = async (change: (entries: Buffer[]) => Buffer[]): Promise<void> => {
    const tables = ['log_entries', 'log_nodes', 'log_checkpoints', 'log_cosignatures'];
    for (const table of tables) await registry.pool.query(`alter table ${table} disable trigger all`);
    const { rows } = await registry.pool.query<{ entry: Buffer }>(
      'select entry from log_entries order by index',
    );
    for (const table of tables) await registry.pool.query(`delete from ${table}`);
    await withTransaction(registry.pool, (client) =>
      appendEntries(client, change(rows.map(({ entry }) => entry))),
    );
  };
  const forge = (entries: Buffer[]): Buffer[] =>
    entries.map((entry, n) =>
      n === 1 ? Buffer.from(entry.toString().replace('submission', 'rejection')) : entry,
    );

  it('carries the cosignature that its root asks for', async () => {
    for (let n = 0; n < 3; n++) {
      await grow();
      const { note, size: of } = await witnessedCheckpoint(registry.deps, await size());
      expect(of).toBe(await size());
      expect([...openCheckpoint(note, await root()).witnesses.keys()]).toEqual(['witness.test/one']);
      expect(await served()).toBe(note);
    }
    await publishedThere(await size());
    expect(await verify('--against', published)).toMatchObject({
      exit: 0,
      data: { conclusion: 'ok', witnesses: [{ name: 'witness.test/one' }] },
    });
  });

  it('cosigns once for many who ask at once', async () => {
    await Promise.all(Array.from({ length: 8 }, grow));
    const notes = await Promise.all(
      Array.from({ length: 20 }, async () => (await witnessedCheckpoint(registry.deps, 9)).note),
    );
    expect(new Set(notes).size).toBe(1);
  });

  it('is cosigned for replicas that race each other', async () => {
    const { pool, trust, log, checkpoints } = registry.deps;
    const twin = openCheckpoints({ pool, trust, log, witnesses: [witness], publish: null });
    const one = async (n: number): Promise<void> => {
      await grow();
      const atLeast = await size();
      const found = await (n % 2 === 0 ? checkpoints : twin).witnessed(atLeast);
      expect(found.size).toBeGreaterThanOrEqual(atLeast);
      expect(openCheckpoint(found.note, await root()).witnesses.size).toBe(1);
    };
    for (let n = 0; n < 4; n++) await Promise.all([0, 1, 2, 3, 4, 5].map(one));
    expect(evidenceIn(witness.dir)).toEqual([]);
    const { rows } = await pool.query(`select 1 from events where action = 'witness.refused'`);
    expect(rows).toEqual([]);
  });

  it('gives itself away when a superuser rewrites an entry and builds the whole tree again', async () => {
    await grow();
    await grow();
    const before = await witnessedCheckpoint(registry.deps, await size());
    await publishedThere(before.size);
    await rewrite(forge);
    // The same size with another root.
    await expect(witnessedCheckpoint(registry.deps, before.size)).rejects.toMatchObject({
      code: 'LOG_WITNESS',
    });
    expect(await verify('--against', published)).toMatchObject({
      exit: 3,
      data: { conclusion: 'misbehaviour', code: 'LOG_FORK' },
    });
    expect(evidenceIn(witness.dir)).toHaveLength(1);
    // And grown since.
    await grow();
    const now = await registry.deps.checkpoints.newest();
    const { body } = await registry.call(
      null,
      'GET',
      `/v1/log/consistency?from=${before.size}&to=${now.size}`,
    );
    const proof = body.proof.map((hash: string) => Buffer.from(hash, 'base64'));
    const [earlier, later] = [before, now].map(({ note }) => readCheckpoint(parseNote(note).text));
    if (!earlier || !later) throw new Error('no checkpoints');
    expect(() => assertGrew(earlier, later, proof)).toThrow(/rewritten/);
    expect(await verify('--against', published)).toMatchObject({ exit: 3, data: { code: 'LOG_FORK' } });
    expect(await verify('--against', join(published, 'checkpoint'))).toMatchObject({ exit: 3 });
    await expect(witnessedCheckpoint(registry.deps, now.size)).rejects.toMatchObject({ code: 'LOG_WITNESS' });
    const kinds = evidenceIn(witness.dir).map(
      (name) => JSON.parse(readFileSync(join(witness.dir, name), 'utf8')).kind,
    );
    expect(kinds.sort()).toEqual(['fork', 'unproven']);
    // What was published stays, and without it the missing witness is said.
    expect(readFileSync(join(published, 'checkpoint'), 'utf8')).toBe(before.note);
    expect(await verify()).toMatchObject({ exit: 3, data: { error: { code: 'LOG_WITNESS' } } });
  });

  it('gives itself away when it is cut back', async () => {
    await grow();
    await grow();
    const before = await witnessedCheckpoint(registry.deps, await size());
    await publishedThere(before.size);
    await rewrite((entries) => entries.slice(0, -1));
    await expect(witnessedCheckpoint(registry.deps, 1)).rejects.toMatchObject({ code: 'LOG_WITNESS' });
    await expect(witnessedCheckpoint(registry.deps, before.size)).rejects.toMatchObject({
      code: 'LOG_ROLLBACK',
    });
    expect(await verify('--against', published)).toMatchObject({
      exit: 3,
      data: { conclusion: 'misbehaviour', code: 'LOG_ROLLBACK' },
    });
    expect(readFileSync(join(published, 'checkpoint'), 'utf8')).toBe(before.note);
    const { rows } = await registry.pool.query(`select detail from events where action = 'witness.refused'`);
    expect(rows.map(({ detail }) => detail.said).join()).toContain('cut back');
  });

  it('fails closed while its witness is away, and goes on when it is back', async () => {
    await grow();
    const before = await witnessedCheckpoint(registry.deps, await size());
    const port = Number(new URL(witness.url).port);
    await witness.close();
    await grow();
    await expect(witnessedCheckpoint(registry.deps, await size())).rejects.toMatchObject({
      code: 'LOG_WITNESS',
    });
    // Readers still get the newest that is witnessed.
    expect(await served()).toBe(before.note);
    expect((await witnessedCheckpoint(registry.deps, before.size)).note).toBe(before.note);
    witness = await makeWitness(witness.dir, { signer, logs: witness.logs, port });
    expect((await witnessedCheckpoint(registry.deps, await size())).size).toBe(before.size + 1);
  });

  it('cannot be asked: exit 4', async () => {
    url = 'http://127.0.0.1:9';
    expect(await verify()).toMatchObject({ exit: 4 });
  });

  it('is served in tiles', async () => {
    await withTransaction(registry.pool, (client) =>
      appendEntries(
        client,
        Array.from({ length: 600 }, (_, n) => Buffer.from(`entry ${n}`)),
      ),
    );
    const { size: total, root: hash } = readCheckpoint(parseNote(await served()).text);
    const get = async (
      path: string,
      as?: string,
    ): Promise<{ status: number; bytes: Buffer; headers: Headers }> => {
      const headers: Record<string, string> = as === undefined ? {} : { authorization: `Bearer ${as}` };
      const answer = await fetch(`${url}${path}`, { headers });
      return {
        status: answer.status,
        bytes: Buffer.from(await answer.arrayBuffer()),
        headers: answer.headers,
      };
    };
    const rest = total - 512;
    const tops = await get('/tile/1/000.p/2');
    const last = await get(`/tile/0/002.p/${rest}`);
    expect(tops.headers.get('content-type')).toBe('application/octet-stream');
    expect(tops.headers.get('cache-control')).toContain('immutable');
    expect((await get('/checkpoint')).headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const split = (bytes: Buffer): Buffer[] =>
      Array.from({ length: bytes.length / 32 }, (_, n) => bytes.subarray(32 * n, 32 * n + 32));
    const rootOf = (hashes: Buffer[]): Buffer => {
      if (hashes.length === 1) return hashes[0] ?? Buffer.of();
      let half = 1;
      while (half * 2 < hashes.length) half *= 2;
      return nodeHash(rootOf(hashes.slice(0, half)), rootOf(hashes.slice(half)));
    };
    const [one, two] = split(tops.bytes);
    expect(rootOf(split((await get('/tile/0/001')).bytes)).equals(two ?? Buffer.of())).toBe(true);
    const whole = nodeHash(nodeHash(one ?? Buffer.of(), two ?? Buffer.of()), rootOf(split(last.bytes)));
    expect(whole.equals(hash)).toBe(true);
    const bundle = await get(`/tile/entries/002.p/${rest}`, token);
    const leaves: Buffer[] = [];
    for (let at = 0; at < bundle.bytes.length; at += 2 + bundle.bytes.readUInt16BE(at))
      leaves.push(leafHash(bundle.bytes.subarray(at + 2, at + 2 + bundle.bytes.readUInt16BE(at))));
    expect(Buffer.concat(leaves).equals(last.bytes)).toBe(true);
    expect((await get(`/tile/entries/002.p/${rest}`)).status).toBe(401);
    for (const path of [
      `0/002.p/${rest + 1}`,
      '0/002',
      '0/000.p/256',
      '0/000.p/0',
      '0/0',
      '00/000',
      '64/000',
      '0/x000/000',
      '0/x001/000',
      '1/001',
      '6/000.p/1',
      'a/000',
      '0/000/000',
      '',
    ])
      expect((await get(`/tile/${path}`)).status, path).toBe(404);
  });
});

describe.each(servers().slice(0, 1))('witnesses that are none, on $name', (server) => {
  const signer = makeSigner('witness.test/one');
  let liar: Server;
  let registry: TestRegistry;
  let answer: (body: string) => { status: number; type?: string; body: string };

  beforeAll(async () => {
    liar = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { status, type = 'text/plain', body } = answer(Buffer.concat(chunks).toString());
        response.writeHead(status, { 'content-type': type }).end(body);
      });
    });
    await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`;
    const list = [{ key: noteKeyOf(signer, 'witness'), url }];
    registry = await startTestRegistry(server, { witnesses: { list, threshold: 1 } });
  });
  afterAll(async () => {
    await registry.close();
    liar.closeAllConnections();
    liar.close();
  });
  const textOf = (body: string): string => parseNote(body.slice(body.indexOf('\n\n') + 2)).text;
  const stored = async (): Promise<number> =>
    Number((await registry.pool.query('select count(*) as n from log_cosignatures')).rows[0].n);

  it.each<[string, (body: string) => { status: number; type?: string; body: string }]>([
    [
      'another key of the name',
      (body) => ({ status: 200, body: cosign(textOf(body), makeSigner('witness.test/one'), 1) }),
    ],
    ['another text', (body) => ({ status: 200, body: cosign(`${textOf(body)}x\n`, signer, 1) })],
    [
      'a line of the right key hash with other bytes',
      (body) => {
        const line = cosign(textOf(body), signer, 1);
        return { status: 200, body: line.replace(/.{8}\n$/, 'AAAAAAA=\n') };
      },
    ],
    ['nothing', () => ({ status: 200, body: '' })],
    ['binary', () => ({ status: 200, body: '\u0000\u0001\n' })],
    ['a megabyte', () => ({ status: 200, body: 'x'.repeat(1 << 20) })],
    ['a size for ever', () => ({ status: 409, type: 'text/x.tlog.size', body: '1\n' })],
    ['a size beyond the log', () => ({ status: 409, type: 'text/x.tlog.size', body: '99\n' })],
    ['no size', () => ({ status: 409, type: 'text/x.tlog.size', body: 'many\n' })],
    ['a refusal', () => ({ status: 422, body: 'no' })],
    ['a redirect', () => ({ status: 302, body: '' })],
  ])('are not believed: %s', async (_, lie) => {
    answer = lie;
    await expect(witnessedCheckpoint(registry.deps, 1)).rejects.toMatchObject({ code: 'LOG_WITNESS' });
    expect(await stored()).toBe(0);
  });

  it('are not waited for', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const { pool, trust, log } = registry.deps;
    const witnesses = [{ key: noteKeyOf(signer, 'witness'), url }];
    const before = Date.now();
    const asked = openCheckpoints({ pool, trust, log, witnesses, publish: null }).witnessed(1);
    await expect(asked).rejects.toMatchObject({ code: 'LOG_WITNESS' });
    expect(Date.now() - before).toBeLessThan(PATIENCE_MS);
    silent.closeAllConnections();
    silent.close();
  });

  it('are believed once they say the truth, foreign lines passed over', async () => {
    answer = (body) => ({
      status: 200,
      body: cosign('x\n', makeSigner('w'), 1) + cosign(textOf(body), signer, 5),
    });
    const { note } = await witnessedCheckpoint(registry.deps, 1);
    expect(parseNote(note).signatures.map(({ name }) => name)).toEqual([
      registry.deps.trust.logSigner.name,
      'witness.test/one',
    ]);
    expect(await stored()).toBe(1);
  });

  it('come into a new root when the setting changes, and stay when it is not given', async () => {
    const { keys, deps } = registry;
    const { pool, trust, policy } = deps;
    const { root } = (await trust.current()).trusted;
    const start = async (log: { witnesses: string[]; threshold: number } | null): Promise<typeof root> =>
      (await (await openTrust(pool, keys, { trial: false, policy, log })).current()).trusted.root;
    expect(await start(null)).toEqual(root);
    expect(await start({ witnesses: root.log.witnesses, threshold: 1 })).toEqual(root);
    const more = [...root.log.witnesses, noteKeyOf(makeSigner('witness.test/two'), 'witness')];
    const changed = await start({ witnesses: more, threshold: 2 });
    expect(changed).toMatchObject({ version: root.version + 1, log: { witnesses: more, threshold: 2 } });
    expect(canonical((await start(null)).log)).toBe(canonical(changed.log));
    const same = [noteKeyOf(makeSigner(root.log.origin), 'witness')];
    await expect(start({ witnesses: same, threshold: 1 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    expect((await start({ witnesses: [], threshold: 0 })).log).toMatchObject({ witnesses: [], threshold: 0 });
  });
});

describe.each(servers())('publication of the log on $name', (server) => {
  it('commits each checkpoint in a work tree, and nothing holds the log up when it cannot', async () => {
    const folder = tempDir();
    const git = (...words: string[]): Promise<string> =>
      new Promise((resolve, reject) =>
        execFile('git', ['-C', folder, ...words], (error, stdout) =>
          error ? reject(error) : resolve(stdout),
        ),
      );
    const registry = await startTestRegistry(server, { publish: { folder, git: true } });
    try {
      await registry.person('dave', 'publisher');
      const refresh = async (holds: () => Promise<boolean>): Promise<void> => {
        await registry.deps.checkpoints.refresh();
        await until(holds);
      };
      const events = async (): Promise<boolean> =>
        (await registry.pool.query(`select 1 from events where action = 'log.unpublished'`)).rows.length > 0;
      await refresh(events);
      await git('init', '--quiet');
      mkdirSync(join(folder, 'mine'));
      writeFileSync(join(folder, 'mine/notes.txt'), 'mine');
      await git('add', 'mine');
      const commits = (count: number) => (): Promise<boolean> =>
        git('log', '--format=%an %s').then(
          (said) => said.split('\n').length - 1 === count,
          () => false,
        );
      await refresh(commits(1));
      await registry.submit('dave', submissionOf('3.0.0'));
      await refresh(commits(2));
      await refresh(commits(2));
      expect(await git('log', '--format=%an %s')).toContain('Lockkeeper Checkpoint of 2 entries');
      // What somebody else was about to commit there is not swept in.
      await expect
        .poll(() => git('--no-optional-locks', 'status', '--porcelain'))
        .toBe('A  mine/notes.txt\n');
    } finally {
      await registry.close();
    }
  });
});
