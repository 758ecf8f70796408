/** What becomes of approved releases where they come from: repositories, images and bundles, each at a real place. */
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { attentionLines } from '../../cli/reviewed.ts';
import type { ScanDeps } from '../../registry/deps.ts';
import { upstreamOf, watchUpstream } from '../../registry/upstream.ts';
import { type Github, openGithub } from '../../scanner/github/client.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import { versionedTags } from '../../scanner/watch/versions.ts';
import { Attention } from '../../schemas/attention.ts';
import { sha256 } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { startGitServer } from '../helpers/git-server.ts';
import { openFakeGithub } from '../helpers/github-server.ts';
import { documentBlob, indexOf, MANIFEST, named } from '../helpers/image.ts';
import { startOciRegistry } from '../helpers/oci-registry.ts';
import { servers, startStaffed, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

describe('versions in tags', () => {
  it.each([
    ['v1.0.0', ['v1.1.0', '1.2.0', 'v2', 'v2.0.0-rc.1', 'w1.3.0'], ['1.1.0', '2.0.0-rc.1']],
    ['1.0.0', ['v1.1.0', '1.2.0', '01.3.0'], ['1.2.0']],
    ['weather@1.0.0', ['weather@1.1.0', 'news@9.0.0', 'v9.0.0'], ['1.1.0']],
    ['1.0.0-server', ['1.1.0-server', '1.2.0', '1.3.0-client'], ['1.1.0']],
    [null, ['v1.1.0', '1.2.0', 'weather@9.0.0'], ['1.1.0', '1.2.0']],
  ])('as %s is written', (tag, names, versions) => {
    const found = versionedTags(names, { tag, version: '1.0.0' });
    expect(found.map(({ version }) => version)).toEqual(versions);
  });

  it('are not guessed from a tag that says none', () => {
    expect(() => versionedTags(['v9.0.0'], { tag: 'stable', version: '1.0.0' })).toThrow(/says its version/);
  });
});

describe.each(servers().slice(0, 1))('an approved release', (server) => {
  let registry: TestRegistry;
  let keys: Key[];
  beforeAll(async () => {
    const staffed = await startStaffed(server);
    registry = staffed.registry;
    keys = [staffed.alice, staffed.bob];
  });
  afterAll(() => registry.close());

  const watching = (github: Github | null = null): (() => Promise<number>) => {
    const asked = upstreamOf({
      npm: {},
      pypi: () => Promise.reject(new Error('not asked')),
      oci: () => ociOptionsOf({}),
      ...{ github, environment: { PATH: process.env.PATH }, tmp: mkdtempSync(join(tmpdir(), 'lk-watch-')) },
    });
    const deps: ScanDeps = { ...registry.deps, ...asked };
    return () => watchUpstream(deps);
  };
  const approved = (source: string, name: string): Promise<number> =>
    registry.approved('dave', keys, { name, source, version: '1.0.0' });
  const attention = async (): Promise<Attention> =>
    assertValid(
      Attention,
      (await registry.call('alice', 'GET', '/v1/attention')).body,
      'what is looked after',
    );
  /** What stands against a release because of where it comes from. */
  const moved = async (): Promise<{ id: number; because: string | undefined; found: string }[]> =>
    (await attention()).judged.flatMap(({ id, alarms }) =>
      alarms.map(({ because, message }) => ({
        ...{ id, because: because[0], found: message.replace('. What runs is what was approved', '') },
      })),
    );
  const events = async (id: number): Promise<string[]> =>
    (
      await registry.pool.query<{ action: string }>(
        `select action from events where action like 'upstream.%' and subject = (select name || '@' || version from releases where id = $1) order by id`,
        [id],
      )
    ).rows.map(({ action }) => action);
  const candidates = async (name: string): Promise<string[]> =>
    (
      await registry.pool.query<{ source: string }>(
        `select source from releases where name = $1 and requested_by = 'lockkeeper' order by id`,
        [name],
      )
    ).rows.map(({ source }) => source);
  /** Nothing of this test is asked for by the next one. */
  const over = (id: number): void =>
    onTestFinished(async () => {
      await registry.pool.query(`update releases set state = 'deprecated' where id = $1`, [id]);
    });

  it('of a repository has newer tags as candidates, and is told of when its own tag moves or goes', async () => {
    const git = await startGitServer();
    onTestFinished(() => git.close());
    const first = git.commit({ 'package.json': '{}' });
    git.run('tag', 'v1.0.0');
    git.push();
    const id = await approved(`git:${git.url}#v1.0.0@${first}`, 'acme.tools/git');
    over(id);
    const watch = watching();
    expect([await watch(), await moved(), await events(id)]).toEqual([0, [], []]);

    const second = git.commit({ 'package.json': '{"a":1}' });
    for (const tag of ['v1.1.0', 'news-9.0.0', 'nonsense']) git.run('tag', '-a', '-m', 'a tag', tag);
    git.run('tag', '-f', 'v1.0.0', second);
    git.push();
    expect([await watch(), await watch()]).toEqual([1, 0]);
    expect(await candidates('acme.tools/git')).toEqual([`git:${git.url}#v1.1.0@${second}`]);
    const found = `the tag v1.0.0, approved at ${first}, is at ${second}`;
    expect(await moved()).toMatchObject([{ id, because: 'its name there was moved', found }]);
    expect(attentionLines(await attention()).first.join('\n')).toContain(`${found}. What runs is what was`);

    git.run('tag', '-d', 'v1.0.0');
    git.push();
    await watch();
    expect(await moved()).toMatchObject([{ id, because: 'its name there is gone' }]);
    git.run('tag', 'v1.0.0', first);
    git.push();
    await watch();
    expect(await moved()).toEqual([]);
    expect(await events(id)).toEqual(['upstream.moved', 'upstream.gone', 'upstream.back']);
  });

  it('of which a moved tag is known to enough people is told no more, until it is moved to somewhere else', async () => {
    const git = await startGitServer();
    onTestFinished(() => git.close());
    const first = git.commit({ 'package.json': '{}' });
    git.run('tag', 'v1.0.0', git.commit({ 'package.json': '{"a":1}' }));
    git.push();
    const id = await approved(`git:${git.url}#v1.0.0@${first}`, 'acme.tools/known');
    over(id);
    const watch = watching();
    await watch();
    const lines = attentionLines(await attention()).first.join('\n');
    expect(lines).toContain(`lk approve ${id} --accept "LK-UPS-01=REASON"`);
    const accepting = async (key: Key | undefined): Promise<number> => {
      const { body } = await registry.call(key?.person ?? '', 'GET', `/v1/releases/${id}/statement`);
      const open = [...(body.missing as string[]), 'LK-UPS-01'];
      const { status } = await registry.approve(key as Key, id, (approval) => {
        approval.predicate.accepts = Object.fromEntries(
          open.map((check) => [check, 'the tag was signed anew']),
        );
      });
      return status;
    };
    expect(await accepting(keys[0])).toBe(200);
    expect((await attention()).judged).toMatchObject([
      { id, gates: false, alarms: [{ accepted: ['alice'] }] },
    ]);
    expect(await accepting(keys[1])).toBe(200);
    expect([await watch(), await moved()]).toEqual([0, []]);
    const { alarms } = (await registry.call('alice', 'GET', `/v1/releases/${id}/review`)).body;
    expect(alarms).toMatchObject([{ id: 'LK-UPS-01', accepted: ['alice', 'bob'] }]);

    git.run('tag', '-f', 'v1.0.0', git.commit({ 'package.json': '{"a":2}' }));
    git.push();
    await watch();
    expect((await attention()).judged).toMatchObject([{ id, alarms: [{ id: 'LK-UPS-01', accepted: [] }] }]);
    expect(await events(id)).toEqual(['upstream.moved', 'upstream.moved']);
  });

  it('stays as it was last seen while nobody can be asked, which is told with its reason, once', async () => {
    const git = await startGitServer();
    const first = git.commit({ 'package.json': '{}' });
    const second = git.commit({ 'package.json': '{"a":1}' });
    git.run('tag', 'v1.0.0', second);
    git.push();
    const id = await approved(`git:${git.url}#v1.0.0@${first}`, 'acme.tools/away');
    over(id);
    const watch = watching();
    await watch();
    await git.close();
    await watch();
    await watch();
    const { unwatched } = await attention();
    expect(await moved()).toMatchObject([{ id, because: 'its name there was moved' }]);
    expect(unwatched).toMatchObject([{ id }, { id }]);
    expect(unwatched[0]?.reason).toContain(git.url);
    expect(attentionLines(await attention()).below.join('\n')).toContain('not known upstream since');
    expect(await events(id)).toEqual(['upstream.moved', 'upstream.unknown', 'upstream.unknown']);
  });

  it('that is an image has newer tags as candidates by digest, and is told of when its tag is another image', async () => {
    const place = await startOciRegistry();
    const made = (n: number) => documentBlob({ schemaVersion: 2, mediaType: MANIFEST, n }, MANIFEST);
    const [own, newer, other] = [made(1), made(2), made(3)];
    for (const tag of ['0.9.0', '1.1.0', '1.2.0', '1.3.0-alpine', 'latest']) place.put(newer, tag);
    place.put(own);
    const id = await approved(`oci:${place.host}/acme/weather@${own.digest}`, 'acme.tools/image');
    over(id);
    const watch = watching();
    // No tag says its version: by which one it was approved is not known.
    expect(await watch()).toBe(1);
    expect((await attention()).unwatched).toMatchObject([{ id, reason: expect.stringContaining('1.0.0') }]);

    place.put(own, '1.0.0');
    // Written otherwise than its own tag: another line of images.
    place.put(newer, 'v9.0.0');
    const before = place.requests.length;
    expect([await watch(), await watch()]).toEqual([0, 0]);
    expect((await attention()).unwatched).toEqual([]);
    // Lists and heads alone: no manifest is fetched again that is as it was.
    expect(place.requests.slice(before).filter((line) => line.includes('/blobs/'))).toEqual([]);
    expect(await candidates('acme.tools/image')).toEqual([`oci:${place.host}/acme/weather@${newer.digest}`]);

    place.put(other, '1.0.0');
    await watch();
    expect(await moved()).toMatchObject([
      { id, found: `the tag 1.0.0, approved as ${own.digest}, is ${other.digest}` },
    ]);
    // An index that names it is the same image for one more machine.
    place.put(indexOf([named(own), named(other)]), '1.0.0');
    await watch();
    expect(await moved()).toEqual([]);
    place.untag('1.0.0');
    await watch();
    expect(await moved()).toMatchObject([{ id, because: 'its name there is gone' }]);
    expect(await events(id)).toEqual([
      'upstream.unknown',
      ...['upstream.moved', 'upstream.back', 'upstream.gone'],
    ]);
  });

  /** Files at addresses of releases, with ETags unless told; how many bodies were sent. */
  async function startFiles(marked = true) {
    const files = new Map<string, Buffer>();
    const sent: string[] = [];
    const place = createServer((request, response) => {
      const bytes = files.get(request.url ?? '');
      if (bytes === undefined) return void response.writeHead(404).end();
      const etag = `"${sha256(bytes).slice(7, 20)}"`;
      if (marked && request.headers['if-none-match'] === etag) return void response.writeHead(304).end();
      sent.push(request.url ?? '');
      response.writeHead(200, marked ? { etag } : {}).end(bytes);
    });
    await new Promise<void>((done) => place.listen(0, '127.0.0.1', done));
    onTestFinished(() => void place.close());
    return { files, sent, url: `http://127.0.0.1:${(place.address() as AddressInfo).port}` };
  }
  const pathOf = (version: string) => `/acme/weather/releases/download/v${version}/weather-${version}.mcpb`;

  it('that is a bundle of a GitHub release has newer ones as candidates, and its file is asked for by its mark', async () => {
    const { files, sent, url } = await startFiles();
    const [own, newer, told] = ['own', 'newer', 'told'].map((text) => Buffer.from(text));
    if (!own || !newer || !told) throw new Error('no bytes');
    files.set(pathOf('1.0.0'), own).set(pathOf('1.1.0'), newer);
    const fake = await openFakeGithub();
    onTestFinished(() => fake.close());
    const github = openGithub({
      api: fake.url,
      host: '127.0.0.1',
      token: null,
      environment: {},
      now: () => new Date(),
    });
    onTestFinished(() => github.close());
    const assetOf = (version: string, digest?: string) => ({
      ...{ name: `weather-${version}.mcpb`, browser_download_url: `${url}${pathOf(version)}`, digest },
    });
    const release = (version: string, more: object = {}, digest?: string) => ({
      ...{ tag_name: `v${version}`, draft: false, assets: [assetOf(version, digest)], ...more },
    });
    const listed = (...releases: object[]): void =>
      void (fake.answer = { status: 200, body: JSON.stringify(releases) });
    const id = await approved(`mcpb:${url}${pathOf('1.0.0')}@${sha256(own)}`, 'acme.tools/bundle');
    over(id);
    const watch = watching(github);
    const elsewhere = [{ ...assetOf('9.0.0'), browser_download_url: 'https://other.example/acme/w.mcpb' }];
    listed(
      release('9.0.0', { assets: elsewhere }),
      release('8.0.0', { draft: true }),
      release('1.0.0'),
      release('7.0.0', { tag_name: 'news-7.0.0' }),
    );
    expect([await watch(), await watch(), await watch()]).toEqual([0, 0, 0]);
    expect((await attention()).unwatched).toEqual([]);
    expect(sent).toEqual([pathOf('1.0.0')]);

    listed(release('1.1.0'), release('1.0.0'));
    expect([await watch(), await watch()]).toEqual([1, 0]);
    expect(await candidates('acme.tools/bundle')).toEqual([`mcpb:${url}${pathOf('1.1.0')}@${sha256(newer)}`]);
    // What GitHub says of a file is enough: it is not fetched to be named.
    listed(release('1.2.0', {}, sha256(told)));
    expect(await watch()).toBe(1);
    expect((await candidates('acme.tools/bundle')).at(-1)).toBe(
      `mcpb:${url}${pathOf('1.2.0')}@${sha256(told)}`,
    );
    expect(sent).toEqual([pathOf('1.0.0'), pathOf('1.1.0')]);

    files.set(pathOf('1.0.0'), told);
    await watch();
    await watch();
    expect(await moved()).toMatchObject([{ id, because: 'its name there was moved' }]);
    expect(sent.filter((path) => path === pathOf('1.0.0'))).toHaveLength(2);
    files.delete(pathOf('1.0.0'));
    await watch();
    expect(await moved()).toMatchObject([{ id, because: 'its name there is gone' }]);
    files.set(pathOf('1.0.0'), own);
    await watch();
    expect(await moved()).toEqual([]);
    expect(await events(id)).toEqual(['upstream.moved', 'upstream.gone', 'upstream.back']);
  });

  it('at an address without a mark, or where GitHub is not asked, is not known, and its bytes are fetched once', async () => {
    const { files, sent, url } = await startFiles(false);
    files.set(pathOf('1.0.0'), Buffer.from('own'));
    const digest = sha256(Buffer.from('own'));
    const id = await approved(`mcpb:${url}${pathOf('1.0.0')}@${digest}`, 'acme.tools/unmarked');
    over(id);
    const watch = watching();
    await watch();
    expect((await attention()).unwatched.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('does not ask GitHub'),
    ]);
    await watch();
    await watch();
    expect((await attention()).unwatched.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('an ETag or a date of change'),
      expect.stringContaining('does not ask GitHub'),
    ]);
    expect(sent).toEqual([pathOf('1.0.0')]);
    expect(await candidates('acme.tools/unmarked')).toEqual([]);
  });

  it('by a commit alone, or a file that was handed in, has no name that could move', async () => {
    const git = await startGitServer();
    onTestFinished(() => git.close());
    const first = git.commit({ 'package.json': '{}' });
    git.run('tag', 'v2.0.0');
    git.push();
    const [bare, file] = [
      await approved(`git:${git.url}#${first}`, 'acme.tools/bare'),
      await approved(`mcpb:weather@${sha256(Buffer.from('x'))}`, 'acme.tools/handed'),
    ];
    over(bare);
    over(file);
    expect(await watching()()).toBe(1);
    expect(await candidates('acme.tools/bare')).toEqual([`git:${git.url}#v2.0.0@${first}`]);
    const { unwatched } = await attention();
    expect([await moved(), unwatched]).toEqual([[], []]);
  });
});
