/** Records, ranges and archives by themselves, and the two checks. Every id and package is made up. */
import { describe, expect, it } from 'vitest';
import { sourceOf, ZIP_LIMITS, zipEntries, zipReader } from '../../runtime/store/zip.ts';
import { isAffected } from '../../scanner/advisories/match.ts';
import { type Advisory, readAdvisory } from '../../scanner/advisories/record.ts';
import { knownMalware, knownVulnerabilities } from '../../scanner/checks/advisories.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import type { KnownAdvisories } from '../../scanner/ports.ts';
import { judge } from '../../scanner/report.ts';
import { type Affecting, failsGate } from '../../schemas/advisory.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { ghsa, type Made, mal, zipOf, zipOfRecords } from '../helpers/advisories.ts';

const read = (record: object): Advisory => readAdvisory(Buffer.from(JSON.stringify(record)));
const npm = (rest: object): object => ({ package: { ecosystem: 'npm', name: 'p' }, ...rest });
type Event = Readonly<Record<string, string>>;

describe('a range', () => {
  it.each<[string, Event[], string[], string[]]>([
    ['all', [{ introduced: '0' }], ['0.0.0-0', '0.0.1', '9.9.9'], []],
    [
      'until fixed',
      [{ introduced: '0' }, { fixed: '1.2.4' }],
      ['0.0.0', '1.2.3', '1.2.4-rc.1'],
      ['1.2.4', '2.0.0'],
    ],
    [
      'up to the last',
      [{ introduced: '1.0.0' }, { last_affected: '1.5.0' }],
      ['1.0.0', '1.5.0'],
      ['0.9.9', '1.0.0-rc.1', '1.5.1'],
    ],
    [
      'one version',
      [{ introduced: '1.0.0' }, { last_affected: '1.0.0' }],
      ['1.0.0', '1.0.0+build'],
      ['1.0.1', '0.9.0'],
    ],
    [
      'two spans in any order',
      [{ fixed: '2.1.0' }, { introduced: '2.0.0' }, { fixed: '1.1.0' }, { introduced: '1.0.0' }],
      ['1.0.5', '2.0.5'],
      ['1.1.0', '1.9.9', '2.1.0'],
    ],
    [
      'fixed and back at once',
      [{ introduced: '0' }, { fixed: '1.0.0' }, { introduced: '1.0.0' }],
      ['0.9.0', '1.0.0'],
      [],
    ],
    ['within a limit', [{ introduced: '0' }, { limit: '2.0.0' }], ['1.9.9'], ['2.0.0']],
    ['without a limit', [{ introduced: '0' }, { limit: '*' }], ['2.0.0'], []],
    ['never begun', [{ fixed: '1.0.0' }], [], ['0.1.0', '2.0.0']],
    ['with short bounds', [{ introduced: '1' }, { fixed: 'v1.2' }], ['1.0.0', '1.1.9'], ['0.9.0', '1.2.0']],
  ])('%s', (_, events, inside, outside) => {
    const [affects] = read(
      ghsa('GHSA-a', 'p', { affected: [npm({ ranges: [{ type: 'SEMVER', events }] })] }),
    ).affects;
    for (const version of inside)
      expect([version, isAffected(version, affects as NonNullable<typeof affects>)]).toEqual([version, true]);
    for (const version of outside)
      expect([version, isAffected(version, affects as NonNullable<typeof affects>)]).toEqual([
        version,
        false,
      ]);
  });

  it('yields to listed versions, which name exactly', () => {
    const ranges = [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: '1.0.0' }] }];
    const [affects] = read(ghsa('GHSA-a', 'p', { affected: [npm({ ranges, versions: ['3.0.0'] })] })).affects;
    const of = (version: string): boolean =>
      isAffected(version, affects ?? { ecosystem: 'npm', versions: [], ranges: [] });
    expect(['3.0.0', '3.0.1', '0.5.0', 'v3.0.0'].map(of)).toEqual([true, false, true, false]);
  });
});

