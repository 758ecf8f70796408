/** What GitHub shows of a package's repository, asked politely, and the checks that read it. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Github, openGithub } from '../../scanner/github/client.ts';
import type { RepositoryFacts } from '../../scanner/github/look.ts';
import { repositoryOf } from '../../scanner/github/repository.ts';
import type { Attested } from '../../scanner/provenance/standing.ts';
import type { Builder, Origin } from '../../schemas/origin.ts';
import { COMMIT, type FakeGithub, type RepositorySpec, startGithub } from '../helpers/github.ts';
import { NOW } from './harness.ts';
import { judged } from './signed-place.ts';

const nothing = { state: 'absent', note: 'none' } as const;
const PURL = 'pkg:npm/%40acme/tool@1.2.0';
const NAMED = { 'package.json': '{"name":"@acme/tool"}' };
const TAGGED: RepositorySpec = { tags: { 'v1.2.0': COMMIT }, releases: ['v1.2.0'], files: NAMED };

function clientFor(
  { url }: Pick<FakeGithub, 'url'>,
  more: { token?: string; now?: () => Date } = {},
): Github {
  const { token = null, now = () => NOW } = more;
  const github = openGithub({ api: url, host: 'github.com', token, environment: {}, now });
  onTestFinished(() => github.close());
  return github;
}

interface Look {
  readonly purl?: string;
  readonly directory?: string;
  readonly url?: string;
  /** A build that is known. */
  readonly builder?: Partial<Builder>;
  readonly commit?: string;
  readonly seen?: Origin['repository'];
  readonly before?: readonly string[];
  readonly history?: readonly { at: string }[];
}

async function look(
  spec: RepositorySpec,
  look: Look = {},
): Promise<{
  facts: RepositoryFacts | string;
  words: (id: string) => string;
  asked: readonly string[];
}> {
  const fake = await startGithub(spec, look.before ?? []);
  const { purl = PURL, directory = '', url = 'https://github.com/acme/tool', builder } = look;
  const attested = {
    ...{ signature: nothing, publish: nothing, claimed: [url], commit: look.commit ?? null },
    build: builder ? { state: 'held', value: { builder, runner: null, trigger: null } } : nothing,
  } as unknown as Attested;
  const origin: Origin | null = look.seen
    ? { provenance: null, publisher: null, repository: look.seen }
    : null;
  const baseline = look.seen ? { version: '1.1.0', origin } : null;
  const claimed = [{ url, directory }];
  const repository = await repositoryOf(clientFor(fake), { purl, attested, claimed, baseline });
  const upstream = look.history ? { history: look.history } : 'not asked';
  const place = { rootPurl: purl, bundle: null, git: null };
  const facts = { repository, attested, baseline, upstream, now: NOW, ...place } as never;
  return { facts: repository, words: judged(facts).words, asked: fake.asked };
}

