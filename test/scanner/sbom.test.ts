/** What packages say of themselves, the bill of materials that is made of it, and the check of licences. */
import { describe, expect, it } from 'vitest';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { licences } from '../../scanner/checks/licences.ts';
import { namedTool, toolsOf } from '../../scanner/installed/built.ts';
import { isAllowed, licenceIn, licenceOfManifest } from '../../scanner/installed/licence.ts';
import { installedIn } from '../../scanner/installed/list.ts';
import { toldByManifest } from '../../scanner/installed/npm.ts';
import { fedAmong, type Installed, NOTHING_INSTALLED } from '../../scanner/installed/package.ts';
import { toldByMetadata } from '../../scanner/installed/python.ts';
import { judge } from '../../scanner/report.ts';
import { licencesIn, sbomBytes, sbomOf } from '../../scanner/sbom/sbom.ts';
import { scan } from '../../scanner/scan.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import { sha256 } from '../../schemas/json.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { type Artifact, closureDigest } from '../../schemas/release.ts';
import { REMOTE_LOCATION } from '../../schemas/remote.ts';
import { Sbom } from '../../schemas/sbom.ts';
import { assertValid } from '../../schemas/validate.ts';
import { cycloneDxErrors } from '../helpers/cyclonedx.ts';
import { baselineOf, firedIn, plain, requestFor, worldOf } from './harness.ts';

const OWN = { license: null, licenses: null };
const metadata = (...lines: string[]): Buffer =>
  Buffer.from(
    ['Metadata-Version: 2.4', 'Name: A.b', 'Version: 1.0', ...lines, '', 'License: MIT'].join('\n'),
  );

describe('a licence', () => {
  it.each<[unknown, string | null]>([
    ['MIT', 'MIT'],
    [' MIT\n', 'MIT'],
    ['(MIT OR Apache-2.0)', 'MIT OR Apache-2.0'],
    ['mit or (apache-2.0 and ISC)', null],
    ['MIT OR (Apache-2.0 AND ISC)', 'MIT OR (Apache-2.0 AND ISC)'],
    ['GPL-2.0-only WITH Classpath-exception-2.0', 'GPL-2.0-only WITH Classpath-exception-2.0'],
    ['GPL-2.0+', 'GPL-2.0+'],
    ['LicenseRef-acme', 'LicenseRef-acme'],
    ['mit', 'MIT'],
    ['The MIT License', 'MIT'],
    ['Apache License, Version 2.0', 'Apache-2.0'],
    ['Apache', null],
    ['BSD', null],
    ['GPL', null],
    ['UNLICENSED', null],
    ['SEE LICENSE IN x', null],
    ['', null],
    [7, null],
  ])('%j is %j', (text, expression) => {
    expect(licenceIn(text).expression).toBe(expression);
  });

  it('is none in words that are made to take long', () => {
    const start = performance.now();
    for (const text of ['('.repeat(400), 'MIT OR '.repeat(60_000), `${'MIT OR '.repeat(100)}MIT`])
      expect(licenceIn(text).expression).toBeNull();
    expect(performance.now() - start).toBeLessThan(1500);
  });

  it('is told as it is said where it is no expression, on one line and without what cannot be seen', () => {
    expect(licenceIn('Our own\u001b[2J\u202e terms\nand more').said).toBe('Our own [2J terms');
    expect(licenceIn('x'.repeat(10_000)).said).toHaveLength(100);
  });

  it.each<[JsonObject, string | null, string | null]>([
    [{ license: { type: 'ISC', url: 'x' } }, 'ISC', null],
    [{ licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }] }, 'MIT OR Apache-2.0', null],
    [{ licenses: ['MIT', 'MIT'] }, 'MIT', null],
    [{ licenses: [{ type: 'MIT AND ISC' }, 'Zlib'] }, '(MIT AND ISC) OR Zlib', null],
    [{ licenses: ['MIT', 'ours'] }, null, 'MIT, ours'],
    [{ license: ['MIT'] as Json }, 'MIT', null],
    [{ license: { toString: 'MIT' } }, null, null],
    [{ license: { type: { type: 'MIT' } } }, null, null],
    [JSON.parse('{"__proto__": {"license": "MIT"}}'), null, null],
    [{}, null, null],
  ])('of %j is %j', (manifest, expression, said) => {
    expect(licenceOfManifest({ ...OWN, ...manifest })).toEqual({ expression, said });
  });

  it.each<[string[], string | null]>([
    [['License-Expression: MIT OR Apache-2.0', 'License: BSD'], 'MIT OR Apache-2.0'],
    [['license: Apache 2.0'], 'Apache-2.0'],
    [['License: ISC', 'Classifier: License :: OSI Approved :: MIT License'], 'ISC'],
    [
      ['License: Copyright us\n        all rights', 'Classifier: License :: OSI Approved :: MIT License'],
      'MIT',
    ],
    [['Classifier: License :: OSI Approved :: BSD License'], null],
    [
      [
        'Classifier: License :: OSI Approved :: MIT License',
        'Classifier: License :: OSI Approved :: ISC License (ISCL)',
      ],
      null,
    ],
    [['Classifier: Topic :: License :: MIT'], null],
    [[], null],
  ])('of METADATA with %j is %j', (lines, expression) => {
    expect(toldByMetadata(metadata(...lines)).licence.expression).toBe(expression);
  });

  it('is on a list where one alternative is, and all of what holds together', () => {
    const list = new Set(['MIT', 'ISC', 'GPL-2.0-only WITH Classpath-exception-2.0']);
    const of = (text: string): boolean => isAllowed(text, list);
    expect(
      ['MIT', 'MIT OR GPL-3.0-only', 'GPL-2.0-only WITH Classpath-exception-2.0', 'MIT AND ISC'].map(of),
    ).toEqual([true, true, true, true]);
    expect(['Apache-2.0', 'MIT AND Apache-2.0', 'GPL-2.0-only', 'ours', ''].map(of)).toEqual(
      Array(5).fill(false),
    );
  });
});

