import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readSdist } from '../../runtime/store/sdist.ts';
import { builtWheels } from '../../scanner/checks/built.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { integrity } from '../../scanner/checks/integrity.ts';
import { fileReader } from '../../scanner/files.ts';
import { pypiSource } from '../../scanner/pypi/source.ts';
import { pypiVersions } from '../../scanner/pypi/versions.ts';
import { builtLine } from '../../scanner/render/built.ts';
import { scan } from '../../scanner/scan.ts';
import type { Artifact } from '../../schemas/release.ts';
import { type Member, sdistOf } from '../helpers/sdists.ts';
import { bytesOf } from '../helpers/signature-bundles.ts';
import { wheelOf, zipOf } from '../helpers/wheels.ts';
import { baselineOf, checkOf, firedIn, processesWith, refusalOf, requestFor } from './harness.ts';
import { SOURCE, served, server } from './pypi-place.ts';
import { BACKEND, builtFrom, words } from './sdist-place.ts';
import { trustOf } from './signed-place.ts';

const needing = server({ requires: ['acme-words>=2'] });
const FOREIGN = `${BACKEND.replace("open('acme_words.py').read()", "''")}
def build_wheel(out, settings=None, metadata=None):
    return wheel(out, name='pypi_attestations', version='0.0.19')
__legacy__ = sys.modules[__name__]
`;
const SDIST = 'pkg:pypi/acme-words@2.0.1?file_name=acme_words-2.0.1.tar.gz';

describe('a dependency with a source archive alone', () => {
  it('is built twice in the sandbox, and what was built is locked and runs', async () => {
    const source = words();
    const { ports } = await served([needing, source]);
    const result = await scan(requestFor(SOURCE), ports);
    const [, built] = result.closure.artifacts;
    expect(built).toMatchObject({
      location: 'wheels/acme_words-2.0.1-py3-none-any.whl',
      purl: 'pkg:pypi/acme-words@2.0.1',
      built: {
        source: { location: `sdists/${source.file}`, purl: SDIST, size: source.bytes.length },
        ...{ backend: 'own', inTree: ['tools'], requires: [], reproducible: true },
      },
    });
    expect(await ports.blobs.get(built?.built?.source.sha256 ?? '')).toEqual(source.bytes);
    expect(firedIn(result, 'LK-ART-02')).toEqual([
      `${SDIST} runs its own code when it is built: tools/own.py`,
    ]);
    const [finding] = [checkOf(result, 'LK-ART-02')].flatMap((one) =>
      one.outcome === 'fired' ? one.findings : [],
    );
    expect(finding?.evidence).toMatchObject([
      { path: 'pyproject.toml', line: 4 },
      { path: 'tools/own.py', line: 2 },
    ]);
    expect(result.report.closure).toMatchObject({
      ...{ artifacts: 2, verified: 2 },
      built: [{ purl: 'pkg:pypi/acme-words@2.0.1', from: SDIST, reproducible: true }],
    });
    const told = 'from source in a sandbox: acme-words@2.0.1 (twice the same)';
    expect(builtLine(result.report.closure.built ?? [])).toBe(told);
    expect(checkOf(result, 'LK-ART-03')).toMatchObject({
      ...{ outcome: 'ok', gates: true },
      note: `built in a sandbox, each twice with the same bytes: acme-words from ${source.file}`,
    });

    // Built anew with other tools, it has other bytes: told, and not as if a version had changed.
    const before = baselineOf(result);
    const [own, last] = before.closure.artifacts as [Artifact, Artifact];
    const baseline = {
      ...before,
      closure: { ...before.closure, artifacts: [own, { ...last, sha256: own.sha256 }] },
    };
    const { closure } = result;
    const facts = { closure, baseline, files: fileReader(closure.artifacts, ports.blobs), unpromised: [] };
    expect((await integrity.run(facts as unknown as Facts)).outcome).toBe('ok');
    const message = expect.stringContaining('built anew from the same source') as string;
    expect(await builtWheels.run(facts as unknown as Facts)).toMatchObject({ findings: [{ message }] });
  });

  it('is told of for what it makes up, and for being another each time', async () => {
    const data = 'acme_words-2.0.1.data/data/etc/x';
    const extra = `{'other.py': 'X = %d' % os.urandom(8)[0], 'evil.pth': 'import other', '${data}': 'x'}`;
    const { ports } = await served([
      needing,
      words({ build: `import subprocess\nsubprocess.call(['true'])\nreturn wheel(out, extra=${extra})` }),
    ]);
    const result = await scan(requestFor(SOURCE), ports);
    expect(firedIn(result, 'LK-ART-03')).toEqual([
      'pkg:pypi/acme-words@2.0.1 is another wheel each time it is built; one of them is pinned',
      `pkg:pypi/acme-words@2.0.1 has files that its source archive has not: ${data}, evil.pth, other.py`,
    ]);
    const sbom = JSON.parse((await ports.blobs.get(result.report.evidence.sbom ?? '')).toString('utf8'));
    expect(sbom.components[0].pedigree.ancestors).toMatchObject([{ name: 'acme-words', purl: SDIST }]);
    expect(firedIn(result, 'LK-ART-02').join('\n')).toMatch(
      /evil\.pth, which runs code[\s\S]*not laid out[\s\S]*tools\/own\.py, which reaches programs/,
    );
  });

  it('is found where several versions of a package ask for it, each in its own words', async () => {
    const { ports } = await served([
      server({ requires: ['acme-text'] }),
      wheelOf({ name: 'acme-text', version: '1.0.0', requires: ['acme-words==2.0.1'] }),
      wheelOf({ name: 'acme-text', version: '1.1.0', requires: ['acme-words>=2,<3'] }),
      words(),
    ]);
    const { closure } = await pypiSource(requestFor(SOURCE).submission, ports);
    expect(closure.artifacts.map(({ location, built }) => [location, built !== undefined])).toEqual([
      ['wheels/acme_text-1.1.0-py3-none-any.whl', false],
      ['wheels/acme_time-1.0.0-py3-none-any.whl', false],
      ['wheels/acme_words-2.0.1-py3-none-any.whl', true],
    ]);
  }, 60_000);
});

