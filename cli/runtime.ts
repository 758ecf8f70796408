/** What a face that starts locked servers stands on: a verified lock, a driver, a store, a journal that is told of. */
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { settle } from '../runtime/footprint.ts';
import type { Caller } from '../runtime/gate/caller.ts';
import type { Around } from '../runtime/instance.ts';
import { selectDriver } from '../runtime/isolation/select.ts';
import { type Journal, openJournal } from '../runtime/journal/journal.ts';
import { segmentLimits } from '../runtime/journal/sinks/open.ts';
import { FlowMemories } from '../runtime/policy/remembered.ts';
import { DRIVER_NAMES, type DriverName, type IsolationDriver } from '../runtime/ports.ts';
import type { PrepareOptions } from '../runtime/prepare.ts';
import type { OnRevoke } from '../runtime/session/quarantine.ts';
import { openBlobs } from '../runtime/store/blobs.ts';
import { assertAnswers } from '../runtime/trust/answers.ts';
import type { VerifiedEntry } from '../runtime/trust/entry.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { sha256 } from '../schemas/json.ts';
import { isLocal } from '../schemas/release.ts';
import type { Api } from './api.ts';
import { readAuditConfig } from './audit-config.ts';
import { type Context, type Options, option, text, type Values } from './command.ts';
import { fleetReporter, type RunningReporter, type tellOf } from './fleet.ts';
import { flowsDirOf } from './home.ts';
import { type OpenedProject, openProject, type Project, projectOf } from './project.ts';
import { assertSome, type Refused, refusedToday } from './refused.ts';
import { ServerLogs } from './server-logs.ts';
import { type SignedInFor, signedInFor } from './signed-in.ts';
import { tellSinks } from './sinks.ts';
import { countSinks, openTelemetry, type Telemetry } from './telemetry.ts';
import { whenTold } from './tidied.ts';

/** Options of each verb that starts servers. */
export const RUNTIME_OPTIONS: Options = {
  isolation: option.text(
    'only this driver: bubblewrap, podman, docker or runsc (default: the first that works)',
  ),
  'on-revoke': option.text(
    'when the running release is revoked, end calls in flight (end, the default) or give them 5 s (finish)',
  ),
};

/** How often a process looks what others wrote down of somebody's reading, ms. A model takes longer to answer. */
export const LOOK_MS = 100;

export interface Runtime {
  readonly project: Project;
  readonly opened: OpenedProject;
  /** Locked servers that the registry says no to today, by alias. At least one that is wanted is not among them. */
  readonly refused: Refused;
  /** Null where nobody is signed in to the registry of the lock. */
  readonly api: Api | null;
  readonly onRevoke: OnRevoke;
  readonly around: Around;
  /** The person at this machine. */
  readonly person: Caller;
  readonly journal: Journal;
  readonly memories: FlowMemories;
  readonly fleet: RunningReporter;
  /** What servers say on stderr is kept there. */
  readonly logs: ServerLogs;
  readonly telemetry: Telemetry;
  readonly say: (line: string) => void;
  /** Aborted by SIGINT, SIGTERM and SIGHUP. */
  readonly stop: AbortSignal;
  /** What that person signed in for, to be shown to this server for them alone. */
  readonly signedIn: SignedInFor;
  prepareOptions(verified: VerifiedEntry, lockDigest: string): PrepareOptions;
  close(): Promise<void>;
}

/**
 * Nothing is started here. `assertServes` says what may be, and throws before anything is opened. Throws what verifying,
 * asking and opening throw.
 */
export async function openRuntime(
  context: Context,
  values: Values,
  assertServes: (opened: OpenedProject) => readonly VerifiedEntry[],
): Promise<Runtime> {
  const onRevoke = onRevokeOf(values);
  const audit = await readAuditConfig(context.config.audit);
  const project = projectOf(context, values);
  const opened = await openProject(context, project, { ask: true, apart: true });
  assertAnswers(opened.verified.lock, opened.intent);
  const wanted = assertServes(opened);
  const driver = await driverFor(wanted, values);
  const { registry } = opened.intent;
  const api = await context.api(registry).catch(() => null);
  const refused = await refusedToday(context, api, opened);
  assertSome(wanted, opened, refused);
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  const person = await personOf(context, values, registry);
  const journals = folderOf(context, registry, person.user);
  const kept = await openJournal(journals, segmentLimits(audit));
  const folders = [journals, folderOf(context, registry, nobody(context))];
  // Nobody's records go to the registry with the next sign-in; until then it has no say in how long they are kept.
  const theirs = api === null && person.via === 'nobody' ? [] : folders;
  const sinks = await tellSinks(context, audit, { api, journal: kept, folders: theirs });
  const say = (line: string): void => context.say(`lk: ${line}`);
  const { collector } = context.config;
  const telemetry = openTelemetry({ journal: kept, collector, say });
  countSinks(telemetry.metrics, sinks);
  const { journal } = telemetry;
  const memories = memoriesOf(context, registry, journal);
  await memories.sweep();
  const unsettle = settle();
  const logs = new ServerLogs({ home: context.home.dir, key: journal.key, say });
  const fleet = fleetReporter({ home: context.home.dir, api, runtime: journal.id, host: hostname(), say });
  return {
    ...{ project, opened, refused, api, onRevoke, person },
    signedIn: signedInFor(context, registry),
    ...{ journal, memories, sinks, fleet, logs, telemetry, say, stop: untilSignal() },
    around: {
      driver,
      projectDir: project.dir,
      homes: [context.home.dir, homedir()],
      environment: context.config.environment,
    },
    prepareOptions: (verified, lockDigest) => ({
      verified,
      lockDigest,
      blobs,
      treesDir: join(context.home.storeDir, 'trees'),
      fetch: (wanted) => fetchFrom(api, wanted),
      progress: context.progress,
    }),
    close: async () => {
      unsettle();
      await Promise.all([sinks.close(), fleet.close(), logs.close()]);
      await journal.close();
      await telemetry.close();
    },
  };
}

