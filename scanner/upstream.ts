/** What the package registry itself tells about a version. Absent is absent: a mirror may strip or rewrite any of it. */
import pacote from 'pacote';
import type { Json, JsonObject } from '../schemas/common.ts';
import type { Publisher } from '../schemas/origin.ts';
import { unreachable } from './failure.ts';
import type { NpmOptions, PublishedVersion, Upstream } from './ports.ts';

/** Of the newest versions; more of them tell nothing new. */
const MAX_HISTORY = 5000;
/** As npm writes whoever published through a workflow's identity. */
const WORKFLOW_EMAIL = 'npm-oidc-no-reply@github.com';
const BOT = /(?:^|[-_ .])(?:bot|ci|actions|automation|release[-_ ]?bot)$|\[bot\]$/i;

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
  const listed = manifest.maintainers ?? packument.maintainers;
  const names = Array.isArray(listed) ? listed.map(personOf).filter((item) => item !== null) : [];
  const history = historyOf(packument);
  return {
    publishedAt: timeOf(packument, version),
    maintainers: names.length > 0 ? [...new Set(names)].sort() : null,
    publisher: publisherOf(manifest._npmUser),
    history,
    slice: sliceOf(name, { version, packument, manifest, history }),
  };
}

/** Every version there is, in the registry's order. Throws SOURCE_INVALID or SOURCE_UNREACHABLE. */
export async function upstreamVersions(name: string, npm: NpmOptions): Promise<string[]> {
  return Object.keys((await packumentOf(name, npm)).versions ?? {});
}

function timeOf({ time }: Packument, version: string): string | null {
  const told = time !== undefined && Object.hasOwn(time, version) ? time[version] : undefined;
  return typeof told === 'string' && !Number.isNaN(Date.parse(told)) ? new Date(told).toISOString() : null;
}

function personOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  const { name, email } = (value ?? {}) as { name?: unknown; email?: unknown };
  return typeof name === 'string' ? `${name}${typeof email === 'string' ? ` <${email}>` : ''}` : null;
}

/** A member `_npmUser`: a person, a machine's account, or a workflow that the package's owners trust. */
export function publisherOf(value: unknown): Publisher | null {
  const account = personOf(value)?.slice(0, 1000);
  if (account === undefined) return null;
  const { name, email, trustedPublisher } = Object(value) as {
    name?: unknown;
    email?: unknown;
    trustedPublisher?: { id?: unknown; oidcConfigId?: unknown } | null;
  };
  if (trustedPublisher || email === WORKFLOW_EMAIL) {
    const said = [trustedPublisher?.id, trustedPublisher?.oidcConfigId].filter(
      (one) => typeof one === 'string',
    );
    const configuration = said.length > 0 ? said.join(' ').slice(0, 1000) : null;
    return { account, kind: 'trusted-publisher', configuration };
  }
  const bot = typeof name === 'string' && BOT.test(name);
  return { account, kind: bot ? 'automation' : 'person', configuration: null };
}

function historyOf(packument: Packument): PublishedVersion[] {
  return Object.entries(packument.versions ?? {})
    .slice(-MAX_HISTORY)
    .map(([version, { _npmUser, dist }]) => {
      const { signatures, attestations } = Object(dist) as { signatures?: unknown; attestations?: unknown };
      return {
        version,
        at: timeOf(packument, version),
        publisher: publisherOf(_npmUser),
        signed: Array.isArray(signatures) && signatures.length > 0,
        attested: attestations !== null && typeof attestations === 'object',
      };
    });
}

interface Answer {
  readonly version: string;
  readonly packument: Packument;
  readonly manifest: JsonObject;
  readonly history: readonly PublishedVersion[];
}

function sliceOf(name: string, { version, packument, manifest, history }: Answer): JsonObject {
  const pick = (value: unknown): Json => (value === undefined ? null : (value as Json));
  const { dist, _npmUser, maintainers, gitHead } = manifest;
  return {
    name,
    version,
    time: pick(packument.time?.[version]),
    maintainers: pick(packument.maintainers),
    manifest: {
      dist: pick(dist),
      _npmUser: pick(_npmUser),
      maintainers: pick(maintainers),
      gitHead: pick(gitHead),
    },
    history: history as unknown as Json,
  };
}