describe('a server with a source archive alone', () => {
  it('is found by its name', async () => {
    const { ports } = await served([words()]);
    const options = await ports.pypi?.();
    expect(options && (await pypiVersions('acme-words', options))).toMatchObject([{ version: '2.0.1' }]);
  });

  it('is what its attestation has to be about: the source, not the wheel', async () => {
    const file = 'pypi_attestations-0.0.19.tar.gz';
    const bytes = bytesOf(`pypi-attestations/${file}`);
    const attestation = JSON.parse(bytesOf(`pypi-attestations/${file}.publish.attestation`).toString('utf8'));
    const publisher = { kind: 'GitHub', repository: 'trailofbits/pypi-attestations' };
    const bundles = { version: 1, attestation_bundles: [{ publisher, attestations: [attestation] }] };
    const backend = wheelOf({
      name: 'setuptools',
      version: '99.0.0',
      files: { 'setuptools/__init__.py': '', 'setuptools/build_meta.py': FOREIGN },
    });
    const { ports } = await served([
      { name: 'pypi-attestations', file, bytes, attestations: Buffer.from(JSON.stringify(bundles)) },
      backend,
    ]);
    const submission = { ...requestFor(SOURCE).submission, source: 'pypi:pypi-attestations@0.0.19' };
    const { closure, attested } = await pypiSource(submission, ports);
    const [own] = closure.artifacts;
    const archive = await ports.blobs.get(own?.sha256 ?? '');
    expect(own?.built?.requires).toMatchObject([{ purl: 'pkg:pypi/setuptools@99.0.0' }]);
    const known = { upstream: '', archive, files: [], trust: trustOf() };
    expect((await attested(known)).attested.publish).toMatchObject({ state: 'held' });
  });
});