describe('a repository that stands as it stood', () => {
  it('is found, with its tag, release and package', async () => {
    const { facts, words, asked } = await look(TAGGED, { builder: { commit: COMMIT } });
    expect(facts).toMatchObject({
      asked: 'acme/tool',
      found: {
        ...{ name: 'acme/tool', id: '1001', tag: { name: 'v1.2.0', commit: COMMIT }, released: true },
        manifest: { kind: 'named', name: '@acme/tool', several: false },
        owner: { login: 'acme', createdAt: '2015-05-05T05:05:05Z' },
      },
    });
    for (const id of ['LK-REP-01', 'LK-REP-02', 'LK-REP-03', 'LK-REL-03', 'LK-MNT-03'])
      expect(words(id)).toMatch(/^ok: /);
    expect(asked).toHaveLength(5);
  });

  it.each<[string, RepositorySpec, Look, string, string]>([
    [
      'renamed',
      { ...TAGGED, name: 'other/tool' },
      { before: ['acme/tool'] },
      'LK-REP-01',
      'answers as other/tool',
    ],
    ['gone', { name: 'acme/else' }, {}, 'LK-REP-01', 'nobody sees one there'],
    ['archived', { ...TAGGED, archived: true }, {}, 'LK-REP-01', 'archived'],
    ['disabled', { ...TAGGED, disabled: true }, {}, 'LK-REP-01', 'disabled'],
    ['a fork', { ...TAGGED, fork: true }, {}, 'LK-REP-01', 'fork'],
    [
      'younger than its package',
      TAGGED,
      { history: [{ at: '2019-01-01T00:00:00.000Z' }] },
      'LK-REP-01',
      'younger',
    ],
    [
      'another than before',
      TAGGED,
      { seen: { name: 'acme/old', id: '1', tag: null } },
      'LK-REP-01',
      'another repository',
    ],
    [
      'made again since',
      TAGGED,
      { seen: { name: 'acme/tool', id: '1', tag: null } },
      'LK-REP-02',
      'made again',
    ],
    [
      'made again since the build',
      TAGGED,
      { builder: { repository: 'https://github.com/acme/tool', repositoryId: '7', commit: COMMIT } },
      'LK-REP-02',
      'made again',
    ],
    [
      'of another package',
      { ...TAGGED, files: { 'package.json': '{"name":"express"}' } },
      {},
      'LK-REP-03',
      'holds another package',
    ],
    ['without the package', { ...TAGGED, files: {} }, {}, 'LK-REP-03', 'has no package'],
    [
      'without the tag',
      { ...TAGGED, tags: { 'v1.1.0': COMMIT } },
      {},
      'LK-REL-03',
      'tags versions, and not 1.2.0',
    ],
    [
      'with a tag elsewhere',
      TAGGED,
      { builder: { commit: 'b'.repeat(40) } },
      'LK-REL-03',
      'than it was built from',
    ],
    ['with a tag of another commit', TAGGED, { commit: 'b'.repeat(40) }, 'LK-REL-03', 'by its registry'],
    [
      'with the last tag moved',
      { ...TAGGED, tags: { ...TAGGED.tags, 'v1.1.0': COMMIT } },
      { seen: { name: 'acme/tool', id: '1001', tag: { name: 'v1.1.0', commit: 'c'.repeat(40) } } },
      'LK-REL-03',
      'was moved or taken away',
    ],
    [
      'with the last tag gone',
      TAGGED,
      { seen: { name: 'acme/tool', id: '1001', tag: { name: 'v1.1.0', commit: COMMIT } } },
      'LK-REL-03',
      'was moved or taken away',
    ],
    [
      'of a new account',
      { ...TAGGED, ownerSince: '2026-11-01T00:00:00Z' },
      {},
      'LK-MNT-03',
      'was made 23 days ago',
    ],
  ])('fires where it is %s', async (_, spec, given, id, message) => {
    const { words } = await look(spec, given);
    expect(words(id)).toMatch(/^fired: /);
    expect(words(id)).toContain(message);
  });

  it.each<[string, RepositorySpec, Look, string]>([
    [
      'an annotated tag',
      { ...TAGGED, tags: { 'v1.2.0': { tag: 'f'.repeat(40), commit: COMMIT } } },
      { builder: { commit: COMMIT } },
      'LK-REL-03',
    ],
    ['a tag of several packages', { ...TAGGED, tags: { '@acme/tool@1.2.0': COMMIT } }, {}, 'LK-REL-03'],
    [
      'a tag that the build names',
      { ...TAGGED, tags: { 'rel/one': COMMIT } },
      { builder: { commit: COMMIT, ref: 'refs/tags/rel/one' } },
      'LK-REL-03',
    ],
    ['no tags at all', { ...TAGGED, tags: {} }, {}, 'LK-REL-03'],
    [
      'the last tag where it was',
      { ...TAGGED, tags: { ...TAGGED.tags, 'v1.1.0': COMMIT } },
      { seen: { name: 'acme/tool', id: '1001', tag: { name: 'v1.1.0', commit: COMMIT } } },
      'LK-REL-03',
    ],
    [
      'a package in a folder',
      { ...TAGGED, files: { 'packages/a/package.json': NAMED['package.json'] } },
      { directory: 'packages/a' },
      'LK-REP-03',
    ],
    [
      'a Python package',
      { ...TAGGED, files: { 'pyproject.toml': '[project]\nname = "Acme_Tool"\n' } },
      { purl: 'pkg:pypi/acme-tool@1.2.0' },
      'LK-REP-03',
    ],
    [
      'a repository that was renamed and made again by its owner',
      TAGGED,
      { seen: { name: 'acme/old', id: '1', tag: null } },
      'LK-REP-02',
    ],
    [
      'provenance from it',
      { ...TAGGED, files: {} },
      { builder: { repository: 'https://github.com/acme/tool' } },
      'LK-REP-03',
    ],
  ])('is quiet about %s', async (_, spec, given, id) => {
    expect((await look(spec, given)).words(id)).toMatch(/^ok: /);
  });

  it.each<[string, RepositorySpec, Look, string, string]>([
    [
      'several packages',
      { ...TAGGED, files: { 'package.json': '{"name":"all","private":true}' } },
      {},
      'LK-REP-03',
      'several packages',
    ],
    [
      'a package file that is none',
      { ...TAGGED, files: { 'package.json': '{' } },
      {},
      'LK-REP-03',
      'cannot be read',
    ],
    ['an account that tells no date', { ...TAGGED, ownerSince: null }, {}, 'LK-MNT-03', 'GitHub'],
    ['another host', TAGGED, { url: 'https://git.acme.example/acme/tool' }, 'LK-REP-01', 'not at github.com'],
  ])('does not know of %s', async (_, spec, given, id, reason) => {
    const { words } = await look(spec, given);
    expect(words(id)).toMatch(/^unknown: /);
    expect(words(id)).toContain(reason);
  });
});

