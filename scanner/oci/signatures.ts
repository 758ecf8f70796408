/** What is signed of an image, as its registry keeps it: what refers to it, and the tags that cosign used before. */
import { documentOf, MAX_DOCUMENT } from '../../runtime/store/image/parts.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import type { OciRef } from '../../schemas/oci.ts';
import { type OciClient, openClient } from './client.ts';
import { LEGACY_LAYER, legacyBundle } from './cosign.ts';
import type { OciOptions } from './options.ts';

/** One signature. Nothing of it is verified yet. */
export interface ImageSignature {
  /** The digest that it was found under: of the index or of the manifest. */
  readonly about: string;
  /** A sigstore bundle. */
  readonly bundle: Buffer;
  /** Of the older form: what was signed in the image's place, which names its digest. */
  readonly payload: Buffer | null;
}

export interface OciSignatures {
  readonly bundles: readonly ImageSignature[];
}

/** Of one bundle in bytes, and how many of them one image may have. */
const MAX_BUNDLE = 256 * 1024;
const MAX_BUNDLES = 50;
const MAX_PAGES = 10;
/** GitHub's attestations and cosign's signatures are the same kind. */
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v0\.[1-3])?\+json(?:;.*)?$/;

/** The older form, in a list of the newer. */
const LEGACY = 'application/vnd.dev.cosign.artifact.sig.v1+json';

function isSignature(artifactType: string): boolean {
  return BUNDLE.test(artifactType) || artifactType === LEGACY;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * All sigstore bundles that refer to one of these digests, and signatures of the older form. Throws SOURCE_UNREACHABLE and
 * ARCHIVE_HOSTILE: then nothing is known.
 */
export async function ociSignatures(
  ref: OciRef,
  digests: readonly string[],
  options: OciOptions,
): Promise<OciSignatures> {
  const client = openClient(ref, options);
  try {
    const bundles: ImageSignature[] = [];
    for (const about of digests) {
      for (const digest of await referring(about, client))
        bundles.push(...(await bundlesIn(digest, about, client)));
      bundles.push(...(await tagged(about, client)));
      if (bundles.length > MAX_BUNDLES) throw tooMany();
    }
    return { bundles };
  } finally {
    await client.close();
  }
}

function tooMany(): LockkeeperError {
  return new LockkeeperError('ARCHIVE_HOSTILE', {
    expected: `at most ${MAX_BUNDLES} signatures of one image`,
    found: 'more',
    next: 'Ask whoever keeps the container registry to clear them',
  });
}

/** Digests of what refers to it and calls itself a bundle; from the tag of the same name where the registry keeps no list. */
async function referring(about: string, client: OciClient): Promise<string[]> {
  const pages = await client.referrers(about, MAX_PAGES);
  const held =
    pages ?? [(await client.manifest(about.replace(':', '-')))?.bytes].filter((one) => one !== undefined);
  const found = new Set<string>();
  for (const page of held) {
    const { manifests } = documentOf(page, null, 'a list of what refers to an image');
    for (const one of Array.isArray(manifests) ? (manifests as Fields[]) : []) {
      const { artifactType, digest } = one ?? {};
      if (typeof artifactType !== 'string' || !isSignature(artifactType)) continue;
      if (typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest)) found.add(digest);
      if (found.size > MAX_BUNDLES) throw tooMany();
    }
  }
  return [...found];
}

/** Found in the list; what it refers to itself has to be the image as well. */
async function bundlesIn(digest: string, about: string, client: OciClient): Promise<ImageSignature[]> {
  const held = await client.manifest(digest);
  if (held === null) return [];
  const document = documentOf(held.bytes, held.mediaType, 'the manifest of a signature');
  return (document.subject as Fields | undefined)?.digest === about
    ? signaturesIn(document, about, client)
    : [];
}

async function tagged(about: string, client: OciClient): Promise<ImageSignature[]> {
  const held = await client.manifest(`${about.replace(':', '-')}.sig`);
  if (held === null) return [];
  return signaturesIn(documentOf(held.bytes, held.mediaType, 'the manifest of signatures'), about, client);
}

async function signaturesIn(document: Fields, about: string, client: OciClient): Promise<ImageSignature[]> {
  const found: ImageSignature[] = [];
  for (const layer of layersOf(document)) {
    const bytes = await client.blob(layer, 'a signature of the image');
    if (layer.legacy) found.push({ about, bundle: legacyBundle(layer.annotations, bytes), payload: bytes });
    else found.push({ about, bundle: bytes, payload: null });
  }
  return found;
}

interface Layer {
  readonly digest: string;
  readonly size: number;
  readonly legacy: boolean;
  readonly annotations: Fields;
}

function layersOf({ layers }: Fields): Layer[] {
  return (Array.isArray(layers) ? (layers as Fields[]) : []).slice(0, MAX_BUNDLES + 1).flatMap((one) => {
    const { mediaType, digest, size, annotations } = one ?? {};
    const legacy = mediaType === LEGACY_LAYER;
    if (!legacy && !(typeof mediaType === 'string' && BUNDLE.test(mediaType))) return [];
    if (typeof digest !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(digest)) return [];
    if (!Number.isSafeInteger(size) || Number(size) < 1 || Number(size) > MAX_BUNDLE) return [];
    return [{ digest, size: Number(size), legacy, annotations: (annotations ?? {}) as Fields }];
  });
}

/** As evidence: everything that was found, before anything of it is believed. */
export function asEvidence({ bundles }: OciSignatures): Buffer {
  const told = bundles.map(({ about, bundle, payload }) => ({
    about,
    bundle: jsonOr(bundle),
    ...(payload === null ? {} : { payload: payload.toString('base64') }),
  }));
  return Buffer.from(JSON.stringify(told));
}

interface Told {
  readonly about: string;
  readonly bundle: unknown;
  readonly payload?: string;
}

/** What `asEvidence` kept. A bundle is written anew, which changes nothing that is signed of it. */
export function fromEvidence(bytes: Buffer): OciSignatures {
  const told = JSON.parse(bytes.toString('utf8')) as readonly Told[];
  return {
    bundles: told.map(({ about, bundle, payload }) => ({
      about,
      bundle:
        typeof bundle === 'string' ? Buffer.from(bundle, 'base64') : Buffer.from(JSON.stringify(bundle)),
      payload: payload === undefined ? null : Buffer.from(payload, 'base64'),
    })),
  };
}

function jsonOr(bytes: Buffer): unknown {
  try {
    return parseStrict(bytes, { maxBytes: MAX_DOCUMENT });
  } catch {
    return bytes.toString('base64');
  }
}
