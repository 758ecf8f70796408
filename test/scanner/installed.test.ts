/** What is installed inside of an image: databases of package managers and files of packages, in layers that may be hostile. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { imageParts, readTree } from '../../runtime/store/image/read.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { image as imageCheck } from '../../scanner/checks/image.ts';
import { licenceOfCopyright } from '../../scanner/installed/copyright.ts';
import {
  apkPackages,
  distributionIn,
  dpkgPackages,
  ecosystemOf,
  MAX_PACKAGES,
} from '../../scanner/installed/distribution.ts';
import { IMAGE_READ_LIMITS, type ImageReadLimits, readImage } from '../../scanner/installed/image.ts';
import type { Installed } from '../../scanner/installed/package.ts';
import { toldByMetadata } from '../../scanner/installed/python.ts';
import { closureOf, imageOf, type LayerFile, layerOf } from '../helpers/image.ts';
import { processorMs } from '../helpers/wait.ts';

const DEBIAN = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="12"\n';
const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+b1
Depends: libgcc-s1 (>= 3)
Description: text
 Package: hidden
 .

Package: libgcc-s1
Status: install ok installed
Architecture: amd64
Source: gcc-12
Version: 12.2.0-14
Depends: gcc-12-base (= 12) | other, libc6

Package: gone
Status: deinstall ok config-files
Version: 1

Package: bad name
Status: install ok installed
Version: 1
`;
const APK = `C:Q1
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl
p:so:libc.musl-x86_64.so.1=1

P:libcrypto3
V:3.3.1-r0
A:x86_64
L:Apache-2.0
o:openssl
D:so:libc.musl-x86_64.so.1 !musl-dev
`;

describe('a distribution', () => {
  it.each([
    [DEBIAN, 'Debian:12'],
    ['ID=alpine\nVERSION_ID=3.20.3\n', 'Alpine:v3.20'],
    ['ID="ubuntu"\nVERSION_ID="24.04"\n', 'Ubuntu:24.04'],
    ['ID=wolfi\nVERSION_ID=20230201\n', 'Wolfi:20230201'],
    ['ID=debian\n', 'Debian'],
  ])('of %j is %s', (text, ecosystem) => {
    const on = distributionIn(text);
    expect(on && ecosystemOf(on)).toBe(ecosystem);
  });

  it('is none in other text', () => {
    for (const text of ['', 'hello', 'ID=\n', 'ID=a b\n', 'x'.repeat(1_000_000)])
      expect(distributionIn(text)).toBeNull();
  });

  it('lists what dpkg has installed, under the source that advisories name', () => {
    const { packages: found, odd } = dpkgPackages(STATUS, {
      path: 'var/lib/dpkg/status',
      on: { id: 'debian', version: '12' },
    });
    expect(odd).toBe(1);
    expect(found.map(({ at: _, licence: __, digests: ___, unpacked: ____, ...rest }) => rest)).toEqual([
      {
        ...{
          ecosystem: 'Debian:12',
          name: 'glibc',
          version: '2.36-9',
          shown: { name: 'libc6', version: '2.36-9+b1' },
        },
        purl: 'pkg:deb/debian/libc6@2.36-9%2Bb1?arch=amd64&distro=debian-12',
        needs: ['var/lib/dpkg/status#libgcc-s1:amd64'],
      },
      {
        ...{
          ecosystem: 'Debian:12',
          name: 'gcc-12',
          version: '12.2.0-14',
          shown: { name: 'libgcc-s1', version: '12.2.0-14' },
        },
        purl: 'pkg:deb/debian/libgcc-s1@12.2.0-14?arch=amd64&distro=debian-12',
        needs: ['var/lib/dpkg/status#libc6:amd64'],
      },
    ]);
  });

  it('lists what apk has installed, with its licence', () => {
    const { packages: found } = apkPackages(`${APK}\nV:1\n`, {
      path: 'lib/apk/db/installed',
      on: { id: 'alpine', version: '3.20.1' },
    });
    expect(found.map(({ name, purl, licence, needs }) => [name, purl, licence.expression, needs])).toEqual([
      ['musl', 'pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1', 'MIT', []],
      [
        ...['openssl', 'pkg:apk/alpine/libcrypto3@3.3.1-r0?arch=x86_64&distro=alpine-3.20.1', 'Apache-2.0'],
        ['lib/apk/db/installed#musl'],
      ],
    ]);
  });

  it.each(['', '\n\n\n', 'P', ':\n:', 'Package: x', '\u0000'.repeat(1000), 'Package:'.repeat(100_000)])(
    'survives a database that is %#',
    (text) => {
      const on = { id: 'debian', version: '12' };
      const lists = [dpkgPackages(text, { path: 'a', on }), apkPackages(text, { path: 'a', on })];
      const odd = text.trim() === '' ? 0 : 1;
      expect(lists).toEqual([
        { packages: [], odd },
        { packages: [], odd },
      ]);
    },
  );
});

async function installedOf(
  layers: readonly (readonly LayerFile[])[],
  limits: ImageReadLimits = IMAGE_READ_LIMITS,
): Promise<Installed> {
  return (await readingOf(layers, limits))();
}

/** Makes the list, once the layers were read. */
async function readingOf(
  layers: readonly (readonly LayerFile[])[],
  limits: ImageReadLimits = IMAGE_READ_LIMITS,
): Promise<() => Installed> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-installed-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const blobs = await openBlobs(dir);
  const { closure } = await closureOf(imageOf({ layers: layers.map((files) => layerOf(files)) }), blobs);
  const reading = readImage(limits);
  const { tree } = await readTree(await imageParts(closure.artifacts, blobs), {
    blobs,
    spool: reading.spool,
  });
  return () => reading.list(tree.root);
}

