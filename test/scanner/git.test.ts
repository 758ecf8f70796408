import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { commitSubmission, findCommit } from '../../cli/repositories.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { commit, wholeTree } from '../../scanner/checks/commit.ts';
import { readEvidence } from '../../scanner/evidence.ts';
import { remoteOf } from '../../scanner/git/remote.ts';
import { type GitFacts, gitSource } from '../../scanner/git/source.ts';
import { readTree } from '../../scanner/git/tree.ts';
import type { ScanPorts } from '../../scanner/ports.ts';
import { rankOf } from '../../scanner/provenance/standing.ts';
import type { TrustFiles } from '../../scanner/provenance/trust.ts';
import { scan } from '../../scanner/scan.ts';
import { gitRefOf, gitSourceOf, isGitTag } from '../../schemas/git.ts';
import { sha256 } from '../../schemas/json.ts';
import { type GitServer, startGitServer } from '../helpers/git-server.ts';
import type { LocalPackage } from '../helpers/npm-registry.ts';
import { checkOf, firedIn, refusalOf, requestFor, SERVERS, worldOf } from './harness.ts';

const TOOL = { name: 'tomorrow', description: 'Tells the weather', inputSchema: { type: 'object' } };
const PAD: LocalPackage = { name: 'pad', version: '1.0.0', files: { 'index.js': 'module.exports = 1;' } };
const DEV: LocalPackage = { name: 'builder', version: '1.0.0', files: { 'index.js': 'x' } };

function server(change: object = {}): Record<string, string> {
  const manifest = {
    name: '@acme/weather',
    version: '1.0.0',
    type: 'module',
    bin: { weather: 'src/index.mjs' },
    dependencies: { pad: '^1.0.0' },
    devDependencies: { builder: '1.0.0' },
    scripts: { postinstall: 'node evil.js' },
    ...change,
  };
  const code = readFileSync(join(SERVERS, 'scan-plain.mjs'), 'utf8');
  return {
    'package.json': JSON.stringify(manifest),
    'src/index.mjs': `import 'pad';\n${code}`,
    'src/server.json': JSON.stringify({ tools: [TOOL] }),
  };
}

let git: GitServer;
const ids: Record<string, string> = {};

beforeAll(async () => {
  git = await startGitServer();
  ids.first = git.commit(server());
  git.run('tag', 'v1.0.0');
  git.link('link.txt', '/etc/passwd');
  ids.unsigned = git.commit({
    'big.bin': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n',
  });
  git.run('tag', '-s', '-m', 'one', 'v1.1.0');
  ids.signed = git.commit({ 'README.md': 'signed' }, '-S');
  git.run('tag', '-s', '-m', 'two', 'v1.2.0');
  // The signed tag of one version under the name of another.
  git.run('update-ref', 'refs/tags/v9.9.9', git.run('rev-parse', 'refs/tags/v1.2.0'));
  git.run('tag', 'same', ids.first);
  git.run('branch', 'same', ids.signed);
  git.run('checkout', '-q', '--detach');
  ids.orphan = git.commit({ 'src/index.mjs': `${server()['src/index.mjs']}\n// made in a fork` });
  git.run('tag', 'v6.6.6');
  git.run('checkout', '-q', 'main');
  const top = git.run('rev-parse', '--show-toplevel');
  const text = git.run('cat-file', 'commit', ids.signed).replace('a change', 'another change');
  writeFileSync(join(top, '.git/tampered'), `${text}\n`);
  ids.tampered = git.run('hash-object', '-t', 'commit', '-w', '.git/tampered');
  git.run('tag', 'tampered', ids.tampered);
  git.push();
});
afterAll(() => git.close());

async function place(trust?: string): Promise<ScanPorts> {
  const { ports } = await worldOf([PAD, DEV]);
  const file = Buffer.from(trust ?? '');
  const files: TrustFiles = {
    pinned: { 'git-signers': sha256(file) },
    files: new Map([[sha256(file), file]]),
    where: 'a test',
  };
  return {
    ...ports,
    environment: PATH,
    ...(trust === undefined ? {} : { trust: async () => files }),
  };
}

