import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { packageOf, purlOf, resolveClosure } from '../../scanner/closure.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { Closure } from '../../schemas/release.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type LocalPackage, tarballOf } from '../helpers/npm-registry.ts';
import { refusalOf, worldOf } from './harness.ts';

const lib = (name: string, version: string, more: Partial<LocalPackage> = {}): LocalPackage => ({
  name,
  version,
  files: { 'index.js': `module.exports = '${name}@${version}'\n` },
  ...more,
});
const app = (manifest: LocalPackage['manifest']): LocalPackage =>
  lib('@acme/app', '1.0.0', manifest && { manifest });
const ref = { name: '@acme/app', version: '1.0.0' };

describe('the source of a release', () => {
  it('is one exact version', () => {
    expect(packageOf('npm:@acme/app@1.2.3-rc.1')).toEqual({ name: '@acme/app', version: '1.2.3-rc.1' });
    expect(purlOf({ name: '@acme/app', version: '1.0.0+b' })).toBe('pkg:npm/%40acme/app@1.0.0%2Bb');
    for (const source of ['npm:app', 'pypi:app@1', 'npm:@acme/app', 'npm:app@01.0.0', 'npm:app@1.0.0+b'])
      expect(() => packageOf(source)).toThrow(LockkeeperError);
  });
});

describe('the closure', () => {
  it('holds every package with its place, digests and platform, and nothing that is bundled', async () => {
    const packages = [
      app({
        dependencies: { one: '^1.0.0', two: '1.0.0', bundler: '1.0.0' },
        optionalDependencies: { elsewhere: '1.0.0' },
      }),
      lib('one', '1.0.0'),
      lib('one', '1.1.0'),
      lib('one', '2.0.0'),
      lib('two', '1.0.0', { manifest: { dependencies: { one: '^2.0.0' } } }),
      lib('elsewhere', '1.0.0', { manifest: { os: ['darwin'], cpu: ['arm64'] } }),
      lib('bundler', '1.0.0', {
        manifest: { dependencies: { inside: '1.0.0' }, bundleDependencies: ['inside'] },
        files: { 'node_modules/inside/package.json': '{"name":"inside","version":"1.0.0"}' },
      }),
      lib('inside', '1.0.0'),
    ];
    const { ports } = await worldOf(packages);
    const { closure, unpromised } = await resolveClosure(ref, ports);
    assertValid(Closure, closure, 'the closure');
    expect(unpromised).toEqual([]);
    expect(
      closure.artifacts.map(({ location, purl, optional, os, cpu }) => [location, purl, optional, os, cpu]),
    ).toEqual([
      ['node_modules/@acme/app', 'pkg:npm/%40acme/app@1.0.0', false, undefined, undefined],
      ['node_modules/bundler', 'pkg:npm/bundler@1.0.0', false, undefined, undefined],
      ['node_modules/elsewhere', 'pkg:npm/elsewhere@1.0.0', true, ['darwin'], ['arm64']],
      ['node_modules/one', 'pkg:npm/one@1.1.0', false, undefined, undefined],
      ['node_modules/two', 'pkg:npm/two@1.0.0', false, undefined, undefined],
      ['node_modules/two/node_modules/one', 'pkg:npm/one@2.0.0', false, undefined, undefined],
    ]);
    for (const artifact of closure.artifacts) {
      const one = packages.find((candidate) => purlOf(candidate) === artifact.purl);
      const bytes = one ? tarballOf(one) : Buffer.alloc(0);
      expect(artifact.sha256).toBe(sha256(bytes));
      expect(artifact.sha512).toBe(createHash('sha512').update(bytes).digest('hex'));
      expect((await ports.blobs.get(artifact.sha256)).equals(bytes)).toBe(true);
    }
    expect(readdirSync(ports.workDir).filter((name) => name.startsWith('resolve-'))).toEqual([]);
  });

  it('is the same twice, and another one when a version is held elsewhere', async () => {
    const { ports } = await worldOf([
      app({ dependencies: { one: '>=1' } }),
      lib('one', '1.0.0'),
      lib('one', '2.0.0'),
    ]);
    const first = await resolveClosure(ref, ports);
    expect((await resolveClosure(ref, ports)).closure).toEqual(first.closure);
    const held = await resolveClosure(ref, ports, { one: '1.0.0' });
    expect(held.closure.artifacts.map(({ purl }) => purl)).toContain('pkg:npm/one@1.0.0');
    expect(held.closure.digest).not.toBe(first.closure.digest);
  });

  it('refuses a flipped byte, naming both digests, and keeps none of it', async () => {
    const one = lib('one', '1.0.0');
    const served = Buffer.from(tarballOf(one));
    served[served.length - 10] = (served[served.length - 10] ?? 0) ^ 1;
    const { ports } = await worldOf([app({ dependencies: { one: '1.0.0' } }), { ...one, served }]);
    const refusal = await refusalOf(resolveClosure(ref, ports));
    expect(refusal.code).toBe('ARTIFACT_MISMATCH');
    expect(refusal.exit).toBe(3);
    expect(refusal.expected).toContain(
      `one@1.0.0 with sha512-${createHash('sha512').update(tarballOf(one)).digest('base64')}`,
    );
    expect(refusal.found).toContain(createHash('sha512').update(served).digest('base64'));
    expect(await ports.blobs.has(sha256(served))).toBe(false);
  });

  it('refuses a promise weaker than sha512, and tells of none at all', async () => {
    const shasum = createHash('sha1')
      .update(tarballOf(lib('one', '1.0.0')))
      .digest('hex');
    const weak = await worldOf([
      app({ dependencies: { one: '1.0.0' } }),
      lib('one', '1.0.0', { dist: { integrity: null, shasum } }),
    ]);
    const refusal = await refusalOf(resolveClosure(ref, weak.ports));
    expect(refusal.code).toBe('CLOSURE_INCOMPLETE');
    expect(refusal.message).toContain('a sha512 integrity for one@1.0.0; found "sha1-');
    const none = await worldOf([
      app({ dependencies: { one: '1.0.0' } }),
      lib('one', '1.0.0', { dist: { integrity: null, shasum: null } }),
    ]);
    const { unpromised, closure } = await resolveClosure(ref, none.ports);
    expect(unpromised).toEqual(['pkg:npm/one@1.0.0']);
    expect(closure.artifacts).toHaveLength(2);
  });
});

