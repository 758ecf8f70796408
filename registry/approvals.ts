/** Which approvals of a release count, and which a new one takes the place of. */
import { type OpenedApproval, opened } from '../runtime/trust/approval.ts';
import type { TrustedRoot } from '../runtime/trust/root.ts';
import type { Approval } from '../schemas/approval.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { listAlarms } from './db/alarms.ts';
import type { Client } from './db/pool.ts';
import { approvalsOf, deleteApproval } from './db/releases.ts';

const DAY_MS = 86_400_000;
/** How long before its end an approval may be given anew. */
const RENEW_MS = 30 * DAY_MS;

/**
 * An approval that a new one of the same person takes the place of: nearly over, by a key that no longer counts, for
 * other environments, of a difference where the whole release was read now, or from before something that the new one
 * accepts stood against the release.
 */
export async function dropWorn(
  client: Client,
  id: string,
  fresh: OpenedApproval,
  trusted: TrustedRoot,
): Promise<void> {
  const wanted = environmentsOf(fresh.approval);
  const { accepts } = fresh.approval.predicate;
  const answered = (await listAlarms(client, [id])).filter((alarm) => Object.hasOwn(accepts, alarm.id));
  for (const { digest, person, envelope, expires } of await approvalsOf(client, id, true)) {
    if (person !== fresh.person) continue;
    const old = opened(envelope, trusted);
    const worn = old === null || Date.parse(expires) < Date.now() + RENEW_MS;
    const whole = old !== null && isDelta(old.approval) && !isDelta(fresh.approval);
    const late = old === null ? 0 : Date.parse(old.approval.predicate.notBefore);
    const answers = answered.some(({ since }) => since.getTime() > late);
    if (worn || whole || answers || environmentsOf(old.approval) !== wanted) {
      if (!worn) assertNoFewer(old.approval, fresh.approval);
      await deleteApproval(client, digest);
    }
  }
}

/** What somebody approved before stays approved: the new statement has to cover the old one's environments. */
function assertNoFewer(old: Approval, fresh: Approval): void {
  const left = old.predicate.environments.filter((name) => !fresh.predicate.environments.includes(name));
  if (left.length === 0) return;
  throw new LockkeeperError('APPROVAL_SCOPE', {
    expected: `an approval that still covers ${old.predicate.environments.join(', ')}`,
    found: `one for ${fresh.predicate.environments.join(', ') || 'no environment'}`,
    next: `Name all of them: ${[...new Set([...old.predicate.environments, ...fresh.predicate.environments])].map((name) => `--environment ${name}`).join(' ')}`,
  });
}

function isDelta({ predicate }: Approval): boolean {
  return predicate.deltaFrom !== undefined;
}

function environmentsOf({ predicate }: Approval): string {
  return [...predicate.environments].sort().join(' ');
}

/** How many people approved it for the environment, of these, that most of them approved it for. */
export async function countFor(
  client: Client,
  id: string,
  { environments, trusted }: { environments: readonly string[]; trusted: TrustedRoot },
): Promise<number> {
  const given = (await approvalsOf(client, id)).map(({ envelope }) => opened(envelope, trusted));
  const counts = environments.map(
    (name) =>
      new Set(
        given.filter((one) => one?.approval.predicate.environments.includes(name)).map((one) => one?.person),
      ).size,
  );
  return Math.max(0, ...counts);
}
