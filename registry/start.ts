/** Putting a registry together: database, keys, worker, HTTP, schedules; and taking it apart in reverse. */
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runMigrations } from 'graphile-worker';
import type { Logger } from 'pino';
import { selectDriver } from '../runtime/isolation/select.ts';
import { type Blobs, openBlobs } from '../runtime/store/blobs.ts';
import { openBucketBlobs } from '../runtime/store/bucket-blobs.ts';
import { openScanCredentials } from '../scanner/credentials.ts';
import { type Github, openGithub } from '../scanner/github/client.ts';
import { npmOptionsOf } from '../scanner/npm.ts';
import { ociOptionsOf } from '../scanner/oci/options.ts';
import { pypiOptionsOf } from '../scanner/pypi/options.ts';
import { scan } from '../scanner/scan.ts';
import type { LockkeeperError } from '../schemas/errors.ts';
import { DEFAULT_POLICY, type Policy } from '../schemas/policy.ts';
import { openFeed } from './advisories/feed.ts';
import { buildApp } from './app.ts';
import { type Checkpoints, openCheckpoints } from './checkpoints/checkpoints.ts';
import { publisherOf } from './checkpoints/publish.ts';
import type { RegistryConfig } from './config.ts';
import { endUnvouched } from './db/identities.ts';
import { migrate } from './db/migrate.ts';
import { listPeople, newCode, putPerson } from './db/people.ts';
import { openPool, type Pool } from './db/pool.ts';
import type { Deps, ScanDeps } from './deps.ts';
import { startEmbedded } from './embedded.ts';
import { expireApprovals } from './expiry.ts';
import { loadKeys } from './keys.ts';
import { openLogger } from './logger.ts';
import { sweepBundles } from './mcp-bundles.ts';
import { openOidcFile } from './oidc/open.ts';
import { tendOrphans } from './orphans.ts';
import { queueAdvisories, queueTrust } from './queue.ts';
import { queueRejudgements } from './rejudge.ts';
import { registrySchedules, startSchedules } from './schedule.ts';
import { withLicences } from './settings/licences.ts';
import { openTrust, type TrustSetting } from './trust.ts';
import { trustFiles } from './trust-files.ts';
import { upstreamOf } from './upstream.ts';
import { startWorker } from './worker.ts';

export interface Registry {
  readonly url: string;
  /** Ids of the root keys: what people compare before they sign in from elsewhere. */
  readonly rootKeys: readonly string[];
  /** One-time code that signs in the administrator. */
  readonly code: string;
  close(): Promise<void>;
}

const ADMIN = 'admin';
const ADMIN_CODE_HOURS = 1;

