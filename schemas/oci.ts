/** Images of a container registry: how they are named, what stands where in a closure, and what a start takes from them. */
import { Closed } from './common.ts';
import { LockkeeperError, quote } from './errors.ts';
import { type Static, Type } from './type.ts';

/** Where the parts of an image stand in a closure. Layers are numbered from the lowest. */
export const IMAGE_INDEX = 'oci/index.json';
export const IMAGE_MANIFEST = 'oci/manifest.json';
export const IMAGE_CONFIG = 'oci/config.json';
const LAYERS = 'oci/layers/';
export const MAX_LAYERS = 128;
export const IMAGE_LOCATION = `oci/(?:(?:index|manifest|config)[.]json|layers/[0-9]{3})`;

export function layerLocation(index: number): string {
  return `${LAYERS}${String(index).padStart(3, '0')}`;
}

export function isLayer({ location }: { readonly location: string }): boolean {
  return location.startsWith(LAYERS);
}

/** Is it a part of an image? */
export function isImagePart({ location }: { readonly location: string }): boolean {
  return location.startsWith('oci/');
}

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** With a dot or a port, or this machine: without either it would be a short name that every tool reads otherwise. */
const HOST = `(?:${LABEL}(?:[.]${LABEL})+|localhost)(?::[1-9][0-9]{0,4})?|${LABEL}:[1-9][0-9]{0,4}`;
const PART = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*';
const REPOSITORY = `${PART}(?:/${PART})*`;
const TAG = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const DIGEST = 'sha256:[0-9a-f]{64}';

export const OciSource = Type.String({
  pattern: `^oci:(?:${HOST})/${REPOSITORY}@${DIGEST}$`,
  description: 'oci:HOST/REPOSITORY@sha256:DIGEST; a tag is resolved to a digest before it is submitted',
  maxLength: 400,
});

export interface OciRef {
  /** Name and port of the container registry. */
  readonly host: string;
  readonly repository: string;
  readonly digest: string;
}

export interface OciTag {
  readonly host: string;
  readonly repository: string;
  readonly tag: string;
}

export function isOciSource(source: string): boolean {
  return source.startsWith('oci:');
}

/** `oci:ghcr.io/acme/server@sha256:…`. Throws SOURCE_INVALID. */
export function ociRefOf(source: string): OciRef {
  const named = parsedOci(source);
  if (named !== null && 'digest' in named) return named;
  throw new LockkeeperError('SOURCE_INVALID', {
    expected: 'oci:<host>/<repository>@sha256:<digest>',
    found: quote(source, 400),
    next: 'lk publish resolves a tag to its digest: oci:<host>/<repository>:<tag>',
  });
}

/** By digest or by tag; null for anything else. */
export function parsedOci(source: string): OciRef | OciTag | null {
  const pattern = new RegExp(`^oci:(${HOST})/(${REPOSITORY})(?::(${TAG})|@(${DIGEST}))$`);
  const [, host, repository, tag, digest] = pattern.exec(source) ?? [];
  if (host === undefined || repository === undefined) return null;
  if (digest !== undefined) return { host, repository, digest };
  return tag === undefined ? null : { host, repository, tag };
}

export function ociSourceOf({ host, repository, digest }: OciRef): string {
  return `oci:${host}/${repository}@${digest}`;
}

/** The image as a whole; `part` names a part of it. */
export function ociPurl({ host, repository, digest }: OciRef, part?: string): string {
  const name = repository.split('/').at(-1) ?? repository;
  const whole = `pkg:oci/${name}@${digest.replace(':', '%3A')}?repository_url=${host}/${repository}`;
  return part === undefined ? whole : `${whole}#${part}`;
}

/** Kind of machine, as images name it. */
export const ImagePlatform = Type.Union([Type.Literal('linux/amd64'), Type.Literal('linux/arm64')]);
export type ImagePlatform = Static<typeof ImagePlatform>;

export const IMAGE_CPU: Readonly<Record<ImagePlatform, string>> = {
  'linux/amd64': 'x64',
  'linux/arm64': 'arm64',
};

const NAME = '^[A-Za-z_][A-Za-z0-9_]{0,127}$';

/** What a start takes from the image besides its command: the lock has it, so that the image is not asked again. */
export const ImageLaunch = Closed({
  platform: ImagePlatform,
  /** By name, as the image sets them; those of the sandbox itself are above them. */
  env: Type.Record(
    Type.String({ pattern: NAME }),
    Type.String({ pattern: '^[^\\u0000\\r\\n]*$', maxLength: 32_768 }),
    { maxProperties: 200, additionalProperties: false },
  ),
  workingDir: Type.String({ pattern: '^/[^\\u0000-\\u001f]*$', maxLength: 1024 }),
  /** As the image says it; empty for root. Told, never honoured: servers run as user 65534. */
  user: Type.String({ pattern: '^[^\\u0000-\\u001f]*$', maxLength: 256 }),
});
export type ImageLaunch = Static<typeof ImageLaunch>;

/** What of an image a person looks at; the parts themselves are in the closure. */
export const ImageReport = Closed({
  platform: ImagePlatform,
  /** Platforms that the index has besides. */
  others: Type.Array(Type.String(), { maxItems: 100 }),
  layers: Type.Integer({ minimum: 1 }),
  /** Bytes of all layers unpacked, and files of the tree that they make. */
  unpacked: Type.Integer({ minimum: 0 }),
  files: Type.Integer({ minimum: 0 }),
  /** When its maker says that it was made. */
  created: Type.Union([Type.Null(), Type.String()]),
  user: Type.String(),
  workingDir: Type.String(),
  ports: Type.Array(Type.String(), { maxItems: 100 }),
  volumes: Type.Array(Type.String(), { maxItems: 100 }),
  healthcheck: Type.Boolean(),
});
export type ImageReport = Static<typeof ImageReport>;
