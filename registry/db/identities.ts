/** Whom the identity provider vouches for, and sign-ins that began. Secrets are stored as their SHA-256 only. */
import { createHash, randomBytes } from 'node:crypto';
import type { RoleName } from '../../schemas/api.ts';
import type { Client } from './pool.ts';

export interface Account {
  readonly issuer: string;
  readonly subject: string;
}

export interface Known {
  readonly person: string;
  readonly left: boolean;
}

const LOCK = 7_411_025;

/** One after the other: two that come first at once are not made twice, and the last administrator is counted once. */
export async function takeTurn(client: Client): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
}

/** Whose account it is; null while it is nobody's. */
export async function personOfAccount(client: Client, { issuer, subject }: Account): Promise<Known | null> {
  const { rows } = await client.query<Known>(
    `select person, left_at is not null as left from identities join people using (person)
     where issuer = $1 and subject = $2`,
    [issuer, subject],
  );
  return rows[0] ?? null;
}

/** Whether somebody of that name is or was here, and how. */
export async function nameTaken(
  client: Client,
  person: string,
): Promise<{ left: boolean; linked: boolean; roles: RoleName[] } | null> {
  const { rows } = await client.query<{ left: boolean; linked: boolean; roles: RoleName[] }>(
    `select left_at is not null as left, roles, exists (select 1 from identities i where i.person = p.person) as linked
     from people p where person = $1`,
    [person],
  );
  return rows[0] ?? null;
}

export async function isLinked(client: Client, person: string): Promise<boolean> {
  return (await nameTaken(client, person))?.linked === true;
}

/** Somebody new; false where that name is taken. */
export async function addNewcomer(
  client: Client,
  person: string,
  roles: readonly RoleName[],
): Promise<boolean> {
  const { rowCount } = await client.query(
    'insert into people (person, roles) values ($1, $2) on conflict do nothing',
    [person, roles],
  );
  return rowCount === 1;
}

/** Ends what the person had before: it was given to somebody whom nobody vouched for. */
export async function linkAccount(
  client: Client,
  { issuer, subject }: Account,
  { person, by }: { person: string; by: string },
): Promise<void> {
  await client.query('insert into identities (issuer, subject, person, linked_by) values ($1, $2, $3, $4)', [
    issuer,
    subject,
    person,
    by,
  ]);
  await endSignIns(client, person);
}

export async function endSignIns(client: Client, person: string): Promise<void> {
  await client.query('delete from tokens where person = $1', [person]);
  await client.query('delete from sign_in_codes where person = $1 and used_at is null', [person]);
}

/** Tokens with that role of people without an account: from before only the provider gave it. */
export async function endUnvouched(client: Client, role: RoleName): Promise<void> {
  await client.query(
    'delete from tokens t where $1 = any(roles) and not exists (select 1 from identities i where i.person = t.person)',
    [role],
  );
}

/** The roles of this sign-in are those that the person has from now on. */
export async function seeAccount(
  client: Client,
  { issuer, subject }: Account,
  { person, roles }: { person: string; roles: readonly RoleName[] },
): Promise<void> {
  await client.query('update identities set seen_at = now() where issuer = $1 and subject = $2', [
    issuer,
    subject,
  ]);
  await client.query('update people set roles = $2 where person = $1', [person, roles]);
}

/** By person: when the provider last vouched for them; null where it did not yet. */
export async function lastSeen(client: Client): Promise<Map<string, string | null>> {
  const { rows } = await client.query<{ person: string; seen: Date | null }>(
    'select person, max(seen_at) as seen from identities group by person',
  );
  return new Map(rows.map(({ person, seen }) => [person, seen?.toISOString() ?? null]));
}

export type Begun =
  | { readonly nonce: string; readonly redirect: string; readonly deviceCode: null }
  | { readonly nonce: null; readonly redirect: null; readonly deviceCode: string };

interface BegunRow {
  readonly nonce: string | null;
  readonly redirect: string | null;
  readonly device_code: string | null;
}

const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();
/** Open at a time, in the whole registry. */
const MAX_BEGUN = 20_000;

/** The secret that ends it; null where too many are open. What is over is swept first. */
export async function begin(
  client: Client,
  begun: Begun,
  { seconds, interval = 1 }: { seconds: number; interval?: number },
): Promise<{ id: string; expires: string } | null> {
  const id = randomBytes(32).toString('base64url');
  const expires = new Date(Date.now() + seconds * 1000);
  await client.query('delete from sign_ins_begun where expires_at <= now()');
  const { rowCount } = await client.query(
    `insert into sign_ins_begun (id_hash, nonce, redirect, device_code, interval_seconds, expires_at)
     select $1, $2, $3, $4, $5, $6 where (select count(*) from sign_ins_begun) < ${MAX_BEGUN}`,
    [hash(id), begun.nonce, begun.redirect, begun.deviceCode, interval, expires],
  );
  return rowCount === 1 ? { id, expires: expires.toISOString() } : null;
}

/** Uses it up; null where it is unknown, used or over. One of two racing callers wins. */
export async function takeBegun(client: Client, id: string): Promise<Begun | null> {
  const { rows } = await client.query<BegunRow>(
    'delete from sign_ins_begun where id_hash = $1 and expires_at > now() returning nonce, redirect, device_code',
    [hash(id)],
  );
  return begunOf(rows[0]);
}

export async function findBegun(client: Client, id: string): Promise<Begun | null> {
  const { rows } = await client.query<BegunRow>(
    'select nonce, redirect, device_code from sign_ins_begun where id_hash = $1 and expires_at > now()',
    [hash(id)],
  );
  return begunOf(rows[0]);
}

function begunOf(row: BegunRow | undefined): Begun | null {
  return row ? ({ nonce: row.nonce, redirect: row.redirect, deviceCode: row.device_code } as Begun) : null;
}

/** Whether the provider may be asked again by now; of two who ask at once one may. */
export async function mayPoll(client: Client, id: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `update sign_ins_begun set polled_at = now()
     where id_hash = $1 and polled_at + interval_seconds * interval '1 second' <= now()`,
    [hash(id)],
  );
  return rowCount === 1;
}
