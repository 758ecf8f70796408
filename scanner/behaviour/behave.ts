/**
 * One more start of a server, in which what only reads is called once: with arguments from its schemas, with a way out that
 * leads nowhere, among files and variables that are bait. What it did is written down; nothing here judges it.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { watchAttempts } from '../../runtime/egress/attempts.ts';
import type { LaunchPlan, Mount } from '../../runtime/ports.ts';
import { isObject } from '../../runtime/wire/message.ts';
import type { Behaviour } from '../../schemas/behaviour.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Permissions } from '../../schemas/release.ts';
import type { Surface } from '../../schemas/surface.ts';
import { type LocalSubject, planOf, type Subject } from '../look.ts';
import type { Observed } from '../observe.ts';
import type { ScanPorts } from '../ports.ts';
import { counted } from '../text.ts';
import { wordsOfName } from '../verbs.ts';
import { type Authority, newAuthority } from './authority.ts';
import { callAll, MAX_CALLS, type Wanted } from './calls.ts';
import { notCalledFor } from './choose.ts';
import { type Honey, layHoney } from './honey.ts';
import { type Places, SINKHOLE_HOST, WORK } from './places.ts';
import { openRecorder } from './record.ts';
import { sampleOf } from './sample.ts';
import { openSinkhole } from './sinkhole.ts';
import { uncalled } from './uncalled.ts';
import { watchInside } from './watch.ts';

const STOP_MS = 1500;
const FILE = 'notes.txt';
const BELIEVED = '/lockkeeper/authority.pem';
/** By which programs of several kinds find whom to believe. */
const BELIEF = {
  NODE_EXTRA_CA_CERTS: BELIEVED,
  SSL_CERT_FILE: BELIEVED,
  REQUESTS_CA_BUNDLE: BELIEVED,
  CURL_CA_BUNDLE: BELIEVED,
};

