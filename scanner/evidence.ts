/** Everything a verdict rests on, in the blob store by digest, so that it can be judged again without asking anybody. */
import type { Blobs } from '../runtime/store/blobs.ts';
import { Behaviour } from '../schemas/behaviour.ts';
import { diffReach } from '../schemas/diff/reach.ts';
import { diffSurfaces } from '../schemas/diff/surfaces.ts';
import type { Report } from '../schemas/finding.ts';
import { canonical, parseStrict } from '../schemas/json.ts';
import type { Policy } from '../schemas/policy.ts';
import { Closure, isLocal, type Launch, type Permissions } from '../schemas/release.ts';
import { Surface } from '../schemas/surface.ts';
import { assertValid } from '../schemas/validate.ts';
import { uncalled } from './behaviour/uncalled.ts';
import { NOT_ASKED } from './by-client.ts';
import type { Facts } from './checks/check.ts';
import type { GitFacts } from './git/source.ts';
import type { Installed } from './installed/package.ts';
import type { BundleFacts } from './mcpb/source.ts';
import type { Observed } from './observe.ts';
import type { ImageFacts } from './oci/source.ts';
import type { OriginFacts } from './origin.ts';
import type { Baseline, KnownAdvisories, Peer, Upstream } from './ports.ts';
import { wellFormed } from './report.ts';
import { type Rules, rulesOfChecks } from './rules.ts';

type Inputs = Pick<
  Facts,
  | 'behaviour'
  | 'closure'
  | 'upstream'
  | 'advisories'
  | 'unpromised'
  | 'attested'
  | 'image'
  | 'bundle'
  | 'git'
  | 'installed'
  | 'baseline'
  | 'policy'
> & {
  readonly permissions: Permissions;
  readonly launch: Launch;
  readonly observed: Observed;
  readonly inputs: OriginFacts['inputs'];
  readonly peers: readonly Peer[] | undefined;
  /** The bill of materials, as it is given out. */
  readonly sbom: Uint8Array;
};

/** What checks read beside what is evidence by itself. Another shape is another version. */
interface Rest extends Pick<Facts, 'unpromised' | 'attested'> {
  readonly lockkeeper: 'facts/v1';
  readonly launch: Launch;
  readonly permissions: Permissions;
  readonly upstream: Omit<Upstream, 'slice'> | string;
  readonly image: Omit<ImageFacts, 'installed'> | null;
  /** Absent from before there were such sources. */
  readonly bundle?: BundleFacts | null;
  readonly git?: GitFacts | null;
}

type Earlier = Omit<Baseline, 'closure' | 'surface' | 'licences'> & {
  readonly lockkeeper: 'baseline/v1';
  readonly closure: string;
  readonly surface: string;
  readonly licences: readonly (readonly [string, string | null])[] | null;
};

/** Stores it; returns the digests by name, as a report carries them. */
export async function storeEvidence(
  inputs: Inputs,
  blobs: Blobs,
): Promise<{ surface: string; sbom: string } & Record<string, string>> {
  const { observed, upstream, closure, advisories, peers, baseline, policy } = inputs;
  const asTheyCame = await Promise.all(
    Object.entries(inputs.inputs).map(async ([name, bytes]) => [name, (await blobs.put(bytes)).digest]),
  );
  const { surface, other, egress, environment, stderr, eraNote, byClient, isolation } = observed;
  return {
    ...Object.fromEntries(asTheyCame),
    closure: await store(closure, blobs),
    sbom: (await blobs.put(inputs.sbom)).digest,
    installed: await store(wellFormed(inputs.installed), blobs),
    observation: await store({ egress, environment, stderr, eraNote, byClient, isolation }, blobs),
    behaviour: await store(wellFormed(inputs.behaviour), blobs),
    surface: await store(surface, blobs),
    secondStart: await store(other, blobs),
    advisories: await storeAdvisories(advisories, blobs),
    upstream: await store(typeof upstream === 'string' ? { unknown: upstream } : upstream.slice, blobs),
    facts: await store(wellFormed(restOf(inputs)), blobs),
    ...(peers && { peers: await store(peers, blobs) }),
    ...(baseline && { baseline: await storeBaseline(baseline, blobs) }),
    ...(await storeStandard(await rulesOfChecks(), policy, blobs)),
  };
}

function restOf({ unpromised, attested, image, bundle, git, launch, permissions, upstream }: Inputs): Rest {
  const { slice: _, ...told } = typeof upstream === 'string' ? { slice: null } : upstream;
  return {
    lockkeeper: 'facts/v1',
    ...{ unpromised, attested, launch, permissions, bundle, git },
    image: image && { report: image.report, notes: image.notes },
    upstream: typeof upstream === 'string' ? upstream : (told as Omit<Upstream, 'slice'>),
  };
}

export async function storeAdvisories(advisories: KnownAdvisories | string, blobs: Blobs): Promise<string> {
  return store(typeof advisories === 'string' ? { unknown: advisories } : advisories, blobs);
}

