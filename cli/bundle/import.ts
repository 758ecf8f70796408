/** Taking a bundle in. Read twice: once to verify all of it, once to store it; the lock comes last. */
import { join } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { assertAnswers } from '../../runtime/trust/answers.ts';
import { openRoot, pinOfRoot, type RootPin } from '../../runtime/trust/root.ts';
import { LockkeeperError, quote, refusing } from '../../schemas/errors.ts';
import type { Intent } from '../../schemas/intent.ts';
import { parseLockFile } from '../../schemas/lock.ts';
import type { Context, Result, Values } from '../command.ts';
import { givenPin, pinsFor, pinText } from '../pins.ts';
import { type Project, projectOf, readIntent, remember, type VerifiedHere, verifyHere } from '../project.ts';
import { blobsOf, logSizeOf } from './export.ts';
import { type BundleHead, type Expected, readBundle } from './read.ts';

interface Judged extends Expected {
  readonly head: BundleHead;
  readonly verified: VerifiedHere;
}

export async function importBundle(context: Context, path: string, values: Values): Promise<Result> {
  const project = projectOf(context, values);
  context.progress('verifying');
  const judged = await readBundle(path, (head) => judge(context, { head, project, values }));
  const { head, verified, blobs: wanted } = judged;
  const blobs = await openBlobs(join(context.home.storeDir, 'blobs'));
  let done = 0;
  await readBundle(
    path,
    async () => judged,
    async (_digest, bytes) => {
      await blobs.put(bytes);
      context.progress(`storing: ${++done} of ${wanted.size}`);
    },
  );
  context.progress('');
  const { intent } = head;
  const known = (await pinsFor(context, intent)).map(pinText);
  // What a sign-in or an administrator pinned is not copied: it would outlive its change.
  if (!known.includes(pinText(intent.trust)))
    await context.home.pin({ registry: intent.registry, ...intent.trust });
  await writeAtomic(project.intentPath, head.intentBytes.toString('utf8'));
  await writeAtomic(project.lockPath, head.lockBytes.toString('utf8'));
  await remember(context, intent, verified);
  return told(context, project, judged);
}

/** 1 the root from this machine's pin, 2 the lock under it, 3 that it answers lockkeeper.json, 4 that it is this project's. */
async function judge(
  context: Context,
  { head, project, values }: { head: BundleHead; project: Project; values: Values },
): Promise<Judged> {
  const { intent, lockBytes, bundle } = head;
  await assertRoot(context, head, values);
  const { growth, rootChain } = bundle;
  const beside = { ask: false, growth, rootChain };
  const verified = await verifyHere(context, { intent, bytes: lockBytes }, beside).catch((error: unknown) => {
    throw offline(error);
  });
  assertAnswers(verified.lock, intent);
  await assertSameProject(project, intent);
  return { head, verified, blobs: blobsOf(verified.lock), trustRoots: verified.trusted.root.trustRoots };
}

/** The advice of who has a network is of no use here. */
function offline(error: unknown): unknown {
  if (!(error instanceof LockkeeperError) || error.code !== 'LOG_UNPROVEN') return error;
  const { code, expected, found } = error;
  const size = /the one of (\d+) seen before/.exec(expected)?.[1] ?? 'N';
  return new LockkeeperError(code, {
    expected,
    found,
    next: `Make the bundle again with: lk export bundle FILE --from-size ${size}`,
  });
}

/**
 * The root that lockkeeper.json names is the pinned one, or one that the chain in the bundle leads to from there.
 * A pin given by hand never overrules what the machine pinned before. Throws ROOT_UNPINNED or ROOT_UNTRUSTED.
 */
async function assertRoot(
  context: Context,
  { intent, lockBytes, bundle }: BundleHead,
  values: Values,
): Promise<void> {
  const given = await givenPin(context, intent, values);
  const known = await pinsFor(context, intent);
  if (given !== null && known.length > 0 && !known.map(pinText).includes(pinText(given)))
    throw untrusted(
      `the root that this machine pinned before: ${known.map(pinText).join('; or ')}`,
      `another by hand: ${pinText(given)}`,
    );
  const pins = given ? [given] : known;
  if (pins.length === 0)
    throw new LockkeeperError('ROOT_UNPINNED', {
      expected: `a root pinned for ${quote(intent.registry, 200)} on this machine`,
      found: 'none',
      next: `Run: lk import FILE --pin root-pin.json, or have an administrator deploy ${context.config.rootPin}`,
    });
  if (pins.map(pinText).includes(pinText(intent.trust))) return;
  const { root } = parseLockFile(lockBytes).evidence;
  const leads = pins.map((pin) => leadsTo(pin, { root, rootChain: bundle.rootChain }, context.now()));
  if (leads.includes(pinText(intent.trust))) return;
  throw untrusted(
    `the root that this machine pinned: ${pins.map(pinText).join('; or ')}`,
    `${pinText(intent.trust)} in the bundle, and no chain of roots from there`,
  );
}

/** The root keys at the end of the chain from a pin, or the reason why there is none. */
function leadsTo(pin: RootPin, evidence: Parameters<typeof openRoot>[0], now: Date): string {
  try {
    return pinText(pinOfRoot(openRoot(evidence, pin, now).root));
  } catch (error) {
    return (error as Error).message;
  }
}

const untrusted = refusing(
  'ROOT_UNTRUSTED',
  'Compare the root keys with the people who hold them; after a change of holders make the bundle with: lk export bundle FILE --pin OLD-PIN',
);

function projectText({ project, registry, environment, maxLockHours }: Intent): string {
  const hours = maxLockHours === undefined ? '' : `, locks of at most ${maxLockHours} hours`;
  return `${project} in ${environment} of ${registry}${hours}`;
}

/** A bundle of another project, or one that lets locks live for longer, does not take the place of this one. */
async function assertSameProject(project: Project, intent: Intent): Promise<void> {
  const here = await readIntent(project).catch((error: unknown) => {
    if (error instanceof LockkeeperError && error.code === 'INTENT_MISSING') return null;
    throw error;
  });
  if (here === null) return;
  const wider = here.maxLockHours !== undefined && !((intent.maxLockHours ?? Infinity) <= here.maxLockHours);
  const same = (['project', 'registry', 'environment'] as const).every((name) => here[name] === intent[name]);
  if (same && !wider) return;
  throw new LockkeeperError('LOCK_AUDIENCE', {
    expected: `a bundle for ${projectText(here)}, whose lockkeeper.json stands here`,
    found: `one for ${projectText(intent)}`,
    next: 'Choose the folder with --project, or move lockkeeper.json away',
  });
}

function told(context: Context, { dir }: Project, { verified, blobs }: Judged): Result {
  const { lock, digest } = verified;
  const logSize = logSizeOf(verified);
  const servers = Object.keys(lock.servers);
  return {
    data: {
      conclusion: 'ok',
      project: dir,
      lock: { version: lock.version, digest, expires: lock.expires },
      servers,
      blobs: blobs.size,
      logSize,
    },
    text: `${context.paint.green('ok')}: mcp.lock version ${lock.version} with ${servers.join(', ') || 'no server'} is in ${dir}, valid until ${lock.expires}; ${blobs.size} blobs verified and stored.\nThe log has ${logSize} entries; make the next bundle with: lk export bundle FILE --from-size ${logSize}`,
  };
}
