/** A developer's machine: a home with what it has seen, a project, and the steps of lk run up to the sandbox. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openApi } from '../../cli/api.ts';
import type { Context } from '../../cli/command.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { assertCurrent } from '../../cli/current.ts';
import { type Home, openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import { INTENT_FILE, openProject, type Project, remember } from '../../cli/project.ts';
import { assertAnswers } from '../../runtime/trust/answers.ts';
import type { RootPin } from '../../runtime/trust/root.ts';
import type { Intent } from '../../schemas/intent.ts';
import { sha256 } from '../../schemas/json.ts';
import { LOCK_FILE, type LockFile, renderLockFile } from '../../schemas/lock.ts';
import { NOW, pin } from '../helpers/trust.ts';
import { must } from './row.ts';
import type { World } from './world.ts';

export interface Setting {
  readonly registry: string;
  readonly pin: RootPin;
  readonly project: string;
  readonly environment: string;
  readonly servers: Intent['servers'];
  readonly maxLockHours?: number;
  readonly now: () => Date;
  /** Empty: the registry is not asked. */
  readonly token: string;
}

const SETTING: Setting = {
  registry: 'http://127.0.0.1:7411',
  pin,
  project: 'acme/app',
  environment: 'development',
  servers: { weather: { server: 'acme.tools/weather', range: '^1.2.0' } },
  now: () => NOW,
  token: '',
};

export interface Proof {
  readonly code: string;
  readonly earlier: unknown;
  readonly later: unknown;
}

export interface Machine {
  readonly home: Home;
  readonly intent: Intent;
  readonly context: Context;
  readonly project: Project;
  /** What was started so far. */
  readonly started: readonly string[];
  /** Puts the lock in the project, verifies it as lk run does, remembers it and starts its servers. */
  start(lock: LockFile | Buffer, how?: { ask: boolean }): Promise<void>;
  /** Home, but for kept proofs, and what was started. */
  state(): string;
  proofs(): Proof[];
}

export async function makeMachine(
  world: Pick<World, 'folder'>,
  change: Partial<Setting> = {},
): Promise<Machine> {
  const setting = { ...SETTING, ...change };
  const dir = await world.folder();
  const home = openHome(join(dir, 'home'));
  const project = projectIn(join(dir, 'project'));
  const { registry, environment, servers, token, maxLockHours } = setting;
  const intent: Intent = {
    lockkeeper: 'intent/v1',
    project: setting.project,
    environment,
    registry,
    trust: { rootKeys: [...setting.pin.rootKeys], threshold: setting.pin.threshold },
    ...(maxLockHours === undefined ? {} : { maxLockHours }),
    servers,
  };
  await mkdir(project.dir);
  await writeFile(project.intentPath, JSON.stringify(intent));
  const { rootKeys, threshold } = intent.trust;
  const expires = '2099-01-01T00:00:00.000Z';
  await home.remember({ registry, person: 'dave', token, expires, rootKeys, threshold });
  const context = contextOf(home, setting);
  const started: string[] = [];
  return {
    home,
    intent,
    context,
    project,
    started,
    start: async (lock, { ask } = { ask: token !== '' }) => {
      await writeFile(project.lockPath, Buffer.isBuffer(lock) ? lock : renderLockFile(lock));
      const opened = await openProject(context, project, { ask });
      assertAnswers(opened.verified.lock, opened.intent);
      if (ask) await assertCurrent(context, await context.api(registry), opened);
      await remember(context, opened.intent, opened.verified);
      started.push(...opened.verified.entries.keys());
    },
    state: () => JSON.stringify({ home: filesIn(home.dir), started }),
    proofs: () => proofsIn(home.dir),
  };
}

function projectIn(dir: string): Project {
  return { dir, intentPath: join(dir, INTENT_FILE), lockPath: join(dir, LOCK_FILE) };
}

function contextOf(home: Home, { token, now, registry }: Setting): Context {
  return {
    config: { ...loadCliConfig({}, false), home: home.dir },
    home,
    cwd: home.dir,
    paint: makePaint(false),
    say: () => undefined,
    progress: () => undefined,
    now,
    json: true,
    api: async (named) => openApi(named ?? registry, token === '' ? null : token),
  };
}

/** Digests of all files below a folder, kept proofs left out. */
export function filesIn(dir: string): Record<string, string> {
  if (!existsSync(dir)) return {};
  const names = readdirSync(dir, { recursive: true }).map(String).sort();
  return Object.fromEntries(
    names
      .filter((name) => !name.startsWith('misbehaviour') && statSync(join(dir, name)).isFile())
      .map((name) => [name, sha256(readFileSync(join(dir, name)))]),
  );
}

function proofsIn(dir: string): Proof[] {
  const folder = join(dir, 'misbehaviour');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Proof);
}

const MISBEHAVIOUR = new Set(['LOG_FORK', 'LOG_ROLLBACK', 'LOCK_EQUIVOCATION', 'ROOT_ROLLBACK', 'ROOT_FORK']);

/** What is misbehaviour of a registry was kept with both sides; what is not was not. */
export function assertProof(machine: Machine, code: string): string | undefined {
  const proofs = machine.proofs();
  if (!MISBEHAVIOUR.has(code)) {
    must(proofs.length === 0, `${code} is no misbehaviour, and yet a proof of one was kept`);
    return undefined;
  }
  const [proof] = proofs.filter((one) => one.code === code);
  must(proof !== undefined, `no proof of ${code} was kept`);
  must(Boolean(proof?.earlier) && Boolean(proof?.later), 'the proof does not hold both sides');
  return 'proof kept';
}
