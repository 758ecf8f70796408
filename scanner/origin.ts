/** Where a package comes from: its signatures verified, its repository looked at, and the summary that a report carries. */
import { canonical } from '../schemas/json.ts';
import type { Origin } from '../schemas/origin.ts';
import type { RepositoryFacts } from './github/look.ts';
import { repositoryOf } from './github/repository.ts';
import type { Attestations, Baseline, Known, PackageSource, ScanPorts, Upstream } from './ports.ts';
import { type Attested, summaryOf } from './provenance/standing.ts';
import { NPM_PIN, pinOf, SIGSTORE_PIN, type TrustFiles } from './provenance/trust.ts';

interface Package extends Pick<PackageSource, 'attested' | 'rootPurl'> {
  readonly baseline: Baseline | null;
}

export interface OriginFacts {
  readonly attested: Attested | string;
  readonly repository: RepositoryFacts | string;
  readonly origin: Origin;
  /** Inputs as they came, by the name they have in a report. */
  readonly inputs: Readonly<Record<string, Uint8Array>>;
}

/** Throws what `source.attested` throws, which is nothing that a package registry says or leaves out. */
export async function lookAtOrigin(
  { attested: ask, rootPurl: purl, baseline }: Package,
  known: Omit<Known, 'trust'>,
  ports: ScanPorts,
): Promise<OriginFacts> {
  ports.progress('verifying what is signed of it');
  const trust = (await ports.trust?.()) ?? 'this scanner was given no root.json';
  const attestations = await ask({ ...known, trust });
  const { attested, claimed } = attestations;
  ports.progress('looking at its repository');
  const repository = await repositoryOf(ports.github ?? null, { purl, attested, claimed, baseline });
  const seen = typeof repository === 'string' ? { unknown: repository } : repository;
  return {
    attested,
    repository,
    origin: originOf({ attested, repository }, known.upstream),
    inputs: {
      ...inputsOf(attestations),
      ...trustIn(trust),
      repository: Buffer.from(canonical(seen)),
    },
  };
}

function originOf(
  { attested, repository }: Pick<OriginFacts, 'repository'> & { readonly attested: Attested },
  upstream: Upstream | string,
): Origin {
  const publisher = typeof upstream === 'string' ? null : upstream.publisher;
  const found = typeof repository === 'string' ? null : repository.found;
  return {
    provenance: summaryOf(attested),
    publisher,
    repository: found && { name: found.name, id: found.id, tag: found.tag },
  };
}

function inputsOf({ answer }: Attestations): Record<string, Uint8Array> {
  return answer === null ? {} : { attestations: answer };
}

/** What it was verified with: a verdict can be computed again when a pin has changed since. */
function trustIn(trust: TrustFiles | string): Record<string, Uint8Array> {
  const found = [SIGSTORE_PIN, NPM_PIN].flatMap((name): [string, Uint8Array][] => {
    const pin = pinOf(trust, name);
    const file = typeof pin === 'string' || typeof trust === 'string' ? undefined : trust.files.get(pin.root);
    return file === undefined ? [] : [[`trust-${name}`, file]];
  });
  return Object.fromEntries(found);
}
