import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { bubblewrap } from '../../runtime/isolation/bubblewrap.ts';
import { machinePython } from '../../runtime/python/machine.ts';
import { materialise } from '../../runtime/store/materialise.ts';
import { indexClient } from '../../scanner/pypi/http.ts';
import { pypiOptionsOf, settingsIn } from '../../scanner/pypi/options.ts';
import { scan } from '../../scanner/scan.ts';
import { purlOfSubmission } from '../../scanner/submission.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { type Listed, startPypiIndex } from '../helpers/pypi-index.ts';
import { sdistOf } from '../helpers/sdists.ts';
import { type Wheel, wheelOf } from '../helpers/wheels.ts';
import { checkOf, firedIn, processesWith, refusalOf, requestFor } from './harness.ts';
import { CODE, place, SOURCE, served, server } from './pypi-place.ts';

describe.each(['json', 'html'] as const)('a server of an index that speaks %s', (form) => {
  it('is resolved, verified, started and read', async () => {
    const needed = wheelOf({
      name: 'acme-words',
      version: '2.0.1',
      files: { 'acme_words.py': "WORD = 'again'\n" },
    });
    const code = `from acme_words import WORD\n${CODE.replace("'Says it again'", "'Says it ' + WORD")}`;
    const { ports, dir } = await served([server({ requires: ['Acme_Words>=2'] }, code), needed], form);
    const result = await scan(requestFor(SOURCE), ports);
    const python = await machinePython();
    expect(result.closure.artifacts.map(({ location, purl }) => [location, purl])).toEqual([
      ['wheels/acme_time-1.0.0-py3-none-any.whl', 'pkg:pypi/acme-time@1.0.0'],
      ['wheels/acme_words-2.0.1-py3-none-any.whl', 'pkg:pypi/acme-words@2.0.1'],
    ]);
    expect(result.launch).toEqual({
      transport: 'stdio',
      command: ['python', 'acme_time:main', 'acme-time'],
      projectArgs: false,
      python: { version: python.version.replace(/\.\d+$/, ''), abi: python.abi, libc: null },
    });
    expect(result.surface.tools).toMatchObject({ echo: { description: 'Says it again' } });
    expect(result.report.closure).toMatchObject({ artifacts: 2, verified: 2 });
    expect(checkOf(result, 'LK-REL-01').outcome).toBe(form === 'json' ? 'ok' : 'unknown');
    expect(checkOf(result, 'LK-CAP-01').outcome).toBe('ok');
    expect(checkOf(result, 'LK-MNT-01').outcome).toBe('unknown');
    const again = await materialise(result.closure, ports.blobs, join(dir, 'trees'));
    expect(again.built).toBe(false);
    expect(existsSync(join(again.appDir, 'site-packages/acme_words.py'))).toBe(true);
  });
});

const OTHER = wheelOf({ name: 'acme-words', tag: 'cp27-cp27m-win32' });
const evil = server({}, "import os\nos.mkdir('/tmp/evil')\n");
const needing = (...requires: string[]): Wheel => server({ requires });

const ARCHIVE = join(mkdtempSync(join(tmpdir(), 'lk-sdist-')), 'acme-words-1.0.0.tar.gz');
const RAN = join(ARCHIVE, '../ran');
afterAll(() => rmSync(join(ARCHIVE, '..'), { recursive: true, force: true }));
writeFileSync(
  ARCHIVE,
  sdistOf({ name: 'acme-words', files: { 'setup.py': `open(${JSON.stringify(RAN)}, 'w')\n` } }).bytes,
);

