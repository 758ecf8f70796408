/** Revocations: append-only, in an order that no transaction can slip into later. */
import type { Envelope } from '../../schemas/dsse.ts';
import type { Revocation, RevocationEvent } from '../../schemas/revocation.ts';
import type { Client } from './pool.ts';

/** The channel on which a commit tells every replica. */
export const CHANNEL = 'lockkeeper_revocations';
const LOCK = 7_411_006;

export interface NewRevocation {
  readonly releaseId: string;
  readonly digest: string;
  readonly statement: Revocation;
  /** The exact bytes of the statement. */
  readonly bytes: Uint8Array;
  readonly envelope: Envelope | null;
}

/** Stores it in the caller's transaction; the commit tells every replica. Ids become visible in their order. */
export async function insertRevocation(client: Client, revocation: NewRevocation): Promise<void> {
  const { releaseId, digest, statement, bytes, envelope } = revocation;
  await client.query('select pg_advisory_xact_lock($1)', [LOCK]);
  await client.query(
    'insert into revocations (release_id, server, digest, statement, envelope) values ($1, $2, $3, $4, $5)',
    [
      releaseId,
      statement.predicate.server,
      digest,
      Buffer.from(bytes),
      envelope && Buffer.from(JSON.stringify(envelope)),
    ],
  );
  await client.query(`notify ${CHANNEL}`);
}

interface Row {
  readonly id: string;
  readonly digest: string;
  readonly statement: Buffer;
  readonly envelope: Buffer | null;
}

/** Oldest first, after this id; of one server when it is named. */
export async function revocationsAfter(
  client: Client,
  { after, server, limit }: { after: number; server: string | null; limit: number },
): Promise<RevocationEvent[]> {
  const { rows } = await client.query<Row>(
    `select id, digest, statement, envelope from revocations
     where id > $1 and ($2::text is null or server = $2) order by id limit $3`,
    [after, server, limit],
  );
  return rows.map(eventOf);
}

/** What is announced is read out of the stored statement: columns beside it could be edited by themselves. */
function eventOf({ id, digest, statement, envelope }: Row): RevocationEvent {
  const { predicate } = JSON.parse(statement.toString('utf8')) as Revocation;
  return {
    id: Number(id),
    ...predicate,
    signedBy: envelope ? predicate.revokedBy : null,
    digest,
    envelope: envelope && (JSON.parse(envelope.toString('utf8')) as Envelope),
  };
}

/** How many releases this person revoked in the last day, without a signature. */
export async function revokedToday(client: Client, person: string): Promise<number> {
  const { rows } = await client.query<{ count: string }>(
    `select count(*) from revocations where envelope is null and revoked_at > now() - interval '1 day'
       and convert_from(statement, 'utf8')::jsonb #>> '{predicate,revokedBy}' = $1`,
    [person],
  );
  return Number(rows[0]?.count ?? 0);
}

/** The newest id; 0 when nothing was ever revoked. */
export async function newestRevocation(client: Client): Promise<number> {
  const { rows } = await client.query<{ id: string }>('select coalesce(max(id), 0) as id from revocations');
  return Number(rows[0]?.id ?? 0);
}
