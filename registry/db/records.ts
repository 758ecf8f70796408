/** Append-only: roots, locks, events, and the runtimes' audit records. */
import type { AuditRecord } from '../../schemas/audit.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { Client } from './pool.ts';

export async function insertRoot(client: Client, version: number, envelope: Envelope): Promise<void> {
  await client.query('insert into roots (version, envelope) values ($1, $2)', [
    version,
    Buffer.from(JSON.stringify(envelope)),
  ]);
}

/** Roots above a version, oldest first. */
export async function rootsAfter(client: Client, version: number): Promise<Envelope[]> {
  const { rows } = await client.query<{ envelope: Buffer }>(
    'select envelope from roots where version > $1 order by version',
    [version],
  );
  return rows.map(({ envelope }) => JSON.parse(envelope.toString('utf8')) as Envelope);
}

export interface ReviewerKey {
  readonly keyid: string;
  readonly person: string;
  readonly publicKey: string;
  readonly enrolledAt: string;
}

/** The key a person signs with from now on; an older one is replaced, one of theirs from before taken up again. */
export async function enrolKey(client: Client, key: Omit<ReviewerKey, 'enrolledAt'>): Promise<void> {
  await client.query(
    'update reviewer_keys set replaced_at = now() where person = $1 and replaced_at is null',
    [key.person],
  );
  await client.query(
    `insert into reviewer_keys (keyid, person, public_key) values ($1, $2, $3)
     on conflict (keyid) do update set replaced_at = null, enrolled_at = now() where reviewer_keys.person = excluded.person`,
    [key.keyid, key.person, key.publicKey],
  );
}

/** How many keys this person enrolled in the last day, the same one twice counted twice. */
export async function keysOfToday(client: Client, person: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from events where action = 'key.enrolled' and person = $1 and at > now() - interval '1 day'`,
    [person],
  );
  return Number(rows[0]?.count ?? 0);
}

export async function activeKeys(client: Client): Promise<ReviewerKey[]> {
  const { rows } = await client.query<{
    keyid: string;
    person: string;
    public_key: string;
    enrolled_at: Date;
  }>(
    `select keyid, person, public_key, enrolled_at from reviewer_keys k join people p using (person) where replaced_at is null and left_at is null and 'reviewer' = any(p.roles) order by person`,
  );
  return rows.map((row) => ({
    keyid: row.keyid,
    person: row.person,
    publicKey: row.public_key,
    enrolledAt: row.enrolled_at.toISOString(),
  }));
}

export async function newestLock(
  client: Client,
  audience: string,
): Promise<{ version: number; digest: string } | null> {
  const { rows } = await client.query<{ version: number; digest: string }>(
    'select version, digest from locks where audience = $1 order by version desc limit 1',
    [audience],
  );
  return rows[0] ?? null;
}

export async function isSigned(
  client: Client,
  { audience, version, digest }: { audience: string; version: number; digest: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    'select 1 from locks where audience = $1 and version = $2 and digest = $3',
    [audience, version, digest],
  );
  return rowCount === 1;
}

export async function insertLock(
  client: Client,
  lock: { audience: string; version: number; digest: string; file: string },
): Promise<void> {
  await client.query('insert into locks (audience, version, digest, file) values ($1, $2, $3, $4)', [
    lock.audience,
    lock.version,
    lock.digest,
    Buffer.from(lock.file),
  ]);
}

/** What of the log a lock was handed out with. */
export async function insertLockEvidence(
  client: Client,
  lock: { audience: string; version: number; size: number; evidence: unknown },
): Promise<void> {
  await client.query(
    'insert into lock_evidence (audience, version, size, evidence) values ($1, $2, $3, $4)',
    [lock.audience, lock.version, lock.size, Buffer.from(JSON.stringify(lock.evidence))],
  );
}

/** Sizes of the log that the newest locks of a project were handed out with. */
export async function lockSizes(client: Client, audience: string, count: number): Promise<number[]> {
  const { rows } = await client.query<{ size: string }>(
    'select size from lock_evidence where audience = $1 order by version desc limit $2',
    [audience, count],
  );
  return rows.map(({ size }) => Number(size));
}

export interface Event {
  readonly person: string;
  readonly action: string;
  readonly subject: string;
  readonly detail?: unknown;
}

export async function insertEvent(client: Client, event: Event): Promise<void> {
  await client.query('insert into events (person, action, subject, detail) values ($1, $2, $3, $4)', [
    event.person,
    event.action,
    event.subject,
    JSON.stringify(event.detail ?? {}),
  ]);
}

/** The newest record the registry has of a runtime. Locks the runtime's chain for this transaction. */
export async function chainHead(
  client: Client,
  runtime: string,
): Promise<{ seq: number; digest: string | null; shippedBy: string | null }> {
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [runtime]);
  const { rows } = await client.query<{ seq: string; digest: string; shipped_by: string | null }>(
    'select seq, digest, shipped_by from audit_records where runtime = $1 order by seq desc limit 1',
    [runtime],
  );
  const [row] = rows;
  return row
    ? { seq: Number(row.seq), digest: row.digest, shippedBy: row.shipped_by }
    : { seq: 0, digest: null, shippedBy: null };
}

export async function digestAt(client: Client, runtime: string, seq: number): Promise<string | null> {
  const { rows } = await client.query<{ digest: string }>(
    'select digest from audit_records where runtime = $1 and seq = $2',
    [runtime, seq],
  );
  return rows[0]?.digest ?? null;
}

/** PostgreSQL's text holds no NUL; the record's own bytes keep it. */
function storable(text: string | undefined): string | null {
  return text === undefined ? null : text.replaceAll('\u0000', '\ufffd');
}

export async function insertRecords(
  client: Client,
  { runtime, shippedBy }: { runtime: string; shippedBy: string },
  records: readonly AuditRecord[],
): Promise<void> {
  if (records.length === 0) return;
  await client.query(
    `insert into audit_records (runtime, shipped_by, seq, at, kind, person, server, target, digest, record)
     select $1, $10, * from unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[])`,
    [
      runtime,
      records.map((record) => record.seq),
      records.map((record) => record.body.at),
      records.map((record) => record.body.kind),
      records.map((record) => storable(record.body.user)),
      records.map((record) => storable(record.body.subject?.server)),
      records.map((record) => storable(record.body.target)),
      records.map((record) => record.digest),
      records.map((record) => Buffer.from(JSON.stringify(record))),
      shippedBy,
    ],
  );
}

export interface AuditFilter {
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly user?: string | undefined;
  readonly kind?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function findRecords(client: Client, filter: AuditFilter): Promise<AuditRecord[]> {
  const { rows } = await client.query<{ record: Buffer }>(
    `select record from audit_records
     where ($1::text is null or server = $1) and ($2::text is null or target = $2) and ($3::text is null or person = $3) and ($4::text is null or kind = $4)
       and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
     order by at desc, runtime, seq desc limit $7`,
    [
      filter.server ?? null,
      filter.tool ?? null,
      filter.user ?? null,
      filter.kind ?? null,
      filter.since ?? null,
      filter.until ?? null,
      filter.limit,
    ],
  );
  return rows.map((row) => JSON.parse(row.record.toString('utf8')) as AuditRecord);
}

/** True for the one replica that takes this fire of a schedule. */
export async function takeRun(
  client: Client,
  schedule: string,
  run: { firesAt: Date; by: string },
): Promise<boolean> {
  const { rowCount } = await client.query(
    'insert into schedule_runs (schedule, fires_at, taken_by) values ($1, $2, $3) on conflict do nothing',
    [schedule, run.firesAt, run.by],
  );
  return rowCount === 1;
}