const REFUSED: Readonly<Record<string, readonly [readonly Listed[], string, string]>> = {
  'other bytes than were promised': [
    [{ ...server(), served: evil.bytes }],
    'ARTIFACT_MISMATCH',
    'digests that the package index promises.*do not use this release',
  ],
  'a source archive that is none': [
    [{ ...sdistOf({ name: 'acme-time' }), bytes: Buffer.from('setup.py') }],
    'ARCHIVE_HOSTILE',
    'acme_time-1.0.0.tar.gz: a whole tar archive',
  ],
  'a source archive that was withdrawn': [
    [needing('acme-words'), { ...sdistOf({ name: 'acme-words' }), yanked: 'stolen key' }],
    'CLOSURE_INCOMPLETE',
    'withdrawn.*stolen key',
  ],
  'a source archive for another Python': [
    [needing('acme-words'), { ...sdistOf({ name: 'acme-words' }), requires: '<3' }],
    'CLOSURE_INCOMPLETE',
    'acme-words for Python.*source archive.*acme_words-1.0.0.tar.gz',
  ],
  'a dependency for another platform': [
    [needing('acme-words'), OTHER],
    'CLOSURE_INCOMPLETE',
    'acme-words for Python.*cp27-cp27m-win32',
  ],
  'a dependency that is nowhere': [
    [needing('acme-words')],
    'CLOSURE_INCOMPLETE',
    'no such package in the index',
  ],
  'a dependency at a direct address': [
    [needing('acme-words @ file:///etc/acme_words-1.0.0-py3-none-any.whl')],
    'CLOSURE_INCOMPLETE',
    '(direct address|resolved by pip)',
  ],
  'a source archive at a direct address, whose code does not run': [
    [needing(`acme-words @ ${pathToFileURL(ARCHIVE)}`)],
    'CLOSURE_INCOMPLETE',
    'its code is not run here',
  ],
  'versions that do not go together': [
    [needing('acme-words==1.0.0', 'acme-words==2.0.0'), wheelOf({ name: 'acme-words' })],
    'CLOSURE_INCOMPLETE',
    'resolved by pip',
  ],
  'a withdrawn version': [
    [{ ...server(), yanked: 'stolen key' }],
    'CLOSURE_INCOMPLETE',
    'withdrawn.*stolen key',
  ],
  'another version': [
    [server({ version: '1.0.1' })],
    'SOURCE_INVALID',
    'other versions alone, such as 1.0.1',
  ],
  'nothing of that name': [[], 'SOURCE_INVALID', 'no such package'],
  'no script': [[server({ scripts: {} })], 'CLOSURE_INCOMPLETE', 'one console script'],
  'several scripts, none named like it': [
    [server({ scripts: { one: 'acme_time:main', two: 'acme_time:main' } })],
    'CLOSURE_INCOMPLETE',
    'several: "one", "two"',
  ],
  'a script that is no object': [
    [server({ scripts: { 'acme-time': "os:system('x')" } })],
    'CLOSURE_INCOMPLETE',
    'as module:object',
  ],
  'a dependency that writes over it': [
    [needing('acme-words'), wheelOf({ name: 'acme-words', files: { 'acme_time/__init__.py': 'evil' } })],
    'ARCHIVE_HOSTILE',
    'over something that is there',
  ],
  'a wheel that leaves its folder': [
    [server({ files: { '../../x': 'x' } })],
    'ARCHIVE_HOSTILE',
    'plain paths',
  ],
  'a dependency whose RECORD lies': [
    [needing('acme-words'), wheelOf({ name: 'acme-words', record: () => '' })],
    'ARCHIVE_HOSTILE',
    'RECORD',
  ],
};

describe('a server of an index is refused, and never started, for', () => {
  it.each(Object.entries(REFUSED))('%s', async (_, [files, code, words]) => {
    const { ports, refusal } = await served(files);
    let started = 0;
    const start: typeof ports.driver.start = async (plan) => {
      started++;
      return bubblewrap({ nodePath: process.execPath }).start(plan);
    };
    Object.assign(ports, { driver: { ...ports.driver, start } });
    const { code: found, message } = await refusal();
    expect(found).toMatch(new RegExp(`^(?:${code})$`));
    expect(message).toMatch(new RegExp(words));
    expect(started).toBe(0);
    expect(existsSync(RAN)).toBe(false);
  });

  it('a dependency that is a file of this machine, as the index says', async () => {
    const words = wheelOf({ name: 'acme-words' });
    const own = join(mkdtempSync(join(tmpdir(), 'lk-own-')), words.file);
    writeFileSync(own, words.bytes);
    onTestFinished(() => rmSync(own));
    const { refusal } = await served([needing('acme-words'), { ...words, url: pathToFileURL(own).href }]);
    expect(await refusal()).toMatchObject({
      code: 'CLOSURE_INCOMPLETE',
      found: expect.stringContaining('on this machine'),
    });
  });

  it('bytes that change between the resolver and the fetch', async () => {
    const honest = server();
    const listed = { ...honest } as { -readonly [K in keyof Listed]: Listed[K] };
    const { ports, refusal, stored } = await served([listed]);
    const pypi = ports.pypi;
    Object.assign(ports, {
      pypi: async () => {
        const options = await pypi?.();
        // The index is honest to pip, which downloads first, and serves others from then on.
        let asked = 0;
        Object.defineProperty(listed, 'served', {
          get: () => (asked++ === 0 ? honest.bytes : evil.bytes),
          configurable: true,
        });
        return options;
      },
    });
    expect(await refusal()).toMatchObject({ code: 'ARTIFACT_MISMATCH' });
    expect(stored()).toBe(0);
  });
});

