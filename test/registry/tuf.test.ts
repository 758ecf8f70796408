/** Trust files from a real TUF repository on loopback to what people see of them, and to the root that pins them. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Api } from '../../cli/api.ts';
import type { Context } from '../../cli/command.ts';
import { trust } from '../../cli/commands/trust.ts';
import { loadConfig } from '../../registry/config.ts';
import { listTrustFiles, repositoryState } from '../../registry/db/trust-files.ts';
import type { ScanDeps } from '../../registry/deps.ts';
import { registrySchedules } from '../../registry/schedule.ts';
import { startRegistry } from '../../registry/start.ts';
import { trustFiles } from '../../registry/trust-files.ts';
import { BoundedFetcher } from '../../registry/tuf/fetcher.ts';
import { refreshTrust, type TufDeps } from '../../registry/tuf/refresh.ts';
import { startWorker } from '../../registry/worker.ts';
import { trustChanges } from '../../runtime/provenance/trust-text.ts';
import { readRoot } from '../../runtime/trust/root.ts';
import type { Attention } from '../../schemas/attention.ts';
import { seal } from '../../schemas/dsse.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import { ROOT_TYPE } from '../../schemas/root.ts';
import type { TrustFilesView } from '../../schemas/trust-files.ts';
import { machine } from '../helpers/machine.ts';
import { freshDatabase, servers, startStaffed, type TestRegistry } from '../helpers/registry.ts';
import { NPM_KEYS, trustRoots } from '../helpers/signature-bundles.ts';
import { type Edition, TufPlace } from '../helpers/tuf.ts';
import { PATIENCE_MS, until } from '../helpers/wait.ts';

const NPM_PATH = 'packages.example/keys.json';
const npmKeys = trustRoots.at(-1) as Buffer;
const sigstore = trustRoots[0] as Buffer;

/** The same list with one key more and the end of another moved. */
function newerKeys(): Buffer {
  const { keys } = JSON.parse(Buffer.from(npmKeys).toString('utf8'));
  keys[0].publicKey.validFor.end = '2024-12-31T00:00:00.000Z';
  const [last] = keys.slice(-1);
  return Buffer.from(JSON.stringify({ keys: [...keys, { ...last, keyId: 'SHA256:made-up' }] }));
}

const edition = (version: number, keys: Buffer = npmKeys): Edition => ({
  version,
  files: { 'trusted_root.json': sigstore, [NPM_PATH]: keys },
});

