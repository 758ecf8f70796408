/** What a scan rests on, by digest, and the files of packages it reads. */
import { filesOf } from '../runtime/store/materialise.ts';
import type { UnpackedFile } from '../runtime/store/unpack.ts';
import { canonical } from '../schemas/json.ts';
import type { Artifact, Closure } from '../schemas/release.ts';
import { REMOTE_LOCATION } from '../schemas/remote.ts';
import type { Facts } from './checks/check.ts';
import type { Observed } from './observe.ts';
import type { OriginFacts } from './origin.ts';
import type { KnownAdvisories, ScanPorts, ScanRequest, Upstream } from './ports.ts';

/** Files of a package by purl; unpacked once, kept in memory for the most recently read alone. */
export function fileReader(artifacts: readonly Artifact[], ports: Pick<ScanPorts, 'blobs'>): Facts['files'] {
  const byPurl = new Map(artifacts.map((artifact) => [artifact.purl, artifact]));
  let last: { purl: string; files: readonly UnpackedFile[] } | null = null;
  return async (purl) => {
    const artifact = byPurl.get(purl);
    if (artifact?.location === REMOTE_LOCATION) return [];
    if (last?.purl === purl) return last.files;
    const { sha256 = '', location = '' } = artifact ?? {};
    const files = await filesOf(await ports.blobs.get(sha256), { purl, location });
    last = { purl, files };
    return files;
  };
}

export interface Inputs {
  readonly closure: Closure;
  readonly observed: Observed;
  readonly upstream: Upstream | string;
  readonly advisories: KnownAdvisories | string;
  readonly inputs: OriginFacts['inputs'];
  readonly peers: ScanRequest['peers'];
  /** The bill of materials, as it is given out. */
  readonly sbom: Uint8Array;
}

/** Everything a verdict rests on, by digest, so that it can be computed again. */
export async function storeEvidence(
  { inputs, observed, upstream, closure, advisories, peers, sbom }: Inputs,
  ports: Pick<ScanPorts, 'blobs'>,
): Promise<{ surface: string; sbom: string } & Record<string, string>> {
  const asTheyCame = await Promise.all(
    Object.entries(inputs).map(async ([name, bytes]) => [name, (await ports.blobs.put(bytes)).digest]),
  );
  const { surface, other, egress, environment, stderr, eraNote, isolation } = observed;
  return {
    ...Object.fromEntries(asTheyCame),
    closure: await store(closure, ports),
    sbom: (await ports.blobs.put(sbom)).digest,
    observation: await store({ egress, environment, stderr, eraNote, isolation }, ports),
    surface: await store(surface, ports),
    secondStart: await store(other, ports),
    advisories: await store(typeof advisories === 'string' ? { unknown: advisories } : advisories, ports),
    upstream: await store(typeof upstream === 'string' ? { unknown: upstream } : upstream.slice, ports),
    ...(peers && { peers: await store(peers, ports) }),
  };
}

export async function store(value: unknown, ports: Pick<ScanPorts, 'blobs'>): Promise<string> {
  return (await ports.blobs.put(Buffer.from(canonical(value)))).digest;
}
