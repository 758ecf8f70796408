/** One scan: resolve and verify, lay out, observe, judge, report. */
import { join } from 'node:path';
import { materialise } from '../runtime/store/materialise.ts';
import { readTarball, type UnpackedFile } from '../runtime/store/unpack.ts';
import { diffSurfaces } from '../schemas/diff.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { CheckResult, Report } from '../schemas/finding.ts';
import { canonical } from '../schemas/json.ts';
import type { Closure, Launch, Submission } from '../schemas/release.ts';
import { pinSurface } from '../schemas/surface.ts';
import type { Facts } from './checks/check.ts';
import { checks } from './checks/index.ts';
import { type PackageRef, packageOf, purlOf, resolveClosure } from './closure.ts';
import { upstreamFacts } from './npm.ts';
import { type Observed, observe } from './observe.ts';
import type { ScanPorts, ScanRequest, ScanResult, Upstream } from './ports.ts';

export const SCANNER_VERSION = '1';

type FilesOf = (purl: string) => Promise<readonly UnpackedFile[]>;

/**
 * Scans one submission. Throws refusals (exit 3) for releases that can never be locked, and "could not verify" (exit 4)
 * where another try may succeed. Leaves the artifacts, the surface and the report in the blob store.
 */
export async function scan(request: ScanRequest, ports: ScanPorts): Promise<ScanResult> {
  const { submission, baseline } = request;
  const ref = packageOf(submission.source);
  ports.progress(`resolving ${ref.name}@${ref.version}`);
  const closure = await resolveClosure(ref, ports);
  const files = fileReader(closure, request, ports);
  const launch = await launchOf(ref, submission, files);
  ports.progress('laying out the closure');
  const { appDir } = await materialise(closure, ports.blobs, join(ports.workDir, 'trees'));
  ports.progress('observing the server');
  const observed = await observe({ appDir, launch, permissions: submission.permissions }, ports);
  const upstream = await upstreamFacts(ref.name, ref.version, ports.npm).catch(
    (error: Error) => `the package registry did not tell: ${error.message}`,
  );
  const facts: Facts = {
    closure,
    files,
    rootPurl: purlOf(ref),
    ...observed,
    baseline,
    changes: baseline ? diffSurfaces(baseline.surface, observed.surface) : [],
    upstream,
    policy: request.policy,
    now: ports.now(),
  };
  ports.progress('running the checks');
  return conclude(facts, { request, ref, launch, observed, upstream, ports });
}

/** Files of a package by purl, of this closure or the baseline's; unpacked in memory once. */
function fileReader(closure: Closure, { baseline }: ScanRequest, ports: ScanPorts): FilesOf {
  const digests = new Map(
    [...(baseline?.closure.artifacts ?? []), ...closure.artifacts].map((artifact) => [
      artifact.purl,
      artifact.sha256,
    ]),
  );
  const read = new Map<string, Promise<readonly UnpackedFile[]>>();
  return (purl) => {
    let files = read.get(purl);
    if (!files) {
      files = ports.blobs.get(digests.get(purl) ?? '').then((bytes) => readTarball(bytes, purl));
      read.set(purl, files);
    }
    return files;
  };
}

/** The package's own program: its only `bin`, or the one named like the package. */
async function launchOf(ref: PackageRef, submission: Submission, files: FilesOf): Promise<Launch> {
  const manifest = (await files(purlOf(ref))).find((file) => file.path === 'package.json');
  const { bin } = JSON.parse(manifest?.bytes.toString('utf8') ?? '{}') as {
    bin?: string | Record<string, string>;
  };
  const base = ref.name.split('/').at(-1) ?? ref.name;
  const names = typeof bin === 'object' && bin !== null ? Object.keys(bin) : [];
  const path =
    typeof bin === 'string' ? bin : (bin?.[base] ?? (names.length === 1 ? bin?.[names[0] ?? ''] : undefined));
  if (typeof path !== 'string') {
    throw new LockkeeperError('CLOSURE_INCOMPLETE', {
      expected: `one program in the bin of ${ref.name}@${ref.version}`,
      found: names.length ? `several: ${names.join(', ')}` : 'none',
      next: 'Publish a package that starts an MCP server',
    });
  }
  return {
    transport: 'stdio',
    command: ['node', `/app/node_modules/${ref.name}/${path.replace(/^\.\//, '')}`, ...submission.args],
    projectArgs: submission.projectArgs,
  };
}

interface Conclusion {
  readonly request: ScanRequest;
  readonly ref: PackageRef;
  readonly launch: Launch;
  readonly observed: Observed;
  readonly upstream: Upstream | string;
  readonly ports: ScanPorts;
}

async function conclude(facts: Facts, at: Conclusion): Promise<ScanResult> {
  const { request, ref, launch, observed, upstream, ports } = at;
  const { surface } = observed;
  const results: CheckResult[] = [];
  for (const check of checks) {
    const { id, title, owasp } = check;
    const head = { id, title, owasp, gates: request.policy.scan.gates.includes(id) };
    const outcome = await check.run(facts);
    results.push(
      outcome.outcome === 'fired'
        ? { ...head, outcome: 'fired', findings: outcome.findings.map((one) => ({ check: id, ...one })) }
        : { ...head, ...outcome },
    );
  }
  const pins = pinSurface(surface);
  const upstreamBlob = await ports.blobs.put(
    Buffer.from(canonical(typeof upstream === 'string' ? { unknown: upstream } : upstream)),
  );
  const surfaceText = (await ports.blobs.put(Buffer.from(canonical(surface)))).digest;
  const { closure } = facts;
  const report: Report = {
    lockkeeper: 'report/v1',
    release: {
      name: request.submission.name,
      version: request.submission.version,
      purl: purlOf(ref),
      source: request.submission.source,
    },
    scannedAt: facts.now.toISOString(),
    scanner: { version: SCANNER_VERSION, node: process.version, isolation: observed.isolation },
    closure: {
      digest: closure.digest,
      artifacts: closure.artifacts.length,
      bytes: closure.artifacts.reduce((sum, artifact) => sum + artifact.size, 0),
      verified: closure.artifacts.length,
    },
    surface: {
      digest: pins.digest,
      protocolVersion: surface.capture.protocolVersion,
      tools: Object.keys(surface.tools).sort(),
      prompts: Object.keys(surface.prompts).length,
      resources: Object.keys(surface.resources).length,
      volatile: surface.volatile,
    },
    egressTried: observed.egress.map((event) => `${event.host}:${event.port}`),
    baseline: request.baseline ? { name: request.submission.name, version: request.baseline.version } : null,
    checks: results,
    trial: request.trial,
    evidence: { surface: surfaceText, upstream: upstreamBlob.digest },
  };
  const reportDigest = (await ports.blobs.put(Buffer.from(canonical(report)))).digest;
  return {
    closure,
    launch,
    surface,
    report,
    maintainers: typeof upstream === 'string' ? null : upstream.maintainers,
    surfaceDigest: pins.digest,
    surfaceText,
    reportDigest,
  };
}