describe('a package.json', () => {
  it.each([
    ['no JSON', 'hello'],
    ['a list', '[]'],
    ['text', '"x"'],
    ['too large', JSON.stringify({ name: 'a', version: '1', x: 'x'.repeat(2_000_000) })],
    ['deep', '['.repeat(100_000)],
  ])('that is %s tells nothing', (_, text) => {
    expect(toldByManifest(Buffer.from(text))).toBeNull();
  });

  it('with hostile members tells what is sober in it', () => {
    const text =
      '{"name":"a\\u0000b","version":{},"license":["MIT"],"dependencies":["x"],"peerDependencies":{"b":1,"__proto__":"2"}}';
    expect(toldByManifest(Buffer.from(text))).toEqual({
      ...{ name: null, version: null },
      licence: { expression: 'MIT', said: null },
      needs: ['b', '__proto__'],
    });
    const long = JSON.stringify({ name: 'a'.repeat(300), version: '1' });
    expect(toldByManifest(Buffer.from(long))?.name).toBeNull();
    const many = JSON.stringify({
      dependencies: Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`d${i}`, '1'])),
    });
    expect(toldByManifest(Buffer.from(many))?.needs).toHaveLength(5000);
  });
});

function artifact(location: string, purl: string): Artifact {
  const digest = sha256(location);
  return { location, purl, sha256: digest, sha512: digest.slice(7).repeat(2), size: 10, optional: false };
}

type Tree = Readonly<Record<string, readonly [string, Readonly<Record<string, string | object>>]>>;