const PATH = { PATH: process.env.PATH };

async function sourceAt(name: string): Promise<string> {
  const ref = await findCommit(`git:${git.url}#${name}`, PATH);
  if (ref === null) throw new Error('no commit');
  return gitSourceOf(ref);
}

interface Resolved {
  readonly facts: GitFacts;
  readonly purls: readonly string[];
  /** What the two checks of commits say. */
  readonly says: string;
  readonly rank: string | null;
}

/** All but the start of the server. */
async function resolved(name: string, ports?: ScanPorts): Promise<Resolved> {
  const { submission } = requestFor({ source: await sourceAt(name) });
  const { closure, git: facts, attested } = await gitSource(submission, ports ?? (await place()));
  if (facts === undefined) throw new Error('no facts');
  const said = [commit, wholeTree].map((check) => JSON.stringify(check.run({ git: facts } as Facts)));
  const known = { upstream: '', archive: Buffer.alloc(0), files: [], trust: '' };
  const { attested: signed } = await attested(known);
  return {
    facts,
    purls: closure.artifacts.map(({ purl }) => purl),
    says: said.join('\n'),
    rank: rankOf(signed),
  };
}

describe('a server out of a git repository', () => {
  it('is the tree of one commit and what it depends on; nothing of it is built or run before it starts', async () => {
    const ports = await place();
    const result = await scan(requestFor({ source: await sourceAt('v1.0.0') }), ports);
    expect(Object.keys(result.surface.tools)).toEqual(['tomorrow']);
    expect(result.launch).toMatchObject({ command: ['node', '/app/source/src/index.mjs'] });
    expect(result.closure.artifacts.map(({ location, purl }) => [location, purl])).toEqual([
      ['node_modules/pad', 'pkg:npm/pad@1.0.0'],
      ['source', `pkg:generic/weather@1.0.0?vcs_url=git+${git.url}%40${ids.first}`],
    ]);
    expect(result.report.git).toMatchObject({
      tag: 'v1.0.0',
      commit: ids.first,
      tagSigned: expect.stringContaining('a name alone'),
    });
    expect(checkOf(result, 'LK-GIT-01')).toMatchObject({ outcome: 'ok', gates: true });
    expect(firedIn(result, 'LK-ART-02').join()).toContain('postinstall');
    expect((await readEvidence(result.report, ports.blobs))?.facts.git?.reachable).toBe(true);
    expect(result.report.installed?.packages).toBe(2);
  });

  it('is the same bytes from every machine, whatever it is named by', async () => {
    const digest = async (name: string): Promise<string> =>
      (await gitSource(requestFor({ source: await sourceAt(name) }).submission, await place())).closure
        .digest;
    expect(await digest('v1.0.0')).toBe(await digest(ids.first ?? ''));
  });

  it('of very many links has its files, and says of some of them that they are left out', async () => {
    const links = 5000;
    const lines = [
      ...[
        'blob',
        'mark :1',
        'data 1',
        'x',
        'commit refs/heads/links',
        'committer a <a@b.example> 1 +0000',
        'data 0',
      ],
      'M 100644 :1 a.txt',
      ...Array.from({ length: links }, (_, i) => `M 120000 :1 links/${i % 100}/${i}`),
    ];
    const cwd = git.run('rev-parse', '--show-toplevel');
    execFileSync('git', ['fast-import', '--quiet'], { cwd, input: `${lines.join('\n')}\n` });
    const remote = await remoteOf(git.url, PATH);
    const { files, leftOut } = await readTree(git.run('rev-parse', 'links'), remote, join(cwd, '.git'));
    expect(files.map(({ path, bytes }) => [path, bytes.toString()])).toEqual([['a.txt', 'x']]);
    expect([leftOut.length, leftOut[0]]).toEqual([200, 'link links/0/0']);
  });

  it('tells who signed, under keys that are pinned and no others', async () => {
    const pinned = await place(git.key.signers);
    const both = await resolved('v1.2.0', pinned);
    const ann = expect.stringMatching(/^signed by ann@acme\.example, SHA256:/);
    expect(both.facts.report).toMatchObject({ tagSigned: ann, commitSigned: ann });
    expect(both.rank).toBe('publish-attestation');
    expect(both.says).toContain('"outcome":"ok","note":"v1.2.0: signed by ann');

    const tagAlone = await resolved('v1.1.0', pinned);
    expect(tagAlone.says).toContain('the tag is signed, and the commit that it names is not');
    expect(tagAlone.says).toContain('links and submodules');
    expect(tagAlone.says).toContain('Git LFS');

    const tampered = await resolved(ids.tampered ?? '', pinned);
    expect(tampered.facts.signed.commit.state).toBe('broken');
    expect(tampered.rank).not.toBe('publish-attestation');

    const unpinned = await resolved('v1.2.0');
    expect(unpinned.facts.report.tagSigned).toContain('no root.json');
    expect(unpinned.rank).toBeNull();
    const stranger = git.key.signers.replace(/AAAA\S+/, (key) => `${key.slice(0, -4)}AAAA`);
    const others = await resolved('v1.2.0', await place(stranger));
    expect(others.says).toContain('not by a key that root.json pins');
    expect(others.rank).not.toBe('publish-attestation');
  });

  it.each([
    ['v9.9.9', 'the tag v9.9.9 is the tag of another name', 'signed'],
    ['same', 'a branch has the name of the tag same', 'first'],
    ['v6.6.6', 'not in the history of the default branch', 'orphan'],
  ])('fires for %s', async (name, says, id) => {
    const found = await resolved(name);
    expect(found.says).toContain(says);
    expect(found.facts.report.commit).toBe(ids[id]);
  });

  it('is refused when its tag was moved since it was submitted, and nothing is stored', async () => {
    const { ports, stored } = await worldOf([PAD]);
    const at = { ...ports, environment: PATH };
    for (const source of [`git:${git.url}#v1.0.0@${ids.signed}`, `git:${git.url}#v7.7.7@${ids.first}`]) {
      const { code, message } = await refusalOf(scan(requestFor({ source }), at));
      expect([code, message]).toEqual(['ARTIFACT_MISMATCH', expect.stringContaining('moved or taken away')]);
    }
    const source = `git:${git.url}#${'a'.repeat(40)}`;
    expect((await refusalOf(scan(requestFor({ source }), at))).code).toBe('SOURCE_INVALID');
    const blob = git.run('rev-parse', `${ids.first}:package.json`);
    expect((await refusalOf(scan(requestFor({ source: `git:${git.url}#${blob}` }), at))).code).toBe(
      'SOURCE_INVALID',
    );
    expect(stored()).toBe(0);
  });

  it.each<[string, Record<string, string>, string]>([
    ['has to be built', server({ bin: 'dist/index.js', scripts: { build: 'tsc' } }), 'Nothing is built here'],
    ['is on Python', { 'pyproject.toml': '[project]\nname = "x"\n' }, 'pypi:NAME@VERSION'],
    [
      'depends on another repository',
      server({ dependencies: { evil: 'git+https://evil.example/x.git' } }),
      'packages from the registry alone',
    ],
    ['depends on what is nowhere', server({ dependencies: { nowhere: '1.0.0' } }), 'nowhere'],
    ['has names that differ by case', { ...server(), 'README.MD': '1', 'readme.md': '2' }, 'each path once'],
  ])('is refused where it %s', async (_, files, says) => {
    git.run('checkout', '-q', '--orphan', 'other');
    git.run('rm', '-rfq', '--cached', '.');
    git.run('clean', '-fdq');
    const id = git.commit(files);
    git.push();
    git.run('checkout', '-qf', 'main');
    git.run('branch', '-D', '-q', 'other');
    expect((await refusalOf(resolved(id))).message).toContain(says);
  });

  it('takes what its lockfile says, and nothing that only its developers need', async () => {
    const { ports, publish } = await worldOf([PAD, DEV]);
    publish([{ ...PAD, version: '1.5.0' }]);
    const at = { ...ports, environment: PATH };
    expect((await resolved('v1.0.0', at)).purls[0]).toBe('pkg:npm/pad@1.5.0');
    const own = { name: '@acme/weather', version: '1.0.0' };
    const needs = { dependencies: { pad: '^1.0.0' }, devDependencies: { builder: '1.0.0' } };
    const lock = {
      ...{ ...own, lockfileVersion: 3, requires: true },
      packages: {
        '': { ...own, ...needs },
        'node_modules/pad': { version: '1.0.0' },
        'node_modules/builder': { version: '1.0.0', dev: true },
      },
    };
    const locked = git.commit({ 'package-lock.json': JSON.stringify(lock) });
    git.push();
    const wanted = ['pkg:npm/pad@1.0.0', expect.stringContaining('pkg:generic/weather')];
    expect((await resolved(locked, at)).purls).toEqual(wanted);
  });
});

