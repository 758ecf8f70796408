/** Scans without a registry: the same scan that a registry's worker runs, on this machine, with nothing sent to anybody. */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { selectDriver } from '../../runtime/isolation/select.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { openOffline } from '../../scanner/advisories/offline.ts';
import { npmOptionsOf } from '../../scanner/npm.ts';
import { type OciOptions, ociOptionsOf } from '../../scanner/oci/options.ts';
import { resolveTag } from '../../scanner/oci/tag.ts';
import type { Baseline, ScanPorts, ScanRequest, ScanResult } from '../../scanner/ports.ts';
import type { TrustFiles } from '../../scanner/provenance/trust.ts';
import { pypiOptionsOf } from '../../scanner/pypi/options.ts';
import { scan } from '../../scanner/scan.ts';
import type { Asking } from '../../scanner/targets/exact.ts';
import { placed } from '../../scanner/targets/folders.ts';
import { asLockkeeperError, type Code } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import type { Policy } from '../../schemas/policy.ts';
import { Permissions, type Submission } from '../../schemas/release.ts';
import { concludeReport, type ScanTarget } from '../../schemas/scan.ts';
import { isValid } from '../../schemas/validate.ts';
import type { Context, Values } from '../command.ts';
import { bundleSubmission, configIn, findBundle } from '../mcp-bundles.ts';
import { commitSubmission, findCommit } from '../repositories.ts';
import { submissionOf } from '../submission.ts';
import { several, type Turn } from './several.ts';
import type { Target } from './targets.ts';

/** What says that a release can never be locked; any other failure only leaves it unknown. */
const UNLOCKABLE: ReadonlySet<Code> = new Set([
  'CLOSURE_INCOMPLETE',
  'ARTIFACT_MISMATCH',
  'ARCHIVE_HOSTILE',
  'ARCHIVE_INVALID',
]);

export interface Scanning {
  readonly ask: Asking;
  /** In this order, two at a time. Never throws what is about one target: that becomes its error. */
  all(targets: readonly Target[], values: Values): Promise<ScanTarget[]>;
  /** What a report names by digest. */
  blob(digest: string): Promise<Buffer>;
  close(): Promise<void>;
}

const NONE_GIVEN = 'no advisories were given: --advisories FILE.zip (docs/advisories.md)';

interface Setting {
  readonly policy: Policy;
  /** Source of an earlier release to compare with. */
  readonly against: string | undefined;
  /** Trust files that whoever scans gave by name. */
  readonly trust: TrustFiles;
  /** Archives and folders of advisories. */
  readonly advisories: readonly string[];
}