async function installed(tree: Tree): Promise<{ installed: Installed; artifacts: Artifact[] }> {
  const artifacts = Object.entries(tree).map(([location, [purl]]) => artifact(location, purl));
  const files = async (wanted: string): Promise<UnpackedFile[]> => {
    const [, inside] = Object.values(tree).find(([purl]) => purl === wanted) ?? [];
    return Object.entries(inside ?? {}).map(([path, content]) => ({
      path,
      bytes: Buffer.from(typeof content === 'string' ? content : JSON.stringify(content)),
      executable: false,
    }));
  };
  return { artifacts, installed: await installedIn({ digest: closureDigest(artifacts), artifacts }, files) };
}

const NPM: Tree = {
  'node_modules/server': [
    'pkg:npm/server@1.0.0',
    {
      'package.json': { name: 'server', license: 'MIT', dependencies: { a: '1', b: '2', gone: '1' } },
      'node_modules/inside/package.json': { name: 'inside', version: '3.0.0', license: 'ISC' },
      'node_modules/mute/package.json': {},
      'dist/package.json': { type: 'module' },
    },
  ],
  'node_modules/a': [
    'pkg:npm/a@1.0.0',
    { 'package.json': { license: 'ours', peerDependencies: { b: '*' } } },
  ],
  'node_modules/b': ['pkg:npm/b@2.0.0', { 'package.json': 'no JSON' }],
  'node_modules/a/node_modules/b': ['pkg:npm/b@1.0.0', { 'package.json': { license: 'Apache-2.0' } }],
  'node_modules/@x/y': ['pkg:npm/%40x/y@1.0.0%2Bz', {}],
};

describe('what is installed', () => {
  it('is every package of the tree and inside of it, with what Node would find for each need', async () => {
    const { installed: found } = await installed(NPM);
    expect(found.packages.map(({ at, needs }) => [at, needs])).toEqual([
      ['node_modules/@x/y', []],
      ['node_modules/a', ['node_modules/a/node_modules/b']],
      ['node_modules/a/node_modules/b', []],
      ['node_modules/b', []],
      ['node_modules/server', ['node_modules/a', 'node_modules/b']],
      ['node_modules/server/node_modules/inside', []],
    ]);
    expect(found.packages[0]).toMatchObject({ name: '@x/y', version: '1.0.0+z' });
    expect(found.packages.at(-1)).toMatchObject({ purl: 'pkg:npm/inside@3.0.0', digests: null });
    expect(found.gaps).toEqual(['1 of the packages inside of pkg:npm/server@1.0.0 tell no name and version']);
    expect(found.unpacked).toMatchObject({ files: 7 });
  });

  it('counts a package once that its own archive and another one hold, and no package as its own need', async () => {
    const { installed: found } = await installed({
      'node_modules/a': [
        'pkg:npm/a@1.0.0',
        {
          'package.json': { dependencies: { a: '1', b: '1' } },
          'node_modules/b/package.json': { name: 'b', version: '9.9.9' },
        },
      ],
      'node_modules/a/node_modules/b': ['pkg:npm/b@1.0.0', { 'package.json': {} }],
    });
    expect(found.packages.map(({ at, version, needs }) => [at, version, needs])).toEqual([
      ['node_modules/a', '1.0.0', ['node_modules/a/node_modules/b']],
      ['node_modules/a/node_modules/b', '1.0.0', []],
    ]);
  });

  it('is looked up but for what is no package of a registry', async () => {
    const { installed: found } = await installed({
      b: ['pkg:generic/b@1.0.0', { 'manifest.json': {} }],
      'node_modules/a': ['pkg:npm/a@1.0.0', {}],
    });
    expect(found.packages.map(({ ecosystem }) => ecosystem)).toEqual(['generic', 'npm']);
    expect(fedAmong(found.packages).map(({ purl }) => purl)).toEqual(['pkg:npm/a@1.0.0']);
  });

  it('has no more needs of a Python package than are read', () => {
    const needs = Array.from({ length: 9000 }, (_, i) => `Requires-Dist: d${i}`);
    expect(toldByMetadata(metadata(...needs)).needs).toHaveLength(5000);
  });

  it('counts needs of an extra of a wheel only where somebody asks for it', async () => {
    const wheel = (name: string, ...lines: string[]) =>
      [
        `pkg:pypi/${name}@1.0`,
        {
          [`${name}-1.0.dist-info/METADATA`]: `Name: ${name}\nVersion: 1.0\n${lines.join('\n')}\n`,
          [`${name}/_vendor/old_six-1.2.dist-info/METADATA`]: 'Name: old_six\nVersion: 1.2\nLicense: MIT\n',
        },
      ] as const;
    const { installed: found } = await installed({
      'wheels/s-1.0-py3-none-any.whl': wheel(
        's',
        'Requires-Dist: c[fast] (>=1)',
        'Requires-Dist: t; extra == "test"',
      ),
      'wheels/c-1.0-py3-none-any.whl': wheel(
        'c',
        'Requires-Dist: f; python_version > "3" and extra == "fast"',
      ),
      'wheels/f-1.0-py3-none-any.whl': wheel('f'),
      'wheels/t-1.0-py3-none-any.whl': wheel('t'),
    });
    const needs = Object.fromEntries(
      found.packages.map(({ name, version, needs }) => [`${name} ${version}`, needs]),
    );
    expect(needs).toEqual({
      's 1.0': ['wheels/c-1.0-py3-none-any.whl'],
      'c 1.0': ['wheels/f-1.0-py3-none-any.whl'],
      'f 1.0': [],
      't 1.0': [],
      'old-six 1.2': [],
    });
  });
});