describe('a record', () => {
  it('is malware by its id or by its origins, and as grave as its source says', () => {
    expect(read(mal('MAL-2026-1', 'p', ['1.0.0']))).toMatchObject({ kind: 'malware', severity: 'critical' });
    expect(read(mal('GHSA-x', 'p', ['1.0.0']))).toMatchObject({ kind: 'malware' });
    expect(read(ghsa('GHSA-x', 'p'))).toMatchObject({
      kind: 'vulnerability',
      severity: 'high',
      withdrawn: false,
    });
    expect(read(ghsa('GHSA-x', 'p', { database_specific: { severity: 'MODERATE' } })).severity).toBe(
      'medium',
    );
    expect(read(ghsa('GHSA-x', 'p', { database_specific: null })).severity).toBeNull();
    expect(read(ghsa('GHSA-x', 'p', { withdrawn: '2026-01-01T00:00:00Z' })).withdrawn).toBe(true);
  });

  it('keeps its bytes, and shows a summary that is only text', () => {
    const made = ghsa('GHSA-x', 'p', { summary: 'a\u0000b\u001b[31m\u202e\n c' });
    const { summary, bytes, modified } = read(made);
    expect(summary).toBe('a b [31m c');
    expect(bytes.toString()).toBe(JSON.stringify(made));
    expect(modified).toBe('2026-11-24T10:00:00.123Z');
  });

  it('keeps npm, PyPI and releases of two distributions, and of other ecosystems nothing', () => {
    const others = ['crates.io', 'npm:9', 'Debian', 'Debian:12:x', 'Alpine:v3', 'Ubuntu:24.04:LTS'];
    const affected = ['npm', 'PyPI', 'Debian:12', 'Alpine:v3.20', ...others].map((ecosystem) => ({
      package: { ecosystem, name: 'A_b' },
      versions: ['1'],
    }));
    expect(
      read(ghsa('GHSA-x', 'p', { affected })).affects.map(({ ecosystem, name }) => `${ecosystem} ${name}`),
    ).toEqual(['npm A_b', 'PyPI a-b', 'Debian:12 A_b', 'Alpine:v3.20 A_b']);
  });

  it.each<[string, object]>([
    ['without an id', { modified: '2026-01-01T00:00:00Z' }],
    ['with an id that climbs', ghsa('../GHSA', 'p')],
    ['of no time', ghsa('GHSA-x', 'p', { modified: 'yesterday' })],
    ['of a day that is none', ghsa('GHSA-x', 'p', { modified: '2026-19-39T00:00:00Z' })],
    ['with versions that are none', ghsa('GHSA-x', 'p', { affected: [npm({ versions: [1] })] })],
    [
      'with a bound that is no version',
      ghsa('GHSA-x', 'p', { affected: [npm({ ranges: [{ type: 'SEMVER', events: [{ fixed: 'soon' }] }] })] }),
    ],
    [
      'with too many versions',
      ghsa('GHSA-x', 'p', { affected: [npm({ versions: Array.from({ length: 50_001 }, () => '1') })] }),
    ],
  ])('%s is refused', (_, record) => {
    expect(() => read(record)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }));
  });
});

describe('an archive', () => {
  it.each([false, true])('gives back what is in it (64 bits: %s)', async (sixtyFour) => {
    const records: Made[] = Array.from({ length: 300 }, (_, i) => ghsa(`GHSA-${i}`, `p${i}`));
    const source = sourceOf(zipOfRecords(records, sixtyFour));
    const reader = zipReader(source);
    const names: string[] = [];
    for (const entry of await zipEntries(source)) {
      names.push(entry.name);
      expect(JSON.parse((await reader.bytes(entry)).toString()).id).toBe(entry.name.replace('.json', ''));
    }
    expect(names).toHaveLength(300);
  });

  it('is refused beyond any limit', async () => {
    const source = sourceOf(zipOfRecords([ghsa('GHSA-1', 'p'), ghsa('GHSA-2', 'p')]));
    for (const limit of ['archiveBytes', 'entries', 'directoryBytes', 'totalBytes'] as const)
      await expect(zipEntries(source, { ...ZIP_LIMITS, [limit]: 1 })).rejects.toMatchObject({
        code: 'ARCHIVE_HOSTILE',
      });
    const [entry] = await zipEntries(source);
    if (!entry) throw new Error('no entry');
    await expect(zipReader(source, { ...ZIP_LIMITS, entryBytes: 1 }).bytes(entry)).rejects.toMatchObject({
      code: 'ARCHIVE_HOSTILE',
    });
  });

  it('that is spoilt anywhere is refused in a sentence or gives the true bytes, and nothing else', async () => {
    const good = zipOf([{ name: 'GHSA-1.json', bytes: Buffer.from('{"id":"GHSA-1"}') }]);
    for (let at = 0; at < good.length; at++) {
      for (const value of [0x00, 0x7f, 0xff]) {
        const source = sourceOf(Buffer.from(good.map((byte, i) => (i === at ? value : byte))));
        try {
          for (const entry of await zipEntries(source))
            expect((await zipReader(source).bytes(entry)).toString()).toBe('{"id":"GHSA-1"}');
        } catch (error) {
          expect([at, (error as { code?: string }).code]).toEqual([at, 'ARCHIVE_HOSTILE']);
        }
      }
    }
  });
});

