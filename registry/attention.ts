/** What somebody has to look after, from what the database knows now. */
import type { TrustedRoot } from '../runtime/trust/root.ts';
import type { Attention } from '../schemas/attention.ts';
import { toldOf, unanswered } from './alarms.ts';
import { heldReleases } from './db/affected.ts';
import { listAlarms } from './db/alarms.ts';
import { failedLooks } from './db/failed-looks.ts';
import { listServers } from './db/servers.ts';
import { listStandings, type StandingRow } from './db/standings.ts';
import { listTrustFiles } from './db/trust-files.ts';
import { openLooks } from './db/upstream-looks.ts';
import type { Deps } from './deps.ts';
import { DUE_DAYS } from './expiry.ts';
import { lastEnd, reviewBy } from './standing.ts';

const DAY_MS = 86_400_000;

export async function attention({ pool, trust }: Pick<Deps, 'pool' | 'trust'>): Promise<Attention> {
  const { trusted } = await trust.current();
  const approved = await listStandings(pool);
  const alarms = await listAlarms(
    pool,
    approved.map(({ id }) => id),
  );
  const judged = approved.flatMap((row) => {
    const open = unanswered(toldOf(alarms, row, trusted), trusted);
    return open.length === 0
      ? []
      : [{ ...headOf(row), gates: open.some(({ gates }) => gates), alarms: open }];
  });
  judged.sort((a, b) => Number(b.gates) - Number(a.gates) || a.id - b.id);
  const failed = (await failedLooks(pool)).map(({ attempts, reason, since, ...row }) => ({
    ...{ ...headOf(row), attempts, reason, since: since.toISOString() },
  }));
  const unwatched = (await openLooks(pool)).map(({ problem, since, ...row }) => ({
    ...{ ...headOf(row), reason: problem, since: since.toISOString() },
  }));
  const pins = trusted.root.trustRoots;
  const trustFiles = (await listTrustFiles(pool))
    .filter(({ name, digest }) => pins[name] !== digest)
    .map(({ name, since }) => ({ name, since: since.toISOString() }));
  return {
    ...{ judged, failed, trustFiles, unwatched },
    ...{ due: dueAmong(approved, trusted, new Date()) },
    orphaned: await listServers(pool, { orphaned: true }),
    held: (await heldReleases(pool)).map(headOf),
  };
}

function headOf({ id, name, version }: Pick<StandingRow, 'id' | 'name' | 'version'>) {
  return { id: Number(id), name, version };
}

function dueAmong(approved: readonly StandingRow[], trusted: TrustedRoot, now: Date): Attention['due'] {
  const due = approved.flatMap((row) => {
    const end = reviewBy(row, trusted, now);
    if (end !== null && end.getTime() > now.getTime() + DUE_DAYS * DAY_MS) return [];
    const by = (end ?? lastEnd(row) ?? now).toISOString();
    return [{ ...headOf(row), by, lapsed: end === null }];
  });
  return due.sort((a, b) => a.by.localeCompare(b.by) || a.id - b.id);
}