async function bill(tree: Tree): Promise<Sbom> {
  const { artifacts, installed: found } = await installed(tree);
  const closure = { digest: closureDigest(artifacts), artifacts };
  const submission = { name: 'acme/server', version: '1.0.0', source: 'npm:server@1.0.0' };
  return sbomOf({ submission, closure, rootPurl: 'pkg:npm/server@1.0.0', installed: found });
}

describe('a bill of materials', () => {
  it('is CycloneDX 1.6 by its own schema, with graph, hashes and licences', async () => {
    const made = await bill(NPM);
    expect(cycloneDxErrors(made)).toEqual([]);
    assertValid(Sbom, made, 'a bill of materials');
    expect(made.metadata.component).toMatchObject({
      type: 'application',
      'bom-ref': 'node_modules/server',
      licenses: [{ expression: 'MIT' }],
      hashes: [{ alg: 'SHA-256' }, { alg: 'SHA-512' }],
    });
    const named = Object.fromEntries(made.components.map((one) => [one['bom-ref'], one]));
    expect(named['node_modules/@x/y']).toMatchObject({
      group: '@x',
      name: 'y',
      purl: 'pkg:npm/%40x/y@1.0.0%2Bz',
    });
    expect(named['node_modules/a']?.licenses).toEqual([
      { license: { name: 'ours', acknowledgement: 'declared' } },
    ]);
    expect(named['node_modules/b']).not.toHaveProperty('licenses');
    expect(made.dependencies.find(({ ref }) => ref === 'node_modules/server')?.dependsOn).toHaveLength(2);
    expect(made.compositions[0]?.aggregate).toBe('incomplete');
    expect(made.metadata.properties).toContainEqual({
      name: 'lockkeeper:gap',
      value: '1 of the packages inside of pkg:npm/server@1.0.0 tell no name and version',
    });
    expect(licencesIn(made).get('pkg:npm/b@1.0.0')).toBe('Apache-2.0');
    expect(licencesIn(made).get('pkg:npm/a@1.0.0')).toBeNull();
  });

  it('has the same bytes for the same packages, and another serial number for others', async () => {
    const [one, two, other] = [
      await bill(NPM),
      await bill(NPM),
      await bill({ ...NPM, 'node_modules/b': NPM['node_modules/@x/y'] as never }),
    ];
    expect(sbomBytes(one).equals(sbomBytes(two))).toBe(true);
    expect(other.serialNumber).not.toBe(one.serialNumber);
    for (const { serialNumber } of [one, other]) expect(serialNumber).toMatch(/^urn:uuid:.{14}8.{4}[89ab]/);
    expect(cycloneDxErrors(other)).toEqual([]);
  });

  it('has the source of a wheel that was built, and what built it, outside of what runs', async () => {
    const { artifacts, installed: found } = await installed(NPM);
    const part = (location: string, purl: string) => ({ location, purl, sha256: sha256(purl), size: 1 });
    const built = {
      source: part('sdists/b-1.0.0.tar.gz', 'pkg:pypi/b@1.0.0?file_name=b-1.0.0.tar.gz'),
      requires: [part('wheels/setuptools-84.2.1-py3-none-any.whl', 'pkg:pypi/setuptools@84.2.1')],
      ...{ backend: 'own', inTree: [], builder: sha256('x'), reproducible: true },
    };
    const closure = { digest: '', artifacts: artifacts.map((one) => ({ ...one, built })) };
    const submission = { name: 'acme/server', version: '1.0.0', source: 'npm:server@1.0.0' };
    const made = sbomOf({ submission, closure, rootPurl: 'pkg:npm/server@1.0.0', installed: found });
    expect(cycloneDxErrors(made)).toEqual([]);
    assertValid(Sbom, made, 'a bill of materials');
    expect(made.components[0]?.pedigree?.ancestors).toMatchObject([{ purl: built.source.purl }]);
    const tool = { scope: 'excluded', name: 'setuptools', version: '84.2.1', purl: built.requires[0]?.purl };
    expect(made.components.filter(({ scope }) => scope !== undefined)).toMatchObject([tool]);
    expect(licencesIn(made).has(tool.purl ?? '')).toBe(false);
    expect(toolsOf(closure).map(namedTool)).toMatchObject([{ ecosystem: 'PyPI', name: 'setuptools' }]);
  });

  it('is of the server itself where a copy of it stands below another package', async () => {
    const copy = { ...NPM, 'node_modules/a/node_modules/server': NPM['node_modules/server'] as never };
    expect((await bill(copy)).metadata.component['bom-ref']).toBe('node_modules/server');
  });

  it('does not know whether it is whole for a server that runs elsewhere', () => {
    const artifacts = [artifact(REMOTE_LOCATION, 'pkg:generic/remote@1.0.0')];
    const closure = { digest: closureDigest(artifacts), artifacts };
    const submission = { name: 'acme/server', version: '1.0.0', source: 'https://a.example/mcp' };
    const made = sbomOf({
      submission,
      closure,
      rootPurl: 'pkg:generic/remote@1.0.0',
      installed: NOTHING_INSTALLED,
    });
    expect([made.compositions[0]?.aggregate, cycloneDxErrors(made)]).toEqual(['unknown', []]);
  });

  it('is held to a schema that sees what is wrong', async () => {
    const made = await bill(NPM);
    expect(cycloneDxErrors({ ...made, serialNumber: 'urn:uuid:1' }).join()).toContain('/serialNumber');
    expect(cycloneDxErrors({ ...made, hello: 1 }).join()).toContain('/hello');
    expect(cycloneDxErrors({ ...made, components: [{ type: 'library' }] })).not.toEqual([]);
  });
});