describe('the checks', () => {
  const NOW = new Date('2026-11-25T12:00:00.000Z');
  const one = (kind: Affecting['kind'], severity: Affecting['severity']): Affecting => ({
    ...{ id: kind === 'malware' ? 'MAL-2026-1' : 'GHSA-x', kind, severity },
    ...{ summary: 'made up', modified: NOW.toISOString(), purls: ['pkg:npm/p@1.0.0'] },
  });
  const judged = async (
    advisories: KnownAdvisories | string,
    installed: object = { packages: [{}], gaps: [] },
  ): Promise<string[]> => {
    const facts = { advisories, now: NOW, policy: DEFAULT_POLICY, installed } as unknown as Facts;
    const results = await judge([knownMalware, knownVulnerabilities], facts);
    return results.map(({ id, outcome, gates }) => `${id} ${outcome}${gates ? ' gates' : ''}`);
  };
  const fresh = '2026-11-25T11:00:00.000Z';
  const stale = '2026-11-23T11:00:00.000Z';

  it.each<[string, KnownAdvisories | string, string[]]>([
    [
      'nothing known, fresh',
      { newest: fresh, affecting: [], missing: [] },
      ['LK-ADV-01 ok gates', 'LK-ADV-02 ok'],
    ],
    [
      'never loaded',
      { newest: null, affecting: [], missing: [] },
      ['LK-ADV-01 unknown', 'LK-ADV-02 unknown'],
    ],
    ['stale', { newest: stale, affecting: [], missing: [] }, ['LK-ADV-01 unknown', 'LK-ADV-02 unknown']],
    [
      'of one of its ecosystems none loaded',
      { newest: fresh, affecting: [], missing: ['PyPI'] },
      ['LK-ADV-01 unknown', 'LK-ADV-02 unknown'],
    ],
    [
      'a record that cannot be read',
      { newest: fresh, affecting: [], missing: [], unread: ['npm p'] },
      ['LK-ADV-01 unknown', 'LK-ADV-02 unknown'],
    ],
    ['not given', 'why', ['LK-ADV-01 unknown', 'LK-ADV-02 unknown']],
    [
      'malware',
      { newest: fresh, affecting: [one('malware', 'critical')], missing: [] },
      ['LK-ADV-01 fired gates', 'LK-ADV-02 ok'],
    ],
    [
      'malware in a stale feed',
      { newest: stale, affecting: [one('malware', 'critical')], missing: [] },
      ['LK-ADV-01 fired gates', 'LK-ADV-02 unknown'],
    ],
    [
      'a vulnerability',
      { newest: fresh, affecting: [one('vulnerability', 'high')], missing: [] },
      ['LK-ADV-01 ok gates', 'LK-ADV-02 fired'],
    ],
  ])('%s', async (_, advisories, wanted) => {
    const found = await judged(advisories);
    expect(found.map((line) => line.replace('ok gates', 'ok'))).toEqual(
      wanted.map((line) => line.replace('ok gates', 'ok')),
    );
  });

  it('do not know of what was not listed', async () => {
    const known = { newest: fresh, affecting: [], missing: [] };
    for (const installed of [
      { packages: [], gaps: [] },
      { packages: [{}], gaps: ['packages of RPM are not read'] },
    ])
      expect(await judged(known, installed)).toEqual(['LK-ADV-01 unknown', 'LK-ADV-02 unknown']);
  });

  it('a gate fails from the named severity on; what nobody rated counts as the gravest', () => {
    const fails = (severity: Affecting['severity'], failOn: Parameters<typeof failsGate>[1]): boolean =>
      failsGate({ severity }, failOn);
    expect([fails('critical', null), fails(null, null)]).toEqual([false, false]);
    expect([
      fails('critical', 'high'),
      fails('high', 'high'),
      fails('medium', 'high'),
      fails(null, 'critical'),
    ]).toEqual([true, true, false, true]);
  });
});
