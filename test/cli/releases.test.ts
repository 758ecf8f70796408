/** Which release is meant by the words people use. */
import { describe, expect, it } from 'vitest';
import { releaseTable } from '../../cli/commands/review.ts';
import { acceptWords, chosen, type Meant } from '../../cli/releases.ts';
import type { Release, ReleaseState } from '../../schemas/release.ts';

const release = (name: string, version: string, state: ReleaseState): Release =>
  ({ name, version, state }) as Release;
const approved = release('acme.tools/weather', '1.0.0', 'approved');
const waiting = release('acme.tools/weather', '1.1.0', 'in_review');
const typo = release('acme.tools/weather', '9.9.9', 'rejected');
const all = [typo, waiting, approved];

const APPROVE: Meant = { state: 'in_review', alone: false };
const REVOKE: Meant = { state: 'approved', alone: true };

describe('the list of what waits', () => {
  const of = (state: ReleaseState, more: Partial<Release> = {}): Release => ({
    ...release('io.github.modelcontextprotocol/filesystem', '2025.11.25', state),
    ...{ id: 1204, requestedBy: 'carol.of.the.platform@example.com', approvals: [], reviewBy: null },
    ...{ lapsedAt: null, submittedAt: '2026-11-24T10:11:12.000Z', ...more },
  });
  const now = new Date('2026-11-25T00:00:00.000Z');
  const lines = (state: string, ...releases: Release[]): string[] =>
    releaseTable(releases, state, {
      now,
      ...(state === 'in_review' ? { gravest: new Map([[1204, 'critical']]) } : {}),
    }).split('\n');

  it('fits a screen, and names what can be asked for', () => {
    const [head, row] = lines('in_review', of('in_review'));
    expect(head?.split(/ {2,}/)).toEqual(['ID', 'RELEASE', 'GRAVEST', 'ASKED BY', 'SIGNED', 'SINCE']);
    expect(row).toContain('io.github.modelcontextprotocol/filesystem@2025.11.25  critical  carol.of.…');
    expect(row).toMatch(/2026-11-24$/);
    const usual = { name: 'npm.acme/filesystem', requestedBy: 'carol' };
    const lapsed = of('in_review', { ...usual, lapsedAt: '2026-11-20T00:00:00.000Z' });
    const approved = of('approved', { ...usual, reviewBy: '2026-11-27T00:00:00.000Z' });
    const every = [
      ...lines('in_review', of('in_review')),
      ...lines('in_review', lapsed),
      ...lines('all', approved),
    ];
    for (const line of every) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines('in_review', lapsed)[1]).toContain('lapsed 2026-11-20');
  });

  it('says the state where all are listed', () => {
    expect(lines('all', of('rejected'))[0]).toContain('STATE');
    expect(lines('all', of('rejected'))[1]).toContain('rejected');
  });
});

describe('without a version', () => {
  it('the newest is shown', () => expect(chosen(all, 'weather')).toBe(typo));

  it('nothing is approved beside another, for it may have come after what was read', () => {
    expect(() => chosen(all, 'weather', APPROVE)).toThrow(
      'found 9.9.9 (rejected), 1.1.0 (in review), 1.0.0 (approved). Name it, such as: acme.tools/weather@1.1.0.',
    );
    expect(chosen([waiting], 'weather', APPROVE)).toBe(waiting);
  });

  it('the one that can be revoked is, and of two none', () => {
    expect(chosen(all, 'weather', REVOKE)).toBe(approved);
    const two = [release('acme.tools/weather', '1.2.0', 'approved'), ...all];
    expect(() => chosen(two, 'weather', REVOKE)).toThrow('acme.tools/weather@1.2.0');
    expect(() => chosen([typo, waiting], 'weather', REVOKE)).toThrow(
      'one version of acme.tools/weather, named',
    );
  });
});

it('a version names one, in any state', () => {
  expect(chosen(all, 'weather@9.9.9', REVOKE)).toBe(typo);
  expect(() => chosen(all, 'weather@3.0.0')).toThrow('only the versions 9.9.9, 1.1.0, 1.0.0');
});

it('what gates and is not ok has to be accepted by name', () => {
  const check = (id: string, gates: boolean, outcome: string) => ({ id, gates, outcome });
  const checks = [
    check('LK-MNT-01', true, 'unknown'),
    check('LK-TXT-01', true, 'fired'),
    check('LK-ART-01', true, 'ok'),
    check('LK-LIC-01', false, 'fired'),
  ] as unknown as Parameters<typeof acceptWords>[0];
  expect(acceptWords(checks)).toBe(' --accept "LK-MNT-01=REASON" --accept "LK-TXT-01=REASON"');
});