describe('names of repositories, tags and commits', () => {
  it.each([
    'git:--upload-pack=evil#v1',
    'git:ext::sh -c evil#v1',
    'git:file:///etc#v1',
    'git:https://ann:secret@host.example/x#v1',
    'git:https://host.example/x y#v1',
    'git:ssh://-oProxyCommand=evil/x#v1',
    'git:ssh://git@-evil.example/x#v1',
    'git:http://host.example/x#v1',
    'git:https://host.example/x',
    'git:https://host.example/-x#v1',
    'git:https://host.example/x#',
  ])('are not %s', async (word) => {
    expect((await refusalOf(findCommit(word, {}))).code).toBe('SOURCE_INVALID');
  });

  it.each([
    '--upload-pack=evil',
    '-x',
    'a..b',
    'a@{1}',
    'a b',
    'a^{}',
    'a~1',
    'a:b',
    'a/',
    'a.lock',
    '/a',
    'a//b',
    'a\nb',
    '*',
    'a\\b',
    'x/.y',
  ])('are not %j', async (name) => {
    expect(isGitTag(name)).toBe(false);
    expect((await refusalOf(findCommit(`git:${git.url}#${name}`, {}))).code).toBe('SOURCE_INVALID');
    expect(() => gitRefOf(`git:https://host.example/x#${name}@${'a'.repeat(40)}`)).toThrow('whole id');
  });

  it.each(['127.0.0.2', '169.254.169.254'])('lead nowhere that is a machine’s own: %s', async (host) => {
    const { code, message } = await refusalOf(findCommit(`git:https://${host}/x#v1`, PATH));
    expect([code, message]).toEqual(['SOURCE_UNREACHABLE', expect.stringContaining('which leads to')]);
  });

  it('are not followed elsewhere', async () => {
    const server = createServer((request, response) => {
      response.writeHead(302, { location: `${new URL(git.url).origin}${request.url}` }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const word = `git:http://127.0.0.1:${port}/acme/weather.git#v1.0.0`;
    expect((await refusalOf(findCommit(word, PATH))).code).toBe('SOURCE_UNREACHABLE');
  });

  it('are tags and commits alone: a branch is another commit tomorrow', async () => {
    const at = { PATH: process.env.PATH };
    expect((await refusalOf(findCommit(`git:${git.url}#main`, at))).message).toContain(
      'a branch of that name',
    );
    expect((await refusalOf(findCommit(`git:${git.url}#nothing`, at))).message).toContain('found "none"');
    expect((await refusalOf(findCommit(`git:${git.url}.nowhere#v1`, at))).code).toBe('SOURCE_UNREACHABLE');
    expect(await findCommit(`git:${git.url}#same`, at)).toMatchObject({ tag: 'same', commit: ids.first });
    const submission = await commitSubmission(
      { url: 'https://github.com/acme/weather.git', tag: 'weather@v1.2.3', commit: 'a'.repeat(40) },
      {},
    );
    expect(submission).toMatchObject({ name: 'com.github.acme/weather', version: '1.2.3' });
  });
});
