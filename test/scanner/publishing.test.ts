/** Who published a version, when, and under whose name: npm's metadata in its real shapes. */
import { describe, expect, it } from 'vitest';
import { BRANDS, isSlip } from '../../scanner/checks/brands.ts';
import type { Attested } from '../../scanner/provenance/standing.ts';
import { publisherOf } from '../../scanner/upstream.ts';
import type { Publisher } from '../../schemas/origin.ts';
import type { LocalPackage } from '../helpers/npm-registry.ts';
import { judged, type Seen, seen } from './signed-place.ts';

const ANN = { name: 'ann', email: 'ann@acme.example' };
const MALLORY = { name: 'mallory', email: 'm@proton.example' };
const workflow = (oidcConfigId: string): object => ({
  name: 'GitHub Actions',
  email: 'npm-oidc-no-reply@github.com',
  trustedPublisher: { id: 'github', oidcConfigId },
});

const version = (number: string, at: string | undefined, by: object | null = ANN): LocalPackage => ({
  ...{ name: '@acme/tool', version: number, files: {}, maintainers: [ANN] },
  ...(at === undefined ? {} : { publishedAt: `${at}${at.includes('T') ? '' : 'T00:00:00.000Z'}` }),
  ...(by === null ? {} : { told: { _npmUser: by as never } }),
});
const BEFORE = [version('1.0.0', '2026-01-01'), version('1.0.1', '2026-02-01')];

async function next(
  beside: readonly LocalPackage[],
  one: LocalPackage,
  publisher?: Publisher,
): Promise<Seen> {
  const origin = { provenance: null, publisher: publisher ?? null, repository: null };
  return seen(one, { beside, baseline: publisher ? { origin } : null });
}

describe('a publisher', () => {
  it('is a person, a machine’s account or a trusted workflow, as npm writes them', () => {
    expect(publisherOf(ANN)).toEqual({
      account: 'ann <ann@acme.example>',
      kind: 'person',
      configuration: null,
    });
    expect(publisherOf({ name: 'acme-bot', email: 'x@y' })?.kind).toBe('automation');
    expect(publisherOf({ name: 'semantic-release-bot' })?.kind).toBe('automation');
    expect(publisherOf({ name: 'abbott' })?.kind).toBe('person');
    expect(publisherOf(workflow('c1'))).toMatchObject({
      kind: 'trusted-publisher',
      configuration: 'github c1',
    });
    expect(publisherOf({ ...workflow('c1'), trustedPublisher: undefined })?.kind).toBe('trusted-publisher');
    // A person let a workflow's version through: staged publishing.
    expect(publisherOf({ ...ANN, approver: { name: 'ann' } })?.kind).toBe('person');
    for (const bad of [undefined, null, 1, [], { email: 'a' }]) expect(publisherOf(bad)).toBeNull();
  });

  it('is quiet where the next version comes the same way', async () => {
    expect((await next(BEFORE, version('1.0.2', '2026-03-01'))).words('LK-MNT-02')).toMatch(
      /^ok: a person, ann/,
    );
    const flow = [version('1.0.0', '2026-01-01', workflow('c1'))];
    expect((await next(flow, version('1.0.1', '2026-02-01', workflow('c1')))).words('LK-MNT-02')).toMatch(
      /^ok/,
    );
    expect((await next([], version('1.0.0', '2026-01-01'))).words('LK-MNT-02')).toMatch(/^ok/);
  });

  it('fires for another way, another configuration, a new account and a stranger', async () => {
    const flow = [version('1.0.0', '2026-01-01', workflow('c1'))];
    const person = await next(flow, version('1.0.1', '2026-02-01'));
    expect(person.words('LK-MNT-02')).toContain('published by a person; before it was a trusted workflow');
    const other = await next(flow, version('1.0.1', '2026-02-01', workflow('c2')));
    expect(other.words('LK-MNT-02')).toContain('its trusted publisher was configured anew');
    const taken = await next(BEFORE, version('1.0.2', '2026-03-01', MALLORY));
    expect(taken.words('LK-MNT-02')).toContain('the first version that mallory published');
    expect(taken.words('LK-MNT-02')).toContain('is none of its maintainers');
    const approved = {
      account: 'GitHub Actions',
      kind: 'trusted-publisher',
      configuration: 'github c1',
    } as const;
    const since = await next(BEFORE, version('1.0.2', '2026-03-01'), approved);
    expect(since.words('LK-MNT-02')).toContain('before it was a trusted workflow');
  });

  it('is unknown where nobody is named', async () => {
    const found = await next(BEFORE, version('1.0.2', '2026-03-01', null));
    expect(found.words('LK-MNT-02')).toMatch(/^unknown/);
  });
});