const REFUSED: Readonly<Record<string, readonly [Parameters<typeof words>[0], RegExp]>> = {
  'ends by itself': [{ build: "sys.exit('no luck today')" }, /ended with 1; .*no luck today/],
  'never ends': [{ build: 'import time\nwhile True: time.sleep(9)' }, /no end within 3 s/],
  'makes processes without end': [
    { build: 'while True: os.fork()' },
    /ended with|no end within|without a wheel/,
  ],
  'writes outside': [{ build: "open('/usr/evil', 'w')" }, /Read-only file system/],
  'writes over what builds it': [{ build: "open('/app/bundle/build.py', 'w')" }, /Read-only file system/],
  'kills what started it': [
    { build: 'import time\nos.kill(os.getppid(), 9)\ntime.sleep(9)' },
    /without a wheel/,
  ],
  'prints a gigabyte': [
    { build: "for _ in range(16384): print('x' * 65536)" },
    /more than 16777216 bytes of words/,
  ],
  'speaks in the place of its parent': [
    { build: "open('/proc/%d/fd/1' % os.getppid(), 'w').write('{}\\n')\nreturn wheel(out)" },
    /ended with 1|without a wheel/,
  ],
  'fills the disk': [
    { build: "with open('big', 'wb') as f:\n  while True: f.write(bytes(1 << 24))" },
    /No space left/,
  ],
  'makes another package': [
    { build: "return wheel(out, name='acme_other')" },
    /another package or version, "acme_other-2/,
  ],
  'makes another version': [
    { build: "return wheel(out, version='2.0.2')" },
    /another package or version, .*2\.0\.2/,
  ],
  'makes two wheels': [{ build: "wheel(out, name='acme_other')\nreturn wheel(out)" }, /several files/],
  'needs a compiler, also where there is one': [
    { build: "import subprocess\nsubprocess.check_call([os.environ['CC'], '--version'])" },
    /no-compiler-in-the-sandbox/,
  ],
  'makes no wheel': [{ build: "return 'acme_words-2.0.1-py3-none-any.whl'" }, /no wheel; it said nothing/],
  'makes a link': [
    { build: "os.symlink('/etc/passwd', os.path.join(out, 'acme_words-2.0.1-py3-none-any.whl'))" },
    /without a wheel/,
  ],
  'makes a wheel for one machine': [
    { build: "return wheel(out, tag='cp311-cp311-linux_x86_64')" },
    /one kind of machine/,
  ],
  'makes a wheel whose RECORD lies': [{ build: "return wheel(out, record=lambda text: '')" }, /RECORD/],
  'makes a wheel that leaves its folder': [
    { build: "return wheel(out, extra={'../x.py': ''})" },
    /plain paths/,
  ],
  'is loaded from outside': [
    { pyproject: '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["../../app"]\n' },
    /backend-path leaves the source/,
  ],
  'is named in no words': [{ pyproject: '[build-system]\nrequires = "x"\n' }, /no such thing/],
  'cannot be read': [{ pyproject: '[build-system\n' }, /pyproject.toml that cannot be read/],
  'needs an address': [
    { pyproject: '[build-system]\nrequires = ["evil @ https://evil.example/evil.tar.gz"]\n' },
    /evil.tar.gz" as a requirement/,
  ],
  'needs an option': [
    { pyproject: '[build-system]\nrequires = ["--index-url=https://evil.example"]\n' },
    /as a requirement/,
  ],
};

describe('a source archive is refused, and nothing of it stays, whose build', () => {
  it.each(Object.entries(REFUSED))('%s', async (title, [spec, said]) => {
    const quick = /never|without end/.test(title);
    const refused = await refusalOf(builtFrom(words(spec), quick ? { buildMs: 3000 } : {}));
    expect(refused.code).toMatch(/^(?:BUILD_FAILED|ARCHIVE_HOSTILE)$/);
    expect(`${refused.expected}; ${refused.found}`).toMatch(said);
    expect(processesWith('/app/sdists/acme_words-2.0.1.tar.gz')).toEqual([]);
  });

  it('asks the network: nobody hears of it', async () => {
    let heard = 0;
    const listener = createServer(() => heard++).listen(0, '127.0.0.1');
    onTestFinished(() => void listener.close());
    const { port } = await new Promise<AddressInfo>((resolve) =>
      listener.once('listening', () => resolve(listener.address() as AddressInfo)),
    );
    const build = `import socket\nsocket.create_connection(('127.0.0.1', ${port}), 5)`;
    expect((await refusalOf(builtFrom(words({ build })))).found).toMatch(/ended with 1; .*refused/);
    expect(heard).toBe(0);
  });
});