const manifest = (name: string, more: object = {}): string =>
  JSON.stringify({ name, version: '1.0.0', license: 'MIT', ...more });
const purls = ({ packages }: Installed): string[] => packages.map(({ purl }) => purl.replace(/\?.*/, ''));

const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';
const copyright = (...licences: string[]): string =>
  [FORMAT, ...licences.map((one) => `Files: *\nCopyright: us\nLicense: ${one}\n text of it\n`)].join('\n');

describe('a copyright file', () => {
  it.each<[string, string | null, string | null]>([
    [copyright('Expat'), 'MIT', null],
    [copyright('GPL-2+', 'LGPL-2.1', 'GPL-2+'), 'GPL-2.0-or-later AND LGPL-2.1-only', null],
    [copyright('GPL-3 or Apache-2.0', 'BSD-3-clause'), 'BSD-3-Clause AND (GPL-3.0-only OR Apache-2.0)', null],
    [copyright('GPL-2+ and public-domain', 'ISC'), null, 'GPL-2+ and public-domain, ISC'],
    [copyright('GPL-2+ with Autoconf exception'), null, 'GPL-2+ with Autoconf exception'],
    [copyright('GPL-9'), null, 'GPL-9'],
    [copyright(), null, null],
    [`${FORMAT}\nLicense: MIT\n text alone\n`, null, null],
    ['This package is under the GPL.', null, null],
    ['', null, null],
    [
      copyright(`${'MIT or '.repeat(200)}MIT`),
      null,
      expect.stringMatching(/^MIT or MIT/) as unknown as string,
    ],
    [
      copyright(...Array.from({ length: 500 }, (_, i) => `MIT or ISC-${i}`)),
      null,
      expect.any(String) as unknown as string,
    ],
  ])('%# is read', (text, expression, said) => {
    expect(licenceOfCopyright(text)).toEqual({ expression, said });
  });
});

