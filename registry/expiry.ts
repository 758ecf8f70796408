/**
 * Approvals end by themselves: an approved release that has too few of them goes back to review, one that soon will is
 * announced. Run by the schedule and at start; any number at once do it once.
 */
import type { TrustedRoot } from '../runtime/trust/root.ts';
import { type Pool, withTransaction } from './db/pool.ts';
import { findRelease, moveState } from './db/releases.ts';
import { listStandings, type StandingRow } from './db/standings.ts';
import type { Deps } from './deps.ts';
import { MOVES } from './lifecycle.ts';
import { recordEvent } from './log.ts';
import { queueRescan } from './queue.ts';
import { SELF } from './root.ts';
import { reviewBy } from './standing.ts';

const DAY_MS = 86_400_000;
/** How long before its approvals end a release is due for re-review. */
export const DUE_DAYS = 14;

export interface Expired {
  readonly lapsed: number;
  readonly due: number;
}

/** Moves what lapsed and announces what is due. Each announcement is made once per end. */
export async function expireApprovals(
  deps: Pick<Deps, 'pool' | 'trust'>,
  now: Date = new Date(),
): Promise<Expired> {
  const { trusted } = await deps.trust.current();
  const done = { lapsed: 0, due: 0 };
  for (const row of await listStandings(deps.pool)) {
    const end = reviewBy(row, trusted, now);
    if (end === null) done.lapsed += await lapse(deps.pool, row.id, { trusted, now });
    else if (end.getTime() <= now.getTime() + DUE_DAYS * DAY_MS)
      done.due += await announce(deps.pool, row, end);
  }
  return done;
}

/** Looks again under the row's lock: an approval may have come in meanwhile. */
async function lapse(pool: Pool, id: string, at: { trusted: TrustedRoot; now: Date }): Promise<0 | 1> {
  return withTransaction(pool, async (client) => {
    await client.query('select 1 from releases where id = $1 for update', [id]);
    const row = await findRelease(client, id);
    if (!row || reviewBy(row, at.trusted, at.now) !== null) return 0;
    if (!(await moveState(client, id, MOVES.lapse))) return 0;
    await client.query('update releases set lapsed_at = $2 where id = $1', [id, at.now]);
    await queueRescan(client, id);
    await recordEvent(client, {
      person: SELF,
      action: 'release.lapsed',
      subject: `${row.name}@${row.version}`,
      detail: {
        approvals: row.approvals.map(({ digest, person, expires }) => ({ digest, person, expires })),
      },
    });
    return 1;
  });
}

async function announce(pool: Pool, row: StandingRow, end: Date): Promise<0 | 1> {
  return withTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `update releases set review_told = $2 where id = $1 and state = 'approved' and review_told is distinct from $2`,
      [row.id, end],
    );
    if (rowCount !== 1) return 0;
    await queueRescan(client, row.id);
    await recordEvent(client, {
      person: SELF,
      action: 'release.re-review',
      subject: `${row.name}@${row.version}`,
      detail: { due: end.toISOString() },
    });
    return 1;
  });
}