describe('what builds it', () => {
  const asking = (text: string) =>
    `def get_requires_for_build_wheel(settings=None):\n    return ['${text}']\n`;

  it('is locked by digest, also where the backend asks for it', async () => {
    const tool = wheelOf({ name: 'acme-tool', files: { 'acme_tool.py': 'X = 1\n' } });
    const source = words({ beside: asking('acme-tool>=1'), build: 'import acme_tool\nreturn wheel(out)' });
    const { artifact, tools } = await builtFrom(source, { others: [tool] });
    expect(artifact.built?.requires).toMatchObject([
      { location: `wheels/${tool.file}`, size: tool.bytes.length },
    ]);
    expect(tools.map((one) => one.artifact.sha256)).toEqual(
      artifact.built?.requires.map((one) => one.sha256),
    );
  });

  it('is refused by name where it would have to be built itself', async () => {
    const tool = sdistOf({ name: 'acme-tool', files: { 'setup.py': '' } });
    const refused = await refusalOf(builtFrom(words({ beside: asking('acme-tool') }), { others: [tool] }));
    expect(refused).toMatchObject({
      code: 'CLOSURE_INCOMPLETE',
      expected: 'a wheel of acme-tool, which is needed to build acme-words@2.0.1',
      found: 'only "acme_tool-1.0.0.tar.gz"',
    });
  });
});

const HOSTILE: Readonly<Record<string, readonly [Member | null, RegExp]>> = {
  'a path that leaves': [{ path: 'acme-1.0/../../x', bytes: 'x' }, /leaves the folder/],
  'an absolute path': [{ path: '/etc/x', bytes: 'x' }, /absolute/],
  'a link': [{ path: 'acme-1.0/x', type: 'SymbolicLink', linkpath: '/etc/passwd' }, /SymbolicLink/],
  'a hard link': [{ path: 'acme-1.0/x', type: 'Link', linkpath: 'acme-1.0/PKG-INFO' }, /Link/],
  'a pipe': [{ path: 'acme-1.0/x', type: 'FIFO' }, /FIFO/],
  'a file that is too large': [{ path: 'acme-1.0/x', bytes: Buffer.alloc(70_000_000) }, /70000000 bytes/],
};

describe('a source archive is not unpacked with', () => {
  it.each(Object.entries(HOSTILE))('%s', async (_, [member, said]) => {
    const { bytes } = sdistOf({ name: 'acme', version: '1.0', members: member ? [member] : [] });
    const refused = await refusalOf(readSdist(bytes, 'acme-1.0.tar.gz'));
    expect(refused).toMatchObject({ code: 'ARCHIVE_HOSTILE' });
    expect(refused.found).toMatch(said);
  });

  it('metadata of another package, or none, or two folders, or bytes of another kind', async () => {
    const info = 'Name: other\nVersion: 1.0\n';
    const files = { 'x.py': 'X = 1' };
    const zip = zipOf([
      { path: 'a/PKG-INFO', bytes: info },
      { path: 'b/x', bytes: '' },
    ]);
    const found: Readonly<Record<string, readonly [Buffer, string]>> = {
      'a PKG-INFO of this package': [sdistOf({ name: 'acme', info }).bytes, 'acme-1.0.0.tar.gz'],
      'a PKG-INFO in its one folder': [
        sdistOf({ name: 'acme', files, info: null }).bytes,
        'acme-1.0.0.tar.gz',
      ],
      'one folder': [zip, 'acme-1.0.zip'],
      'packed again': [gzipSync(gzipSync('x')), 'acme-1.0.tar.gz'],
    };
    for (const [said, [bytes, file]] of Object.entries(found)) {
      const { code, message } = await refusalOf(readSdist(bytes, file));
      expect([code, message]).toEqual(['ARCHIVE_HOSTILE', expect.stringContaining(said)]);
    }
  });

  it('is as good as a zip', async () => {
    const zip = zipOf([
      { path: 'acme-1.0/PKG-INFO', bytes: 'Name: Acme\nVersion: 1.0\n' },
      { path: 'acme-1.0/x.py', bytes: 'X = 1' },
    ]);
    expect((await readSdist(zip, 'Acme-1.0.zip')).map(({ path }) => path)).toEqual(['PKG-INFO', 'x.py']);
  });
});
