/** An image by its digest: index, manifest, config and layers, each verified and stored before the next is believed. */
import { createHash } from 'node:crypto';
import {
  type Descriptor,
  type ImageConfig,
  INDEX_TYPES,
  MANIFEST_TYPES,
  MAX_DOCUMENT,
  readConfig,
  readIndex,
  readManifest,
  refused,
} from '../../runtime/store/image/parts.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import {
  IMAGE_CONFIG,
  IMAGE_CPU,
  IMAGE_INDEX,
  IMAGE_MANIFEST,
  type ImagePlatform,
  layerLocation,
  type OciRef,
  ociPurl,
} from '../../schemas/oci.ts';
import { type Artifact, type Closure, closureDigest } from '../../schemas/release.ts';
import type { ScanPorts } from '../ports.ts';
import { incomplete } from '../tree.ts';
import { type Held, type OciClient, openClient } from './client.ts';
import type { OciOptions } from './options.ts';

/** Of one layer as it is transferred, and of all together. A layer is held in memory once. */
const MAX_LAYER_BYTES = 512 * 1024 * 1024;
const MAX_IMAGE_BYTES = 4 * 1024 * 1024 * 1024;
const CONCURRENCY = 3;

export interface ResolvedImage {
  readonly closure: Closure;
  readonly config: ImageConfig;
  readonly platform: ImagePlatform;
  /** Other platforms of the index. */
  readonly others: readonly string[];
  /** Digest of the manifest that runs here: what signatures of one platform name. */
  readonly manifest: string;
}

/** The kind of machine that this is, as images name it. Throws CLOSURE_INCOMPLETE for one that is not known. */
export function machinePlatform(): ImagePlatform {
  const found = Object.entries(IMAGE_CPU).find(([, cpu]) => cpu === process.arch);
  if (found) return found[0] as ImagePlatform;
  throw incomplete(`a machine of ${Object.keys(IMAGE_CPU).join(' or ')}, for images`, process.arch);
}

/**
 * Resolves for this machine's platform, fetches, verifies and stores. Throws CLOSURE_INCOMPLETE, ARTIFACT_MISMATCH,
 * ARCHIVE_HOSTILE, SOURCE_INVALID or SOURCE_UNREACHABLE.
 */
export async function resolveImage(
  ref: OciRef,
  options: OciOptions,
  ports: ScanPorts,
): Promise<ResolvedImage> {
  const client = openClient(ref, options);
  try {
    return await resolveWith(ref, client, ports);
  } finally {
    await client.close();
  }
}

async function resolveWith(ref: OciRef, client: OciClient, ports: ScanPorts): Promise<ResolvedImage> {
  const platform = machinePlatform();
  const top = await client.manifest(ref.digest);
  if (top === null) throw absent(ref);
  const index = INDEX_TYPES.has(top.mediaType) ? top : null;
  const held = index === null ? top : await ofIndex(index, platform, client);
  if (!MANIFEST_TYPES.has(held.mediaType))
    throw refused('an image, or an index of images', `the media type ${quote(held.mediaType, 100)}`);
  const manifest = readManifest(held.bytes, held.mediaType);
  assertSizes([manifest.config, ...manifest.layers]);
  const configBytes = await client.blob(manifest.config, 'the config of the image');
  const config = readConfig(configBytes);
  if (config.platform !== platform)
    throw incomplete(`an image for ${platform}`, `one for ${quote(config.platform, 60)}`);
  const keep = keeper(ref, platform, ports);
  const artifacts = [
    ...(index === null ? [] : [await keep(index.bytes, IMAGE_INDEX, undefined)]),
    await keep(held.bytes, IMAGE_MANIFEST, index === null ? undefined : 'manifest'),
    await keep(configBytes, IMAGE_CONFIG, 'config'),
    ...(await layers(manifest.layers, { client, keep, ports })),
  ].sort((a, b) => (a.location < b.location ? -1 : 1));
  const others = index === null ? [] : platformsOf(index).filter((one) => one !== platform);
  return {
    ...{ config, platform, others },
    manifest: held.digest,
    closure: { digest: closureDigest(artifacts), artifacts },
  };
}

