/** Advisories from archives and folders, and versions of distributions in their order. Every id and package is made up. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isAffected } from '../../scanner/advisories/match.ts';
import { type Offline, openOffline } from '../../scanner/advisories/offline.ts';
import { alpineOrder, debianOrder } from '../../scanner/advisories/order.ts';
import { readAdvisory } from '../../scanner/advisories/record.ts';
import type { Named } from '../../scanner/installed/package.ts';
import { ghsa, type Made, mal, zipOf, zipOfRecords } from '../helpers/advisories.ts';
import { NOW, refusalOf, tempDir } from './harness.ts';

const named = (ecosystem: string, name: string, version: string): Named => ({
  ...{ ecosystem, name, version },
  purl: `pkg:x/${name}@${version}`,
});
const about = (id: string, ecosystem: string, name: string, rest: object, more: object = {}): Made =>
  ghsa(id, name, { affected: [{ package: { ecosystem, name }, ...rest }], ...more });
const fixedIn = (fixed: string, type = 'ECOSYSTEM'): object => ({
  ranges: [{ type, events: [{ introduced: '0' }, { fixed }] }],
});

describe('the order of versions', () => {
  it.each([
    [
      debianOrder,
      [
        '1.0~rc1-1',
        '1.0-1',
        '1.0-1+b1',
        '1.0-1.1',
        '1.0-2',
        '1.0a-1',
        '1.0+dfsg-1',
        '1.0.1-1',
        '1.10-1',
        '1:0.1-1',
      ],
    ],
    [debianOrder, ['2.36-9+deb12u3', '2.36-9+deb12u10', '2.36-10']],
    [debianOrder, ['0~~', '0~', '0', '00001', '99999999999999999999999']],
    [
      alpineOrder,
      [
        '1.0_alpha2',
        '1.0_beta',
        '1.0_rc1',
        '1.0_rc2',
        '1.0-r0',
        '1.0-r10',
        '1.0_git20240101',
        '1.0_p1',
        '1.0a',
        '1.0.01',
        '1.0.1',
        '1.2.11-r3',
        '1.10',
      ],
    ],
  ])('%# stands', (order, versions) => {
    for (const [i, a] of versions.entries())
      for (const [j, b] of versions.entries())
        expect([a, b, Math.sign(order(a, b) ?? Number.NaN)]).toEqual([a, b, Math.sign(i - j) || 0]);
  });

  it('has no place for what is no version', () => {
    for (const text of ['', 'a b', '1.0/2', '1.0-', '\u0000']) expect(debianOrder(text, '1')).toBeNull();
    for (const text of ['', 'x1', '1.0-rc1', '1..0', '1_new']) expect(alpineOrder('1', text)).toBeNull();
    expect(debianOrder('1'.repeat(200_000), `${'1'.repeat(200_000)}a`)).toBeLessThan(0);
  });

  it('decides who is affected in a distribution', () => {
    const [debian] = readAdvisory(
      Buffer.from(JSON.stringify(about('DSA-1', 'Debian:12', 'glibc', fixedIn('2.36-9+deb12u4')))),
    ).affects;
    const [alpine] = readAdvisory(
      Buffer.from(JSON.stringify(about('ALP-1', 'Alpine:v3.20', 'musl', fixedIn('1.2.5-r1')))),
    ).affects;
    if (!debian || !alpine) throw new Error('records about nothing');
    expect(['2.36-9+deb12u3', '2.36-9+deb12u4', 'no version'].map((one) => isAffected(one, debian))).toEqual([
      true,
      false,
      false,
    ]);
    expect(['1.2.5-r0', '1.2.5-r1', '1.2.5-r10'].map((one) => isAffected(one, alpine))).toEqual([
      true,
      false,
      false,
    ]);
    expect(() =>
      readAdvisory(Buffer.from(JSON.stringify(about('ALP-2', 'Alpine:v3.20', 'musl', fixedIn('soon'))))),
    ).toThrow('versions of Alpine');
  });
});

async function opened(
  files: Readonly<Record<string, Buffer | string>>,
  paths: readonly string[] = ['.'],
): Promise<Offline> {
  const dir = await tempDir();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), bytes);
  }
  const all = paths.map((path) => join(dir, path));
  return openOffline(all, { now: () => NOW, progress: () => undefined });
}

const P = named('npm', 'p', '1.0.0');
const Q = named('PyPI', 'a-b', '1.0');

describe('advisories from files', () => {
  it('are found in archives and folders, laid out as OSV does or not', async () => {
    const npm = [ghsa('GHSA-1', 'p'), mal('MAL-1', 'p', ['1.0.0']), ghsa('GHSA-2', 'other')];
    const pypi = about('PYSEC-1', 'PyPI', 'A_b', { versions: ['1.0'] });
    for (const files of [
      {
        'npm/all.zip': zipOfRecords(npm),
        'PyPI/all.zip': zipOfRecords([pypi]),
        'npm/MAL-9.json': 'not looked at',
      },
      { 'all.zip': zipOfRecords([...npm, pypi]) },
      { 'npm.zip': zipOfRecords(npm), 'PyPI/PYSEC-1.json': JSON.stringify(pypi) },
    ] as Readonly<Record<string, Buffer | string>>[]) {
      const feed = await opened(files);
      const { affecting, missing, newest, unread } = await feed.known([P, Q, P]);
      expect(affecting.map(({ id, kind, purls }) => [id, kind, purls])).toEqual([
        ['GHSA-1', 'vulnerability', [P.purl]],
        ['MAL-1', 'malware', [P.purl]],
        ['PYSEC-1', 'vulnerability', [Q.purl]],
      ]);
      expect([missing, unread, newest]).toEqual([[], undefined, '2026-11-24T10:00:00.123Z']);
      expect([feed.records, feed.skipped]).toEqual([4, 0]);
      expect((await feed.known([named('npm', 'p', '2.0.0')])).affecting).toEqual([]);
      await feed.close();
    }
  });

  it('count the newest of each id, and a withdrawn one for nothing', async () => {
    const old = ghsa('GHSA-1', 'p', { modified: '2026-11-01T00:00:00Z' });
    const gone = ghsa('GHSA-1', 'p', { modified: '2026-11-20T00:00:00Z', withdrawn: '2026-11-20T00:00:00Z' });
    const feed = await opened({ 'a.zip': zipOfRecords([gone]), 'b.zip': zipOfRecords([old]) });
    expect(await feed.known([P])).toEqual({ newest: '2026-11-20T00:00:00.000Z', affecting: [], missing: [] });
    await feed.close();
  });

  it('miss an ecosystem whose own feed is not there, whoever names it beside another', async () => {
    const both = ghsa('GHSA-1', 'p', {
      affected: [
        { package: { ecosystem: 'npm', name: 'p' }, versions: ['1.0.0'] },
        { package: { ecosystem: 'PyPI', name: 'a-b' }, versions: ['1.0'] },
      ],
    });
    const feed = await opened({ 'npm/all.zip': zipOfRecords([both, ghsa('GHSA-2', 'other')]) });
    const found = await feed.known([P, Q, named('Debian:12', 'glibc', '1'), named('Wolfi', 'x', '1')]);
    expect(found.missing).toEqual(['Debian', 'PyPI', 'Wolfi']);
    expect(found.affecting[0]?.purls).toEqual([Q.purl, P.purl]);
    await feed.close();
  });

  it('are as old as the oldest feed that is needed; a record of tomorrow makes none newer', async () => {
    const pypi = (id: string, modified: string): Made =>
      about(id, 'PyPI', 'c', { versions: ['1'] }, { modified });
    const feed = await opened({
      'npm.zip': zipOfRecords([ghsa('GHSA-2', 'other')]),
      'pypi.zip': zipOfRecords([
        pypi('PYSEC-1', '2025-01-01T00:00:00Z'),
        pypi('PYSEC-2', '2030-01-01T00:00:00Z'),
      ]),
    });
    expect((await feed.known([P])).newest).toBe('2026-11-24T10:00:00.123Z');
    expect((await feed.known([P, Q])).newest).toBe('2025-01-01T00:00:00.000Z');
    await feed.close();
  });

  it('pass over what is no record, and do not know where one names the package', async () => {
    const bad = (name: string, text: string) => ({ name, bytes: Buffer.from(text) });
    const archive = zipOf([
      { name: 'GHSA-2.json', bytes: Buffer.from(JSON.stringify(ghsa('GHSA-2', 'other'))) },
      bad('a.json', 'no JSON'),
      bad('b.json', '7'),
      bad('c.json', '['.repeat(100_000)),
      bad('readme.txt', 'x'),
      bad('d.json', JSON.stringify({ ...ghsa('GHSA-3', 'p'), id: '../x' })),
    ]);
    const feed = await opened({ 'all.zip': archive });
    expect([feed.records, feed.skipped]).toEqual([2, 3]);
    expect(await feed.known([P])).toMatchObject({ affecting: [], unread: ['npm p'] });
    expect(await feed.known([named('npm', 'other', '9.0.0')])).toEqual({
      newest: '2026-11-24T10:00:00.123Z',
      affecting: [],
      missing: [],
    });
    await feed.close();
  });

  it.each<[string, Record<string, Buffer | string>, string, string]>([
    ['nothing there', {}, 'none.zip', 'a file or a folder that is there'],
    ['an empty folder', {}, '.', 'a record in the OSV format'],
    [
      'an archive of other things',
      { 'all.zip': zipOf([{ name: 'a.txt', bytes: Buffer.from('x') }]) },
      'all.zip',
      'a record',
    ],
    ['no archive', { 'all.zip': 'hello' }, 'all.zip', 'a zip'],
    [
      'a folder of other folders',
      { 'crates.io/all.zip': zipOfRecords([ghsa('GHSA-1', 'p')]) },
      '.',
      'a record',
    ],
  ])('are refused: %s', async (_, files, path, words) => {
    const { message } = await refusalOf(opened(files, [path]));
    expect(message).toContain(words);
  });
});
