/** A package registry that signs: real packages with real attestations, and packages of the tests' own. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { filesOf } from '../../runtime/store/materialise.ts';
import type { Facts, Outcome } from '../../scanner/checks/check.ts';
import { checks } from '../../scanner/checks/index.ts';
import { purlOf } from '../../scanner/closure.ts';
import type { Baseline } from '../../scanner/ports.ts';
import { npmAttested } from '../../scanner/provenance/npm.ts';
import { summaryOf } from '../../scanner/provenance/standing.ts';
import type { TrustFiles } from '../../scanner/provenance/trust.ts';
import { upstreamFacts } from '../../scanner/upstream.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { sha256 } from '../../schemas/json.ts';
import type { Origin } from '../../schemas/origin.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { type LocalPackage, startNpmRegistry, tarballOf } from '../helpers/npm-registry.ts';
import { bytesOf } from '../helpers/signature-bundles.ts';
import { NOW, tempDir } from './harness.ts';

const REGISTRY = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const KEYID = 'SHA256:of-the-tests';
/** The end of the key, where it has one. */
export const keysUntil = (end?: string): Buffer => {
  const json = JSON.parse(bytesOf('trust-roots/npm-keys.json').toString('utf8')) as { keys: object[] };
  const rawBytes = REGISTRY.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const validFor = { start: '2020-01-01T00:00:00.000Z', ...(end === undefined ? {} : { end }) };
  const own = { keyId: KEYID, keyUsage: 'npm:signatures', publicKey: { rawBytes, validFor } };
  return Buffer.from(JSON.stringify({ keys: [...json.keys, own] }));
};

const SIGSTORE = bytesOf('trust-roots/public-good.trusted_root.from-sigstore-tuf-5.0.1.json');

export function trustOf(files: Readonly<Record<string, Uint8Array>> = {}): TrustFiles {
  const given = { sigstore: SIGSTORE, npm: keysUntil(), ...files };
  const pinned = Object.entries(given).map(([name, bytes]) => [name, sha256(bytes)] as const);
  return {
    pinned: Object.fromEntries(pinned),
    files: new Map(Object.values(given).map((bytes) => [sha256(bytes), bytes])),
    where: '/trust-roots',
  };
}

/** As the registry signs it. */
export function signaturesOf(one: LocalPackage): JsonObject {
  const integrity = `sha512-${createHash('sha512').update(tarballOf(one)).digest('base64')}`;
  const data = Buffer.from(`${one.name}@${one.version}:${integrity}`);
  return {
    signatures: [{ keyid: KEYID, sig: sign('sha256', data, REGISTRY.privateKey).toString('base64') }],
  };
}

export const signedBy = (one: LocalPackage): LocalPackage => ({
  ...one,
  signed: { ...signaturesOf(one), ...one.signed },
});

/** Real: the package of 2026, its tarball and the registry's own answer. */
export function playwright(more: Partial<LocalPackage> = {}): LocalPackage {
  return signedBy({
    name: '@playwright/cli',
    version: '0.1.1',
    files: {},
    archive: bytesOf('sigstore-dotnet/playwright-cli-0.1.1.tgz'),
    attestations: bytesOf('sigstore-dotnet/playwright-cli-0.1.1-attestations.json'),
    publishedAt: '2026-02-14T20:00:00.000Z',
    ...more,
  });
}

export interface Seen {
  readonly facts: Facts;
  readonly origin: Origin;
  readonly requests: readonly string[];
  /** Outcome of one check. */
  readonly says: (id: string) => Outcome;
  /** Messages of what fired, else the note or the reason. */
  readonly words: (id: string) => string;
}

interface Look {
  readonly trust?: TrustFiles | string;
  readonly baseline?: Partial<Baseline> | null;
  /** Versions beside it. */
  readonly beside?: readonly LocalPackage[];
  readonly more?: Partial<Facts>;
}

/** What a scan knows of a package by its registry, without starting anything. */
export async function seen(one: LocalPackage, look: Look = {}): Promise<Seen> {
  const registry = await startNpmRegistry([...(look.beside ?? []), one]);
  onTestFinished(() => registry.close());
  const npm = { registry: registry.url, cache: await tempDir(), fetchRetries: 0 };
  const ref = { name: one.name, version: one.version };
  const upstream = await upstreamFacts(ref.name, ref.version, npm);
  const archive = Buffer.from(one.served ?? tarballOf(one));
  const files = await filesOf(archive, { purl: purlOf(ref), location: `node_modules/${one.name}` });
  const { attested } = await npmAttested(
    ref,
    { upstream, archive, files, trust: look.trust ?? trustOf() },
    npm,
  );
  const origin = { provenance: summaryOf(attested), publisher: upstream.publisher, repository: null };
  const baseline = look.baseline
    ? { version: '0.1.0', origin: null, maintainers: null, ...look.baseline }
    : null;
  const facts = {
    ...{ attested, upstream, origin, baseline, rootPurl: purlOf(ref), policy: DEFAULT_POLICY, now: NOW },
    ...look.more,
  } as unknown as Facts;
  return { facts, origin, requests: registry.requests, ...judged(facts) };
}

export function judged(facts: Facts): Pick<Seen, 'says' | 'words'> {
  const says = (id: string): Outcome => {
    const outcome = checks.find((check) => check.id === id)?.run(facts);
    if (outcome === undefined || outcome instanceof Promise)
      throw new Error(`no check ${id} without a promise`);
    return outcome;
  };
  const words = (id: string): string => {
    const outcome = says(id);
    if (outcome.outcome === 'fired')
      return `fired: ${outcome.findings.map(({ message }) => message).join('; ')}`;
    return outcome.outcome === 'ok' ? `ok: ${outcome.note}` : `unknown: ${outcome.reason}`;
  };
  return { says, words };
}
