/** Which locked servers are refused today: by the lock itself, or by the registry. */
import type { VerifiedEntry } from '../runtime/trust/entry.ts';
import { asLockkeeperError, type LockkeeperError } from '../schemas/errors.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { assertCurrent, isVerdict, type States } from './current.ts';
import { heardBefore, rememberStates } from './heard.ts';
import type { OpenedProject } from './project.ts';

/** How long a start waits for the registry's word, ms. */
const ASK_MS = 2500;

/** By alias. */
export type Refused = ReadonlyMap<string, LockkeeperError>;

/**
 * A registry that is asked and says no is believed at once: of a release, that one is refused and its neighbours are not;
 * of the lock, it throws. One that does not answer is passed over, but for what this machine heard of it before: the lock's
 * own end limits for how long. A lock that is older than the newest one is no reason, a replaced one is.
 */
export async function refusedToday(
  context: Context,
  api: Api | null,
  opened: OpenedProject,
): Promise<Refused> {
  const refusals = new Map(opened.verified.refused);
  for (const [alias, error] of refusals) context.say(`lk: ${alias} is refused: ${error.message}`);
  const { entries } = opened.verified;
  const place = { home: context.home, registry: opened.intent.registry, say: context.say };
  const unasked = async (why: string): Promise<void> => {
    context.say(`lk: ${why}`);
    for (const [alias, error] of await heardBefore(entries, place)) refused(alias, error);
  };
  const refused = (alias: string, error: LockkeeperError): void => {
    if (!refusals.has(alias)) context.say(`lk: ${alias} is refused: ${error.message}`);
    refusals.set(alias, refusals.get(alias) ?? error);
  };
  const told = (states: States): void => rememberStates(entries, states, place);
  if (!api) {
    await unasked('not signed in to the registry of this lock; it is not asked about revocations');
    return refusals;
  }
  try {
    await assertCurrent(context, api.within(ASK_MS), { ...opened, refused, told });
  } catch (thrown) {
    const error = asLockkeeperError(thrown);
    if (isVerdict(error.code)) throw error;
    await unasked(`the registry was not asked about revocations: ${error.message}`);
  }
  return refusals;
}

/** Throws the refusal of the first one that is wanted, where none of them is left. */
export function assertSome(
  wanted: readonly VerifiedEntry[],
  { verified }: OpenedProject,
  refused: Refused,
): void {
  const aliases = [...verified.entries].filter(([, one]) => wanted.includes(one)).map(([alias]) => alias);
  const errors = aliases.flatMap((alias) => refused.get(alias) ?? []);
  if (errors[0] && errors.length === aliases.length) throw errors[0];
}