describe('a closure that cannot be whole', () => {
  const cases: readonly [string, LocalPackage[], RegExp][] = [
    [
      'a package that is nowhere',
      [app({ dependencies: { gone: '1.0.0' } })],
      /what node_modules\/@acme\/app depends on; found nothing in the registry: .*gone/,
    ],
    [
      'a version that is nowhere',
      [app({ dependencies: { one: '^3.0.0' } }), lib('one', '1.0.0')],
      /@acme\/app depends on; found nothing in the registry: .*one@\^3\.0\.0/,
    ],
    [
      'git',
      [app({ dependencies: { one: 'git+https://git.example/one.git' } })],
      /@acme\/app wants ".*git\.example/,
    ],
    [
      'an address',
      [app({ dependencies: { one: 'https://files.example/one.tgz' } })],
      /@acme\/app wants ".*files\.example/,
    ],
    ['a folder', [app({ dependencies: { one: 'file:../../../etc' } })], /@acme\/app wants ".*etc/],
    [
      'git, though optional',
      [app({ optionalDependencies: { one: 'github:evil/one' } })],
      /@acme\/app wants one@/,
    ],
    [
      'another kind of machine',
      [app({ dependencies: { one: '1.0.0' } }), lib('one', '1.0.0', { manifest: { os: ['aix'] } })],
      /this kind of machine/,
    ],
    [
      'a bundle that does not hold what it says',
      [app({ dependencies: { one: '1.0.0' }, bundleDependencies: ['one'] })],
      /one inside @acme\/app@1\.0\.0, which says that it brings it; found nothing/,
    ],
    [
      'a bundle that holds half',
      [
        {
          ...app({ dependencies: { one: '1.0.0' }, bundleDependencies: ['one'] }),
          files: {
            'node_modules/one/package.json': '{"name":"one","version":"1.0.0","dependencies":{"half":"1"}}',
          },
        },
      ],
      /"half", which node_modules\/@acme\/app\/node_modules\/one inside/,
    ],
  ];
  it.each(cases)('is refused: %s', async (_, packages, sentence) => {
    const { ports } = await worldOf(packages);
    const refusal = await refusalOf(resolveClosure(ref, ports));
    expect(refusal.message).toMatch(sentence);
    expect(refusal.code).toBe('CLOSURE_INCOMPLETE');
    expect(refusal.exit).toBe(3);
    expect(readdirSync(ports.workDir).filter((name) => name.startsWith('resolve-'))).toEqual([]);
  });

  it('is refused: peers written so that the resolution never ends', async () => {
    const { ports, stored } = await worldOf([
      app({ dependencies: { one: '1.0.0' } }),
      lib('one', '1.0.0', { manifest: { peerDependencies: { two: '1.0.0', peer: '^1.0.0' } } }),
      lib('two', '1.0.0', { manifest: { peerDependencies: { peer: '^2.0.0' } } }),
      lib('peer', '1.0.0'),
      lib('peer', '2.0.0'),
    ]);
    const refusal = await refusalOf(resolveClosure(ref, { ...ports, resolveMs: 3000 }));
    expect(refusal.message).toContain('resolved within 3 s');
    expect(refusal.code).toBe('CLOSURE_INCOMPLETE');
    expect(stored()).toBe(0);
  });

  it('goes without an optional package that is nowhere, and all that needs it', async () => {
    const packages = [
      app({ optionalDependencies: { some: '1.0.0', gone: '1.0.0' } }),
      lib('some', '1.0.0', { manifest: { dependencies: { missing: '1.0.0' } } }),
    ];
    const { ports } = await worldOf(packages);
    const { closure } = await resolveClosure(ref, ports);
    expect(closure.artifacts.map(({ purl }) => purl)).toEqual(['pkg:npm/%40acme/app@1.0.0']);
  });
});

describe('a registry that says where a tarball is', () => {
  it.each([
    ['a repository', 'git+file:///repo'],
    ['a repository of a host that npm knows', 'github:evil/one'],
    ['a repository behind a plain address', 'https://github.com/evil/one'],
    ['a folder', 'file:///etc'],
    ['an address that is no tarball', 'http://169.254.169.254/latest/meta-data'],
  ])('is not followed to %s', async (_, tarball) => {
    const { ports } = await worldOf([{ ...app({}), tarball }]);
    const refusal = await refusalOf(resolveClosure(ref, ports));
    expect(['CLOSURE_INCOMPLETE', 'SOURCE_INVALID', 'SOURCE_UNREACHABLE']).toContain(refusal.code);
    expect(refusal.code, refusal.message).toBe('CLOSURE_INCOMPLETE');
  });

  it('is asked itself, whatever host it names', async () => {
    const { ports } = await worldOf([
      { ...app({}), tarball: 'http://127.0.0.1:9/@acme/app/-/app-1.0.0.tgz' },
    ]);
    const { closure } = await resolveClosure(ref, ports);
    expect(closure.artifacts).toHaveLength(1);
  });
});

describe('a registry that does not help', () => {
  it('has no such version: the caller is told to check the name', async () => {
    const { ports } = await worldOf([app({})]);
    for (const wrong of [
      { name: '@acme/app', version: '9.9.9' },
      { name: '@acme/other', version: '1.0.0' },
    ]) {
      const refusal = await refusalOf(resolveClosure(wrong, ports));
      expect(refusal.code).toBe('SOURCE_INVALID');
      expect(refusal.exit).toBe(2);
    }
  });

  it('is not there: could not verify', async () => {
    const { ports, stored } = await worldOf([]);
    const nobody = { ...ports, npm: { ...ports.npm, registry: 'http://127.0.0.1:9' } };
    const refusal = await refusalOf(resolveClosure(ref, nobody));
    expect(refusal.code).toBe('SOURCE_UNREACHABLE');
    expect(refusal.exit).toBe(4);
    expect(stored()).toBe(0);
  });
});
