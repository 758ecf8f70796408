/** A project's two files: lockkeeper.json, which people edit, and mcp.lock, which the registry signs. */
import { constants, open } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { writeAtomic } from '../runtime/store/atomic.ts';
import type { SeenLock } from '../runtime/trust/freshness.ts';
import { type LockContext, type VerifiedLock, verifyLock } from '../runtime/trust/lock.ts';
import { assertOfItsTime, assertRemembered, type Shown } from '../runtime/trust/memory.ts';
import type { Json } from '../schemas/common.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { Intent } from '../schemas/intent.ts';
import { parseFile, pretty } from '../schemas/json.ts';
import { LOCK_FILE, MAX_LOCK_BYTES, parseLockFile } from '../schemas/lock.ts';
import { type Growth, LogProof } from '../schemas/log.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';
import { assertValid } from '../schemas/validate.ts';
import type { Api } from './api.ts';
import { type Context, text, type Values } from './command.ts';
import { type Contradiction, keepingProof } from './misbehaviour.ts';
import { assertPinned } from './pins.ts';
import { assertGoesOn } from './roots.ts';

export const INTENT_FILE = 'lockkeeper.json';

export interface Project {
  readonly dir: string;
  readonly intentPath: string;
  readonly lockPath: string;
}

export function projectOf(context: Context, values: Values): Project {
  const dir = resolve(context.cwd, text(values, 'project') ?? '.');
  return { dir, intentPath: join(dir, INTENT_FILE), lockPath: join(dir, LOCK_FILE) };
}

/** Reads a regular file of at most so many bytes; a pipe or a device would hang, or never end. */
export async function readOr(
  path: string,
  missing: () => LockkeeperError,
  maxBytes = MAX_LOCK_BYTES,
): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? missing() : error;
    },
  );
  try {
    const stat = await file.stat();
    if (stat.isFile() && stat.size <= maxBytes) return await file.readFile();
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `${basename(path)} to be a file of at most ${maxBytes} bytes`,
      found: stat.isFile() ? `${stat.size} bytes` : 'something that is no file',
      next: `Restore ${basename(path)} from version control`,
    });
  } finally {
    await file.close();
  }
}

export async function readIntent(project: Project): Promise<Intent> {
  const bytes = await readOr(
    project.intentPath,
    () =>
      new LockkeeperError('INTENT_MISSING', {
        expected: `${INTENT_FILE} in ${project.dir}`,
        found: 'no such file',
        next: 'Ask for a server with: lk add NAME',
      }),
  );
  return assertValid(Intent, parseFile(bytes, project.intentPath), INTENT_FILE);
}

export async function writeIntent(project: Project, intent: Intent): Promise<void> {
  const { lockkeeper, ...rest } = intent;
  const body = pretty(rest as unknown as Json);
  await writeAtomic(
    project.intentPath,
    `{\n  "lockkeeper": ${JSON.stringify(lockkeeper)},\n${body.slice(2)}`,
  );
}

/** The intent a project begins with: the registry this person signed in to, and the root it showed then. */
export async function newIntent(context: Context, project: Project, values: Values): Promise<Intent> {
  const wanted = text(values, 'registry');
  const signIn = (await context.home.signIns()).find(
    (item) => wanted === undefined || item.registry === wanted,
  );
  if (!signIn) {
    throw new LockkeeperError('UNAUTHENTICATED', {
      expected: `a sign-in ${wanted ? `at ${quote(wanted)}` : 'at a registry'}, to pin its root`,
      found: 'none on this machine',
      next: 'Run: lk login URL --code CODE',
    });
  }
  const name =
    basename(project.dir)
      .toLowerCase()
      .replace(/[^a-z0-9._-]/g, '-')
      .replace(/^[^a-z0-9]+/, '') || 'project';
  return {
    lockkeeper: 'intent/v1',
    project: name,
    environment: 'development',
    registry: signIn.registry,
    trust: { rootKeys: signIn.rootKeys, threshold: signIn.threshold },
    servers: {},
  };
}

export async function readLockBytes(project: Project): Promise<Buffer> {
  return readOr(
    project.lockPath,
    () =>
      new LockkeeperError('LOCK_MISSING', {
        expected: `${LOCK_FILE} in ${project.dir}`,
        found: 'no such file',
        next: 'Run: lk lock',
      }),
  );
}

export function lockContext(intent: Intent, seen: SeenLock | null, now: Date): LockContext {
  const { trust: pin, project: audience, environment, maxLockHours } = intent;
  return { pin, audience, environment, maxLockHours, now, seen };
}

