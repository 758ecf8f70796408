/** What the package registry itself tells about a version. Absent is absent: a mirror may strip or rewrite any of it. */
import pacote from 'pacote';
import type { Json, JsonObject } from '../schemas/common.ts';
import { unreachable } from './failure.ts';
import type { NpmOptions, Upstream } from './ports.ts';

interface Packument {
  readonly versions?: Readonly<Record<string, JsonObject>>;
  readonly time?: Readonly<Record<string, unknown>>;
  readonly maintainers?: unknown;
}

async function packumentOf(name: string, npm: NpmOptions): Promise<Packument> {
  try {
    const options = { ...npm, fullMetadata: true, preferOnline: true };
    return (await pacote.packument(name, options)) as unknown as Packument;
  } catch (cause) {
    throw unreachable(`the versions of ${name}`, cause);
  }
}

/** Facts of one version, with the slice of the answer that they were read from. Throws SOURCE_UNREACHABLE. */
export async function upstreamFacts(name: string, version: string, npm: NpmOptions): Promise<Upstream> {
  const packument = await packumentOf(name, npm);
  const manifest = packument.versions?.[version] ?? {};
  const time = packument.time?.[version];
  const listed = manifest.maintainers ?? packument.maintainers;
  const names = Array.isArray(listed) ? listed.map(personOf).filter((item) => item !== null) : [];
  return {
    publishedAt:
      typeof time === 'string' && !Number.isNaN(Date.parse(time)) ? new Date(time).toISOString() : null,
    maintainers: names.length > 0 ? [...new Set(names)].sort() : null,
    publisher: personOf(manifest._npmUser),
    slice: sliceOf(name, { version, packument, manifest }),
  };
}

/** Every version there is, in the registry's order. Throws SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function upstreamVersions(name: string, npm: NpmOptions): Promise<string[]> {
  return Object.keys((await packumentOf(name, npm)).versions ?? {});
}

function personOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  const { name, email } = (value ?? {}) as { name?: unknown; email?: unknown };
  return typeof name === 'string' ? `${name}${typeof email === 'string' ? ` <${email}>` : ''}` : null;
}

interface Answer {
  readonly version: string;
  readonly packument: Packument;
  readonly manifest: JsonObject;
}

function sliceOf(name: string, { version, packument, manifest }: Answer): JsonObject {
  const pick = (value: unknown): Json => (value === undefined ? null : (value as Json));
  const { dist, _npmUser, maintainers } = manifest;
  return {
    name,
    version,
    time: pick(packument.time?.[version]),
    maintainers: pick(packument.maintainers),
    manifest: { dist: pick(dist), _npmUser: pick(_npmUser), maintainers: pick(maintainers) },
  };
}