type Judged = Pick<Facts, 'installed' | 'baseline' | 'policy'>;

async function outcomeOf(tree: Tree, more: { allowed?: string[]; before?: [string, string | null][] } = {}) {
  const { installed: found } = await installed(tree);
  const policy = {
    ...DEFAULT_POLICY,
    scan: { ...DEFAULT_POLICY.scan, ...(more.allowed && { licences: more.allowed }) },
  };
  const baseline = more.before ? { licences: new Map(more.before) } : null;
  const [result] = await judge([licences], { installed: found, policy, baseline } as unknown as Facts &
    Judged);
  if (result?.outcome !== 'fired') return result;
  return result.findings.map(({ severity, message }) => `${severity} ${message}`);
}

const pick = (...names: string[]): Tree =>
  Object.fromEntries(Object.entries(NPM).filter(([at]) => names.includes(at)));
const KNOWN = pick('node_modules/a/node_modules/b');

describe('LK-LIC-01', () => {
  it('tells what there is, and gates nothing by itself', async () => {
    expect(await outcomeOf(KNOWN)).toMatchObject({ outcome: 'ok', note: 'Apache-2.0 1', gates: false });
    expect(await outcomeOf(NPM)).toEqual(['low 3 packages say no licence that could be read: @x/y, a, b']);
  });

  it('with a list fires for what is not on it and for what cannot be read', async () => {
    expect(await outcomeOf(KNOWN, { allowed: ['MIT', 'Apache-2.0'] })).toMatchObject({ outcome: 'ok' });
    expect(await outcomeOf(NPM, { allowed: ['MIT'] })).toEqual([
      "high Apache-2.0 is not on the policy's list: b",
      "high ISC is not on the policy's list: inside",
      'high 3 packages say no licence that could be read: @x/y, a, b',
    ]);
  });

  it('fires for a package that is under another licence than in the release before', async () => {
    const under = (licence: string | null): [string, string | null][] => [['pkg:npm/b@0.9.0', licence]];
    expect(await outcomeOf(KNOWN, { before: under('MIT') })).toEqual([
      'medium b was under MIT, and is under Apache-2.0 now',
    ]);
    expect(await outcomeOf(KNOWN, { before: under(null) })).toEqual([
      'medium b was under a licence that could not be read, and is under Apache-2.0 now',
    ]);
    expect(await outcomeOf(KNOWN, { before: under('Apache-2.0') })).toMatchObject({ outcome: 'ok' });
    expect(await outcomeOf(KNOWN, { before: [['pkg:npm/other@0.9.0', 'MIT']] })).toMatchObject({
      outcome: 'ok',
    });
  });

  it('does not know with a list where something could not be read', async () => {
    const tree = pick('node_modules/server');
    expect(await outcomeOf(tree, { allowed: ['MIT', 'ISC'] })).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining('tell no name and version'),
    });
    expect(await outcomeOf(tree)).toMatchObject({ outcome: 'ok' });
  });

  it('does not know where nothing was found', async () => {
    expect(await outcomeOf({})).toMatchObject({ outcome: 'unknown' });
  });
});

