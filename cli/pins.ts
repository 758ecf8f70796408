/** What this machine believes of roots: by a sign-in, by the environment of a pipeline, by an import, by an administrator. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { RootPin } from '../runtime/trust/root.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { Intent } from '../schemas/intent.ts';
import { parseFile } from '../schemas/json.ts';
import { RootPinFile } from '../schemas/root.ts';
import type { Static } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import { type Context, list, text, type Values } from './command.ts';
import type { SignIn } from './home.ts';

/** Every root pinned for this registry outside of any project. */
export async function pinsFor(context: Context, { registry }: Pick<Intent, 'registry'>): Promise<RootPin[]> {
  const { token } = context.config;
  const here = <T extends { registry: string }>(items: readonly T[]): T[] =>
    items.filter((item) => item.registry === registry);
  const machine = await machinePin(context);
  const deployed = machine && isFor(machine, registry) ? machine : null;
  return [
    ...(deployed ? [{ rootKeys: deployed.rootKeys, threshold: deployed.threshold }] : []),
    ...(token?.registry === registry ? [{ rootKeys: token.rootKeys, threshold: token.threshold }] : []),
    ...here(await context.home.signIns()),
    ...here(await context.home.pins()),
  ];
}

/** The sign-ins of this machine at a registry, which pin its root, the newest first. Throws ROOT_UNPINNED without any. */
export async function signInsAt(context: Context, registry: string): Promise<[SignIn, ...SignIn[]]> {
  const [first, ...rest] = (await context.home.signIns()).filter((one) => one.registry === registry);
  if (first) return [first, ...rest];
  throw new LockkeeperError('ROOT_UNPINNED', {
    expected: `a sign-in at ${quote(registry, 200)}, which pins its root`,
    found: 'none on this machine',
    next: 'Run: lk login URL --code CODE',
  });
}

/** What an administrator deployed for everybody on this machine; null where nobody did. */
async function machinePin(context: Context): Promise<Static<typeof RootPinFile> | null> {
  const { rootPin } = context.config;
  const bytes = await readFile(rootPin).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  return bytes && assertValid(RootPinFile, parseFile(bytes, rootPin), rootPin);
}

/** What was seen of a registry's roots is kept under its address: another one would begin without it. */
function isFor(pin: Static<typeof RootPinFile>, registry: string): boolean {
  return pin.registry === undefined || pin.registry === registry;
}

/**
 * The pin that --pin FILE names for this registry, or that every --root-key ID has to have signed; null without either.
 * Throws ROOT_UNTRUSTED for a file about another registry.
 */
export async function givenPin(
  context: Context,
  { registry }: Pick<Intent, 'registry'>,
  values: Values,
): Promise<RootPin | null> {
  const path = text(values, 'pin');
  if (path !== undefined) {
    const bytes = await readFile(resolve(context.cwd, path));
    const file = assertValid(RootPinFile, parseFile(bytes, path), path);
    if (isFor(file, registry)) return { rootKeys: file.rootKeys, threshold: file.threshold };
    throw new LockkeeperError('ROOT_UNTRUSTED', {
      expected: `a root pinned for ${quote(registry, 200)}`,
      found: `${path}, which is for ${quote(file.registry ?? '', 200)}`,
      next: 'Take the file of that registry: lk export pin FILE, where it is signed in to',
    });
  }
  const rootKeys = list(values, 'root-key');
  const strange = rootKeys.find((key) => !/^sha256:[0-9a-f]{64}$/.test(key));
  if (strange !== undefined)
    throw new LockkeeperError('USAGE', {
      expected: '--root-key with the whole id of a root key, sha256:<64 hex>',
      found: quote(strange),
      next: 'lk export pin FILE writes them down',
    });
  return rootKeys.length > 0 ? { rootKeys, threshold: rootKeys.length } : null;
}

/**
 * Whoever may edit a project may edit the root that it names: it has to be one pinned outside of it.
 * Throws ROOT_UNPINNED or ROOT_UNTRUSTED.
 */
export async function assertPinned(context: Context, intent: Intent): Promise<void> {
  const { registry, trust } = intent;
  const pins = (await pinsFor(context, intent)).map(pinText);
  const named = pinText(trust);
  if (pins.length === 0) {
    throw new LockkeeperError('ROOT_UNPINNED', {
      expected: `a sign-in at ${quote(registry, 200)}, which pins its root`,
      found: 'none on this machine',
      next: 'Run: lk login URL --code CODE; without a network lk import FILE --pin root-pin.json; in a pipeline set LOCKKEEPER_TOKEN, LOCKKEEPER_REGISTRY and LOCKKEEPER_ROOT_KEYS',
    });
  }
  if (pins.includes(named)) return;
  throw new LockkeeperError('ROOT_UNTRUSTED', {
    expected: `the root that this machine pinned for ${quote(registry, 200)}: ${pins[0]}`,
    found: `lockkeeper.json names ${named}`,
    next: 'Restore lockkeeper.json from version control; if the registry was rebuilt on purpose, sign in to it again',
  });
}

export function pinText({ rootKeys, threshold }: RootPin): string {
  return `${threshold} of ${[...rootKeys].sort().join(', ')}`;
}