/** Throws ISOLATION_MISSING and CONFIG_INVALID before anything is scanned. */
export async function openScanning(context: Context, setting: Setting): Promise<Scanning> {
  const { environment } = context.config;
  const npm = await npmOptionsOf(context.cwd, environment);
  const pypi = (): ReturnType<typeof pypiOptionsOf> => pypiOptionsOf(environment);
  const oci = (): Promise<OciOptions> => ociOptionsOf(environment);
  const { driver } = await selectDriver({ nodePath: process.execPath });
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  await mkdir(context.home.storeDir, { recursive: true });
  const workDir = await mkdtemp(join(context.home.storeDir, 'scan-'));
  await chmod(workDir, 0o755);
  const trust = async (): Promise<TrustFiles> => setting.trust;
  const ports = {
    blobs,
    driver,
    workDir,
    codeDir: join(context.home.storeDir, 'code'),
    npm,
    pypi,
    oci,
    trust,
    environment,
    now: context.now,
    cwd: context.cwd,
  };
  const baselines = new Map<string, Promise<Baseline>>();
  const { advisories: given } = setting;
  const offline = given.length === 0 ? null : await openOffline(given, context);
  context.progress('');
  const advisories: ScanRequest['advisories'] = async (packages) => offline?.known(packages) ?? NONE_GIVEN;
  return {
    ask: { npm, pypi },
    all: (targets, values) =>
      several(targets, context.progress, ({ target, before, scanned, progress }) =>
        scanOne(target, {
          ...{ values, setting, baselines, advisories, before, scanned },
          ports: { ...ports, progress },
        }),
      ),
    blob: (digest) => blobs.get(digest),
    close: async () => {
      await offline?.close();
      // What is interrupted may still write into it.
      await rm(workDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** What a scan needs, and the folder that files are named from. */
type Ports = ScanPorts & { readonly cwd: string };

interface One extends Pick<Turn, 'before' | 'scanned'> {
  readonly values: Values;
  /** Earlier versions by how they were started. */
  readonly baselines: Map<string, Promise<Baseline>>;
  readonly setting: Setting;
  readonly advisories: NonNullable<ScanRequest['advisories']>;
  readonly ports: Ports;
}

async function scanOne(target: Target, one: One): Promise<ScanTarget> {
  const { target: name, file, line, source, notes } = target;
  const head = { target: name, file, line, source, notes: [...notes], suppressed: [] };
  if (source === null) return { ...head, conclusion: 'unverified', report: null, error: target.error };
  try {
    const submission = await wishOf(target, source, one);
    const { against } = one.setting;
    const baseline = against === undefined ? null : await baselineOnce(against, submission, one);
    // What one command scans will stand beside each other.
    const { advisories, before: peers } = one;
    const { policy } = one.setting;
    const { report, surface } = await scan(
      { submission, policy, trial: false, baseline, peers, advisories },
      one.ports,
    );
    one.scanned({ server: submission.name, tools: surface.tools });
    return { ...head, conclusion: concludeReport(report), report, error: null };
  } catch (thrown) {
    const { code, message } = asLockkeeperError(thrown);
    const conclusion = UNLOCKABLE.has(code) ? 'refused' : 'unverified';
    return { ...head, conclusion, report: null, error: { code, message } };
  }
}

/** As it would be published. Folders that a client's file names are empty ones in the sandbox. */
async function wishOf({ args, env }: Target, source: string, { values, ports }: One): Promise<Submission> {
  const submission = await submissionFor(source, values, ports);
  if (args.length === 0 && env.length === 0) return submission;
  const inside = placed(args);
  const wanted: Permissions = {
    ...submission.permissions,
    env: [...new Set([...submission.permissions.env, ...env])],
    mounts: [
      ...submission.permissions.mounts,
      ...inside.targets.map((target) => ({ target, mode: 'ro' as const })),
    ],
  };
  const permissions = isValid(Permissions, wanted) ? wanted : submission.permissions;
  return { ...submission, args: [...submission.args, ...inside.args], permissions };
}

/** An address and a digest have no version; a scan needs none. */
async function submissionFor(source: string, values: Values, ports: Ports): Promise<Submission> {
  const { oci, blobs, environment = {} } = ports;
  const commit = await findCommit(source, environment);
  if (commit !== null)
    return commitSubmission(commit, {
      ...values,
      release: values.release ?? (commit.tag ? undefined : '0.0.0'),
    });
  const found = await findBundle(source, { cwd: ports.cwd, environment });
  if (found !== null) {
    await blobs.put(found.bytes);
    return bundleSubmission(found, values);
  }
  const unnamed = /^(?:https?|oci):/.test(source) && values.release === undefined;
  const release = unnamed && !/:v?\d+[.]\d+[.]\d+[^/@]*$/.test(source) ? { release: '0.0.0' } : {};
  const submission = await submissionOf(source, { ...values, ...release }, async (tag) => {
    if (oci) return resolveTag(tag, await oci());
    throw new Error('a scan without a client of container registries');
  });
  return { ...submission, ...configIn(values) };
}

/** The same version started the same way shows the same: it is scanned for the first target that asks. */
function baselineOnce(source: string, like: Submission, one: One): Promise<Baseline> {
  const key = canonical([like.args, like.permissions]);
  const known = one.baselines.get(key) ?? baselineOf(source, like, one);
  one.baselines.set(key, known);
  return known;
}

/** What was scanned before, as if it had been approved: so that only what is new is told of. */
async function baselineOf(
  source: string,
  like: Submission,
  { values, setting, ports }: One,
): Promise<Baseline> {
  const wanted = await submissionFor(source, { ...values, name: like.name }, ports);
  const submission = { ...like, ...wanted };
  const before: ScanResult = await scan(
    {
      submission: { ...submission, args: like.args, permissions: like.permissions },
      policy: setting.policy,
      trial: false,
      baseline: null,
    },
    { ...ports, progress: (step) => ports.progress(`${source}: ${step}`) },
  );
  const { closure, surface, maintainers, launch, report, licences } = before;
  return {
    licences,
    version: submission.version,
    closure,
    surface,
    maintainers,
    permissions: like.permissions,
    launch,
    origin: report.origin ?? null,
  };
}
