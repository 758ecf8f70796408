/** One scan: resolve and verify, lay out, observe, judge, report. */
import { join } from 'node:path';
import { materialise } from '../runtime/store/materialise.ts';
import type { Behaviour } from '../schemas/behaviour.ts';
import { diffReach } from '../schemas/diff/reach.ts';
import { diffSurfaces } from '../schemas/diff/surfaces.ts';
import type { CheckResult } from '../schemas/finding.ts';
import { isGitSource } from '../schemas/git.ts';
import { isMcpbSource } from '../schemas/mcpb.ts';
import { isOciSource } from '../schemas/oci.ts';
import type { Origin } from '../schemas/origin.ts';
import { isPypiSource } from '../schemas/pypi.ts';
import { type Closure, isLocal, type Launch, type Submission } from '../schemas/release.ts';
import { isRemoteSource } from '../schemas/remote.ts';
import { behave } from './behaviour/behave.ts';
import type { Facts } from './checks/check.ts';
import { applicable } from './checks/index.ts';
import { packageOf, purlOf, resolveClosure } from './closure.ts';
import { NO_CODE, openCode } from './code/open.ts';
import { store, storeEvidence } from './evidence.ts';
import { fileReader } from './files.ts';
import { type GitFacts, gitSource } from './git/source.ts';
import { namedTool, toolsOf } from './installed/built.ts';
import { installedIn } from './installed/list.ts';
import { fedAmong, type Installed, type Named, NOTHING_INSTALLED } from './installed/package.ts';
import { launchOf } from './launch.ts';
import { type BundleFacts, mcpbSource } from './mcpb/source.ts';
import { type Observed, observe } from './observe.ts';
import { type ImageFacts, ociSource } from './oci/source.ts';
import { lookAtOrigin, type OriginFacts } from './origin.ts';
import type {
  KnownAdvisories,
  PackageSource,
  ScanPorts,
  ScanRequest,
  ScanResult,
  Upstream,
} from './ports.ts';
import { npmAttested } from './provenance/npm.ts';
import type { Attested } from './provenance/standing.ts';
import { pypiSource } from './pypi/source.ts';
import { scanRemote } from './remote.ts';
import { judge, reportOf } from './report.ts';
import { licencesIn, sbomBytes, sbomOf } from './sbom/sbom.ts';
import { purlOfSubmission } from './submission.ts';
import { upstreamFacts } from './upstream.ts';

/**
 * Scans one submission. Throws refusals (exit 3) for releases that can never be locked, and "could not verify" (exit 4)
 * where another try may succeed. Leaves the artifacts, the surface and the report in the blob store.
 */
export async function scan(request: ScanRequest, ports: ScanPorts): Promise<ScanResult> {
  const { submission, baseline, policy } = request;
  const scanned = isRemoteSource(submission.source)
    ? await scanRemoteServer(submission, ports)
    : await scanPackage(request, ports);
  const { closure, launch, observed, upstream } = scanned;
  const { permissions } = submission;
  const peers = typeof request.peers === 'function' ? await request.peers() : request.peers;
  const changes = baseline ? diffSurfaces(baseline.surface, observed.surface) : [];
  const reachChanges = baseline ? diffReach(baseline, { permissions, launch }) : [];
  const bill = sbomOf({ submission, ...scanned });
  const evidence = await storeEvidence(
    { ...scanned, permissions, baseline, policy, peers, sbom: sbomBytes(bill) },
    ports.blobs,
  );
  const facts: Facts = {
    ...observed,
    ...scanned,
    ...{
      remote: isLocal(launch) ? null : launch,
      baseline,
      changes,
      reachChanges,
      policy,
      permissions,
    },
    ...(peers && { peers }),
    now: ports.now(),
  };
  ports.progress('reading the code and running the checks');
  const results = await judged(facts, scanned.done);
  const report = reportOf({ request, facts, evidence, results });
  return {
    ...{ closure, launch, report },
    packages: namedIn(scanned.installed, closure),
    licences: licencesIn(bill),
    surface: observed.surface,
    maintainers: typeof upstream === 'string' ? null : upstream.maintainers,
    surfaceDigest: report.surface.digest,
    surfaceText: evidence.surface,
    reportDigest: await store(report, ports.blobs),
  };
}

async function judged(facts: Facts, done: () => Promise<void>): Promise<CheckResult[]> {
  try {
    return await judge(applicable(facts), facts);
  } finally {
    await done();
  }
}

