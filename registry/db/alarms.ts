/**
 * Checks of approved releases that end otherwise today. One row for each; the newest judgement decides which there are. What
 * the schedule last saw of where one comes from is one more: what its name means is no longer what was approved.
 */
import type { Alarm } from '../../schemas/attention.ts';
import type { Client } from './pool.ts';

export interface NewAlarm extends Omit<Alarm, 'since' | 'accepted'> {
  /** Digest of what it says. */
  readonly said: string;
}

export interface AlarmRow extends Omit<Alarm, 'since' | 'accepted'> {
  readonly releaseId: string;
  readonly since: Date;
}

/** These and no others. One that says the same, and gates as it did, keeps its cause and its time. */
export async function putAlarms(
  client: Client,
  releaseId: string,
  alarms: readonly NewAlarm[],
): Promise<void> {
  await client.query('delete from alarms where release_id = $1 and not (check_id = any($2))', [
    releaseId,
    alarms.map(({ id }) => id),
  ]);
  for (const { id, title, before, after, gates, said, message, because } of alarms)
    await client.query(
      `insert into alarms as a (release_id, check_id, title, before, after, gates, said, message, because)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (release_id, check_id) do update set title = excluded.title, before = excluded.before,
         after = excluded.after, gates = excluded.gates, said = excluded.said, message = excluded.message,
         because = case when a.said = excluded.said and a.gates >= excluded.gates then a.because else excluded.because end,
         since = case when a.said = excluded.said and a.gates >= excluded.gates then a.since else now() end`,
      [releaseId, id, title, before, after, gates, said, message, because],
    );
}

/** Where a release comes from, as a check that people answer by its name. */
const MOVED = 'LK-UPS-01';
const MOVED_TITLE = 'Its source has what was approved';

/** Of these releases, those that gate first. */
export async function listAlarms(client: Client, releaseIds: readonly string[]): Promise<AlarmRow[]> {
  const { rows } = await client.query<AlarmRow>(
    `select release_id as "releaseId", check_id as id, title, before, after, gates, message, because, since
     from alarms where release_id = any($1)
     union all
     select release_id, $2, $3, 'ok', 'fired', false, coalesce(found, '') || '. What runs is what was approved',
       array[case state when 'gone' then 'its name there is gone' else 'its name there was moved' end], since
     from upstream_looks where release_id = any($1) and what = 'name' and state in ('moved', 'gone')
     order by gates desc, id`,
    [releaseIds, MOVED, MOVED_TITLE],
  );
  return rows;
}