describe('an image', () => {
  it('has what the databases and files of all its layers say in the end', async () => {
    const found = await installedOf([
      [
        { path: 'usr/lib/os-release', content: DEBIAN },
        { path: 'etc/os-release', type: 'SymbolicLink', target: '../usr/lib/os-release' },
        { path: 'usr/lib/loop', type: 'SymbolicLink', target: 'loop' },
        { path: 'var/lib/rpm/Packages', type: 'SymbolicLink', target: '/usr/lib/loop' },
        { path: './var/lib/dpkg/status', content: 'Package: old\nVersion: 1\n' },
        { path: 'app/node_modules/a/package.json', content: manifest('a', { dependencies: { b: '1' } }) },
        { path: 'app/node_modules/gone/package.json', content: manifest('gone') },
        { path: 'app/node_modules/a/lib/package.json', content: manifest('no-package') },
        { path: 'app/package.json', content: manifest('app') },
      ],
      [
        { path: 'var/lib/dpkg/status', content: STATUS },
        { path: 'usr/share/doc/libc6/copyright', content: copyright('LGPL-2.1+') },
        { path: 'usr/share/doc/libgcc-s1', type: 'SymbolicLink', target: 'libc6' },
        { path: 'app/node_modules/.wh.gone' },
        { path: 'app/node_modules/@x/b/package.json', content: manifest('b') },
        { path: 'app/node_modules/.pnpm/c@1/node_modules/c/package.json', content: manifest('c') },
        { path: 'app/node_modules/c', type: 'SymbolicLink', target: '.pnpm/c@1/node_modules/c' },
        {
          path: 'usr/lib/python3/site-packages/Some_Lib-2.0.dist-info/METADATA',
          content: 'Name: Some_Lib\nVersion: 2.0\nLicense-Expression: BSD-3-Clause\n',
        },
      ],
    ]);
    expect(purls(found)).toEqual([
      'pkg:npm/c@1.0.0',
      'pkg:npm/b@1.0.0',
      'pkg:npm/a@1.0.0',
      'pkg:pypi/some-lib@2.0',
      'pkg:deb/debian/libc6@2.36-9%2Bb1',
      'pkg:deb/debian/libgcc-s1@12.2.0-14',
    ]);
    expect(found.gaps).toEqual([
      '1 of the entries of var/lib/dpkg/status have no name or version that can be read',
    ]);
    expect(found.packages.slice(-2).map(({ licence }) => licence.expression)).toEqual(
      Array(2).fill('LGPL-2.1-or-later'),
    );
  });

  it('without a shell has its packages in a folder', async () => {
    const found = await installedOf([
      [
        { path: 'etc/os-release', content: DEBIAN },
        {
          path: 'var/lib/dpkg/status.d/base',
          content: 'Package: base-files\nVersion: 12.4\nArchitecture: amd64\n',
        },
        { path: 'var/lib/dpkg/status.d/base.md5sums', content: 'Package: no\nVersion: 1\n' },
      ],
    ]);
    expect(purls(found)).toEqual(['pkg:deb/debian/base-files@12.4']);
  });

  it('says what it could not read', async () => {
    const found = await installedOf([
      [
        { path: 'var/lib/rpm/rpmdb.sqlite', content: 'x' },
        { path: 'var/lib/rpm/rpmdb.sqlite-wal', content: 'x' },
        { path: 'usr/lib/sysimage/rpm/rpmdb.sqlite-wal', content: '' },
        { path: 'var/lib/rpm/Packages', content: 'x' },
        { path: 'usr/lib/sysimage/rpm/Packages.db', content: 'x'.repeat(100) },
        { path: 'lib/apk/db/installed', content: APK },
        { path: 'a/node_modules/bad/package.json', content: 'no JSON' },
        { path: 'a/node_modules/big/package.json', content: manifest('big', { x: 'x'.repeat(1_200_000) }) },
        { path: 'a/other.json', content: manifest('linked') },
        { path: 'a/node_modules/linked/package.json', type: 'Link', target: 'a/other.json' },
      ],
    ]);
    expect(purls(found)).toEqual(['pkg:apk/linux/musl@1.2.5-r0', 'pkg:apk/linux/libcrypto3@3.3.1-r0'].sort());
    expect(found.gaps).toEqual([
      '3 of the files that tell of npm and Python packages could not be read',
      'packages of RPM are not read, or not all: var/lib/rpm/rpmdb.sqlite is no SQLite database',
      'packages of RPM are not read: usr/lib/sysimage/rpm/Packages.db is a database of another kind (ndb)',
      'packages of RPM are not read: var/lib/rpm/Packages is a database of another kind (BerkeleyDB)',
      'what var/lib/rpm/rpmdb.sqlite-wal holds is not read: the packages of RPM may have changed since',
      'its packages are of a distribution that does not say which release it is',
    ]);
  });

  it('is read within limits of bytes and files, of what is written over too', async () => {
    const files = Array.from({ length: 20 }, (_, i) => ({
      path: `node_modules/p${i}/package.json`,
      content: manifest(`p${i}`),
    }));
    const few = await installedOf([files], { bytes: 1e6, files: 5 });
    expect([few.packages.length, few.gaps]).toEqual([
      5,
      ['15 of the files that tell of npm and Python packages could not be read'],
    ]);
    const small = await installedOf([files, files], { bytes: 500, files: 1000 });
    expect(small.packages.length).toBeLessThan(10);
    expect(small.gaps).toHaveLength(1);
  });
});