/** Starts the parts of the configured role. What was started before something failed is stopped again. */
export async function startRegistry(
  config: RegistryConfig,
  { log: tell }: { log: (line: string) => void },
): Promise<Registry> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    await mkdir(config.dataDir, { recursive: true });
    await chmod(config.dataDir, 0o755);
    const log = openLogger(config.logLevel);
    const embedded =
      config.databaseUrl === null
        ? await startEmbedded({ dir: join(config.dataDir, 'postgres'), progress: tell })
        : null;
    if (embedded) undo.push(() => embedded.stop());
    const pool = openPool(embedded?.connection ?? { connectionString: config.databaseUrl ?? '' }, 20);
    undo.push(() => pool.end());
    await migrate(pool);
    await runMigrations({ pgPool: pool });
    if (embedded) await endOthers(pool);
    const policy = policyOf(config);
    const trust = await openTrust(
      pool,
      await loadKeys(join(config.dataDir, 'keys'), config),
      trustOf(config, policy),
    );
    const rootKeys = (await trust.current()).trusted.root.roles.root.keyids;
    let url = config.publicUrl ?? `http://${config.host}:${config.port}`;
    const deps: Deps = {
      pool,
      blobs: await blobsIn(config),
      trust,
      checkpoints: checkpointsOf(config, { pool, trust, log }),
      policy,
      log,
      publicUrl: () => url,
      ...(await oidcOf(config, { pool, log })),
    };
    await deps.checkpoints.assertNotBehind();
    if (config.role !== 'registry') {
      const runner = await startWorker(await scanDeps(deps, config), config.workers);
      undo.push(() => runner.stop());
    }
    // What is new is read at once, not at the next fire; one job waits, however many processes start.
    if (config.advisories !== null) await queueAdvisories(pool);
    if (config.role !== 'registry') await queueTrust(pool);
    if (config.role === 'scanner') return { url: '', rootKeys, code: '', close };
    await catchUp(deps);
    const app = await buildApp(deps);
    undo.push(() => app.close());
    const address = await app.listen({ host: config.host, port: config.port });
    if (config.publicUrl === null) url = address;
    const schedules = startSchedules(registrySchedules(deps, config), pool, log);
    undo.push(() => schedules.stop());
    return { url, rootKeys, code: await adminCode(deps), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Nobody else can be at work on a database of our own: what is held there was held by who was killed. */
async function endOthers(pool: Pool): Promise<void> {
  await pool.query(
    'select graphile_worker.force_unlock_workers(array_agg(distinct locked_by)) from graphile_worker.jobs where locked_by is not null',
  );
  await pool.query('delete from bundle_uploads');
}

/** What this version judges otherwise, and what ended or was left while no registry ran. */
async function catchUp(deps: Deps): Promise<void> {
  const tell = (what: string) => (error: unknown) => deps.log.error({ err: error }, what);
  await queueRejudgements(deps).catch(tell('releases not judged again'));
  await expireApprovals(deps).catch(tell('approvals not looked at'));
  await tendOrphans(deps).catch(tell('releases without a job not looked for'));
  await sweepBundles(deps).catch(tell('bundles not swept'));
}

/** A bucket that does not do all that is needed of it refuses to start. */
async function blobsIn({ dataDir, blobs: setting }: RegistryConfig): Promise<Blobs> {
  const dir = join(dataDir, 'blobs');
  if (setting === null) return openBlobs(dir);
  const blobs = openBucketBlobs(setting, { incoming: join(dir, 'incoming') });
  await blobs.assertUsable();
  return blobs;
}

/** The policy that these settings make. */
export function policyOf({ trial, maxRevocations, failOn, licences }: RegistryConfig): Policy {
  const { approvals, advisories, scan } = DEFAULT_POLICY;
  return {
    ...DEFAULT_POLICY,
    approvals: trial ? { ...approvals, threshold: 1 } : approvals,
    advisories: { ...advisories, maxRevocations, failOn },
    scan: withLicences(scan, licences),
  };
}

function trustOf({ trial, witnesses }: RegistryConfig, policy: Policy): TrustSetting {
  const log = witnesses && {
    witnesses: witnesses.list.map(({ key }) => key),
    threshold: witnesses.threshold,
  };
  return { trial, policy, log };
}

function checkpointsOf(
  { witnesses, publish }: RegistryConfig,
  parts: Pick<Deps, 'pool' | 'trust' | 'log'>,
): Checkpoints {
  return openCheckpoints({
    ...parts,
    witnesses: witnesses?.list ?? [],
    publish: publish && publisherOf(publish),
  });
}

async function oidcOf(
  { oidc, environment }: RegistryConfig,
  { pool, log }: { pool: Pool; log: Logger },
): Promise<Pick<Deps, 'oidc'>> {
  if (oidc === null) return {};
  const onTrouble = (error: LockkeeperError): void => log.warn({ err: error }, 'identity provider');
  const opened = await openOidcFile(oidc, { environment, now: Date.now, onTrouble });
  if (opened.config.reviewers === 'provider') await endUnvouched(pool, 'reviewer');
  return { oidc: opened };
}

async function adminCode({ pool }: Deps): Promise<string> {
  const admins = (await listPeople(pool)).filter(({ roles }) => roles.includes('admin'));
  // Whoever took the role from `admin` did so on purpose; without any administrator nobody could help.
  if (admins.length === 0) await putPerson(pool, ADMIN, ['admin', 'publisher', 'developer', 'auditor']);
  const person = admins.some((one) => one.person === ADMIN) ? ADMIN : (admins[0]?.person ?? ADMIN);
  return (await newCode(pool, person, ADMIN_CODE_HOURS)).code;
}

async function scanDeps(deps: Deps, config: RegistryConfig): Promise<ScanDeps> {
  const workDir = join(config.dataDir, 'scan');
  await mkdir(workDir, { recursive: true });
  await chmod(workDir, 0o755);
  const npm = config.npm ?? (await npmOptionsOf(workDir, config.environment));
  const github = await githubOf(config);
  const { scanCredentials: file, environment } = config;
  const shows =
    file === null
      ? {}
      : { credentials: await openScanCredentials(file, { environment, now: () => new Date() }) };
  return {
    ...deps,
    workDir,
    scan: async (request, progress) => {
      const { driver } = await selectDriver({ nodePath: process.execPath });
      const pypi = (): ReturnType<typeof pypiOptionsOf> => pypiOptionsOf(config.environment);
      const oci = (): ReturnType<typeof ociOptionsOf> => ociOptionsOf(config.environment);
      const now = (): Date => new Date();
      const trust = (): ReturnType<typeof trustFiles> =>
        trustFiles(deps.trust, { folder: config.trustRoots, blobs: deps.blobs });
      return scan(request, {
        blobs: deps.blobs,
        driver,
        workDir,
        npm,
        pypi,
        oci,
        environment: config.environment,
        trust,
        github,
        now,
        progress,
        ...shows,
      });
    },
    tuf: config.tuf,
    trustRoots: config.trustRoots,
    tmp: workDir,
    ...upstreamOf({
      ...{ npm, github, tmp: workDir, environment: config.environment },
      pypi: () => pypiOptionsOf(config.environment),
      oci: () => ociOptionsOf(config.environment),
    }),
    ...(config.advisories === null ? {} : { advisories: openFeed(config.advisories, { tmp: workDir }) }),
  };
}

/** One for all scans of a process: what it remembers, and its manners, are shared. */
async function githubOf({ github: api, githubToken, environment }: RegistryConfig): Promise<Github | null> {
  if (api === null) return null;
  const token = githubToken === null ? null : (await readFile(githubToken, 'utf8')).trim();
  return openGithub({ api, token, environment, now: () => new Date() });
}
