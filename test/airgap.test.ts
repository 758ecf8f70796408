/** A machine without a network: what one file brings is enough to verify, gate and run; anything else in it is refused. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Header } from 'tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Machine } from '../cli/drill/company.ts';
import { readArchive, writeArchive } from '../runtime/store/archive.ts';
import type { AuditRecord } from '../schemas/audit.ts';
import type { JsonObject } from '../schemas/common.ts';
import { sha256 } from '../schemas/json.ts';
import { type Acme, acme, ECHO } from './helpers/acme.ts';
import { here } from './helpers/here.ts';
import { INITIALIZE } from './helpers/session.ts';

const MAIN = join(import.meta.dirname, '../cli/main.ts');
/** As root without a user namespace, because the sandbox needs other users. */
const UNSHARE = process.getuid?.() === 0 ? ['-n'] : ['-rn'];

interface Said {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly data: JsonObject;
}

describe('an air-gapped machine', () => {
  let world: Acme;
  let bundle: string;
  let pin: string;
  const put = (name: string): string => join(world.dir, name);
  /** Its own home and project. */
  const stands = (machine: string): Machine => {
    const cwd = put(`${machine}-project`);
    mkdirSync(cwd, { recursive: true });
    const env = {
      ...process.env,
      LOCKKEEPER_HOME: put(`machines/${machine}`),
      LOCKKEEPER_ROOT_PIN: put(`${machine}-pin.json`),
      NO_COLOR: '1',
    };
    return { cwd, env };
  };
  /** A machine without one interface that is up. */
  const offline = (machine: string, words: readonly string[], input = ''): Said => {
    const command = [...UNSHARE, process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...words];
    const options = { ...stands(machine), input, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync('unshare', command, options);
    let data = {};
    try {
      data = JSON.parse(stdout);
    } catch {
      // a client’s answers, or nothing
    }
    return { exit: status, stdout, stderr, data };
  };
  const lk = (machine: string, ...words: string[]): Said => offline(machine, [...words, '--json']);
  /** What is refused is refused before anybody is asked. */
  const refusing = (file: string): ReturnType<typeof here> =>
    here(['import', file, '--pin', pin, '--json'], stands('bad'));
  const codeOf = ({ data }: Pick<Said, 'data'>): unknown =>
    (data.error as JsonObject | undefined)?.code ?? data.code;
  /** Neither a project nor a store, a pin or a memory. */
  const nothing = (machine: string): void => {
    expect(readdirSync(put(`${machine}-project`))).toEqual([]);
    for (const name of ['store', 'pins.json', 'seen', 'journal'])
      expect(existsSync(put(`machines/${machine}/${name}`)), name).toBe(false);
  };

  beforeAll(async () => {
    world = await acme();
    bundle = put('first.lkb');
    pin = put('root-pin.json');
    await world.company.must('erin', 'export', 'bundle', bundle);
    await world.company.must('erin', 'export', 'pin', pin);
  });
  afterAll(() => world?.close());

  it('is brought the same bytes for the same lock', async () => {
    await world.company.must('erin', 'export', 'bundle', put('again.lkb'));
    expect(readFileSync(put('again.lkb')).equals(readFileSync(bundle))).toBe(true);
  });

  it('believes no bundle without a pin, and none under another one', async () => {
    expect(codeOf(lk('bare', 'import', bundle))).toBe('ROOT_UNPINNED');
    expect(lk('bare', 'import', bundle).exit).toBe(4);
    const strange = put('strange.json');
    const rootKeys = [`sha256:${'0'.repeat(64)}`];
    writeFileSync(strange, JSON.stringify({ lockkeeper: 'root-pin/v1', rootKeys, threshold: 1 }));
    const said = lk('bare', 'import', bundle, '--pin', strange);
    expect([said.exit, codeOf(said)]).toEqual([3, 'ROOT_UNTRUSTED']);
    nothing('bare');
  });

  it('verifies, gates and runs with no network at all', async () => {
    const said = lk('air', 'import', bundle, '--pin', pin);
    expect(said.stderr + said.stdout).toContain('"conclusion":"ok"');
    expect(said.data).toMatchObject({ conclusion: 'ok', servers: ['echo'] });
    const verified = lk('air', 'verify', '--offline', '--artifacts');
    expect(verified.data).toMatchObject({ conclusion: 'ok', servers: [{ alias: 'echo', artifacts: 1 }] });
    expect(lk('air', 'ci', '--offline').data).toMatchObject({ conclusion: 'ok' });
    const requests = [
      { id: 'hello', method: 'initialize', params: INITIALIZE },
      { method: 'notifications/initialized' },
      { id: 1, ...ECHO },
    ].map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    const ran = offline('air', ['run', 'echo'], requests.join(''));
    expect(ran.stderr).toContain('not signed in');
    const answers = ran.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as JsonObject);
    expect(answers.find(({ id }) => id === 1)?.result, ran.stderr).toBeDefined();
    expect(ran.exit).toBe(0);
    const { records } = lk('air', 'audit', '--local').data as unknown as { records: AuditRecord[] };
    expect(records.map(({ body }) => body.kind)).toContain('request.forwarded');
    expect(lk('air', 'audit', 'verify').data).toMatchObject({ conclusion: 'ok' });
  });

  it('takes a root that an administrator deployed', () => {
    copyFileSync(pin, put('desk-pin.json'));
    expect(lk('desk', 'import', bundle).data).toMatchObject({ conclusion: 'ok' });
    expect(lk('desk', 'ci', '--offline').exit).toBe(0);
    expect(existsSync(put('machines/desk/pins.json'))).toBe(false);
  });

  it('takes a later bundle when it shows how the log grew, and no earlier one', async () => {
    const { logSize } = lk('air', 'import', bundle).data as { logSize: number };
    for (let i = 0; i < 9; i++) await world.company.must('erin', 'lock');
    await world.company.must('erin', 'export', 'bundle', put('bare.lkb'));
    const unproven = lk('air', 'import', put('bare.lkb'));
    expect([unproven.exit, codeOf(unproven)]).toEqual([4, 'LOG_UNPROVEN']);
    expect(unproven.stdout).toContain(`--from-size ${logSize}`);
    await world.company.must('erin', 'export', 'bundle', put('later.lkb'), '--from-size', String(logSize));
    expect(lk('air', 'import', put('later.lkb')).data).toMatchObject({ conclusion: 'ok' });
    expect(codeOf(lk('air', 'import', bundle))).toBe('LOCK_ROLLBACK');
    expect(lk('air', 'ci', '--offline').exit).toBe(0);
  });

  it('follows the roots from the one it pinned, to locks that live for two weeks', async () => {
    const { company } = world;
    const draft = put('next.root.json');
    const root = (verb: string, ...words: string[]): Promise<JsonObject> =>
      company.must('admin', 'keys', 'root', verb, draft, ...words);
    await company.must('admin', 'keys', 'new', '--name', 'root');
    const { publicKey } = await company.must('admin', 'keys', 'show', '--name', 'root');
    writeFileSync(put('admin.pub'), String(publicKey));
    await root('init');
    await root('add', '--role', 'root', '--person', 'admin', '--public-key', put('admin.pub'));
    await root('remove', '--role', 'root', '--person', 'lockkeeper');
    const roots = put('trusted_root.json');
    writeFileSync(roots, '{"mediaType":"a trust root of package signatures"}');
    const pinned = sha256(readFileSync(roots));
    await root('set', '--lock-hours', '336', '--trust-root', `sigstore=${pinned}`);
    await root('sign', '--key', 'root');
    await root('submit');
    await company.must('erin', 'keys', 'root', 'follow');
    const path = put('project/lockkeeper.json');
    const intent = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...intent, maxLockHours: 336 }));
    await company.must('erin', 'lock');
    const { logSize } = lk('desk', 'import', bundle).data as { logSize: number };
    const size = ['--from-size', String(logSize)];
    await company.must('erin', 'export', 'bundle', put('strange.lkb'), ...size);
    expect(codeOf(lk('desk', 'import', put('strange.lkb')))).toBe('ROOT_UNTRUSTED');
    const other = await company.lk(
      'erin',
      'export',
      'bundle',
      put('no.lkb'),
      '--trust-root',
      `sigstore=${pin}`,
    );
    expect([other.exit, existsSync(put('no.lkb'))]).toEqual([2, false]);
    const more = [...size, '--pin', pin, '--trust-root', `sigstore=${roots}`];
    await company.must('erin', 'export', 'bundle', put('followed.lkb'), ...more);
    const said = lk('desk', 'import', put('followed.lkb'));
    expect(said.data, said.stdout).toMatchObject({ conclusion: 'ok' });
    const stored = put(`machines/desk/store/blobs/${pinned.slice(7, 9)}/${pinned.slice(9)}`);
    expect(readFileSync(stored).equals(readFileSync(roots))).toBe(true);
    const { expires } = said.data.lock as { expires: string };
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan(335 * 3_600_000);
    expect(lk('desk', 'ci', '--offline').data).toMatchObject({ conclusion: 'ok' });
    expect(codeOf(lk('desk', 'import', bundle))).toBe('LOCK_ROLLBACK');
  });

  it('follows several changes of holders at once, also to one with two keys', async () => {
    const { company } = world;
    const draft = put('after.root.json');
    const root = (verb: string, ...words: string[]): Promise<JsonObject> =>
      company.must('admin', 'keys', 'root', verb, draft, ...words);
    copyFileSync(pin, put('far-pin.json'));
    const { logSize } = lk('far', 'import', bundle).data as { logSize: number };
    await company.must('admin', 'keys', 'root', 'follow');
    await root('init');
    for (const name of ['bea', 'bea-again']) {
      await company.must('admin', 'keys', 'new', '--name', name);
      const { publicKey } = await company.must('admin', 'keys', 'show', '--name', name);
      writeFileSync(put(`${name}.pub`), String(publicKey));
      await root('add', '--role', 'root', '--person', 'bea', '--public-key', put(`${name}.pub`));
    }
    await root('remove', '--role', 'root', '--person', 'admin');
    await root('sign', '--key', 'root');
    await root('sign', '--key', 'bea');
    await root('sign', '--key', 'bea-again');
    await root('submit');
    await company.must('erin', 'keys', 'root', 'follow');
    await company.must('erin', 'lock');
    const more = ['--from-size', String(logSize), '--pin', pin];
    await company.must('erin', 'export', 'bundle', put('far.lkb'), ...more);
    const said = lk('far', 'import', put('far.lkb'));
    expect(said.data, said.stdout).toMatchObject({ conclusion: 'ok' });
    expect(lk('far', 'ci', '--offline').exit).toBe(0);
  });

  it('refuses a bundle for another project', () => {
    mkdirSync(put('other-project'));
    const intent = JSON.parse(readFileSync(put('air-project/lockkeeper.json'), 'utf8'));
    const text = JSON.stringify({ ...intent, project: 'another' });
    writeFileSync(put('other-project/lockkeeper.json'), text);
    expect(codeOf(lk('other', 'import', bundle, '--pin', pin))).toBe('LOCK_AUDIENCE');
    expect(readFileSync(put('other-project/lockkeeper.json'), 'utf8')).toBe(text);
  });

  it('refuses what was cut, changed or lengthened, wherever, and writes nothing', async () => {
    const whole = readFileSync(bundle);
    const bad = put('bad.lkb');
    const refused = async (bytes: Buffer, label: string): Promise<void> => {
      writeFileSync(bad, bytes);
      const said = await refusing(bad);
      expect([said.exit, typeof codeOf(said)], `${label}: ${JSON.stringify(said)}`).toEqual([3, 'string']);
      nothing('bad');
    };
    for (const at of [0, 100, 512, 700, whole.length >> 1, whole.length - 1024, whole.length - 1])
      await refused(whole.subarray(0, at), `cut at ${at}`);
    for (let i = 0; i < 24; i++) {
      const at = Math.floor(((i + 0.5) * whole.length) / 24);
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await refused(flipped, `a bit flipped at ${at}`);
    }
    await refused(Buffer.concat([whole, Buffer.alloc(512)]), 'lengthened');
  });

  it('refuses members that are not of it: more, fewer, links, paths that leave, sizes without end', async () => {
    const bad = put('crafted.lkb');
    const crafted = async (
      change: (members: [string, Buffer][]) => [string, Buffer][],
    ): ReturnType<typeof here> => {
      const members: [string, Buffer][] = [];
      for await (const member of readArchive(bundle)) members.push([member.path, await member.read(1 << 28)]);
      const archive = await writeArchive(bad);
      for (const [path, bytes] of change(members)) await archive.put(path, bytes);
      await archive.close();
      return refusing(bad);
    };
    const extra = Buffer.from('x');
    expect(codeOf(await crafted((all) => [...all, ['blobs/extra', extra]]))).toBe('ARCHIVE_INVALID');
    expect(codeOf(await crafted((all) => [['a', extra], ...all]))).toBe('ARCHIVE_INVALID');
    expect(codeOf(await crafted((all) => all.slice(0, -1)))).toBe('ARCHIVE_INVALID');
    expect(codeOf(await crafted((all) => [...all, all.at(-1) ?? ['', extra]]))).toBe('ARCHIVE_INVALID');
    const swapped = await crafted((all) =>
      all.map(([path, bytes]) => [path, path.startsWith('blobs/') ? Buffer.from(bytes).reverse() : bytes]),
    );
    expect(codeOf(swapped)).toBe('ARTIFACT_MISMATCH');
    const lowered = await crafted((all) =>
      all.map(([path, bytes]) => [
        path,
        path === 'mcp.lock' ? Buffer.from(bytes.toString().replace('"pids": 128', '"pids": 127')) : bytes,
      ]),
    );
    expect(codeOf(lowered)).toBe('SIGNATURE_INVALID');
    await expect(crafted((all) => [['../../etc/cron.d/x', extra], ...all])).rejects.toThrow('archive');
    const first = (fields: ConstructorParameters<typeof Header>[0]): ReturnType<typeof here> => {
      const block = Buffer.alloc(512);
      new Header(fields).encode(block, 0);
      writeFileSync(bad, Buffer.concat([block, readFileSync(bundle)]));
      return refusing(bad);
    };
    const plain = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), size: 0 };
    for (const header of [
      { ...plain, type: 'File', path: '../../outside' },
      { ...plain, type: 'File', path: '/etc/passwd' },
      { ...plain, type: 'SymbolicLink', path: 'bundle.json', linkpath: '/etc/passwd' },
      { ...plain, type: 'Directory', path: 'blobs' },
      { ...plain, type: 'File', path: 'bundle.json', mode: 0o4755 },
      { ...plain, type: 'File', path: 'bundle.json', size: 2 ** 40 },
    ] as const)
      expect(codeOf(await first(header)), JSON.stringify(header)).toBe('ARCHIVE_INVALID');
    writeFileSync(bad, Buffer.alloc(1024, 0xaa));
    expect(codeOf(await refusing(bad)), 'no archive').toBe('ARCHIVE_INVALID');
    nothing('bad');
  });

  it('needs no registry to be running', async () => {
    await world.stop();
    expect(lk('air', 'verify', '--offline', '--artifacts').data).toMatchObject({ conclusion: 'ok' });
  });
});
