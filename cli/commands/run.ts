import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '../../runtime/gate/caller.ts';
import { closeInherited } from '../../runtime/isolation/descriptors.ts';
import { selectDriver } from '../../runtime/isolation/select.ts';
import { type Journal, openJournal } from '../../runtime/journal/journal.ts';
import { registrySink } from '../../runtime/journal/ship.ts';
import { type OpenSinks, openSinks, segmentLimits } from '../../runtime/journal/sinks/open.ts';
import { DRIVER_NAMES, type DriverName } from '../../runtime/ports.ts';
import { runLocked } from '../../runtime/run.ts';
import type { OnRevoke } from '../../runtime/session/quarantine.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { assertAnswers } from '../../runtime/trust/answers.ts';
import type { VerifiedEntry } from '../../runtime/trust/entry.ts';
import { runsUntil } from '../../runtime/trust/freshness.ts';
import { AuditAck } from '../../schemas/api.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { AuditConfig } from '../../schemas/sinks.ts';
import type { Api } from '../api.ts';
import { readAuditConfig } from '../audit-config.ts';
import { type Command, type Context, text, type Values } from '../command.ts';
import { assertCurrent, isVerdict } from '../current.ts';
import { fleetReporter, tellOf } from '../fleet.ts';
import { type OpenedProject, openProject, projectOf, remember } from '../project.ts';
import { revocationsOf } from '../revocations.ts';

/** How long a start waits for the registry's word, ms. */
const ASK_MS = 2500;

export const run: Command = {
  summary: 'start a locked server for an MCP client over stdio, isolated and recorded',
  words: 'ALIAS',
  options: { isolation: { type: 'string' }, 'on-revoke': { type: 'string' } },
  optionHelp: {
    isolation: 'only this driver: bubblewrap, podman, docker or runsc (default: the first that works)',
    'on-revoke':
      'when the running release is revoked, end calls in flight (end, the default) or give them 5 s (finish)',
  },
  examples: [
    'lk run filesystem',
    'claude mcp add docs -- lk run filesystem --project /srv/docs',
    'npx @modelcontextprotocol/inspector --cli lk run filesystem --method tools/list',
  ],
  arity: [1, 1],
  async run(context, [alias = ''], values) {
    closeInherited();
    const onRevoke = onRevokeOf(values);
    const audit = await readAuditConfig(context.config.audit);
    const project = projectOf(context, values);
    const opened = await openProject(context, project, { ask: true });
    assertAnswers(opened.verified.lock, opened.intent);
    const verified = entryNamed(opened.verified, alias);
    const { driver } = await selectDriver({ nodePath: process.execPath, ...onlyDriver(values) });
    const { lock, digest } = opened.verified;
    const api = await context.api(opened.intent.registry).catch(() => null);
    await assertNotRevoked(context, api, opened);
    const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
    const caller = await callerOf(context, values, opened.intent.registry);
    const journals = folderOf(context, opened.intent.registry, caller.user);
    const journal = await openJournal(journals, segmentLimits(audit));
    const folders = [journals, folderOf(context, opened.intent.registry, nobody(context))];
    // Nobody's records go to the registry with the next sign-in; until then it has no say in how long they are kept.
    const theirs = api === null && caller.via === 'nobody' ? [] : folders;
    const sinks = await tell(context, audit, { api, journal, folders: theirs });
    const say = (line: string): void => context.say(`lk: ${line}`);
    const fleet = fleetReporter({ home: context.home.dir, api, runtime: journal.id, host: hostname(), say });
    const stop = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
    try {
      await remember(context, opened.intent, opened.verified);
      const end = await runLocked({
        verified,
        trusted: opened.verified.trusted,
        revocations: api && revocationsOf(api, { say }),
        onRevoke,
        lockDigest: digest,
        lockExpires: runsUntil(lock, opened.verified.trusted),
        projectDir: project.dir,
        homes: [context.home.dir, homedir()],
        environment: context.config.environment,
        caller,
        blobs,
        treesDir: join(context.home.storeDir, 'trees'),
        fetch: (wanted) => fetchFrom(api, wanted),
        driver,
        journal,
        client: { input: process.stdin, output: process.stdout },
        say,
        progress: context.progress,
        stop: stop.signal,
        ...tellOf(fleet, instanceOf(opened, { alias, user: caller.user, driver: driver.name })),
      });
      if (end.error && end.reason !== 'client closed') throw end.error;
    } finally {
      await Promise.all([sinks.close(), fleet.close()]);
      await journal.close();
    }
    process.exitCode = 0;
    return null;
  },
};

/**
 * A registry that is asked and says no is believed at once. One that does not answer is passed over: the lock's own end
 * limits for how long. A lock that is older than the newest one is no reason, a replaced one is.
 */
async function assertNotRevoked(context: Context, api: Api | null, opened: OpenedProject): Promise<void> {
  if (!api)
    return context.say('lk: not signed in to the registry of this lock; it is not asked about revocations');
  try {
    await assertCurrent(context, api.within(ASK_MS), opened);
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    if (isVerdict(error.code)) throw error;
    context.say(`lk: the registry was not asked about revocations: ${error.message}`);
  }
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

function entryNamed(verified: OpenedProject['verified'], alias: string): VerifiedEntry {
  const entry = verified.entries.get(alias);
  if (entry) return entry;
  const known = [...verified.entries.keys()];
  throw new LockkeeperError('NOT_LOCKED', {
    expected: `one of the locked servers ${known.join(', ') || '(none)'}`,
    found: quote(alias),
    next: `Ask for it with: lk add ${alias}, then lk lock`,
  });
}

/** What is told of the server that runs, here and at the registry. */
function instanceOf(
  { verified, intent }: OpenedProject,
  who: { readonly alias: string; readonly user: string; readonly driver: string },
): Parameters<typeof tellOf>[1] {
  const { server, version, closure } = entryNamed(verified, who.alias).entry;
  return {
    ...who,
    server,
    version,
    closureDigest: closure.digest,
    lock: verified.digest,
    lockVersion: verified.lock.version,
    project: intent.project,
  };
}

/** The person signed in at this registry, or the login name of this machine with a mark that nobody vouched for it. */
async function callerOf(context: Context, values: Values, registry: string): Promise<Caller> {
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

async function fetchFrom(api: Api | null, digest: string): Promise<Buffer> {
  if (api) return api.blob(digest);
  throw new LockkeeperError('ARTIFACT_MISSING', {
    expected: `the artifact ${digest} in the local store, or a sign-in to fetch it with`,
    found: 'neither',
    next: 'Run: lk login URL --code CODE',
  });
}

/** The registry and the configured sinks hear of the own journal as it grows, and of what ended runtimes left behind. */
function tell(
  context: Context,
  audit: AuditConfig,
  { api, journal, folders }: { api: Api | null; journal: Journal; folders: readonly string[] },
): Promise<OpenSinks> {
  const sink =
    api &&
    registrySink(async (records) => (await api.call('auditWrite', AuditAck, { body: { records } })).upTo);
  return openSinks(audit, {
    journal,
    journalDir: context.home.journalDir,
    environment: context.config.environment,
    registry: { sink, folders },
    now: context.now,
    say: (line) => context.say(`lk: ${line}`),
  });
}
