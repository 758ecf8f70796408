/** Calls that wait for people. Every move is a compare-and-set; the database's clock decides what is over. */
import type { CallFacts, CallState, CallView } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import type { Client } from './pool.ts';

/** The channel on which a commit tells every replica which call changed. */
export const CALLS_CHANNEL = 'lockkeeper_calls';
const LOCK = 7_411_012;

export interface NewCall {
  readonly id: string;
  readonly facts: CallFacts;
  readonly arguments: JsonObject;
  readonly askedBy: string;
}

export interface CallCounts {
  /** Waiting: of this runtime, of this asker, of all. */
  readonly runtime: number;
  readonly asker: number;
  readonly all: number;
  /** Asked within the last minute by this asker. */
  readonly lately: number;
}

/** How many there are; until the transaction ends nobody else adds one. */
export async function countCalls(client: Client, askedBy: string, runtime: string): Promise<CallCounts> {
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
  const { rows } = await client.query<Record<keyof CallCounts, string>>(
    `select (select count(*) from calls where state in ('waiting', 'approved')) as all,
       (select count(*) from calls where state in ('waiting', 'approved') and asked_by = $1) as asker,
       (select count(*) from calls where state in ('waiting', 'approved') and asked_by = $1 and runtime = $2) as runtime,
       (select count(*) from calls where asked_by = $1 and asked_at > now() - interval '1 minute') as lately`,
    [askedBy, runtime],
  );
  const [row] = rows;
  const count = (name: keyof CallCounts): number => Number(row?.[name] ?? 0);
  return { runtime: count('runtime'), asker: count('asker'), all: count('all'), lately: count('lately') };
}

/** False when it is there already. It waits for fifteen minutes at most, by the clock here. */
export async function insertCall(client: Client, call: NewCall): Promise<boolean> {
  const { rowCount } = await client.query(
    `insert into calls (id, facts, arguments, runtime, people, asked_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, least($7::timestamptz, now() + interval '15 minutes')) on conflict do nothing`,
    [
      call.id,
      call.facts,
      Buffer.from(JSON.stringify(call.arguments)),
      call.facts.runtime,
      call.facts.people,
      call.askedBy,
      call.facts.expires,
    ],
  );
  await tell(client, call.id);
  return rowCount === 1;
}

async function tell(client: Client, id: string): Promise<void> {
  await client.query('select pg_notify($1, $2)', [CALLS_CHANNEL, id]);
}

interface Row {
  readonly id: string;
  readonly facts: CallFacts;
  readonly arguments: Buffer | null;
  readonly state: CallState;
  readonly asked_by: string;
  readonly asked_at: Date;
  readonly rejected_by: string | null;
  readonly reason: string | null;
  readonly approved_by: string[];
}

const SELECT = `select id, facts, arguments, asked_by, asked_at, rejected_by, reason,
  case when state in ('waiting', 'approved') and expires_at <= now() then 'expired' else state end as state,
  array(select person from call_approvals a where a.call = c.id order by person) as approved_by from calls c`;

function viewOf(row: Row): CallView {
  const over = row.state !== 'waiting' && row.state !== 'approved';
  return {
    id: row.id,
    facts: row.facts,
    arguments:
      over || row.arguments === null ? null : (JSON.parse(row.arguments.toString('utf8')) as JsonObject),
    state: row.state,
    askedBy: row.asked_by,
    askedAt: row.asked_at.toISOString(),
    approvedBy: row.approved_by,
    rejected:
      row.rejected_by === null || row.reason === null
        ? null
        : { person: row.rejected_by, reason: row.reason },
  };
}

export async function findCall(client: Client, id: string): Promise<CallView | null> {
  const { rows } = await client.query<Row>(`${SELECT} where id = $1`, [id]);
  return rows[0] ? viewOf(rows[0]) : null;
}

/** Nobody else decides on it until the transaction ends. */
export async function holdCall(client: Client, id: string): Promise<CallView | null> {
  await client.query('select 1 from calls where id = $1 for update', [id]);
  return findCall(client, id);
}

/** Oldest first, or the newest of all of them. */
export async function listCalls(client: Client, all: boolean, limit: number): Promise<CallView[]> {
  const { rows } = await client.query<Row>(
    all
      ? `select * from (${SELECT} order by asked_at desc, id limit $1) newest order by asked_at, id`
      : `${SELECT} where state = 'waiting' and expires_at > now() order by asked_at, id limit $1`,
    [limit],
  );
  return rows.map(viewOf);
}

/** Of each who approved it, as it was signed, in the order in which they did. */
export async function callEnvelopes(client: Client, id: string): Promise<Envelope[]> {
  const { rows } = await client.query<{ envelope: Buffer }>(
    'select envelope from call_approvals join approval_envelopes using (digest) where call = $1 order by call_approvals.given_at',
    [id],
  );
  return rows.map(({ envelope }) => JSON.parse(envelope.toString('utf8')) as Envelope);
}

/** Throws a duplicate key when this person approved it before. Returns how many people did. */
export async function insertCallApproval(
  client: Client,
  { id, person, digest, envelope }: { id: string; person: string; digest: string; envelope: Envelope },
): Promise<number> {
  await client.query(
    'insert into approval_envelopes (digest, envelope) values ($1, $2) on conflict do nothing',
    [digest, Buffer.from(JSON.stringify(envelope))],
  );
  await client.query('insert into call_approvals (call, person, digest) values ($1, $2, $3)', [
    id,
    person,
    digest,
  ]);
  await tell(client, id);
  const { rows } = await client.query<{ count: string }>(
    'select count(*) from call_approvals where call = $1',
    [id],
  );
  return Number(rows[0]?.count ?? 0);
}

export interface CallMove {
  readonly from: readonly CallState[];
  readonly to: CallState;
  readonly rejection?: { readonly person: string; readonly reason: string };
}

/** False when it is in another state, or over: nothing changed then. */
export async function moveCall(
  client: Client,
  id: string,
  { from, to, rejection }: CallMove,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `update calls set state = $3, changed_at = now(), rejected_by = $4, reason = $5,
       arguments = case when $3 = 'approved' then arguments end
     where id = $1 and state = any($2) and expires_at > now()`,
    [id, from, to, rejection?.person ?? null, rejection?.reason ?? null],
  );
  if (rowCount === 1) await tell(client, id);
  return rowCount === 1;
}

/** Ends what nobody decided on, or took, in time. Returns them. */
export async function expireCalls(client: Client): Promise<{ id: string; facts: CallFacts }[]> {
  const { rows } = await client.query<{ id: string; facts: CallFacts }>(
    `update calls set state = 'expired', changed_at = now(), arguments = null where id in (
       select id from calls where state in ('waiting', 'approved') and expires_at <= now() for update skip locked)
     returning id, facts`,
  );
  return rows;
}

/** What is said today of a release with exactly these bytes; null when there is none. */
export async function stateOfBytes(
  client: Client,
  { server, version, closureDigest }: Pick<CallFacts, 'server' | 'version' | 'closureDigest'>,
): Promise<ReleaseState | null> {
  const { rows } = await client.query<{ state: ReleaseState }>(
    `select state from releases where name = $1 and version = $2 and closure_digest = $3 and state <> 'rejected'`,
    [server, version, closureDigest],
  );
  return rows[0]?.state ?? null;
}

/** Rows of calls that were over a day ago; their events stay. */
export async function forgetCalls(client: Client): Promise<void> {
  await client.query(
    `delete from calls where state not in ('waiting', 'approved') and changed_at < now() - interval '1 day'`,
  );
}
