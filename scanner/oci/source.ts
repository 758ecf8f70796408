/** A submission from a container registry: its closure, how it is started, and what of it a person looks at. */
import { posix } from 'node:path';
import type { ImageConfig } from '../../runtime/store/image/parts.ts';
import { type ImageNotes, imageParts, readTree } from '../../runtime/store/image/read.ts';
import { type find, partsOf, type TreeFolder } from '../../runtime/store/image/tree.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  IMAGE_INDEX,
  IMAGE_MANIFEST,
  type ImageLaunch,
  type ImageReport,
  ociPurl,
  ociRefOf,
  ImageLaunch as Schema,
} from '../../schemas/oci.ts';
import type { LocalLaunch, Submission } from '../../schemas/release.ts';
import { assertValid } from '../../schemas/validate.ts';
import { readImage } from '../installed/image.ts';
import type { Installed } from '../installed/package.ts';
import type { PackageSource, ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import { imageAttested } from './attested.ts';
import { type ResolvedImage, resolveImage } from './closure.ts';
import type { OciOptions } from './options.ts';

/** What checks read of an image. */
export interface ImageFacts {
  readonly report: ImageReport;
  readonly notes: ImageNotes;
  readonly installed: Installed;
}

export async function ociSource(submission: Submission, ports: ScanPorts): Promise<PackageSource> {
  const ref = ociRefOf(submission.source);
  const options = await ociOptions(ports);
  const image = await resolveImage(ref, options, ports);
  ports.progress('reading the layers');
  const parts = await imageParts(image.closure.artifacts, ports.blobs);
  const reading = readImage();
  const { tree, notes } = await readTree(parts, { blobs: ports.blobs, spool: reading.spool });
  assertMounts(submission, tree.root);
  const launch = imageLaunch(image, submission);
  const installed = reading.list(tree.root);
  const { created } = image.config;
  const documents = await documentsOf(image, ports);
  return {
    ...{ closure: image.closure, unpromised: [], rootPurl: ociPurl(ref) },
    launch: () => launch,
    image: { report: reportOf(image, notes), notes, installed },
    attested: (known) => imageAttested({ ref, options, config: image.config, documents }, known),
    // Container registries tell neither who maintains an image nor when it came; the image's own word is its maker's.
    upstream: async () => ({
      publishedAt: null,
      maintainers: null,
      publisher: null,
      history: null,
      slice: { host: ref.host, repository: ref.repository, digest: ref.digest, created },
    }),
  };
}

/** Index and manifest: a signature may be about either. */
async function documentsOf({ closure }: ResolvedImage, { blobs }: ScanPorts): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const { location, sha256 } of closure.artifacts)
    if (location === IMAGE_INDEX || location === IMAGE_MANIFEST) found.set(sha256, await blobs.get(sha256));
  return found;
}

async function ociOptions({ oci }: Pick<ScanPorts, 'oci'>): Promise<OciOptions> {
  if (oci) return oci();
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: 'a scanner that has a client of container registries',
    found: 'one without',
    next: 'Scan it with a registry that lk serve started',
  });
}

/** Entrypoint and command as Docker joins them: arguments of the submission stand in the place of the image's own. */
export function imageLaunch(
  { config, platform }: Pick<ResolvedImage, 'config' | 'platform'>,
  { args, projectArgs }: Pick<Submission, 'args' | 'projectArgs'>,
): LocalLaunch {
  const command = [...config.entrypoint, ...(args.length > 0 ? args : config.cmd)];
  if (command.length === 0 || command.some((word) => word === ''))
    throw incomplete('an image with an entrypoint or a command', 'neither');
  const image: ImageLaunch = {
    platform,
    env: variablesOf(config),
    workingDir: posix.resolve('/', config.workingDir),
    user: config.user,
  };
  return {
    transport: 'stdio',
    command,
    projectArgs,
    image: assertValid(Schema, image, 'the config of the image'),
  };
}

function variablesOf({ env }: ImageConfig): Record<string, string> {
  const found: Record<string, string> = {};
  for (const one of env) {
    const [, name, value = ''] = /^([A-Za-z_][A-Za-z0-9_]{0,127})=(.*)$/s.exec(one) ?? [];
    if (name === undefined) throw incomplete('variables of the image as NAME=VALUE', quote(one, 100));
    found[name] = value;
  }
  return found;
}

/** A folder of a project can be shown at a place that is not in the image, or is a folder there; not behind a link. */
function assertMounts({ permissions }: Submission, root: TreeFolder): void {
  for (const { target } of permissions.mounts) {
    const [first = '', ...rest] = partsOf(target);
    if (!root.children.has(first)) continue;
    let at: ReturnType<typeof find> = root.children.get(first);
    for (const part of rest) at = at?.kind === 'folder' ? at.children.get(part) : undefined;
    if (at?.kind === 'folder') continue;
    throw incomplete(
      `${target} as a folder of the image, or a place at its top that it has not`,
      at?.kind ?? 'nothing',
    );
  }
}

function reportOf({ config, platform, others, closure }: ResolvedImage, notes: ImageNotes): ImageReport {
  const said = (list: readonly string[]): string[] => list.slice(0, 100).map((one) => one.slice(0, 200));
  return {
    platform,
    others: said(others),
    layers: closure.artifacts.filter(({ location }) => location.startsWith('oci/layers/')).length,
    unpacked: notes.unpacked,
    files: notes.files,
    created: config.created,
    user: config.user.slice(0, 256),
    workingDir: config.workingDir.slice(0, 1024),
    ports: said(config.ports),
    volumes: said(config.volumes),
    healthcheck: config.healthcheck,
  };
}
