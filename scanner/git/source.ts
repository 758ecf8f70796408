/** A submission that is a commit of a git repository: its tree, what it depends on, and who signed it. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packFolder } from '../../runtime/store/pack.ts';
import { textIn } from '../../runtime/store/wheel.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { SOURCE_FOLDER } from '../../schemas/folders.ts';
import { type GitRef, type GitReport, gitPurl, gitRefOf } from '../../schemas/git.ts';
import { type Artifact, closureDigest, type Submission } from '../../schemas/release.ts';
import { resolveDependencies } from '../closure.ts';
import { manifestOf, programOf } from '../launch.ts';
import type { Attestations, Known, PackageSource, ScanPorts } from '../ports.ts';
import { claimedAt } from '../provenance/claimed.ts';
import { absent, held, type Standing } from '../provenance/standing.ts';
import type { TrustFiles } from '../provenance/trust.ts';
import type { PackageRef } from '../tree.ts';
import { type Names, namesAt, type Remote, remoteOf } from './remote.ts';
import { type GitSigner, objectText, signedBy } from './signatures.ts';
import { fetchCommit, isReachable, readTree, type Tree } from './tree.ts';

/** What checks read of a commit. */
export interface GitFacts {
  readonly report: GitReport;
  readonly signed: { readonly commit: Standing<GitSigner>; readonly tag: Standing<GitSigner> | null };
  /** The name that stands in the tag itself; null without a tag, or for one that is a name alone. */
  readonly nameInTag: string | null;
  /** A branch with the name of the tag that is another commit. */
  readonly sameNamed: string | null;
  /** Whether the default branch has it in its history; a string says why that is not known. */
  readonly reachable: boolean | string;
  readonly leftOut: Tree['leftOut'];
  readonly pointers: Tree['pointers'];
  /** As package.json says it. */
  readonly version: string | null;
}

export async function gitSource(submission: Submission, ports: ScanPorts): Promise<PackageSource> {
  const ref = gitRefOf(submission.source);
  const dir = await mkdtemp(join(ports.workDir, 'git-'));
  try {
    return await sourceIn(dir, { ref, submission, ports });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

interface Asked {
  readonly ref: GitRef;
  readonly submission: Submission;
  readonly ports: ScanPorts;
}

async function sourceIn(dir: string, { ref, submission, ports }: Asked): Promise<PackageSource> {
  const [cwd, history] = [join(dir, 'commit'), join(dir, 'history')];
  for (const one of [cwd, history]) await mkdir(one);
  await chmod(dir, 0o700);
  const remote = await remoteOf(ref.url, ports.environment ?? {});
  const names = await namesAt(remote, ref.tag, cwd);
  assertTag(ref, names);
  ports.progress('fetching the commit');
  await fetchCommit(ref, remote, cwd);
  const tree = await readTree(ref.commit, remote, cwd);
  const rootPurl = gitPurl(ref, submission.version);
  const own = await artifactOf(tree, rootPurl, ports);
  const named = packageIn(tree, ref, submission.version);
  const { closure, unpromised } = await resolveDependencies(named.ref, named.own, ports);
  const artifacts = [...closure.artifacts, own].sort((a, b) => (a.location < b.location ? -1 : 1));
  const trust = (await ports.trust?.()) ?? 'this scanner was given no root.json';
  const reachable = await isReachable(ref.commit, names.head, { remote, cwd: history });
  const git = await factsOf(ref, { tree, names, trust, reachable, remote, cwd });
  return {
    ...{ unpromised, rootPurl, git },
    closure: { digest: closureDigest(artifacts), artifacts },
    launch: (files) => ({
      transport: 'stdio',
      command: ['node', `/app/${SOURCE_FOLDER}/${programOf(named.ref, files)}`, ...submission.args],
      projectArgs: submission.projectArgs,
    }),
    attested: async (known) => attestedOf(ref, git, known),
    // Dates in a commit are its author's own word.
    upstream: async () => ({
      ...{ publishedAt: null, maintainers: null, publisher: null, history: null },
      slice: { url: ref.url, commit: ref.commit, tag: ref.tag, head: names.head },
    }),
  };
}

/** A tag that was moved since is somebody's hand on the repository. */
function assertTag({ tag, commit, url }: GitRef, names: Names): void {
  if (tag === null || names.tag?.commit === commit) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `the tag ${tag} of ${url} at ${commit}, as it was submitted`,
    found: names.tag === null ? 'no such tag' : `it at ${names.tag.commit}`,
    next: 'The tag was moved or taken away: ask whoever keeps the repository before anything of it is used',
  });
}

async function artifactOf({ files }: Tree, purl: string, { blobs }: ScanPorts): Promise<Artifact> {
  const bytes = packFolder(files);
  const { digest, size } = await blobs.put(bytes);
  const sha512 = createHash('sha512').update(bytes).digest('hex');
  return { location: SOURCE_FOLDER, purl, sha256: digest, sha512, size, optional: false };
}