function absent({ host, repository, digest }: OciRef): LockkeeperError {
  return new LockkeeperError('SOURCE_INVALID', {
    expected: `${digest} in ${host}/${repository}`,
    found: 'no such image',
    next: 'Check the name and the digest',
  });
}

function platformsOf(index: Held): string[] {
  const named = readIndex(index.bytes, index.mediaType).flatMap(({ platform }) => platform ?? []);
  return [...new Set(named)].filter((one) => one !== 'unknown/unknown').sort();
}

/** The one image of the index for this platform. Two of them would leave the choice to the order of a list. */
async function ofIndex(index: Held, platform: ImagePlatform, client: OciClient): Promise<Held> {
  const all = readIndex(index.bytes, index.mediaType);
  const [fit, ...more] = all.filter((one) => one.platform === platform && MANIFEST_TYPES.has(one.mediaType));
  if (!fit || more.length > 0) {
    const has = platformsOf(index).slice(0, 20).join(', ') || 'none that is named';
    throw incomplete(`one image for ${platform} in the index`, fit ? `${more.length + 1} of them` : has);
  }
  const held = await client.manifest(fit.digest);
  if (held === null)
    throw incomplete(`the image ${fit.digest} that the index names`, 'nothing in the registry');
  if (held.mediaType === fit.mediaType && held.bytes.length === fit.size) return held;
  throw refused(
    `${fit.digest} as ${fit.mediaType} of ${fit.size} bytes, as the index says`,
    `${quote(held.mediaType, 100)} of ${held.bytes.length} bytes`,
  );
}

function assertSizes([config, ...layers]: readonly Descriptor[]): void {
  if ((config?.size ?? 0) > MAX_DOCUMENT)
    throw incomplete(`a config of at most ${MAX_DOCUMENT} bytes`, `${config?.size}`);
  const large = layers.find(({ size }) => size > MAX_LAYER_BYTES);
  if (large) throw incomplete(`layers of at most ${MAX_LAYER_BYTES} bytes`, `one of ${large.size}`);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_IMAGE_BYTES) throw incomplete(`an image of at most ${MAX_IMAGE_BYTES} bytes`, `${total}`);
}

type Keep = (bytes: Buffer, location: string, part: string | undefined) => Promise<Artifact>;

function keeper(ref: OciRef, platform: ImagePlatform, ports: ScanPorts): Keep {
  return async (bytes, location, part) => {
    const { digest, size } = await ports.blobs.put(bytes);
    return {
      ...{ location, size },
      purl: ociPurl(ref, part),
      sha256: digest,
      sha512: createHash('sha512').update(bytes).digest('hex'),
      optional: false,
      ...(location === IMAGE_INDEX ? {} : { os: ['linux'], cpu: [IMAGE_CPU[platform]] }),
    };
  };
}

/** A few at a time; after the first failure no other begins. The same bytes twice are fetched once. */
async function layers(
  list: readonly Descriptor[],
  { client, keep, ports }: { client: OciClient; keep: Keep; ports: ScanPorts },
): Promise<Artifact[]> {
  const artifacts: Artifact[] = [];
  const queue = list.entries();
  let failed = false;
  const one = async (layer: Descriptor, index: number): Promise<void> => {
    const there = await ports.blobs.has(layer.digest);
    const held = there ? await ports.blobs.get(layer.digest).catch(() => null) : null;
    const bytes = held ?? (await client.blob(layer, `layer ${index + 1} of ${list.length}`));
    artifacts.push(await keep(bytes, layerLocation(index), `layers/${index}`));
    ports.progress(`fetched ${artifacts.length} of ${list.length} layers`);
  };
  const worker = async (): Promise<void> => {
    for (const [index, layer] of queue) {
      if (failed) return;
      await one(layer, index).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const stopped = ends.find((end) => end.status === 'rejected');
  if (stopped) throw stopped.reason;
  return artifacts;
}
