/** People, one-time codes and tokens. Secrets are stored as their SHA-256 only. */
import { createHash, randomBytes } from 'node:crypto';
import type { RoleName } from '../../schemas/api.ts';
import type { Client } from './pool.ts';

export interface Actor {
  readonly person: string;
  readonly roles: readonly RoleName[];
  readonly expires: string;
}

const hash = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const HOUR_MS = 3_600_000;

export async function putPerson(client: Client, person: string, roles: readonly RoleName[]): Promise<void> {
  await client.query(
    'insert into people (person, roles) values ($1, $2) on conflict (person) do update set roles = excluded.roles, left_at = null',
    [person, roles],
  );
}

export interface PersonRow {
  readonly person: string;
  readonly roles: RoleName[];
}

/** Everybody who is here, by name. */
export async function listPeople(client: Client): Promise<PersonRow[]> {
  const { rows } = await client.query<PersonRow>(
    'select person, roles from people where left_at is null order by person',
  );
  return rows;
}

/** Whether somebody of that name is here; until the transaction ends they do not leave. */
export async function holdPerson(client: Client, person: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'select 1 from people where person = $1 and left_at is null for share',
    [person],
  );
  return rowCount === 1;
}

/** Ends a person's sign-ins. False when there is nobody of that name. */
export async function removePerson(client: Client, person: string): Promise<boolean> {
  await client.query('delete from tokens where person = $1', [person]);
  await client.query('delete from sign_in_codes where person = $1 and used_at is null', [person]);
  const { rowCount } = await client.query(
    'update people set left_at = now() where person = $1 and left_at is null',
    [person],
  );
  return rowCount === 1;
}

/** How many approved releases rest on this person, among others. */
export async function restingOn(client: Client, person: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(distinct r.id) from approvals a join releases r on r.id = a.release_id
     where a.person = $1 and r.state = 'approved' and a.expires_at > now()`,
    [person],
  );
  return Number(rows[0]?.count ?? 0);
}

/** 24 of 32 characters that cannot be taken for one another, in groups of four: 120 bits, and no leading dash. */
function readable(bytes: Buffer): string {
  const text = [...bytes].map((byte) => 'abcdefghjkmnpqrstuvwxyz023456789'.charAt(byte % 32)).join('');
  return text.replace(/.{4}(?=.)/g, '$&-');
}

/** A new code; older unused ones of the person no longer work. */
export async function newCode(
  client: Client,
  person: string,
  hours: number,
): Promise<{ code: string; expires: string }> {
  const code = readable(randomBytes(24));
  const expires = new Date(Date.now() + hours * HOUR_MS);
  await client.query('delete from sign_in_codes where person = $1 and used_at is null', [person]);
  await client.query('insert into sign_in_codes (code_hash, person, expires_at) values ($1, $2, $3)', [
    hash(code),
    person,
    expires,
  ]);
  return { code, expires: expires.toISOString() };
}

/** Uses a code up; null when it is unknown, used or too old. One of two racing callers wins. */
export async function useCode(
  client: Client,
  code: string,
): Promise<{ person: string; roles: RoleName[] } | null> {
  const { rows } = await client.query<{ person: string; roles: RoleName[] }>(
    `with used as (
       update sign_in_codes set used_at = now() where code_hash = $1 and used_at is null and expires_at > now() returning person
     ) select person, roles from people join used using (person) where left_at is null`,
    [hash(code)],
  );
  return rows[0] ?? null;
}

export async function newToken(
  client: Client,
  person: string,
  grant: { roles: readonly RoleName[]; hours: number },
): Promise<{ token: string; expires: string }> {
  const token = `lk_${randomBytes(32).toString('base64url')}`;
  const expires = new Date(Date.now() + grant.hours * HOUR_MS);
  await client.query('insert into tokens (token_hash, person, roles, expires_at) values ($1, $2, $3, $4)', [
    hash(token),
    person,
    grant.roles,
    expires,
  ]);
  return { token, expires: expires.toISOString() };
}

/** Whom a token speaks for: with the roles it was given that the person still has. */
export async function actorOf(client: Client, token: string): Promise<Actor | null> {
  const { rows } = await client.query<{
    person: string;
    roles: RoleName[];
    held: RoleName[];
    expires_at: Date;
  }>(
    'select person, t.roles, p.roles as held, expires_at from tokens t join people p using (person) where token_hash = $1 and expires_at > now() and left_at is null',
    [hash(token)],
  );
  const [row] = rows;
  if (!row) return null;
  return {
    person: row.person,
    roles: row.roles.filter((role) => row.held.includes(role)),
    expires: row.expires_at.toISOString(),
  };
}
