/** What `npx` would resolve live, resolved once: the whole dependency tree of one exact version, every tarball verified. */
import { createHash } from 'node:crypto';
import pacote from 'pacote';
import semver from 'semver';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { type Artifact, type Closure, closureDigest } from '../schemas/release.ts';
import { assertBundle } from './bundled.ts';
import { unreachable } from './failure.ts';
import type { ScanPorts } from './ports.ts';
import {
  incomplete,
  type Overrides,
  type OwnPackage,
  type PackageRef,
  resolveTree,
  type TreeNode,
} from './tree.ts';

const CONCURRENCY = 8;
export const MAX_TARBALL_BYTES = 256 * 1024 * 1024;
const FETCH_MS = 120_000;

export type { PackageRef } from './tree.ts';

/** `npm:@scope/name@1.2.3`. Throws SOURCE_INVALID. */
export function packageOf(source: string): PackageRef {
  const [, name, version] = /^npm:((?:@[^/@]+\/)?[^/@]+)@([^@]+)$/.exec(source) ?? [];
  if (name !== undefined && version !== undefined && semver.valid(version) === version)
    return { name, version };
  const found = quote(source);
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: 'npm:<name>@<exact version>',
    found,
    next: 'Correct the source',
  });
}

export function purlOf({ name, version }: PackageRef): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${version.replaceAll('+', '%2B')}`;
}

export interface Resolved {
  readonly closure: Closure;
  /** Purls whose registry promised no digest at all: pinned by the bytes that came, which is a finding. */
  readonly unpromised: readonly string[];
}

/**
 * Resolves, fetches, verifies and stores. Nothing of a refused closure is named by it; single verified tarballs may
 * stay in the store, and no fetch goes on after the refusal. Throws CLOSURE_INCOMPLETE, ARTIFACT_MISMATCH, SOURCE_INVALID or SOURCE_UNREACHABLE.
 */
export async function resolveClosure(
  ref: PackageRef,
  ports: ScanPorts,
  overrides: Overrides = {},
): Promise<Resolved> {
  return fetchAll(await resolveTree(ref, ports, { overrides }), ports);
}

/** The dependencies of a package that is at hand itself; none of them runs anything. Throws as `resolveClosure` does. */
export async function resolveDependencies(
  ref: PackageRef,
  own: OwnPackage,
  ports: ScanPorts,
): Promise<Resolved> {
  return fetchAll(await resolveTree(ref, ports, { own }), ports);
}

async function fetchAll(nodes: readonly TreeNode[], ports: ScanPorts): Promise<Resolved> {
  const artifacts: Artifact[] = [];
  const unpromised: string[] = [];
  const locations = new Set(nodes.map((node) => node.location));
  const queue = nodes.values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const node of queue) {
      if (failed) return;
      const artifact = await fetchArtifact(node, locations, ports).catch((error: unknown) => {
        failed = true;
        throw error;
      });
      artifacts.push(artifact);
      if (!node.integrity) unpromised.push(artifact.purl);
      ports.progress(`fetched ${artifacts.length} of ${nodes.length} packages`);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const refused = ends.find((end) => end.status === 'rejected');
  if (refused) throw refused.reason;
  artifacts.sort((a, b) => (a.location < b.location ? -1 : 1));
  return { closure: { digest: closureDigest(artifacts), artifacts }, unpromised: unpromised.sort() };
}

async function fetchArtifact(
  node: TreeNode,
  locations: ReadonlySet<string>,
  ports: ScanPorts,
): Promise<Artifact> {
  const { name, location, optional, os, cpu, bundles } = node;
  const label = `${name}@${node.version}`;
  const promised = promisedDigest(node.integrity, label);
  const bytes = await tarballOf(node, label, ports);
  const found = createHash('sha512').update(bytes).digest();
  if (promised !== null && !promised.equals(found)) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${label} with sha512-${promised.toString('base64')}, as the package registry promises`,
      found: `${bytes.length} bytes with sha512-${found.toString('base64')}`,
      next: 'The package registry or a proxy changed the bytes: do not use this release, and tell your security team',
    });
  }
  if (bundles.length > 0) await assertBundle(bytes, { location, label, names: bundles }, locations);
  const { digest, size } = await ports.blobs.put(bytes);
  return {
    location,
    purl: purlOf({ name, version: node.version }),
    sha256: digest,
    sha512: found.toString('hex'),
    size,
    optional,
    ...(os === null ? {} : { os: [...os] }),
    ...(cpu === null ? {} : { cpu: [...cpu] }),
  };
}

/** The sha512 of an integrity string; null where nothing at all is promised. Weaker digests are refused. */
function promisedDigest(integrity: string | null, label: string): Buffer | null {
  if (!integrity) return null;
  const sha512 = /(?:^|\s)sha512-([A-Za-z0-9+/]{86}==)(?:\?|\s|$)/.exec(integrity)?.[1];
  if (sha512 !== undefined) return Buffer.from(sha512, 'base64');
  throw incomplete(`a sha512 integrity for ${label}`, quote(integrity));
}

/** The bytes as they come. No integrity is handed over: it is verified here, whatever the client's cache believes. */
async function tarballOf(node: TreeNode, label: string, ports: ScanPorts): Promise<Buffer> {
  const spec = node.resolved ?? label;
  if (node.resolved !== null) assertFetchable(node.resolved, label);
  const options = { ...ports.npm, ...ONLY_FETCH, timeout: FETCH_MS };
  try {
    return await pacote.tarball.stream(spec, (stream) => collect(stream, label), options);
  } catch (cause) {
    if (cause instanceof LockkeeperError) throw cause;
    throw unreachable(`the tarball of ${label}`, cause);
  }
}

/**
 * A registry says where a tarball is; the client would also clone a repository or pack a folder that it names, and run
 * their scripts. Only a plain address is followed, and only at the registry itself.
 */
const ONLY_FETCH = {
  allowGit: 'none',
  allowFile: 'none',
  allowDirectory: 'none',
  ignoreScripts: true,
  replaceRegistryHost: 'always',
};

function assertFetchable(resolved: string, label: string): void {
  const plain =
    URL.canParse(resolved) && /^https?:$/.test(new URL(resolved).protocol) && /^https?:\/\//i.test(resolved);
  if (plain && new URL(resolved).pathname.endsWith('.tgz')) return;
  throw incomplete(`the tarball of ${label} at an http address that ends in .tgz`, quote(resolved, 200));
}

async function collect(stream: AsyncIterable<Buffer>, label: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const late = Date.now() + FETCH_MS;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > MAX_TARBALL_BYTES)
      throw incomplete(`${label} with at most ${MAX_TARBALL_BYTES} bytes`, 'a larger one');
    if (Date.now() > late) throw new Error(`not whole within ${FETCH_MS / 1000} s`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