/** Never throws: what could not be done is unknown, and says why. Leaves no process and no file. */
export async function behave(subject: Subject, observed: Observed, ports: ScanPorts): Promise<Behaviour> {
  const chosen = choose(subject, observed.surface);
  const wanted = chosen.filter((one) => 'args' in one);
  const notCalled = chosen.flatMap((one) => ('args' in one ? [] : [one]));
  const none = (unknown: string): Behaviour =>
    uncalled(unknown, [...notCalled, ...wanted.map(({ tool }) => ({ tool, reason: unknown }))]);
  if ('remote' in subject) return none(ELSEWHERE);
  if (chosen.length === 0) return none('it has no tools');
  if (wanted.length === 0) return none(`of its ${counted(chosen.length, 'tool')} none is to be called`);
  const scratch = await mkdtemp(join(ports.workDir, 'behave-'));
  try {
    await chmod(scratch, 0o755);
    return await behaveIn(subject, { observed, ports, scratch, wanted, notCalled });
  } catch (error) {
    return none(`its tools could not be called: ${asLockkeeperError(error).message}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const ELSEWHERE = 'it runs elsewhere, where a call would be a real one';

/** Words of tools whose path is one of a folder. */
const IN_FOLDERS =
  /^(?:browse|dirs?|director(?:y|ies)|find|folders?|git|glob|grep|list|repo|scan|search|tree)$/;

/** For all tools of a server, ms: schemas may be made to take long. */
const ARGUMENTS_MS = 2000;

type Chosen = Wanted | Behaviour['notCalled'][number];

/** In the server's order; what is to be called has arguments, and all else its reason. */
export function choose(subject: Subject, { tools }: Pick<Surface, 'tools'>): Chosen[] {
  const until = performance.now() + ARGUMENTS_MS;
  let wanted = 0;
  return Object.entries(tools).map(([tool, shown]): Chosen => {
    const reason = 'remote' in subject ? ELSEWHERE : notCalledFor(tool, shown);
    if (reason !== null) return { tool, reason };
    if (wanted === MAX_CALLS) return { tool, reason: `${MAX_CALLS} others are called` };
    if (performance.now() > until) return { tool, reason: 'the schemas before it took too long to read' };
    const args = sampleOf(shown.inputSchema, placesFor(tool, subject));
    if (!isObject(args)) return { tool, reason: 'no arguments were found that its schema takes' };
    wanted++;
    return { tool, args };
  });
}

function placesFor(tool: string, subject: Subject): Places {
  const folder = 'remote' in subject ? WORK : folderOf(subject.permissions.mounts);
  const file = wordsOfName(tool).some((word) => IN_FOLDERS.test(word)) ? folder : `${folder}/${FILE}`;
  return { folder, file, host: SINKHOLE_HOST };
}

/** A folder that it may write to before one that it may only read. */
function folderOf(mounts: Permissions['mounts']): string {
  return (mounts.find(({ mode }) => mode === 'rw') ?? mounts[0])?.target ?? WORK;
}

interface Setting {
  readonly observed: Observed;
  readonly ports: ScanPorts;
  readonly scratch: string;
  readonly wanted: readonly Wanted[];
  readonly notCalled: Behaviour['notCalled'];
}

/** Puts the plan, the bait and the watch together, and takes all of it away again. */
async function behaveIn(subject: LocalSubject, setting: Setting): Promise<Behaviour> {
  const { observed, ports, scratch } = setting;
  const socketPath = join(scratch, 'egress.sock');
  const honey = await layHoney(join(scratch, 'home'), observed.environment);
  const overflow = new AbortController();
  const onFull = (what: string): void => overflow.abort(what);
  const recorder = openRecorder(honey, onFull);
  const { serverUid: owner } = ports.driver;
  const { onAttempt } = recorder;
  const authority = newAuthority();
  const way = { socketPath, authority, onAttempt, ...(owner === undefined ? {} : { owner }) };
  const sinkhole = await openSinkhole(way);
  try {
    const plan = await planFor(subject, { ...setting, socketPath, honey, authority });
    const server = await ports.driver.start(plan);
    server.stderr.on('data', recorder.onStderr);
    watchAttempts(server, async ({ host, port }) => onAttempt({ host, port, via: 'kernel', said: () => '' }));
    overflow.signal.addEventListener('abort', () => void server.stop(0).catch(() => undefined));
    const watch = watchInside({ server, mounts: plan.mounts, except: honey.places, onFull });
    try {
      const done = await callAll(server, { ...setting, recorder, watch });
      const cut = overflow.signal.aborted ? { cut: String(overflow.signal.reason) } : {};
      return { lockkeeper: 'behaviour/v1', ...done, ...cut, readsSeen: honey.seen };
    } finally {
      watch.close();
      await server.stop(STOP_MS);
    }
  } finally {
    await sinkhole.close();
    await honey.close();
  }
}

interface Laying extends Setting {
  readonly socketPath: string;
  readonly honey: Honey;
  readonly authority: Authority;
}

/** As it was observed, with the bait besides. Files that arguments name are in a folder it may use, or in one of its own. */
async function planFor(
  subject: LocalSubject,
  { observed, scratch, socketPath, honey, authority }: Laying,
): Promise<LaunchPlan> {
  const { environment } = observed;
  const asked = await planOf(subject, { timezone: 'UTC', environment }, { scratch, socketPath });
  const work: Mount = { source: join(scratch, 'work'), target: WORK, mode: 'rw' };
  const own = asked.mounts.length > 0 ? [] : [work];
  if (own.length > 0) {
    await mkdir(work.source);
    await chmod(work.source, 0o777);
  }
  const mounts = [...asked.mounts, ...own];
  for (const { source } of mounts) await writeFile(join(source, FILE), 'a note\n');
  const believed = join(scratch, 'authority.pem');
  await writeFile(believed, authority.certificate);
  const bait = Object.entries(honey.env).filter(([name]) => !asked.secrets?.some((one) => one.name === name));
  return {
    ...asked,
    id: asked.id.replace('scan', 'call'),
    env: { ...asked.env, ...Object.fromEntries(bait), ...BELIEF },
    ...(asked.secrets && {
      secrets: asked.secrets.map(({ name, value }) => ({ name, value: honey.env[name] ?? value })),
    }),
    mounts: [...mounts, ...honey.mounts, { source: believed, target: BELIEVED, mode: 'ro' }],
  };
}