describe('an index that does not end', () => {
  it('is given up in time, and pip with it', async () => {
    const { url } = await startPypiIndex([server()], { silent: ({ agent }) => agent.startsWith('pip/') });
    const { ports, dir } = await place({ PIP_INDEX_URL: url });
    Object.assign(ports, { resolveMs: 4000 });
    const { code, message } = await refusalOf(scan(requestFor(SOURCE), ports));
    expect(code).toBe('CLOSURE_INCOMPLETE');
    expect(message).toContain('no end within 4 s');
    expect(processesWith(url)).toEqual([]);
    expect(readdirSync(dir).filter((name) => name.startsWith('resolve-'))).toEqual([]);
  });

  it('gives an answer that is too long, redirections in a circle, or a way elsewhere', async () => {
    const { url } = await startPypiIndex([], {
      moved: {
        '/simple/circle/': '/simple/circle/',
        '/simple/file/': 'file:///etc/passwd',
        '/simple/long/': '/long',
      },
    });
    const client = indexClient(await pypiOptionsOf({ ...process.env, PIP_INDEX_URL: url }));
    onTestFinished(() => client.close());
    const get = (path: string): Promise<LockkeeperError> =>
      refusalOf(client.get(`${url}/${path}/`, { accept: '*/*', maxBytes: 100_000, what: 'it' }));
    expect(await get('circle')).toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      found: 'more than 5 redirections',
    });
    expect(await get('file')).toMatchObject({ code: 'SOURCE_UNREACHABLE' });
    expect((await get('file')).found).toContain('no address of the web');
    expect(await get('long')).toMatchObject({
      code: 'CLOSURE_INCOMPLETE',
      expected: 'it in at most 100000 bytes',
    });
  });
});

describe('several indexes', () => {
  it('are all asked, and a name in two of them is refused', async () => {
    const own = await startPypiIndex([needing('acme-words')]);
    const words = wheelOf({ name: 'acme-words' });
    const other = await startPypiIndex([words]);
    const { ports } = await place({ PIP_INDEX_URL: own.url, PIP_EXTRA_INDEX_URL: other.url });
    expect((await scan(requestFor(SOURCE), ports)).closure.artifacts).toHaveLength(2);

    const inner = await startPypiIndex([needing('acme-words'), words]);
    const outer = await startPypiIndex([wheelOf({ name: 'acme-words', version: '99.0.0' })]);
    const confused = await place({ PIP_INDEX_URL: inner.url, PIP_EXTRA_INDEX_URL: outer.url });
    const { code, message } = await confused.refusal();
    expect(code).toBe('CLOSURE_INCOMPLETE');
    expect(message).toMatch(/acme-words in one of the 2 configured indexes; found it in 2 of them/);
    expect(confused.stored()).toBe(0);
  });

  it('show their credentials to themselves alone, and in no refusal', async () => {
    const { url, credentials } = await startPypiIndex([server()]);
    const secret = url.replace('//', '//ann:s3cret@');
    const { ports } = await place({ PIP_INDEX_URL: secret });
    await scan(requestFor(SOURCE), ports);
    expect(new Set(credentials)).toEqual(new Set([`Basic ${Buffer.from('ann:s3cret').toString('base64')}`]));
    const closed = await place({ PIP_INDEX_URL: 'http://ann:s3cret@127.0.0.1:1/simple' });
    const { code, message } = await closed.refusal();
    expect(code).toBe('SOURCE_UNREACHABLE');
    expect(message).not.toContain('s3cret');
  });

  it('that promise no digest give a finding for each wheel', async () => {
    const { ports } = await served([{ ...server(), sha256: null }]);
    expect(firedIn(await scan(requestFor(SOURCE), ports), 'LK-ART-01')).toEqual([
      'pkg:pypi/acme-time@1.0.0: its registry promises no digest; it is pinned by the bytes that came',
    ]);
  });

  it('are those that pip config names, in its order', async () => {
    const list =
      "global.index-url='https://a/simple'\ninstall.index-url='https://b'\n:env:.extra-index-url='https://c https://d'";
    expect([...settingsIn(list)]).toEqual([
      ['index-url', 'https://b'],
      ['extra-index-url', 'https://c https://d'],
    ]);
    const options = await pypiOptionsOf({
      ...process.env,
      PIP_INDEX_URL: 'https://a/s/',
      PIP_EXTRA_INDEX_URL: 'https://b',
    });
    expect(options.indexes).toEqual(['https://a/s', 'https://b']);
    expect(Object.keys(options.environment).filter((name) => name.startsWith('PIP_'))).toEqual([]);
  });
});

describe('a name of a package', () => {
  it.each([
    ['pypi:Acme_Time@1.0.0', 'pypi:acme-time@1.0.0'],
    ['pypi:acme-time@1.0.0.post1', ''],
    ['pypi:acme-time@>=1', ''],
    ['pypi:acme-time[extra]@1.0.0', ''],
    ['pypi:acme-time', ''],
    ['pypi:../x@1.0.0', ''],
  ])('%s is refused', async (source, next) => {
    const refused = await refusalOf(
      (async () => purlOfSubmission({ ...requestFor(SOURCE).submission, source }))(),
    );
    expect(refused.code).toBe('SOURCE_INVALID');
    expect(refused.next).toContain(next);
  });

  it('has a version that ranges can choose', () => {
    const of = (source: string, version: string): string =>
      purlOfSubmission({ ...requestFor(SOURCE).submission, source, version });
    expect(of('pypi:acme-time@0.6', '0.6.0')).toBe('pkg:pypi/acme-time@0.6');
    expect(of('pypi:acme-time@1.0rc1', '1.0.0-rc1')).toBe('pkg:pypi/acme-time@1.0rc1');
    expect(() => of('pypi:acme-time@0.6', '0.6')).toThrow('version 0.6.0');
  });
});