/** By which rules and under which policy it was judged. */
export async function storeStandard(
  rules: Rules,
  policy: Policy,
  blobs: Blobs,
): Promise<{ rules: string; policy: string }> {
  return { rules: await store(rules, blobs), policy: await store(policy, blobs) };
}

/** The same facts with this in place of what was verified before. */
export async function storeAttested(
  facts: string,
  attested: Facts['attested'],
  blobs: Blobs,
): Promise<string> {
  const rest = parseStrict(await blobs.get(facts)) as unknown as Rest;
  return store({ ...rest, attested: wellFormed(attested) }, blobs);
}

async function storeBaseline(
  { closure, surface, licences, ...rest }: Baseline,
  blobs: Blobs,
): Promise<string> {
  const earlier: Earlier = {
    lockkeeper: 'baseline/v1',
    ...rest,
    closure: await store(closure, blobs),
    surface: await store(surface, blobs),
    licences: licences ? [...licences] : null,
  };
  return store(earlier, blobs);
}

export async function store(value: unknown, blobs: Blobs): Promise<string> {
  return (await blobs.put(Buffer.from(canonical(value)))).digest;
}

/** All that checks read, but for what is of the day: the policy, the time, and files of packages. */
export type StoredFacts = Omit<Facts, 'files' | 'code' | 'policy' | 'now'>;

export interface StoredEvidence {
  readonly facts: StoredFacts;
  /** What it was judged by. */
  readonly rules: Rules;
  readonly policy: Policy;
}

/**
 * What a report rests on; null where it was made before all of it was kept. Throws ARTIFACT_MISSING and ARTIFACT_MISMATCH
 * where the store has lost it.
 */
export async function readEvidence(report: Report, blobs: Blobs): Promise<StoredEvidence | null> {
  const { evidence } = report;
  const read = async (digest: string | undefined): Promise<unknown> =>
    parseStrict(await blobs.get(digest ?? ''));
  if (evidence.facts === undefined || evidence.rules === undefined) return null;
  const rest = (await read(evidence.facts)) as Rest;
  if (rest.lockkeeper !== 'facts/v1') return null;
  const seen = (await read(evidence.observation)) as Pick<Observed, 'egress' | 'eraNote' | 'isolation'> &
    Partial<Pick<Observed, 'byClient'>>;
  const surface = assertValid(Surface, await read(evidence.surface), 'a stored surface');
  const installed = (await read(evidence.installed)) as Installed;
  const baseline = evidence.baseline === undefined ? null : await readBaseline(evidence.baseline, read);
  const { launch, permissions } = rest;
  const facts: StoredFacts = {
    ...{ unpromised: rest.unpromised, attested: rest.attested, permissions, installed },
    image: rest.image && { ...rest.image, installed },
    bundle: rest.bundle ?? null,
    git: rest.git ?? null,
    ...{ egress: seen.egress, eraNote: seen.eraNote, isolation: seen.isolation },
    behaviour:
      evidence.behaviour === undefined
        ? uncalled('its tools were not called when it was scanned')
        : assertValid(Behaviour, await read(evidence.behaviour), 'a stored behaviour'),
    byClient: seen.byClient ?? NOT_ASKED,
    ...{ surface, baseline, rootPurl: report.release.purl, origin: report.origin ?? null },
    closure: assertValid(Closure, await read(evidence.closure), 'a stored closure'),
    other: assertValid(Surface, await read(evidence.secondStart), 'a stored surface'),
    remote: isLocal(launch) ? null : launch,
    changes: baseline ? diffSurfaces(baseline.surface, surface) : [],
    reachChanges: baseline ? diffReach(baseline, { permissions, launch }) : [],
    upstream: withSlice(rest.upstream, await read(evidence.upstream)),
    repository: knownOr<Exclude<Facts['repository'], string>>(
      evidence.repository === undefined ? { unknown: rest.attested } : await read(evidence.repository),
    ),
    advisories: knownOr<KnownAdvisories>(await read(evidence.advisories)),
    ...(evidence.peers === undefined ? {} : { peers: (await read(evidence.peers)) as readonly Peer[] }),
  };
  return {
    facts,
    rules: (await read(evidence.rules)) as Rules,
    policy: (await read(evidence.policy)) as Policy,
  };
}

async function readBaseline(
  digest: string,
  read: (digest: string) => Promise<unknown>,
): Promise<Baseline | null> {
  const { lockkeeper: _, licences, ...rest } = (await read(digest)) as Earlier;
  return {
    ...rest,
    ...(licences && { licences: new Map(licences) }),
    closure: assertValid(Closure, await read(rest.closure), 'a stored closure'),
    surface: assertValid(Surface, await read(rest.surface), 'a stored surface'),
  };
}

function withSlice(told: Rest['upstream'], slice: unknown): Upstream | string {
  return typeof told === 'string' ? told : { ...told, slice: slice as Upstream['slice'] };
}

function knownOr<T>(value: unknown): T | string {
  const { unknown } = value as { unknown?: unknown };
  return typeof unknown === 'string' ? unknown : (value as T);
}
