/** Images made without an engine: layers of a few files, and the documents that name them. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Header } from 'tar';
import type { Blobs } from '../../runtime/store/blobs.ts';
import { type ImageConfig, readConfig } from '../../runtime/store/image/parts.ts';
import { machinePlatform } from '../../scanner/oci/closure.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { IMAGE_CONFIG, IMAGE_MANIFEST, layerLocation, ociPurl } from '../../schemas/oci.ts';
import { type Artifact, type Closure, closureDigest } from '../../schemas/release.ts';

export interface LayerFile {
  readonly path: string;
  readonly type?:
    | 'File'
    | 'Directory'
    | 'SymbolicLink'
    | 'Link'
    | 'CharacterDevice'
    | 'FIFO'
    | 'ExtendedHeader';
  readonly content?: string | Buffer;
  readonly target?: string;
  readonly mode?: number;
}

export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
}

export interface Layer extends Blob {
  readonly diffId: string;
}

export const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
export const PLAIN = 'application/vnd.oci.image.layer.v1.tar';
export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const CONFIG = 'application/vnd.oci.image.config.v1+json';
export const PLATFORM = machinePlatform();

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function blobOf(bytes: Buffer, mediaType: string): Blob {
  return { mediaType, bytes, digest: digestOf(bytes), size: bytes.length };
}

export function documentBlob(value: object, mediaType: string): Blob {
  return blobOf(Buffer.from(JSON.stringify(value)), mediaType);
}

/** A tar with exactly these headers, hostile ones too. */
export function tarOf(files: readonly LayerFile[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, type = 'File', content = '', target, mode = 0o644 } of files) {
    const bytes = Buffer.from(content);
    const block = Buffer.alloc(512);
    const link = target === undefined ? {} : { linkpath: target };
    new Header({ path, type, mode, size: bytes.length, mtime: new Date(0), ...link }).encode(block, 0);
    blocks.push(block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export function layerOf(files: readonly LayerFile[] | Buffer, mediaType = GZIP): Layer {
  const tar = Buffer.isBuffer(files) ? files : tarOf(files);
  const pack =
    mediaType === ZSTD ? zstdCompressSync : mediaType === GZIP ? gzipSync : (bytes: Buffer) => bytes;
  return { ...blobOf(pack(tar), mediaType), diffId: digestOf(tar) };
}

export interface ImageSpec {
  readonly layers: readonly Layer[];
  readonly config?: JsonObject;
  /** In place of this machine's. */
  readonly platform?: string;
  readonly diffIds?: readonly string[];
  readonly manifest?: JsonObject;
}

export interface Image {
  readonly manifest: Blob;
  readonly index: Blob;
  readonly blobs: readonly Blob[];
}

export function named({ mediaType, digest, size }: Blob): JsonObject {
  return { mediaType, digest, size };
}

/** Manifest and config of one platform, and an index that has it beside another. */
export function imageOf({
  layers,
  config = {},
  platform = PLATFORM,
  diffIds,
  manifest: more = {},
}: ImageSpec): Image {
  const [os = '', architecture = ''] = platform.split('/');
  const document = {
    ...{ os, architecture, created: '2026-01-02T03:04:05Z', config },
    rootfs: { type: 'layers', diff_ids: diffIds ?? layers.map(({ diffId }) => diffId) },
  };
  const configBlob = documentBlob(document, CONFIG);
  const manifest = documentBlob(
    { schemaVersion: 2, mediaType: MANIFEST, config: named(configBlob), layers: layers.map(named), ...more },
    MANIFEST,
  );
  const other = documentBlob({ schemaVersion: 2, mediaType: MANIFEST, nothing: 'here' }, MANIFEST);
  const index = indexOf([
    { ...named(manifest), platform: { os, architecture } },
    { ...named(other), platform: { os: 'linux', architecture: 's390x' } },
  ]);
  return { manifest, index, blobs: [configBlob, ...layers] };
}

export function indexOf(manifests: readonly object[]): Blob {
  return documentBlob({ schemaVersion: 2, mediaType: INDEX, manifests }, INDEX);
}

const programs = new Map<string, LayerFile[]>();

/** The machine's own shell with the libraries that it links: the smallest image in which something runs. */
export function shellFiles(program = '/bin/sh'): LayerFile[] {
  const known = programs.get(program);
  const files =
    known ??
    [program, ...librariesOf(program)].map((path) => ({
      path: path.slice(1),
      content: readFileSync(path),
      mode: 0o755,
    }));
  programs.set(program, files);
  return files;
}

function librariesOf(program: string): string[] {
  const said = execFileSync('ldd', [program]).toString();
  return [...said.matchAll(/(\/[^\s)]+)\s+\(0x/g)].map(([, file = '']) => file);
}

/** A server of four tools, written for that shell. */
export const SERVER = readFileSync(join(import.meta.dirname, '../servers/shell.sh'), 'utf8');

/** An honest server: the shell below, its script above, and an old version of it whited out. */
export function serverImage(config: JsonObject = {}, more: readonly LayerFile[] = []): Image {
  const below = layerOf([
    ...shellFiles(),
    { path: 'srv/', type: 'Directory', mode: 0o755 },
    { path: 'srv/server.sh', content: 'exit 7\n' },
    { path: 'srv/old.txt', content: 'old' },
  ]);
  const above = layerOf(
    [
      { path: 'srv/.wh.old.txt' },
      { path: 'srv/server.sh', content: SERVER, mode: 0o755 },
      { path: 'srv/data/', type: 'Directory', mode: 0o755 },
      ...more,
    ],
    ZSTD,
  );
  const env = ['PATH=/bin', 'GREETING=hello from the image', 'LD_LIBRARY_PATH=/srv'];
  return imageOf({
    layers: [below, above],
    config: {
      Entrypoint: ['sh', '/srv/server.sh'],
      Cmd: ['one'],
      Env: env,
      WorkingDir: '/srv',
      User: '1000',
      ...config,
    },
  });
}

/** The closure of an image that is in no registry, its parts in the store. */
export async function closureOf(
  image: Image,
  blobs: Blobs,
): Promise<{ closure: Closure; config: ImageConfig }> {
  const [config, ...layers] = image.blobs;
  if (!config) throw new Error('an image without a config');
  const parts: [string, Blob][] = [
    [IMAGE_MANIFEST, image.manifest],
    [IMAGE_CONFIG, config],
    ...layers.map((layer, index): [string, Blob] => [layerLocation(index), layer]),
  ];
  const ref = { host: 'registry.example', repository: 'acme/shell', digest: image.manifest.digest };
  const artifacts: Artifact[] = [];
  for (const [location, { bytes, size }] of parts) {
    const { digest: sha256 } = await blobs.put(bytes);
    const sha512 = createHash('sha512').update(bytes).digest('hex');
    artifacts.push({ location, purl: ociPurl(ref, location), sha256, sha512, size, optional: false });
  }
  return { closure: { digest: closureDigest(artifacts), artifacts }, config: readConfig(config.bytes) };
}
