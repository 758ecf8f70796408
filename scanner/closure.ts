/** What `npx` would resolve live, resolved once: the whole dependency tree of one exact version, every tarball verified. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Arborist from '@npmcli/arborist';
import pacote from 'pacote';
import type { Blobs } from '../runtime/store/blobs.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { type Artifact, type Closure, closureDigest } from '../schemas/release.ts';
import { unreachable } from './npm.ts';
import type { NpmOptions, ScanPorts } from './ports.ts';

const CONCURRENCY = 8;
const MAX_TARBALL_BYTES = 256 * 1024 * 1024;
const FETCH_MS = 120_000;

export interface PackageRef {
  readonly name: string;
  readonly version: string;
}

/** `npm:@scope/name@1.2.3`. Throws SOURCE_INVALID. */
export function packageOf(source: string): PackageRef {
  const [, name, version] = /^npm:((?:@[^/@]+\/)?[^/@]+)@([^@]+)$/.exec(source) ?? [];
  if (name !== undefined && version !== undefined) return { name, version };
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: 'npm:<name>@<exact version>',
    found: quote(source),
    next: 'Correct the source',
  });
}

export function purlOf({ name, version }: PackageRef): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${version.replaceAll('+', '%2B')}`;
}

/** The members of arborist's nodes that a closure is made of. */
interface TreeNode {
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  readonly location: string;
  readonly resolved: string | null;
  readonly integrity: string | null;
  readonly optional: boolean;
  readonly inBundle: boolean;
  readonly isLink: boolean;
  readonly isProjectRoot: boolean;
  readonly package: { readonly os?: string | string[]; readonly cpu?: string | string[] };
  readonly edgesOut: ReadonlyMap<
    string,
    { readonly error: string | null; readonly type: string; readonly spec: string; readonly name: string }
  >;
}

/** Resolves, fetches, verifies and stores. Throws CLOSURE_INCOMPLETE, ARTIFACT_MISMATCH, SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function resolveClosure(ref: PackageRef, ports: ScanPorts): Promise<Closure> {
  const nodes = await resolveTree(ref, ports);
  const artifacts: Artifact[] = [];
  const queue = nodes.values();
  let done = 0;
  const worker = async (): Promise<void> => {
    for (const node of queue) {
      artifacts.push(await fetchArtifact(node, ports.blobs, ports.npm));
      ports.progress(`fetched ${++done} of ${nodes.length} packages`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  artifacts.sort((a, b) => (a.location < b.location ? -1 : 1));
  return { digest: closureDigest(artifacts), artifacts };
}

async function resolveTree(ref: PackageRef, ports: ScanPorts): Promise<TreeNode[]> {
  const dir = await mkdtemp(join(ports.workDir, 'resolve-'));
  try {
    const arborist = new Arborist({
      ...ports.npm,
      path: dir,
      ignoreScripts: true,
      audit: false,
      fund: false,
    });
    const tree = await arborist
      .buildIdealTree({ add: [`${ref.name}@${ref.version}`], saveType: 'prod' })
      .catch((cause: unknown) => {
        throw unreachable(`${ref.name}@${ref.version} and what it depends on`, cause);
      });
    const all = [...(tree.inventory.values() as Iterable<unknown>)] as TreeNode[];
    const nodes = all.filter((node) => !node.isProjectRoot && node.location !== '');
    for (const node of nodes) assertComplete(node);
    return nodes.filter((node) => !node.inBundle);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Every dependency that is not optional is there; nothing comes from a link or a folder. */
function assertComplete(node: TreeNode): void {
  if (node.isLink) throw incomplete('packages from the registry alone', `${node.location} is a link`);
  for (const edge of node.edgesOut.values()) {
    if (
      edge.error === null ||
      edge.type === 'peerOptional' ||
      edge.type === 'optional' ||
      edge.type === 'dev' ||
      node.optional
    )
      continue;
    if (edge.error === 'MISSING' || edge.error === 'INVALID') {
      throw incomplete(
        `${node.name}@${node.version} to find ${edge.name}@${edge.spec}`,
        edge.error === 'MISSING' ? 'nothing' : 'another version that does not fit',
      );
    }
  }
}

function incomplete(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('CLOSURE_INCOMPLETE', {
    expected,
    found,
    next: 'Such a release cannot be pinned whole; use another version or ask its maintainers',
  });
}

async function fetchArtifact(node: TreeNode, blobs: Blobs, npm: NpmOptions): Promise<Artifact> {
  const name = node.packageName || node.name;
  const label = `${name}@${node.version}`;
  const sha512 = /^(?:.*\s)?sha512-([A-Za-z0-9+/=]{88})(?:\s.*)?$/.exec(node.integrity ?? '')?.[1];
  if (sha512 === undefined)
    throw incomplete(`a sha512 integrity for ${label}`, quote(node.integrity ?? 'none'));
  if (node.resolved !== null && !/^https?:/.test(node.resolved))
    throw incomplete(`${label} from the registry`, quote(node.resolved));
  const bytes = await tarballOf(node, label, npm);
  const found = createHash('sha512').update(bytes).digest('base64');
  if (found !== sha512) {
    throw new LockkeeperError('ARTIFACT_MISMATCH', {
      expected: `${label} with integrity sha512-${sha512}`,
      found: `${bytes.length} bytes with sha512-${found}`,
      next: 'The package registry or a proxy changed the bytes: do not use this release, and tell your security team',
    });
  }
  const { digest, size } = await blobs.put(bytes);
  const { os, cpu } = node.package;
  return {
    location: node.location,
    purl: purlOf({ name, version: node.version }),
    sha256: digest,
    sha512: Buffer.from(sha512, 'base64').toString('hex'),
    size,
    optional: node.optional,
    ...(os === undefined ? {} : { os: [os].flat() }),
    ...(cpu === undefined ? {} : { cpu: [cpu].flat() }),
  };
}

async function tarballOf(node: TreeNode, label: string, npm: NpmOptions): Promise<Buffer> {
  const spec = node.resolved ?? label;
  try {
    // No integrity is handed over: the bytes are verified here, whatever the client's cache believes.
    const bytes = await pacote.tarball(spec, { ...npm, timeout: FETCH_MS });
    if (bytes.length > MAX_TARBALL_BYTES)
      throw incomplete(`${label} with at most ${MAX_TARBALL_BYTES} bytes`, `${bytes.length}`);
    return bytes;
  } catch (cause) {
    if (cause instanceof LockkeeperError) throw cause;
    throw unreachable(`the tarball of ${label}`, cause);
  }
}
