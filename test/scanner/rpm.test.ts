/** Databases of RPM inside of images: as RPM itself writes them, of many pages, and as somebody hostile would. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { isAffected } from '../../scanner/advisories/match.ts';
import { readAdvisory } from '../../scanner/advisories/record.ts';
import { rpmOrder } from '../../scanner/advisories/rpm-order.ts';
import { fedAmong } from '../../scanner/installed/package.ts';
import { readHeader } from '../../scanner/installed/rpm/header.ts';
import { rpmPackages } from '../../scanner/installed/rpm/packages.ts';
import { headerOf, int32, PACKAGES, packageHeader, rpmDatabase, text, texts } from '../helpers/rpm.ts';

const path = 'var/lib/rpm/rpmdb.sqlite';
const ROCKY = { id: 'rocky', version: '9.4' };
const read = (bytes: Buffer, on = ROCKY): ReturnType<typeof rpmPackages> => rpmPackages(bytes, { path, on });
const REAL = gunzipSync(readFileSync(join(import.meta.dirname, '../fixtures/rpm/rpmdb.sqlite.gz')));

describe('a database of RPM', () => {
  it('that RPM itself wrote is read as RPM lists it', () => {
    const { packages, odd, gaps } = read(REAL);
    expect([odd, gaps]).toEqual([0, []]);
    expect(
      packages.map(({ version, purl, licence, needs }) => [purl, version, licence.expression, needs]),
    ).toEqual(
      ['alpha', 'beta', 'beta-libs', 'alpha-libs'].map((name) => [
        `pkg:rpm/rocky/${name}@1.2~rc1-3.el9?arch=noarch&distro=rocky-9.4&epoch=2`,
        '2:1.2~rc1-3.el9',
        'GPL-2.0-or-later AND MIT',
        name === 'beta' ? [`${path}#alpha-2:1.2~rc1-3.el9.noarch`] : [],
      ]),
    );
  });

  it('of many pages and of rows that are longer than a page is read whole', () => {
    const blobs = Array.from({ length: 400 }, (_, i) =>
      packageHeader({ name: `p${i}`, more: [texts(1049, Array(i * 5).fill('some-need'))] }),
    );
    const { packages, odd, gaps } = read(rpmDatabase(blobs));
    expect([packages.map(({ name }) => name), odd, gaps]).toEqual([blobs.map((_, i) => `p${i}`), 0, []]);
  });

  it('has keys among its packages, which are none, and packages of one name for several machines', () => {
    const blobs = [
      packageHeader({ name: 'gpg-pubkey', arch: '' }),
      packageHeader({ name: 'libc', epoch: 0 }),
      packageHeader({ name: 'libc', arch: 'i686' }),
      packageHeader({ name: 'kernel', version: '5.1' }),
      packageHeader({ name: 'kernel', version: '5.2' }),
    ];
    expect(read(rpmDatabase(blobs)).packages.map(({ at }) => at)).toEqual([
      ...[
        'libc-1.0-1.el9.x86_64',
        'libc-1.0-1.el9.i686',
        'kernel-5.1-1.el9.x86_64',
        'kernel-5.2-1.el9.x86_64',
      ].map((mark) => `${path}#${mark}`),
    ]);
  });

  it.each<[string, string, string, string]>([
    ['rhel', '9.4', 'Red Hat:9', 'pkg:rpm/redhat/a@'],
    ['almalinux', '8.10', 'AlmaLinux:8', 'pkg:rpm/almalinux/a@'],
    ['fedora', '41', 'Fedora:41', 'pkg:rpm/fedora/a@'],
    ['amzn', '2023', 'Amzn:2023', 'pkg:rpm/amzn/a@'],
  ])('of %s %s is looked up as %s', (id, version, ecosystem, purl) => {
    const [one] = read(rpmDatabase([packageHeader({ name: 'a' })]), { id, version }).packages;
    expect([one?.ecosystem, one?.purl.slice(0, purl.length)]).toEqual([ecosystem, purl]);
  });

  it('is looked up under the name of its source as well', () => {
    const { packages } = read(rpmDatabase([packageHeader({ name: 'openssl-libs', source: 'openssl' })]));
    expect(fedAmong(packages).map(({ name }) => name)).toEqual(['openssl-libs', 'openssl']);
  });
});

describe('a hostile database of RPM', () => {
  const good = packageHeader({ name: 'good' });
  const whole = rpmDatabase([good]);
  const view = `CREATE VIEW Packages AS WITH RECURSIVE t(hnum, blob) AS (SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM t) SELECT * FROM t`;
  const patched = (bytes: Buffer, ...changes: readonly (readonly [at: number, value: number])[]): Buffer => {
    const copy = Buffer.from(bytes);
    for (const [at, value] of changes) copy.writeUInt8(value, at);
    return copy;
  };

  it.each<[string, Buffer, RegExp]>([
    ['nothing', Buffer.alloc(0), /is no SQLite database/],
    ['other bytes', Buffer.alloc(8192, 7), /is no SQLite database/],
    ['a view without an end', rpmDatabase([], '', view), /has no table Packages of the known form/],
    [
      'another table',
      rpmDatabase([], '', PACKAGES.replace('Packages', 'Other').replace('TABLE', 'TABLE ')),
      /has no table/,
    ],
    [
      'computed columns',
      rpmDatabase(
        [],
        '',
        `CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY, blob AS (zeroblob(1000000000)))`,
      ),
      /of the known form/,
    ],
    ['a page size of its own', patched(whole, [16, 3]), /of another form/],
    ['texts of another coding', patched(whole, [59, 2]), /of another form/],
    ['a page less', whole.subarray(0, whole.length - 4096), /is cut short/],
    ['half a page less', whole.subarray(0, whole.length - 100), /is cut short/],
    ['a page of another kind', patched(whole, [100, 2]), /pages of another kind/],
    ['cells outside of the page', patched(whole, [108, 0xff], [109, 0xff]), /outside of its pages/],
    ['more cells than fit', patched(whole, [103, 0xff], [104, 0xff]), /outside of its pages/],
  ])('with %s is a gap', (_, bytes, said) => {
    const { packages, gaps } = read(bytes);
    expect([packages, gaps.length]).toEqual([[], 1]);
    expect(gaps[0]).toMatch(said);
  });

  it('with triggers and views beside the table does what none of them say', () => {
    const other = `CREATE TRIGGER t AFTER INSERT ON Packages BEGIN SELECT 1; END; CREATE VIEW v AS SELECT * FROM Packages`;
    const { packages, gaps } = read(rpmDatabase([good], other));
    expect([packages.map(({ name }) => name), gaps]).toEqual([['good'], []]);
  });

  it('whose pages lead in a circle, or into each other, is read once and told', () => {
    const blobs = Array.from({ length: 200 }, (_, i) =>
      packageHeader({ name: `p${i}`, licence: 'x'.repeat(300) }),
    );
    const bytes = rpmDatabase(blobs);
    const root =
      [...Array(bytes.length / 4096).keys()].find((page) => page > 0 && bytes[page * 4096] === 5) ?? 0;
    const first = bytes.readUInt16BE(root * 4096 + 12);
    for (const to of [root + 1, 2, 0, 0xffff]) {
      const copy = Buffer.from(bytes);
      copy.writeUInt32BE(to, root * 4096 + first);
      expect(read(copy).gaps.join()).toMatch(/do not hang together|out of order|another kind/);
    }
    // Two children of one page are the same one.
    const twice = Buffer.from(bytes);
    twice.writeUInt32BE(bytes.readUInt32BE(root * 4096 + first), root * 4096 + 8);
    expect(read(twice).gaps.join()).toMatch(/do not hang together/);
  });

  it('whose rows are out of order is told from there on', () => {
    const bytes = rpmDatabase(['a', 'b', 'c'].map((name) => packageHeader({ name })));
    const page = bytes.findIndex(
      (byte, at) => at > 0 && at % 4096 === 0 && byte === 13 && bytes.readUInt16BE(at + 3) === 3,
    );
    const cells = [0, 1, 2].map((index) => bytes.readUInt16BE(page + 8 + 2 * index));
    for (const [index, cell] of [0, 2, 1].entries())
      bytes.writeUInt16BE(cells[cell] ?? 0, page + 8 + 2 * index);
    const { packages, gaps } = read(bytes);
    expect([packages.map(({ name }) => name), gaps]).toEqual([
      ['a', 'c'],
      [`packages of RPM are not read, or not all: ${path} has rows that are out of order`],
    ]);
  });

  it('with any byte changed, or cut anywhere, is read or told, and never longer than a moment', () => {
    const start = performance.now();
    for (let at = 0; at < REAL.length; at += 997) {
      const copy = Buffer.from(REAL);
      copy.writeUInt8((copy.readUInt8(at) + 0x81) & 0xff, at);
      for (const bytes of [copy, REAL.subarray(0, at)]) {
        const { packages, odd, gaps } = read(bytes);
        expect(packages.length + odd + gaps.length).toBeGreaterThan(0);
      }
    }
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it('whose few bytes are names by the million is read until there are too many', () => {
    const none = Array<string>(20_000).fill('');
    const blobs = Array.from({ length: 52 }, (_, i) =>
      packageHeader({ name: `p${i}`, more: [texts(1047, none), texts(1049, none)] }),
    );
    const { packages, gaps } = read(rpmDatabase(blobs));
    expect([packages.length, gaps]).toEqual([
      50,
      [`${path} is read until its packages need and provide 2000000 things`],
    ]);
  });

  it('with names that are none has a gap for each', () => {
    const odd = ['a b', '', 'a'.repeat(500)].map((name) => packageHeader({ name }));
    const versions = ['1-2', 'é', ''].map((version) => packageHeader({ name: 'x', version }));
    const found = read(rpmDatabase([...odd, good, ...versions, Buffer.from('x')]));
    expect([found.packages.map(({ name }) => name), found.odd]).toEqual([['good'], 7]);
  });
});

describe('a header of RPM', () => {
  const name = text(1000, 'a');
  it.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['no tags', headerOf([])],
    ['a tag twice', headerOf([name, name])],
    ['a name that is a number', headerOf([int32(1000, 1)])],
    ['two names', headerOf([[1000, 6, 2, Buffer.from('a\0b\0')]])],
    ['a name without an end', headerOf([[1000, 6, 1, Buffer.from('abc')]])],
    ['a name of other bytes', headerOf([[1000, 6, 1, Buffer.from([0xff, 0])]])],
    ['more texts than it has', headerOf([name, [1049, 8, 3, Buffer.from('a\0')]])],
    ['more texts than it has bytes', headerOf([name, [1049, 8, 5, Buffer.from('a\0')]])],
    ['a text that is long', headerOf([text(1000, 'a'.repeat(5000))])],
    ['a type that there is not', headerOf([name, [5000, 77, 1, Buffer.alloc(4)]])],
    ['bytes left over', Buffer.concat([headerOf([name]), Buffer.alloc(1)])],
    ['bytes that are missing', headerOf([name]).subarray(0, -1)],
    ['an epoch that is cut', headerOf([name, [1003, 4, 1, Buffer.alloc(2)]])],
    ['four thousand million tags', Buffer.alloc(64, 0xff)],
  ])('with %s is none', (_, bytes) => {
    expect(readHeader(bytes)).toBeNull();
  });

  it('has what it says, and nothing for what it does not say', () => {
    expect(readHeader(headerOf([name]))).toEqual({
      ...{ name: 'a', epoch: 0, version: '', release: '', arch: '', licence: '', sourceRpm: '' },
      ...{ requires: [], provides: [] },
    });
  });
});

describe('versions of RPM', () => {
  it.each<[string, string, number | null]>([
    ['1.0-1', '1.0-1', 0],
    ['1.0-1', '1.0-2', -1],
    ['1.10-1', '1.9-1', 1],
    ['1.0a-1', '1.0-1', 1],
    ['1.0~rc1-1', '1.0-1', -1],
    ['1.0~rc1-1', '1.0~rc2-1', -1],
    ['1.0^git1-1', '1.0-1', 1],
    ['1.0^git1-1', '1.0.1-1', -1],
    ['1:1.0-1', '2.0-1', 1],
    ['0:1.0-1', '1.0-1', 0],
    ['1.0-1.el9_4.2', '1.0-1.el9_4.10', -1],
    ['1.0.010-1', '1.0.9-1', 1],
    ['1.a-1', '1.1-1', -1],
    ['1_0-1', '1.0-1', 0],
    ['1.0', '1.0-7', 0],
    ['a b', '1', null],
  ])('%s and %s stand as RPM has them', (a, b, order) => {
    const sign = (value: number | null): number | null => (value === null ? null : Math.sign(value));
    expect([sign(rpmOrder(a, b)), sign(rpmOrder(b, a))]).toEqual([order, order === null ? null : 0 - order]);
  });

  it('are in the ranges of the distribution’s records, of whatever repository', () => {
    const record = (ecosystem: string, fixed: string): Buffer =>
      Buffer.from(
        JSON.stringify({
          ...{ id: 'RHSA-2026:1', modified: '2026-01-01T00:00:00Z' },
          affected: [
            {
              package: { ecosystem, name: 'openssl-libs' },
              ranges: [{ type: 'ECOSYSTEM', events: [{ introduced: '0' }, { fixed }] }],
            },
          ],
        }),
      );
    const kept = (ecosystem: string): string[] =>
      readAdvisory(record(ecosystem, '1:3.0.7-24.el9')).affects.map((one) => one.ecosystem);
    expect(kept('Red Hat:enterprise_linux:9::baseos')).toEqual(['Red Hat:9']);
    expect(kept('Red Hat:enterprise_linux:10.1')).toEqual(['Red Hat:10']);
    expect(kept('Red Hat:rhel_eus:9.2::baseos')).toEqual([]);
    expect(kept('Rocky Linux:9')).toEqual(['Rocky Linux:9']);
    const [affects] = readAdvisory(record('AlmaLinux:9', '1:3.0.7-24.el9')).affects;
    if (!affects) throw new Error('nothing is read of it');
    expect(
      ['1:3.0.7-18.el9', '3.1-1.el9', '1:3.0.7-24.el9', '1:3.0.7-24.el9_3'].map((v) =>
        isAffected(v, affects),
      ),
    ).toEqual([...[true, true, false, false]]);
    expect(() => readAdvisory(record('AlmaLinux:9', 'not a version'))).toThrow(/versions of AlmaLinux/);
  });
});