describe('a scan', () => {
  it('keeps the bill of materials as evidence, and tells licences, sizes and what changed of them', async () => {
    const shows = { tools: [] };
    const { ports } = await worldOf([
      plain(shows, { manifest: { license: 'MIT' } }),
      plain(shows, { version: '1.1.0', manifest: { license: 'BUSL-1.1' } }),
    ]);
    const first = await scan(requestFor(), ports);
    const bytes = await ports.blobs.get(first.report.evidence.sbom ?? '');
    const made = assertValid(Sbom, JSON.parse(bytes.toString()), 'the evidence');
    expect(cycloneDxErrors(made)).toEqual([]);
    expect(made.metadata.component).toMatchObject({
      name: 'server',
      group: '@acme',
      licenses: [{ expression: 'MIT' }],
    });
    expect(made.compositions[0]?.aggregate).toBe('complete');
    expect(first.report.installed).toMatchObject({
      packages: 1,
      unpacked: { files: 3 },
      licences: [{ licence: 'MIT', packages: 1 }],
      gaps: [],
    });
    const next = await scan(requestFor({ version: '1.1.0' }, baselineOf(first)), ports);
    expect(firedIn(next, 'LK-LIC-01')).toEqual(['@acme/server was under MIT, and is under BUSL-1.1 now']);
  });
});