export interface OpenedProject {
  readonly intent: Intent;
  readonly bytes: Buffer;
  readonly verified: VerifiedHere;
}

/** Verified also against what this machine remembers, with the roots that show it. */
export interface VerifiedHere extends VerifiedLock {
  readonly shown: Shown;
}

export interface Beside {
  /** The registry may be asked for what the lock itself does not show. */
  readonly ask: boolean;
  /** Entries are judged apart, for whoever starts some of them. */
  readonly apart?: boolean;
  /** What came with the lock: how the log grew, and the roots before its own. */
  readonly growth?: readonly Growth[];
  readonly rootChain?: readonly Envelope[];
}

/**
 * Intent and lock of a project, verified against the newest lock this machine has seen. Has no effect but to keep the
 * proof of misbehaviour. `ask`: the registry may be asked how its log grew, where the lock itself does not show it.
 */
export async function openProject(
  context: Context,
  project: Project,
  { ask, apart = false }: Pick<Beside, 'ask' | 'apart'> = { ask: false },
): Promise<OpenedProject> {
  const intent = await readIntent(project);
  await assertPinned(context, intent);
  const bytes = await readLockBytes(project);
  return { intent, bytes, verified: await verifyHere(context, { intent, bytes }, { ask, apart }) };
}

/** A lock from wherever it came, as `openProject` verifies the one in the project. */
export async function verifyHere(
  context: Context,
  { intent, bytes }: Pick<OpenedProject, 'intent' | 'bytes'>,
  beside: Beside,
): Promise<VerifiedHere> {
  const { ask, apart = false } = beside;
  const seen = await context.home.seen(await keyHere(context, intent));
  const at = { ...lockContext(intent, seen, context.now()), apart };
  let growth = beside.growth ?? [];
  const contradiction = (): Contradiction => ({
    registry: intent.registry,
    project: intent.project,
    earlier: seen,
    later: { lock: JSON.parse(bytes.toString('utf8')), growth },
  });
  const verifyAsking = async (): Promise<VerifiedLock> => {
    try {
      return verifyLock(bytes, { ...at, growth });
    } catch (error) {
      const unproven = error instanceof LockkeeperError && error.code === 'LOG_UNPROVEN';
      if (!unproven || !ask || seen === null) throw error;
      growth = [await growthSince(await context.api(intent.registry), seen, bytes)];
      return verifyLock(bytes, { ...at, growth });
    }
  };
  return keepingProof(context, contradiction, async () => {
    const verified = await verifyAsking();
    return { ...verified, shown: await assertRoots(context, { intent, verified }, beside) };
  });
}

/** Whatever the project calls itself or pins: the roots of its registry are those that this machine believed. */
async function assertRoots(
  context: Context,
  { intent, verified }: { intent: Intent; verified: VerifiedLock },
  { ask, rootChain = [] }: Beside,
): Promise<Shown> {
  const { trusted, lock, file } = verified;
  const { root, rootChain: own } = file.evidence;
  const shown = { trusted, evidence: { root, rootChain: rootChain.length > 0 ? rootChain : own } };
  const memory = await context.home.roots(intent.registry);
  if (memory === null) return shown;
  assertOfItsTime(lock, memory);
  if (ask) return assertGoesOn(shown, memory, () => context.api(intent.registry));
  assertRemembered(shown, memory);
  return shown;
}

/** After success alone: the lock, and the roots it came with. */
export async function remember(context: Context, intent: Intent, verified: VerifiedHere): Promise<void> {
  await context.home.sawRoots(intent.registry, verified.shown, context.now());
  await context.home.saw(await keyHere(context, intent), verified.seen);
}

/** The registry's proof that the log of this lock grew out of the one seen before. */
async function growthSince(api: Api, seen: SeenLock, bytes: Buffer): Promise<Growth> {
  const from = sizeOf(seen.checkpoint);
  const to = sizeOf(parseLockFile(bytes).evidence.log.checkpoint);
  const query = { from: `${from}`, to: `${to}` };
  return { from, proof: (await api.call('logConsistency', LogProof, { query })).proof };
}

function sizeOf(note: string): number {
  return readCheckpoint(parseNote(note).text).size;
}

/** Rollback memory is kept per registry and project; one that was begun anew has none of the one before. */
export function seenKey({ registry, project }: Intent, began?: string): string {
  return began === undefined ? `${registry} ${project}` : `${registry} ${project} ${began}`;
}

async function keyHere(context: Context, intent: Intent): Promise<string> {
  return seenKey(intent, (await context.home.roots(intent.registry))?.began);
}