const WISHES = [
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'overrides',
];

/** Only packages of npm are run from a tree. */
function packageIn({ files }: Tree, { url }: GitRef, version: string) {
  if (!files.some(({ path }) => path === 'package.json')) {
    const python = files.some(({ path }) => path === 'pyproject.toml' || path === 'setup.py');
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: `a package.json at the top of ${url}`,
      found: python ? 'a Python project, which would have to be built' : 'none',
      next: python
        ? 'Have a wheel of it published to a package index: pypi:NAME@VERSION'
        : 'Use another source of it',
    });
  }
  const manifest = manifestOf({ name: url, version }, files) as Readonly<Record<string, unknown>>;
  const name = typeof manifest.name === 'string' && manifest.name !== '' ? manifest.name : url;
  const ref: PackageRef = { name, version };
  const lockfile = textIn(files, 'npm-shrinkwrap.json') ?? textIn(files, 'package-lock.json');
  assertBuilt(manifest, { ref, files });
  const wishes = Object.fromEntries(
    WISHES.filter((one) => Object.hasOwn(manifest, one)).map((one) => [one, manifest[one]]),
  );
  return { ref, own: { wishes: { name: 'source', version: '0.0.0', ...wishes }, lockfile } };
}

/** What is made by a build is in no tree; here nothing is built. */
function assertBuilt(
  manifest: Readonly<Record<string, unknown>>,
  { ref, files }: { ref: PackageRef; files: Tree['files'] },
): void {
  try {
    programOf(ref, files);
  } catch (cause) {
    const { scripts } = manifest as { scripts?: { build?: unknown; prepare?: unknown } };
    const builds = scripts?.build ?? scripts?.prepare;
    if (!(cause instanceof LockkeeperError) || typeof builds !== 'string') throw cause;
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: cause.expected,
      found: `${cause.found}, and a script that would build it: ${quote(builds, 100)}`,
      next: 'Nothing is built here: have what was built published, as npm:NAME@VERSION or mcpb:FILE, or committed',
      cause,
    });
  }
}

interface Seen {
  readonly tree: Tree;
  readonly names: Names;
  readonly trust: TrustFiles | string;
  readonly reachable: boolean | string;
  readonly remote: Remote;
  readonly cwd: string;
}

async function factsOf(ref: GitRef, { tree, names, trust, reachable, remote, cwd }: Seen): Promise<GitFacts> {
  const place = { remote, cwd, trust };
  const commitText = (await objectText({ kind: 'commit', oid: ref.commit }, place)) ?? '';
  const commit = await signedBy({ kind: 'commit', oid: ref.commit }, place);
  const annotated = names.tag !== null && names.tag.object !== ref.commit ? names.tag.object : null;
  const tagText =
    annotated === null ? '' : ((await objectText({ kind: 'tag', oid: annotated }, place)) ?? '');
  const tag = annotated === null ? null : await signedBy({ kind: 'tag', oid: annotated }, place);
  const seconds = Number(/^committer .*> (\d{1,12}) /m.exec(commitText)?.[1] ?? 0);
  const manifest = manifestOf({ name: ref.url, version: '' }, tree.files) as { version?: unknown };
  return {
    ...{ reachable, leftOut: tree.leftOut, pointers: tree.pointers, signed: { commit, tag } },
    nameInTag: annotated === null ? null : (/^tag (.*)$/m.exec(tagText)?.[1] ?? ''),
    sameNamed: names.branch !== null && names.branch !== ref.commit ? names.branch : null,
    version: typeof manifest.version === 'string' ? manifest.version.slice(0, 100) : null,
    report: {
      ...{ url: ref.url, commit: ref.commit, tag: ref.tag, files: tree.files.length },
      tagSigned: ref.tag === null ? null : told(tag ?? absent('the tag is a name alone, which nobody signs')),
      commitSigned: told(commit),
      committedAt: new Date(seconds * 1000).toISOString(),
    },
  };
}

function told(standing: Standing<GitSigner>): string {
  if (standing.state === 'held')
    return `signed by ${standing.value.principal}, ${standing.value.key}`.slice(0, 300);
  if (standing.state === 'broken') return standing.message.slice(0, 300);
  return (standing.state === 'absent' ? standing.note : standing.reason).slice(0, 300);
}

/** The signature of its tag, or of the commit where no tag is named, is what says that it was meant to be published. */
function attestedOf({ url, commit, tag }: GitRef, { signed }: GitFacts, _known: Known): Attestations {
  const claimed = claimedAt(url);
  const standing =
    tag === null ? signed.commit : (signed.tag ?? absent('the tag is a name alone, which nobody signs'));
  const attested = {
    signature: absent('git signs no versions'),
    publish: standing.state === 'held' ? held({ at: null, built: null }) : standing,
    build: absent('nothing was built: what runs is the tree of the commit'),
    claimed: claimed.map((one) => one.url),
    commit,
  };
  return { attested, claimed, answer: null };
}