describe('what is made to take long', () => {
  const gap = ' '.repeat(60_000);
  const on = { id: 'debian', version: '12' };
  const needs = `Name: a\nVersion: 1\n${`Requires-Dist: b${';'.repeat(1900)}\n`.repeat(500)}`;
  it.each<[string, () => unknown]>([
    [
      'blanks in a database',
      () => dpkgPackages(`Package: a\nVersion: 1\nSource: a${gap}b${gap}c\n`, { path: 'a', on }),
    ],
    ['blanks in a licence', () => licenceOfCopyright(copyright(`a${gap}b${gap}c`))],
    ['blanks between licences', () => licenceOfCopyright(copyright(`a${gap}or${gap}c`))],
    ['marks in what a Python package needs', () => toldByMetadata(Buffer.from(needs))],
  ])('is read in time: %s', (_, read) => {
    const spent = processorMs();
    read();
    expect(spent()).toBeLessThan(1500);
  });

  it('is read once where many packages share it', async () => {
    const names = Array.from({ length: 2000 }, (_, i) => `p${i}`);
    const shared = copyright(...Array.from({ length: 3000 }, () => 'GPL-2+ and LGPL-2.1+ or MIT'));
    const list = await readingOf([
      [
        { path: 'etc/os-release', content: DEBIAN },
        {
          path: 'var/lib/dpkg/status',
          content: names.map((name) => `Package: ${name}\nVersion: 1\n`).join('\n'),
        },
        { path: 'usr/share/doc/p0/copyright', content: shared },
        ...names.slice(1).map((name) => {
          return { path: `usr/share/doc/${name}`, type: 'SymbolicLink' as const, target: 'p0' };
        }),
      ],
    ]);
    const start = performance.now();
    const { packages, gaps } = list();
    // Each by itself would take a hundred times as long.
    expect(performance.now() - start).toBeLessThan(2500);
    const expressions = new Set(packages.map(({ licence }) => licence.expression));
    expect([packages.length, [...expressions], gaps]).toEqual([
      2000,
      ['(GPL-2.0-or-later AND LGPL-2.1-or-later) OR MIT'],
      [],
    ]);
  });

  it('tells that a database has more packages than are read', async () => {
    const filler = 'Package: a\nVersion: 1\n\n'.repeat(MAX_PACKAGES);
    const { gaps } = await installedOf([
      [
        { path: 'etc/os-release', content: DEBIAN },
        { path: 'var/lib/dpkg/status', content: `${filler}${STATUS}` },
      ],
    ]);
    expect(gaps).toEqual([`var/lib/dpkg/status is read for its first ${MAX_PACKAGES} packages only`]);
  });
});

describe('LK-IMG-01', () => {
  it('says what of an image was read, and what was not', async () => {
    const report = {
      layers: 1,
      files: 9,
      platform: 'linux/amd64',
      user: '1',
      ports: [],
      volumes: [],
      healthcheck: false,
    };
    const notes = { setuid: [], capable: [], devices: [] };
    const said = async (installed: Partial<Installed>): Promise<string[]> => {
      const image = { report, notes, installed: { gaps: [], ...installed } };
      const outcome = await imageCheck.run({ image, closure: { digest: 'd' } } as unknown as Facts);
      return outcome.outcome === 'fired' ? outcome.findings.map(({ message }) => message) : [];
    };
    expect((await said({ packages: [] }))[0]).toMatch(/^no package was found in its 9 files, so/);
    const on = { id: 'debian', version: '12' };
    const read = await said({
      packages: dpkgPackages(STATUS, { path: 's', on }).packages,
      gaps: ['packages of RPM are not read'],
    });
    expect(read[0]).toMatch(
      /^its packages were listed \(2 Debian:12\) for licences and advisories; what its 9 files do was not/,
    );
    expect(read[1]).toBe('packages of RPM are not read');
  });
});