describe('maintainers', () => {
  it('fire for an address elsewhere as well', async () => {
    const moved = {
      ...version('1.0.2', '2026-03-01'),
      maintainers: [{ name: 'ann', email: 'ann@proton.example' }],
    };
    const found = await seen(moved, { baseline: { maintainers: ['ann <ann@acme.example>'] } });
    expect(found.words('LK-MNT-01')).toContain('maintainers changed: +ann <ann@proton.example>');
    expect(found.words('LK-MNT-01')).toContain(
      'the e-mail address of ann moved from acme.example to proton.example',
    );
  });
});

describe('the rhythm', () => {
  it('fires for a version after a year of silence, and for one of many within minutes', async () => {
    const late = await next([version('1.0.0', '2024-01-01')], version('1.0.1', '2026-03-01'));
    expect(late.words('LK-REL-02')).toContain('published after 790 days');
    const at = (minute: number): LocalPackage => version(`1.1.${minute}`, `2026-03-01T00:0${minute}:00.000Z`);
    const worm = await next([...BEFORE, at(0), at(1), at(2), at(3)], at(4));
    expect(worm.words('LK-REL-02')).toContain('one of 5 versions within minutes');
    expect((await next([...BEFORE, at(0), at(1), at(2)], at(3))).words('LK-REL-02')).toMatch(
      /^ok: 6 versions/,
    );
  });

  it('is unknown behind a proxy, which has its own dates', async () => {
    const mirrored = [version('1.0.0', '2024-01-01', null)];
    expect((await next(mirrored, version('1.0.1', '2026-03-01', null))).words('LK-REL-02')).toContain(
      'a proxy',
    );
    expect((await next(BEFORE, version('1.0.2', undefined))).words('LK-REL-02')).toMatch(/^unknown/);
  });
});

describe('a name', () => {
  const says = (purl: string, built: string | null = null, claimed: readonly string[] = []): string => {
    const nothing = { state: 'absent', note: '' };
    const value = { builder: { repository: built }, runner: null, trigger: null };
    const build = built === null ? nothing : { state: 'held', value };
    const attested = {
      signature: nothing,
      publish: nothing,
      build,
      claimed,
      commit: null,
    } as unknown as Attested;
    const words = judged({ rootPurl: purl, attested } as never).words('LK-NAM-01');
    const outcome = judged({ rootPurl: purl, attested } as never).says('LK-NAM-01');
    return outcome.outcome === 'fired' ? `${outcome.findings[0]?.severity} ${words}` : words;
  };

  it.each([
    ['pkg:npm/%40modelcontextprotocol/server-github@1.0.0', 'ok: of modelcontextprotocol'],
    ['pkg:npm/%40stripe/mcp@1.0.0', "ok: of stripe's own scope"],
    ['pkg:npm/left-pad@1.0.0', 'ok: like no name'],
    ['pkg:npm/emotion-mcp@1.0.0', 'ok: like no name'],
    ['pkg:npm/motion-mcp@1.0.0', 'ok: like no name'],
    [
      'pkg:npm/postmark-mcp@1.0.16',
      'medium fired: postmark-mcp has the name of postmark, and comes from somebody else',
    ],
    ['pkg:npm/my-slack-tool@1.0.0', 'low fired'],
    ['pkg:npm/%40stripe-tools/mcp@1.0.0', 'medium fired'],
    [
      'pkg:npm/%40modelcontextprotoco1/server-time@1.0.0',
      'medium fired: @modelcontextprotoco1/server-time is one slip',
    ],
    ['pkg:pypi/antropic-mcp@1.0.0', 'medium fired: antropic-mcp is one slip away from the name of anthropic'],
  ])('%s', (purl, expected) => expect(says(purl)).toContain(expected));

  it('is the vendor’s where a build of its repository proves it, and not where somebody says so', () => {
    const purl = 'pkg:npm/postmark-mcp@1.0.16';
    expect(says(purl, 'https://github.com/ActiveCampaign/postmark-mcp')).toBe('ok: built by activecampaign');
    expect(says(purl, null, ['https://github.com/ActiveCampaign/postmark-mcp'])).toContain('low fired');
    expect(says(purl, 'https://github.com/phanpak/x', ['https://github.com/phanpak/x'])).toContain(
      'medium fired',
    );
  });

  it('is compared by single slips', () => {
    const slips = ['githb', 'githubb', 'gihtub', 'gitlub', 'xgithub'];
    expect(slips.filter((one) => isSlip(one, 'github'))).toEqual(slips);
    for (const one of ['github', 'gtihbu', 'git', 'githubxx', 'buthig'])
      expect(isSlip(one, 'github')).toBe(false);
    expect(new Set(BRANDS.map(({ name }) => name)).size).toBe(BRANDS.length);
  });
});