/** Null where nothing is started on this machine. Throws ISOLATION_MISSING. */
async function driverFor(served: readonly VerifiedEntry[], values: Values): Promise<IsolationDriver | null> {
  const only = onlyDriver(values);
  if (!served.some(({ entry }) => isLocal(entry.launch))) return null;
  return (await selectDriver({ nodePath: process.execPath, ...only })).driver;
}

function untilSignal(): AbortSignal {
  const stop = new AbortController();
  whenTold(() => stop.abort());
  return stop.signal;
}

/** The locked server of this name. Throws NOT_LOCKED, or why it is refused. */
export function entryNamed(verified: OpenedProject['verified'], alias: string): VerifiedEntry {
  const entry = verified.entries.get(alias);
  if (entry) return entry;
  const refused = verified.refused.get(alias);
  if (refused) throw refused;
  const known = [...verified.entries.keys()];
  throw new LockkeeperError('NOT_LOCKED', {
    expected: `one of the locked servers ${known.join(', ') || '(none)'}`,
    found: quote(alias),
    next: `Ask for it with: lk add ${alias}, then lk lock`,
  });
}

/** What is told of a server that runs, here and at the registry. */
export function instanceOf(
  { verified, intent }: OpenedProject,
  {
    driver,
    ...who
  }: { readonly alias: string; readonly user: string; readonly driver: Pick<IsolationDriver, 'name'> | null },
): Parameters<typeof tellOf>[1] {
  const { server, version, closure, launch } = entryNamed(verified, who.alias).entry;
  return {
    ...who,
    driver: isLocal(launch) ? (driver?.name ?? 'none') : 'remote',
    server,
    version,
    closureDigest: closure.digest,
    lock: verified.digest,
    lockVersion: verified.lock.version,
    project: intent.project,
  };
}

function onRevokeOf(values: Values): OnRevoke {
  const wanted = text(values, 'on-revoke') ?? 'end';
  if (wanted === 'end' || wanted === 'finish') return wanted;
  throw new LockkeeperError('USAGE', {
    expected: '--on-revoke end or finish',
    found: quote(wanted),
    next: 'See: lk run --help',
  });
}

function onlyDriver(values: Values): { only?: DriverName } {
  const wanted = text(values, 'isolation');
  if (wanted === undefined) return {};
  const only = DRIVER_NAMES.find((name) => name === wanted);
  if (only) return { only };
  throw new LockkeeperError('USAGE', {
    expected: `--isolation ${DRIVER_NAMES.join(', ')}`,
    found: quote(wanted),
    next: 'See: lk run --help',
  });
}

/** The person signed in at this registry, or the login name of this machine with a mark that nobody vouched for it. */
async function personOf(context: Context, values: Values, registry: string): Promise<Caller> {
  const as = text(values, 'as');
  const found = (await context.home.signIns()).find(
    (signIn) => signIn.registry === registry && (as === undefined || signIn.person === as),
  );
  return found
    ? { user: found.person, teams: [], via: 'sign-in', actors: [] }
    : { user: nobody(context), teams: [], via: 'nobody', actors: [] };
}

function nobody(context: Context): string {
  return `local:${context.config.osUser}`;
}

/** Records of one registry and person never go to another's. */
function folderOf(context: Context, registry: string, user: string): string {
  return join(context.home.journalDir, `r-${sha256(`${registry} ${user}`).slice(7, 23)}`);
}

/** What each person has read through any server of this registry. That somebody takes it away is a record. */
function memoriesOf({ home }: Context, registry: string, journal: Journal): FlowMemories {
  return new FlowMemories({
    dir: join(flowsDirOf(home), `r-${sha256(registry).slice(7, 23)}`),
    lookMs: LOOK_MS,
    cleared: (user) =>
      journal.note({
        ...{ kind: 'flows.forgotten', at: new Date().toISOString(), runtime: journal.id },
        ...{ session: 'flows', user, subject: null },
      }),
  });
}

async function fetchFrom(api: Api | null, digest: string): Promise<Buffer> {
  if (api) return api.blob(digest);
  throw new LockkeeperError('ARTIFACT_MISSING', {
    expected: `the artifact ${digest} in the local store, or a sign-in to fetch it with`,
    found: 'neither',
    next: 'Run: lk login URL --code CODE',
  });
}
