/** A submission that is an MCP bundle: its closure, how it is started, and what of it a person looks at. */
import { machinePython } from '../../runtime/python/machine.ts';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type BundleReport, mcpbName, mcpbPurl, mcpbRefOf } from '../../schemas/mcpb.ts';
import { type Artifact, closureDigest, type Submission } from '../../schemas/release.ts';
import type { PackageSource, ScanPorts } from '../ports.ts';
import { bundleAttested } from './attested.ts';
import { bundleBytes } from './fetch.ts';
import { foldersOf } from './folders.ts';
import { bundleLaunch } from './launch.ts';
import { assertRuns, type Manifest, manifestIn } from './manifest.ts';
import { readBundle } from './read.ts';

/** What checks read of a bundle. */
export interface BundleFacts {
  readonly report: BundleReport;
  readonly manifest: Pick<Manifest, 'tools' | 'tools_generated' | 'prompts' | 'prompts_generated' | '_meta'>;
  /** Bytes of the signature that it carries; 0 without one. */
  readonly signature: number;
}

export async function mcpbSource(submission: Submission, ports: ScanPorts): Promise<PackageSource> {
  const ref = mcpbRefOf(submission.source);
  const rootPurl = mcpbPurl(ref, submission.version);
  const label = `the bundle ${ref.name}`;
  const bytes = await bundleBytes(ref, ports);
  ports.progress('unpacking the bundle');
  const { files, signature } = await readBundle(bytes, label);
  const manifest = manifestIn(files, label);
  const kind = assertRuns(manifest, label);
  assertNamed(manifest, { submission, name: ref.url === null ? ref.name : null });
  const python = kind === 'python' ? await machinePython() : null;
  const launch = bundleLaunch({ manifest, kind, files, label }, submission, python);
  const artifacts = await foldersOf(files, rootPurl, ports.blobs);
  return {
    closure: { digest: closureDigest(artifacts), artifacts },
    unpromised: [],
    rootPurl,
    launch: () => launch,
    bundle: {
      report: reportOf(manifest, { kind, files, artifacts, signature }),
      manifest: declaredIn(manifest),
      signature,
    },
    attested: (known) =>
      bundleAttested(
        {
          ...{ signature, digest: ref.digest, blobs: ports.blobs, github: ports.github ?? null },
          repository: manifest.repository?.url ?? null,
        },
        known,
      ),
    // Nobody lists bundles with their makers and dates; the manifest's own word is its maker's.
    upstream: async () => ({
      ...{ publisher: null, maintainers: null, publishedAt: null, history: null },
      slice: { digest: ref.digest, url: ref.url, name: manifest.name, version: manifest.version },
    }),
  };
}

function declaredIn(manifest: Manifest): BundleFacts['manifest'] {
  const { tools, tools_generated, prompts, prompts_generated, _meta } = manifest;
  const named = { tools, tools_generated, prompts, prompts_generated, _meta };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
}

/** Name and version of the release are those that the bundle says of itself. */
function assertNamed(
  manifest: Manifest,
  { submission, name }: { submission: Submission; name: string | null },
): void {
  const own = mcpbName(manifest.name);
  const wrong = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('SOURCE_INVALID', {
      expected,
      found: quote(found),
      next: 'Publish it as what it is',
    });
  if (name !== null && name !== own) throw wrong(`the bundle ${own}, as its manifest says`, name);
  if (submission.version === manifest.version) return;
  throw wrong(`version ${quote(manifest.version, 60)}, as the manifest says`, submission.version);
}

interface Seen {
  readonly kind: BundleReport['kind'];
  readonly files: readonly UnpackedFile[];
  readonly artifacts: readonly Artifact[];
  readonly signature: number;
}

function reportOf(manifest: Manifest, { kind, files, artifacts, signature }: Seen): BundleReport {
  return {
    kind,
    name: manifest.name,
    author: manifest.author.name,
    manifestVersion: manifest.manifest_version ?? manifest.dxt_version ?? '',
    files: files.length,
    unpacked: files.reduce((sum, { bytes }) => sum + bytes.length, 0),
    packages: artifacts.length - 1,
    signed: signature > 0,
  };
}
