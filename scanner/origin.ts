/** Where a package comes from: its signatures verified, its repository looked at, and the summary that a report carries. */
import type { Origin } from '../schemas/origin.ts';
import type { Attestations, Known, PackageSource, ScanPorts, Upstream } from './ports.ts';
import { type Attested, summaryOf } from './provenance/standing.ts';
import { NPM_PIN, pinOf, SIGSTORE_PIN, type TrustFiles } from './provenance/trust.ts';

export interface OriginFacts {
  readonly attested: Attested | string;
  readonly origin: Origin;
  /** Inputs as they came, by the name they have in a report. */
  readonly inputs: Readonly<Record<string, Uint8Array>>;
}

/** Throws what `source.attested` throws, which is nothing that a package registry says or leaves out. */
export async function lookAtOrigin(
  source: Pick<PackageSource, 'attested'>,
  known: Omit<Known, 'trust'>,
  ports: ScanPorts,
): Promise<OriginFacts> {
  ports.progress('verifying what is signed of it');
  const trust = (await ports.trust?.()) ?? 'this scanner was given no root.json';
  const attestations = await source.attested({ ...known, trust });
  const { attested } = attestations;
  return {
    attested,
    origin: originOf(attested, known.upstream),
    inputs: { ...inputsOf(attestations), ...trustIn(trust) },
  };
}

function originOf(attested: Attested, upstream: Upstream | string): Origin {
  const publisher = typeof upstream === 'string' ? null : upstream.publisher;
  return { provenance: summaryOf(attested), publisher, repository: null };
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
