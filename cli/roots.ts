/** Roots as this machine meets them: from a pin, and along what it believed before. */
import { assertRemembered, type RootMemory, type Shown } from '../runtime/trust/memory.ts';
import { openRoot, pinOfRoot, type RootPin, readRoot, type TrustedRoot } from '../runtime/trust/root.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { TrustView } from '../schemas/keys.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { pinsFor } from './pins.ts';

/** Asks for the newest root with what leads to it from any of these keys. */
export function askRoots(api: Api, rootKeys: readonly string[]): Promise<TrustView> {
  const query = rootKeys.length > 0 ? { pin: rootKeys.join(',') } : {};
  return api.call('trust', TrustView, { query });
}

/**
 * Asserts that it goes with what is remembered. A pin may be a later one than the newest root seen here: the roots
 * between are asked for, where `ask` may be. Returns all that was shown then.
 */
export async function assertGoesOn(
  shown: Shown,
  memory: RootMemory,
  ask: () => Promise<Api>,
): Promise<Shown> {
  try {
    assertRemembered(shown, memory);
    return shown;
  } catch (error) {
    if (!(error instanceof LockkeeperError) || error.code !== 'ROOT_UNTRUSTED') throw error;
    const { root } = shown.evidence;
    const view = await askRoots(await ask(), pinOfRoot(readRoot(memory.newest).root).rootKeys);
    const last = readRoot(root).root.version;
    const between = [...view.rootChain, view.root].filter((one) => readRoot(one).root.version < last);
    const whole = { ...shown, evidence: { root, rootChain: between } };
    assertRemembered(whole, memory);
    return whole;
  }
}

export interface Today extends Shown {
  readonly trusted: TrustedRoot;
}

/**
 * The registry's newest root from this pin; never an older one than this machine believed.
 * Throws ROOT_UNTRUSTED, ROOT_EXPIRED, ROOT_FORK or ROOT_ROLLBACK.
 */
export async function rootOfToday(context: Context, api: Api, pin: RootPin): Promise<Today> {
  const memory = await context.home.roots(api.registry);
  const { root, rootChain } = await askRoots(api, pin.rootKeys);
  const evidence = { root, rootChain };
  const trusted = openRoot(evidence, pin, context.now());
  return { ...(await assertToday({ evidence, trusted }, memory, api)), trusted };
}

/** The same from what this machine has pinned for the registry, without a project. Throws ROOT_UNPINNED as well. */
export async function rootAt(context: Context, api: Api): Promise<TrustedRoot> {
  const [pin] = await pinsFor(context, api);
  if (pin) return (await rootOfToday(context, api, pin)).trusted;
  throw new LockkeeperError('ROOT_UNPINNED', {
    expected: `a sign-in at ${api.registry}, which pins its root`,
    found: 'none on this machine',
    next: 'Run: lk login URL --code CODE',
  });
}

export async function assertToday(shown: Shown, memory: RootMemory | null, api: Api): Promise<Shown> {
  if (memory === null) return shown;
  const [found, newest] = [shown.evidence.root, memory.newest].map((one) => readRoot(one).root.version);
  if (Number(found) >= Number(newest)) return assertGoesOn(shown, memory, async () => api);
  throw new LockkeeperError('ROOT_ROLLBACK', {
    expected: `root version ${newest} or newer of ${api.registry}, as this machine believed it before`,
    found: `version ${found}`,
    next: 'Tell your security team; if the registry was rebuilt on purpose: lk login URL --code CODE --new-root',
  });
}
