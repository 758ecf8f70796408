/** What evidence of a period is made of: where the log stood, and what its entries name. */
import type { AuditRecord } from '../../schemas/audit.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import type { LockFile } from '../../schemas/lock.ts';
import type { Revocation } from '../../schemas/revocation.ts';
import type { StoredCheckpoint } from './log.ts';
import type { Client } from './pool.ts';

export interface Quorum {
  readonly witnesses: readonly string[];
  readonly threshold: number;
}

interface Row {
  readonly size: string;
  readonly root: Buffer;
  readonly note: string;
}

function stored(row: Row | undefined): StoredCheckpoint | null {
  return row ? { ...row, size: Number(row.size) } : null;
}

/** The largest checkpoint that was made, and cosigned by as many of these, before this instant. */
export async function checkpointBefore(
  client: Client,
  at: string,
  by: Quorum,
): Promise<StoredCheckpoint | null> {
  const { rows } = await client.query<Row>(
    `select size, root, note from log_checkpoints c where signed_at <= $1 and $3 <= (
       select count(*) from log_cosignatures s where s.size = c.size and s.witness = any($2) and s.cosigned_at <= $1)
     and not exists (select 1 from log_entries e where e.index < c.size and e.logged_at >= $1)
     order by size desc limit 1`,
    [at, by.witnesses, by.threshold],
  );
  return stored(rows[0]);
}

/** The smallest checkpoint that was made, and cosigned by as many of these, at or after this instant. */
export async function checkpointAfter(
  client: Client,
  at: string,
  by: Quorum,
): Promise<StoredCheckpoint | null> {
  const { rows } = await client.query<Row>(
    `select size, root, note from log_checkpoints c where signed_at >= $1 and $3 <= (
       select count(*) from log_cosignatures s where s.size = c.size and s.witness = any($2) and s.cosigned_at >= $1)
     and size > (select coalesce(max(index), -1) from log_entries where logged_at < $1)
     order by size limit 1`,
    [at, by.witnesses, by.threshold],
  );
  return stored(rows[0]);
}

/** Also one whose place another has taken since. */
export async function approvalEnvelope(client: Client, digest: string): Promise<Envelope | null> {
  const { rows } = await client.query<{ envelope: Buffer }>(
    'select envelope from approval_envelopes where digest = $1',
    [digest],
  );
  return rows[0] ? (JSON.parse(rows[0].envelope.toString('utf8')) as Envelope) : null;
}

/** Every submission of this version, whatever became of it. */
export async function submissionsOf(client: Client, name: string, version: string): Promise<unknown[]> {
  const { rows } = await client.query<{ submission: unknown }>(
    'select submission from releases where name = $1 and version = $2 order by id',
    [name, version],
  );
  return rows.map(({ submission }) => submission);
}

export async function rejectionsOf(
  client: Client,
  subject: string,
): Promise<{ reason: string; person: string }[]> {
  const { rows } = await client.query<{ reason: string; person: string }>(
    `select detail ->> 'reason' as reason, person from events where action = 'release.reject' and subject = $1 order by id`,
    [subject],
  );
  return rows;
}

export async function revocationNamed(
  client: Client,
  digest: string,
): Promise<{ statement: Revocation; envelope: Envelope | null } | null> {
  const { rows } = await client.query<{ statement: Buffer; envelope: Buffer | null }>(
    'select statement, envelope from revocations where digest = $1 order by id limit 1',
    [digest],
  );
  const [row] = rows;
  return row
    ? {
        statement: JSON.parse(row.statement.toString('utf8')) as Revocation,
        envelope: row.envelope && (JSON.parse(row.envelope.toString('utf8')) as Envelope),
      }
    : null;
}

export async function lockNamed(
  client: Client,
  audience: string,
  version: number,
): Promise<Pick<LockFile, 'lock' | 'signatures'> | null> {
  const { rows } = await client.query<{ file: Buffer }>(
    'select file from locks where audience = $1 and version = $2',
    [audience, version],
  );
  return rows[0]
    ? (JSON.parse(rows[0].file.toString('utf8')) as Pick<LockFile, 'lock' | 'signatures'>)
    : null;
}

/** Records of one journal after `after` up to `upTo`, in order. */
export async function recordsBetween(
  client: Client,
  runtime: string,
  { after, upTo, limit }: { after: number; upTo: number; limit: number },
): Promise<AuditRecord[]> {
  const { rows } = await client.query<{ record: Buffer }>(
    'select record from audit_records where runtime = $1 and seq > $2 and seq <= $3 order by seq limit $4',
    [runtime, after, upTo, limit],
  );
  return rows.map(({ record }) => JSON.parse(record.toString('utf8')) as AuditRecord);
}

/** The newest records before `before`: number and digest. */
export async function digestsBefore(
  client: Client,
  runtime: string,
  { before, limit }: { before: number; limit: number },
): Promise<{ seq: number; digest: string }[]> {
  const { rows } = await client.query<{ seq: string; digest: string }>(
    'select seq, digest from audit_records where runtime = $1 and seq < $2 order by seq desc limit $3',
    [runtime, before, limit],
  );
  return rows.map(({ seq, digest }) => ({ seq: Number(seq), digest }));
}