describe('GitHub is asked', () => {
  const REPO = ['GET /repos/{owner}/{repo}', { owner: 'acme', repo: 'tool' }] as const;

  it('once for what has not changed, with the token', async () => {
    const fake = await startGithub(TAGGED);
    const github = clientFor(fake, { token: 't0ken' });
    const first = await github.ask(...REPO);
    expect(await github.ask(...REPO)).toEqual(first);
    expect([fake.asked.length, fake.unchanged()]).toEqual([2, 1]);
    expect(fake.authorizations).toEqual(['token t0ken', 'token t0ken']);
    expect(await github.ask(REPO[0], { owner: 'acme', repo: 'none' })).toBeNull();
  });

  it('no more once it said that it is enough, until it said', async () => {
    const fake = await startGithub(TAGGED);
    let now = NOW;
    const github = clientFor(fake, { now: () => now });
    const reset = `${Math.floor(NOW.getTime() / 1000) + 600}`;
    fake.answer = { status: 403, headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': reset } };
    const refused = expect.objectContaining({ code: 'SOURCE_UNREACHABLE' });
    await expect(github.ask(...REPO)).rejects.toEqual(refused);
    await expect(github.ask(...REPO)).rejects.toThrow('its limit is reached until 2026-11-24T12:10:00.000Z');
    expect(fake.asked).toHaveLength(1);
    now = new Date(NOW.getTime() + 601_000);
    delete (fake as { answer?: unknown }).answer;
    expect(await github.ask(...REPO)).toMatchObject({ id: 1001 });
  });

  it.each([
    ['an error of its own', { status: 500 }],
    ['a refusal', { status: 401 }],
    ['too many', { status: 429, headers: { 'retry-after': '30' } }],
    ['what is too long', { status: 200, body: `"${'x'.repeat(3_000_000)}"` }],
    ['what is no JSON', { status: 200, body: '{' }],
  ])('once where the answer is %s', async (_, answer) => {
    const fake = await startGithub(TAGGED);
    fake.answer = answer;
    const github = clientFor(fake);
    const refused = expect.objectContaining({ code: 'SOURCE_UNREACHABLE' });
    await expect(github.ask(...REPO)).rejects.toEqual(refused);
    await expect(github.ask(...REPO)).rejects.toEqual(refused);
    expect(fake.asked).toHaveLength(1);
  });

  it('and every signal is unknown where nobody answers, or answers something else', async () => {
    const github = clientFor({ url: 'http://127.0.0.1:1' });
    const claimed = [{ url: 'https://github.com/acme/tool', directory: '' }];
    const attested = { signature: nothing, publish: nothing, build: nothing, claimed: [], commit: null };
    const one = { purl: PURL, attested, claimed, baseline: null };
    const reason = await repositoryOf(github, one);
    expect(reason).toContain('GitHub to answer');
    const fake = await startGithub();
    fake.answer = { status: 200, body: '{"id":"1"}' };
    expect(await repositoryOf(clientFor(fake), one)).toContain('one of another form');
    expect(await repositoryOf(null, one)).toBe('this scanner does not ask GitHub');
    const { words } = judged({
      repository: reason,
      attested,
      rootPurl: PURL,
      baseline: null,
      upstream: '',
      bundle: null,
      git: null,
    } as never);
    for (const id of ['LK-REP-01', 'LK-REP-02', 'LK-REP-03', 'LK-REL-03', 'LK-MNT-03'])
      expect(words(id)).toMatch(/^unknown: /);
  });
});