/** What a scan knows before it judges. */
interface Scanned {
  readonly closure: Closure;
  readonly launch: Launch;
  readonly observed: Observed;
  readonly behaviour: Behaviour;
  readonly unpromised: readonly string[];
  readonly files: Facts['files'];
  readonly code: Facts['code'];
  /** Ends what reads code. */
  readonly done: () => Promise<void>;
  readonly rootPurl: string;
  readonly upstream: Upstream | string;
  readonly advisories: KnownAdvisories | string;
  readonly attested: Attested | string;
  readonly repository: OriginFacts['repository'];
  readonly origin: Origin | null;
  readonly inputs: OriginFacts['inputs'];
  readonly image: ImageFacts | null;
  readonly bundle: BundleFacts | null;
  readonly git: GitFacts | null;
  readonly installed: Installed;
}

async function scanPackage(
  { submission, baseline, advisories }: ScanRequest,
  ports: ScanPorts,
): Promise<Scanned> {
  ports.progress(`resolving ${submission.source}`);
  const {
    closure,
    unpromised,
    rootPurl,
    image = null,
    bundle = null,
    git = null,
    ...source
  } = await sourceOf(submission)(submission, ports);
  const artifacts = [...(baseline?.closure.artifacts ?? []), ...closure.artifacts];
  const files = fileReader(artifacts, ports.blobs);
  const launch = source.launch(await files(rootPurl));
  ports.progress('laying out the closure');
  const { appDir } = await materialise(closure, ports.blobs, join(ports.workDir, 'trees'));
  ports.progress('observing the server');
  const subject = { appDir, launch, permissions: submission.permissions };
  const observed = await observe(subject, ports);
  ports.progress('calling what only reads, and asking the package registry for its facts');
  const [behaviour, upstream] = await Promise.all([
    behave(subject, observed, ports),
    source.upstream().catch((error: Error) => error.message),
  ]);
  const own = closure.artifacts.find(({ purl }) => purl === rootPurl);
  const archive = await ports.blobs.get(own?.sha256 ?? '');
  const signed = await lookAtOrigin(
    { ...source, rootPurl, baseline },
    { upstream, archive, files: await files(rootPurl) },
    ports,
  );
  const installed = image?.installed ?? (await installedIn(closure, files));
  const known = await (advisories?.(namedIn(installed, closure)) ?? NO_ADVISORIES);
  const code = openCode(artifacts, { files, dir: ports.codeDir ?? join(ports.workDir, 'code') });
  const told = { upstream, advisories: known, image, bundle, git, installed };
  return { closure, launch, observed, behaviour, unpromised, files, ...code, rootPurl, ...told, ...signed };
}

/** All that advisories may be about: what runs, and what built it. */
function namedIn({ packages }: Installed, closure: Closure): Named[] {
  const all = [...fedAmong(packages), ...toolsOf(closure).map(namedTool)];
  return [...new Map(all.map((one) => [`${one.ecosystem} ${one.purl}`, one])).values()];
}

const NO_ADVISORIES = 'this scanner was given no advisories';

type Resolve = (submission: Submission, ports: ScanPorts) => Promise<PackageSource>;

function sourceOf({ source }: Submission): Resolve {
  if (isOciSource(source)) return ociSource;
  if (isMcpbSource(source)) return mcpbSource;
  if (isGitSource(source)) return gitSource;
  return isPypiSource(source) ? pypiSource : npmSource;
}

async function npmSource(submission: Submission, ports: ScanPorts): Promise<PackageSource> {
  const ref = packageOf(submission.source);
  return {
    ...(await resolveClosure(ref, ports)),
    rootPurl: purlOf(ref),
    launch: (files) => launchOf(ref, submission, files),
    upstream: () => upstreamFacts(ref.name, ref.version, ports.npm),
    attested: (known) => npmAttested(ref, known, ports.npm),
  };
}

async function scanRemoteServer(submission: Submission, ports: ScanPorts): Promise<Scanned> {
  const scanned = await scanRemote(submission, ports);
  const rootPurl = purlOfSubmission(submission);
  const upstream = 'a remote server is in no package registry';
  const advisories = 'what a remote server is made of is not known';
  const nowhere = {
    attested: upstream,
    repository: upstream,
    origin: null,
    inputs: {},
    image: null,
    bundle: null,
    git: null,
  };
  const installed = NOTHING_INSTALLED;
  const subject = { remote: scanned.launch, permissions: submission.permissions };
  const behaviour = await behave(subject, scanned.observed, ports);
  const nothing = { files: async () => [], code: async () => NO_CODE, done: async () => undefined };
  const told = { behaviour, installed, upstream, advisories };
  return { ...scanned, ...nowhere, ...nothing, ...told, unpromised: [], rootPurl };
}