describe('what a trust file changes', () => {
  it('is told key by key: added, removed, other dates', () => {
    expect(trustChanges(npmKeys, npmKeys)).toEqual([]);
    const forth = trustChanges(npmKeys, newerKeys());
    expect(forth).toHaveLength(2);
    expect(forth[0]).toMatch(/^\+ registry key "SHA256:made-up" for "npm:.*valid from 2025-01-13/);
    expect(forth[1]).toMatch(
      /^~ registry key .* until 2024-12-31T00.*; before: valid from .* until 2025-01-29/,
    );
    expect(trustChanges(newerKeys(), npmKeys)[0]).toMatch(/^- registry key "SHA256:made-up"/);
    const spaced = Buffer.from(JSON.stringify(JSON.parse(Buffer.from(npmKeys).toString('utf8')), null, 3));
    expect(trustChanges(npmKeys, spaced)).toEqual(['~ the same keys and dates, written in other bytes']);
  });

  it('of a sigstore root names logs and authorities, and a key that is there twice does not hide', () => {
    const root = JSON.parse(Buffer.from(sigstore).toString('utf8'));
    const all = trustChanges(null, sigstore);
    for (const kind of ['transparency log', 'certificate log', 'certificate authority'])
      expect(all.some((line) => line.startsWith(`+ ${kind} `))).toBe(true);
    const twice = { ...root, tlogs: [...root.tlogs, { ...root.tlogs[0], hashAlgorithm: 'SHA2_512' }] };
    expect(trustChanges(sigstore, Buffer.from(JSON.stringify(twice)))).toEqual([
      expect.stringMatching(/^~ transparency log .*; and .*; before: /),
    ]);
    const without = { ...root, ctlogs: root.ctlogs.slice(1) };
    expect(trustChanges(sigstore, Buffer.from(JSON.stringify(without)))).toEqual([
      expect.stringMatching(/^- certificate log /),
    ]);
  });
});

describe.each(servers().slice(0, 1))('a repository of trust files', (server) => {
  let registry: TestRegistry;
  let place: TufPlace;
  let tmp: string;
  let deps: ScanDeps & TufDeps;
  /** Id of the last event of the tests before. */
  let before: string;

  beforeAll(async () => {
    ({ registry } = await startStaffed(server));
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    place = await TufPlace.open();
    tmp = mkdtempSync(join(tmpdir(), 'lk-tuf-'));
    writeFileSync(join(tmp, 'root.json'), place.root(1));
    mkdirSync(join(tmp, 'work'));
    const tuf = {
      url: place.url,
      root: join(tmp, 'root.json'),
      targets: [
        { name: 'sigstore', path: 'trusted_root.json' },
        { name: 'npm', path: NPM_PATH },
      ],
    };
    deps = { ...registry.deps, tuf, tmp: join(tmp, 'work'), tufLimits: { answerMs: PATIENCE_MS } };
    await registry.pool.query('truncate trust_repository, trust_metadata, trust_files');
    const { rows } = await registry.pool.query<{ last: string }>('select max(id) as last from events');
    before = rows[0]?.last ?? '0';
  });
  afterEach(async () => {
    await place.close();
    expect(readdirSync(join(tmp, 'work'))).toEqual([]);
    rmSync(tmp, { recursive: true });
  });

  const view = async (): Promise<TrustFilesView> =>
    (await registry.call<TrustFilesView>('alice', 'GET', '/v1/trust/files')).body;
  const fileOf = async (name: string): Promise<TrustFilesView['files'][number] | undefined> =>
    (await view()).files.find((file) => file.name === name);
  const events = async (): Promise<string[]> =>
    (
      await registry.pool.query<{ action: string }>(
        `select action from events where action like 'trust.%' and id > $1 order by id`,
        [before],
      )
    ).rows.map(({ action }) => action);
  const stored = async (): Promise<unknown> => [
    (await registry.pool.query('select * from trust_metadata order by seed, file')).rows,
    (await registry.pool.query('select * from trust_files order by name')).rows,
  ];
  const pin = async (name: string, digest: string): Promise<void> => {
    const { body } = await registry.call('alice', 'GET', '/v1/trust');
    const { root } = readRoot(body.root);
    const next = { ...root, version: root.version + 1, trustRoots: { ...root.trustRoots, [name]: digest } };
    const { root: key } = registry.keys;
    if (!key) throw new Error('no root key');
    const envelope = seal(ROOT_TYPE, Buffer.from(canonical(next)), [key]);
    expect((await registry.call('root', 'POST', '/v1/roots', { envelope })).status).toBe(200);
  };
  const used = async (): Promise<string[]> =>
    [
      ...(await trustFiles(registry.deps.trust, { folder: '/nowhere', blobs: registry.deps.blobs })).files,
    ].map(([digest]) => digest);

  it('is not asked where none is set, which is told', async () => {
    await refreshTrust({ ...deps, tuf: null });
    expect(place.asked).toEqual([]);
    expect(await view()).toMatchObject({ repository: null, readAt: null, problem: null, files: [] });
    expect((await view()).askedAt).not.toBeNull();
  });

  it('is asked by the schedule; what it has is shown, and nothing of it is used until the root pins it', async () => {
    place.serve(edition(1));
    const runner = await startWorker(deps, 1);
    const crons = { upstreamCron: '7 * * * *', advisoriesCron: '19 * * * *', tufCron: '43 * * * *' };
    await registrySchedules(deps, crons)
      .find(({ name }) => name === 'trust')
      ?.run();
    await until(async () => (await view()).readAt !== null);
    await runner.stop();
    expect(await fileOf('npm')).toMatchObject({
      state: 'new',
      pinned: null,
      offered: { target: NPM_PATH, digest: NPM_KEYS },
      changes: expect.arrayContaining([expect.stringMatching(/^\+ registry key/)]),
    });
    expect(await used()).toEqual([]);
    const { body } = await registry.call<Attention>('alice', 'GET', '/v1/attention');
    expect(body.trustFiles.map(({ name }) => name)).toEqual(['npm', 'sigstore']);

    await pin('npm', NPM_KEYS);
    expect(await fileOf('npm')).toMatchObject({ state: 'used', changes: [] });
    expect(await used()).toEqual([NPM_KEYS]);

    place.serve(edition(2, newerKeys()));
    await refreshTrust(deps);
    const changed = await fileOf('npm');
    expect(changed).toMatchObject({ state: 'changed', pinned: { digest: NPM_KEYS } });
    expect(changed?.changes).toEqual(trustChanges(npmKeys, newerKeys()));
    expect(await used()).toEqual([NPM_KEYS]);
    expect(await events()).toEqual(['trust.changed', 'trust.changed', 'trust.changed']);

    await pin('npm', sha256(newerKeys()));
    expect(await used()).toEqual([sha256(newerKeys())]);
    await refreshTrust(deps);
    expect(await events()).toHaveLength(3);
  });

  it('is asked by a process that scans, as it starts', async () => {
    place.serve(edition(1));
    const { pool, drop } = await freshDatabase(server);
    const data = join(tmp, 'data');
    const { host, user, database } = pool.options;
    const { PATH = '' } = process.env;
    const config = loadConfig({
      ...{
        PATH,
        HOME: tmp,
        LOCKKEEPER_DATA: data,
        LOCKKEEPER_ROLE: 'scanner',
        LOCKKEEPER_LOG_LEVEL: 'silent',
      },
      ...{
        LOCKKEEPER_GITHUB: 'none',
        LOCKKEEPER_TUF: place.url,
        LOCKKEEPER_TUF_ROOT: join(tmp, 'root.json'),
      },
      LOCKKEEPER_TUF_TARGETS: `npm=${NPM_PATH}`,
      DATABASE_URL: `postgres://${user}@/${database}?host=${encodeURIComponent(host ?? '')}`,
    });
    const scanner = await startRegistry(config, { log: () => undefined });
    try {
      await until(async () => (await repositoryState(pool)) !== null);
      expect(await repositoryState(pool)).toMatchObject({ repository: place.url, code: null });
      expect(await listTrustFiles(pool)).toMatchObject([{ name: 'npm', digest: NPM_KEYS }]);
      expect(existsSync(join(data, 'blobs', NPM_KEYS.slice(7, 9), NPM_KEYS.slice(9)))).toBe(true);
    } finally {
      await scanner.close();
      await drop();
    }
  });

  it('is compared with what people laid down, which reviewers can read from then on', async () => {
    const trustRoots = join(tmp, 'roots');
    mkdirSync(trustRoots);
    const laid = Buffer.concat([sigstore, Buffer.from('\n')]);
    writeFileSync(join(trustRoots, 'laid-down'), laid);
    await pin('laid', sha256(laid));
    expect(await fileOf('laid')).toMatchObject({ state: 'kept', pinned: { bytes: null } });
    await refreshTrust({ ...deps, tuf: null, trustRoots });
    expect(await fileOf('laid')).toMatchObject({ pinned: { bytes: laid.toString('base64') } });
  });

  it('may change its own keys: each root is signed by the one before', async () => {
    place.serve(edition(1));
    await refreshTrust(deps);
    const one = place.rotate('root');
    place.answers.set('/2.root.json', place.root(2, 365, [one]));
    place.serve(edition(2, newerKeys()));
    await refreshTrust(deps);
    expect((await fileOf('npm'))?.offered?.digest).toBe(sha256(newerKeys()));
    // The reading begins from the newest root that was verified, not from the first one again.
    place.asked.length = 0;
    await refreshTrust(deps);
    expect(place.asked.filter((path) => path.endsWith('.root.json'))).toEqual(['/3.root.json']);
  });

  it('tells when it is read from another root.json, of which no older version is remembered', async () => {
    place.serve(edition(1));
    await refreshTrust(deps);
    const told = (await events()).length;
    const [one, two] = [readFileSync(join(tmp, 'root.json')), place.root(1, 300)];
    // Back to the first one as well: what the second one had is not held against it.
    for (const [turn, root] of [two, one, two].entries()) {
      writeFileSync(join(tmp, 'root.json'), root);
      await refreshTrust(deps);
      await refreshTrust(deps);
      expect((await events()).slice(told)).toEqual(Array(turn + 1).fill('trust.begun-anew'));
    }
    const { rows } = await registry.pool.query(
      `select detail from events where action = 'trust.begun-anew' order by id desc limit 1`,
    );
    expect(rows).toEqual([{ detail: { root: sha256(two), before: sha256(one) } }]);
  });

  it('is read on a person’s own machine: what is pinned by the root, what changes by the bytes', async () => {
    place.serve(edition(1));
    await refreshTrust(deps);
    await pin('npm', NPM_KEYS);
    place.serve(edition(2, newerKeys()));
    await refreshTrust(deps);
    const shown = await view();
    const { body: roots } = await registry.call('alice', 'GET', '/v1/trust');
    const { rootKeys, threshold } = roots;
    const context = async (answer: TrustFilesView): Promise<Context> => {
      const home = machine();
      const url = 'http://127.0.0.1:7411';
      const expires = new Date(Date.now() + 3_600_000).toISOString();
      await home.home.remember({ registry: url, person: 'alice', token: 't', expires, rootKeys, threshold });
      const call = async (route: string): Promise<unknown> => (route === 'trust' ? roots : answer);
      const api = { registry: url, token: 't', call } as unknown as Api;
      return { ...home, now: () => new Date(), cwd: tmp, api: async () => api };
    };
    const told = await trust.run(await context(shown), [], {});
    if (!told) throw new Error('no answer');
    expect(told.text).toContain('npm: the repository has another one, which waits for the root holders');
    for (const line of trustChanges(npmKeys, newerKeys())) expect(told.text).toContain(line);
    expect(told.text).toContain(`--trust-root npm=${sha256(newerKeys())}`);

    // A registry that calls the new one pinned, or shows the bytes of another, persuades nobody.
    const npm = shown.files.find(({ name }) => name === 'npm');
    const rest = shown.files.filter((file) => file !== npm);
    const lie = { ...npm, state: 'used', pinned: npm?.offered, changes: [] } as typeof npm & object;
    const { bytes = '', digest = '' } = npm?.offered ?? {};
    const persuaded = { ...shown, files: [{ ...lie, pinned: { bytes, digest } }, ...rest] };
    expect((await trust.run(await context(persuaded), [], {}))?.text).toContain(
      'npm: the repository has another one',
    );
    const forged = { ...npm, offered: { ...npm?.offered, bytes: Buffer.from('{}').toString('base64') } };
    const files = [forged as typeof npm & object, ...rest];
    await expect(trust.run(await context({ ...shown, files }), [], {})).rejects.toMatchObject({
      code: 'ARTIFACT_MISMATCH',
    });

    await trust.run(await context(shown), ['save', 'npm', 'keys.json'], {});
    expect(readFileSync(join(tmp, 'keys.json'))).toEqual(newerKeys());
    await expect(trust.run(await context(shown), ['save', 'other', 'x'], {})).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(trust.run(await context(shown), ['approve'], {})).rejects.toMatchObject({ code: 'USAGE' });
  });

  describe.each<[string, (place: TufPlace) => void, RegExp]>([
    ['an older timestamp', (at) => at.serve(edition(1)), /version 1 is less than current version 2/],
    [
      'an expired timestamp',
      (at) => at.serve({ ...edition(3), days: { timestamp: -1 } }),
      /timestamp.json is expired/,
    ],
    [
      'an expired snapshot',
      (at) => at.serve({ ...edition(3), days: { snapshot: -1 } }),
      /snapshot.json is expired/,
    ],
    [
      'expired targets',
      (at) => at.serve({ ...edition(3), days: { targets: -1 } }),
      /targets.json is expired/,
    ],
    ['an expired delegation', (at) => at.serve({ ...edition(3), days: { npm: -1 } }), /npm.json is expired/],
    [
      'an expired root',
      (at) => {
        at.answers.set('/2.root.json', at.root(2, -1));
        at.serve(edition(3));
      },
      /root.json is expired/,
    ],
    [
      'a root signed by another',
      (at) => {
        at.rotate('root');
        at.answers.set('/2.root.json', at.root(2));
      },
      /root was signed by 0\/1 keys/,
    ],
    [
      'a root that skips one',
      (at) => void at.answers.set('/2.root.json', at.root(3)),
      /Expected version 2, got 3/,
    ],
    [
      'a timestamp signed by another',
      (at) => {
        at.rotate('timestamp');
        at.serve(edition(3, newerKeys()));
      },
      /timestamp was signed by 0\/1 keys/,
    ],
    [
      'a delegation signed by another',
      (at) => {
        at.serve(edition(3, newerKeys()));
        const targets = at.answers.get('/3.targets.json') ?? null;
        at.rotate('npm');
        at.serve(edition(3, newerKeys()));
        at.answers.set('/3.targets.json', targets);
      },
      /npm was signed by 0\/1 keys/,
    ],
    [
      'a file that is another than named',
      (at) => {
        at.serve(edition(3, newerKeys()));
        const [path] = [...at.answers.keys()].filter((one) => one.endsWith('.keys.json')).slice(-1);
        at.answers.set(path ?? '', Buffer.from(newerKeys().toString().replace('made-up', 'made-UP')));
      },
      /Expected hash/,
    ],
    ['a file that is no trust file', (at) => at.serve(edition(3, Buffer.from('{"a":1}'))), /neither/],
    ['a file too large', (at) => at.serve(edition(3, Buffer.alloc(300_000, ' '))), /300000 bytes/],
    [
      'a file that is gone',
      (at) => at.serve({ version: 3, files: { 'trusted_root.json': sigstore } }),
      /it has no/,
    ],
    ['text that is no JSON', (at) => void at.answers.set('/timestamp.json', Buffer.from('<html>')), /JSON/],
    ['JSON of another shape', (at) => void at.answers.set('/timestamp.json', Buffer.from('[]')), /./],
  ])('%s', (_, spoil, found) => {
    it('is refused with its reason, and everything stays as it was', async () => {
      place.serve(edition(1));
      await refreshTrust(deps);
      place.serve(edition(2));
      await refreshTrust(deps);
      const as = await stored();
      const readAt = (await view()).readAt;
      spoil(place);
      await refreshTrust(deps);
      await refreshTrust(deps);
      const after = await view();
      expect(after.problem).toMatchObject({ code: 'TRUST_REFUSED', message: expect.stringMatching(found) });
      expect(after.readAt).toBe(readAt);
      expect(await stored()).toEqual(as);
      expect((await events()).filter((action) => action === 'trust.refused')).toHaveLength(1);
      expect((await fileOf('npm'))?.offered?.digest).toBe(NPM_KEYS);
    });
  });

  it.each<[string, (place: TufPlace) => void]>([
    ['has nothing', (at) => at.answers.clear()],
    ['is silent', (at) => void (at.silent = true)],
    ['answers without an end', (at) => void at.answers.set('/timestamp.json', Buffer.alloc(20_000, ' '))],
    ['lacks a file that it names', (at) => void at.answers.delete('/1.snapshot.json')],
  ])('that %s is not read, which is thrown so that it is tried again', async (_, spoil) => {
    place.serve(edition(1));
    spoil(place);
    await expect(refreshTrust({ ...deps, tufLimits: { answerMs: 300 } })).rejects.toMatchObject({
      code: 'TRUST_UNREACHABLE',
    });
    expect(await view()).toMatchObject({ readAt: null, problem: { code: 'TRUST_UNREACHABLE' } });
    expect((await view()).files.filter(({ offered }) => offered !== null)).toEqual([]);
    expect(await events()).toEqual(['trust.unreachable']);
  });

  it('the settings belong together and name nothing by themselves', () => {
    expect(loadConfig({})).toMatchObject({ tuf: null, tufCron: '43 */6 * * *' });
    const given = { LOCKKEEPER_TUF: 'https://tuf.example/', LOCKKEEPER_TUF_ROOT: '/etc/tuf/root.json' };
    expect(loadConfig(given).tuf).toEqual({
      url: 'https://tuf.example',
      root: '/etc/tuf/root.json',
      targets: [{ name: 'sigstore', path: 'trusted_root.json' }],
    });
    const two = { ...given, LOCKKEEPER_TUF_TARGETS: `sigstore=trusted_root.json,npm=${NPM_PATH}` };
    expect(loadConfig(two).tuf?.targets.at(-1)).toEqual({ name: 'npm', path: NPM_PATH });
    for (const bad of [
      { LOCKKEEPER_TUF: 'https://tuf.example' },
      { LOCKKEEPER_TUF_ROOT: '/etc/tuf/root.json' },
      { ...given, LOCKKEEPER_TUF: 'ftp://tuf.example' },
      { ...given, LOCKKEEPER_TUF_TARGETS: 'npm=../keys.json/../../../../x' },
      { ...given, LOCKKEEPER_TUF_TARGETS: 'npm=a,npm=b' },
      { ...given, LOCKKEEPER_TUF_CRON: '99 * * * *' },
    ])
      expect(() => loadConfig(bad)).toThrow(/LOCKKEEPER_TUF/);
  });
});

it.each([
  [404, undefined],
  [403, undefined],
  [500, 'TRUST_UNREACHABLE'],
])('a next root that is answered with %i is %s', async (status, code) => {
  const server = createServer((_, response) => response.writeHead(status).end());
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const fetcher = new BoundedFetcher(tmpdir(), { answerMs: PATIENCE_MS, allMs: PATIENCE_MS });
  const { port } = server.address() as { port: number };
  await expect(fetcher.downloadBytes(`http://127.0.0.1:${port}/2.root.json`, 10)).rejects.toThrow();
  server.close();
  expect(fetcher.failure?.code).toBe(code);
});
