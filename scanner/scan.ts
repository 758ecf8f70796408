/** One scan: resolve and verify, lay out, observe, judge, report. */
import { join } from 'node:path';
import { materialise } from '../runtime/store/materialise.ts';
import { readTarball, type UnpackedFile } from '../runtime/store/unpack.ts';
import { diffSurfaces } from '../schemas/diff.ts';
import { canonical } from '../schemas/json.ts';
import { diffReach } from '../schemas/reach.ts';
import type { Artifact, Closure } from '../schemas/release.ts';
import type { Facts } from './checks/check.ts';
import { checks } from './checks/index.ts';
import { packageOf, purlOf, resolveClosure } from './closure.ts';
import { launchOf } from './launch.ts';
import { type Observed, observe } from './observe.ts';
import type { KnownAdvisories, ScanPorts, ScanRequest, ScanResult, Upstream } from './ports.ts';
import { judge, reportOf } from './report.ts';
import { upstreamFacts } from './upstream.ts';

/**
 * Scans one submission. Throws refusals (exit 3) for releases that can never be locked, and "could not verify" (exit 4)
 * where another try may succeed. Leaves the artifacts, the surface and the report in the blob store.
 */
export async function scan(request: ScanRequest, ports: ScanPorts): Promise<ScanResult> {
  const { submission, baseline, policy } = request;
  const ref = packageOf(submission.source);
  const rootPurl = purlOf(ref);
  ports.progress(`resolving ${ref.name}@${ref.version}`);
  const { closure, unpromised } = await resolveClosure(ref, ports);
  const files = fileReader([...(baseline?.closure.artifacts ?? []), ...closure.artifacts], ports);
  const launch = launchOf(ref, submission, await files(rootPurl));
  ports.progress('laying out the closure');
  const { appDir } = await materialise(closure, ports.blobs, join(ports.workDir, 'trees'));
  ports.progress('observing the server');
  const observed = await observe({ appDir, launch, permissions: submission.permissions }, ports);
  ports.progress('asking the package registry for its facts');
  const upstream = await upstreamFacts(ref.name, ref.version, ports.npm).catch(
    (error: Error) => error.message,
  );
  const changes = baseline ? diffSurfaces(baseline.surface, observed.surface) : [];
  const reachChanges = baseline ? diffReach(baseline, { permissions: submission.permissions, launch }) : [];
  const advisories = await (request.advisories?.(closure) ?? 'this scanner was given no advisories');
  const evidence = await storeEvidence({ closure, observed, upstream, advisories }, ports);
  const facts: Facts = {
    ...observed,
    ...{
      closure,
      unpromised,
      files,
      rootPurl,
      baseline,
      changes,
      reachChanges,
      upstream,
      advisories,
      policy,
    },
    now: ports.now(),
  };
  ports.progress('running the checks');
  const report = reportOf({ request, facts, evidence, results: await judge(checks, facts) });
  return {
    ...{ closure, launch, report },
    surface: observed.surface,
    maintainers: typeof upstream === 'string' ? null : upstream.maintainers,
    surfaceDigest: report.surface.digest,
    surfaceText: evidence.surface,
    reportDigest: await store(report, ports),
  };
}

/** Files of a package by purl; unpacked once, kept in memory for the most recently read alone. */
function fileReader(artifacts: readonly Artifact[], ports: ScanPorts): Facts['files'] {
  const digests = new Map(artifacts.map((artifact) => [artifact.purl, artifact.sha256]));
  let last: { purl: string; files: readonly UnpackedFile[] } | null = null;
  return async (purl) => {
    if (last?.purl === purl) return last.files;
    const files = await readTarball(await ports.blobs.get(digests.get(purl) ?? ''), purl);
    last = { purl, files };
    return files;
  };
}

interface Inputs {
  readonly closure: Closure;
  readonly observed: Observed;
  readonly upstream: Upstream | string;
  readonly advisories: KnownAdvisories | string;
}

/** Everything a verdict rests on, by digest, so that it can be computed again. */
async function storeEvidence(
  inputs: Inputs,
  ports: ScanPorts,
): Promise<{ surface: string } & Record<string, string>> {
  const { observed, upstream, closure, advisories } = inputs;
  const { surface, other, egress, environment, stderr, eraNote, isolation } = observed;
  return {
    closure: await store(closure, ports),
    observation: await store({ egress, environment, stderr, eraNote, isolation }, ports),
    surface: await store(surface, ports),
    secondStart: await store(other, ports),
    advisories: await store(typeof advisories === 'string' ? { unknown: advisories } : advisories, ports),
    upstream: await store(typeof upstream === 'string' ? { unknown: upstream } : upstream.slice, ports),
  };
}

async function store(value: unknown, ports: ScanPorts): Promise<string> {
  return (await ports.blobs.put(Buffer.from(canonical(value)))).digest;
}
