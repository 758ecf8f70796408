/** Index, manifest and config of an image, read strictly: what is not on a list of known forms is refused. */

import { isObject } from '../../../schemas/common.ts';
import { LockkeeperError, quote, refusing } from '../../../schemas/errors.ts';
import { parseStrict } from '../../../schemas/json.ts';
import { MAX_LAYERS } from '../../../schemas/oci.ts';

/** Bytes of an index, a manifest or a config. */
export const MAX_DOCUMENT = 4 * 1024 * 1024;
const MAX_PLATFORMS = 200;

export const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
export const MANIFEST_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]);
const CONFIG_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
export type Packing = 'none' | 'gzip' | 'zstd';
const LAYER_TYPES: ReadonlyMap<string, Packing> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'none'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'none'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
]);

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface PlatformDescriptor extends Descriptor {
  /** Such as linux/amd64; null where the index does not say. */
  readonly platform: string | null;
}

export interface ImageManifest {
  readonly config: Descriptor;
  readonly layers: readonly (Descriptor & { readonly packing: Packing })[];
}

export interface ImageConfig {
  readonly platform: string;
  readonly created: string | null;
  readonly diffIds: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly healthcheck: boolean;
  /** Where its maker says that it comes from: repository and commit. */
  readonly source: string | null;
  readonly revision: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

export const refused = refusing('ARCHIVE_HOSTILE', 'Do not use this image; tell whoever made it');

/** A document that says itself what it is has to say what it is served as. Throws ARCHIVE_HOSTILE. */
export function documentOf(bytes: Buffer, mediaType: string | null, what: string): Fields {
  const value = jsonOf(bytes, what);
  const both = value.manifests !== undefined && value.layers !== undefined;
  if (both) throw refused(`${what} of one kind`, 'one that is an index and a manifest at once');
  const { schemaVersion, mediaType: own = mediaType } = value;
  if (schemaVersion !== 2) throw refused(`${what} of schema version 2`, quote(String(schemaVersion), 40));
  if (mediaType !== null && own !== mediaType)
    throw refused(`${what} that calls itself ${mediaType}`, quote(String(own), 100));
  return value;
}

function jsonOf(bytes: Buffer, what: string): Fields {
  try {
    const value = parseStrict(bytes, { maxBytes: MAX_DOCUMENT });
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof LockkeeperError)) throw error;
    throw refused(`${what} that can be read`, error.found, error);
  }
  throw refused(what, 'something that is not an object');
}

/** The images of an index. */
export function readIndex(bytes: Buffer, mediaType: string): PlatformDescriptor[] {
  const { manifests } = documentOf(bytes, mediaType, 'an index of images');
  if (!Array.isArray(manifests) || manifests.length > MAX_PLATFORMS)
    throw refused(`an index with a list of at most ${MAX_PLATFORMS} images`, countOf(manifests));
  return manifests.map((one: Fields) => {
    const { platform } = (one ?? {}) as { platform?: Fields };
    const named = platform !== null && typeof platform === 'object' ? platform : {};
    const { os, architecture } = named;
    const known = typeof os === 'string' && typeof architecture === 'string';
    return {
      ...descriptorOf(one, 'an image of the index'),
      platform: known ? `${os}/${architecture}` : null,
    };
  });
}

export function readManifest(bytes: Buffer, mediaType: string | null): ImageManifest {
  const document = documentOf(bytes, mediaType, 'the manifest of an image');
  const config = descriptorOf(document.config, 'the config of the image');
  if (!CONFIG_TYPES.has(config.mediaType))
    throw refused('the config of an image', quote(config.mediaType, 100));
  const { layers } = document;
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > MAX_LAYERS)
    throw refused(`a manifest with 1 to ${MAX_LAYERS} layers`, countOf(layers));
  return { config, layers: layers.map((one: unknown) => layerOf(one)) };
}

function layerOf(value: unknown): ImageManifest['layers'][number] {
  const layer = descriptorOf(value, 'a layer of the image');
  const packing = LAYER_TYPES.get(layer.mediaType);
  if (packing !== undefined) return { ...layer, packing };
  throw refused(`a layer of ${[...LAYER_TYPES.keys()].join(', ')}`, quote(layer.mediaType, 100));
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, urls } = (value ?? {}) as Fields;
  if (typeof mediaType !== 'string')
    throw refused(`${what} with a media type`, quote(String(mediaType), 100));
  if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw refused(`${what} with a digest sha256:<64 hex>`, quote(String(digest), 100));
  if (!Number.isSafeInteger(size) || Number(size) < 1)
    throw refused(`${what} with its size`, quote(String(size), 40));
  if (Array.isArray(urls) && urls.length > 0)
    throw refused(`${what} in the registry itself`, `one at ${quote(String(urls[0]), 100)}`);
  return { mediaType, digest, size: Number(size) };
}

export function readConfig(bytes: Buffer): ImageConfig {
  const what = 'the config of an image';
  const value = jsonOf(bytes, what);
  const { os, architecture, created, rootfs } = value;
  const own = (typeof value.config === 'object' && value.config !== null ? value.config : {}) as Fields;
  const { diff_ids: diffIds } = (rootfs ?? {}) as Fields;
  return {
    platform: `${textOf(os, 'os')}/${textOf(architecture, 'architecture')}`,
    created: typeof created === 'string' && !Number.isNaN(Date.parse(created)) ? created : null,
    diffIds: listOf(diffIds, 'rootfs.diff_ids'),
    entrypoint: listOf(own.Entrypoint, 'Entrypoint'),
    cmd: listOf(own.Cmd, 'Cmd'),
    env: listOf(own.Env, 'Env'),
    user: textOf(own.User, 'User'),
    workingDir: textOf(own.WorkingDir, 'WorkingDir'),
    volumes: keysOf(own.Volumes, 'Volumes'),
    ports: keysOf(own.ExposedPorts, 'ExposedPorts'),
    source: labelOf(own.Labels, 'org.opencontainers.image.source'),
    revision: labelOf(own.Labels, 'org.opencontainers.image.revision'),
    healthcheck: own.Healthcheck !== undefined && own.Healthcheck !== null,
  };
}

function labelOf(labels: unknown, name: string): string | null {
  const value = labels !== null && typeof labels === 'object' ? (labels as Fields)[name] : undefined;
  return typeof value === 'string' && value.length < 1000 ? value : null;
}

function textOf(value: unknown, name: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw refused(`${name} of the image as text`, typeof value);
}

function listOf(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw refused(`${name} of the image as a list of texts`, 'something else');
}

function keysOf(value: unknown, name: string): string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'object' && !Array.isArray(value)) return Object.keys(value).sort();
  throw refused(`${name} of the image as an object`, 'something else');
}

function countOf(value: unknown): string {
  return Array.isArray(value) ? `${value.length}` : 'no list';
}
