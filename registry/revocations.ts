/** Withdrawing a release: one path for a person's word and for the registry's own. */
import { canonical, digestOf } from '../schemas/json.ts';
import { revocationOf } from '../schemas/revocation.ts';
import { type Client, type Pool, withTransaction } from './db/pool.ts';
import { findRelease, moveState, type ReleaseRow } from './db/releases.ts';
import { insertRevocation, type NewRevocation } from './db/revocations.ts';
import { MOVES, wrongState } from './lifecycle.ts';
import { recordEvent } from './log.ts';

export interface Withdrawal {
  readonly reason: string;
  /** In whose name. */
  readonly person: string;
  readonly stated: NewRevocation;
  /** What the event says beside that. */
  readonly detail?: Readonly<Record<string, unknown>>;
  /** Asked while no other revocation can come between, this one counted; throws to undo it. */
  readonly allow?: (client: Client) => Promise<void>;
}

/** State, revocation, event and log entry in one transaction, whose commit tells the streams. Throws STATE_CONFLICT. */
export async function withdraw(
  pool: Pool,
  row: ReleaseRow,
  { reason, person, stated, detail = {}, allow }: Withdrawal,
): Promise<void> {
  await withTransaction(pool, async (client) => {
    const how = row.lapsed_at ? MOVES.revokeLapsed : MOVES.revoke;
    if (!(await moveState(client, row.id, { ...how, reason }))) {
      const now = await findRelease(client, row.id);
      throw wrongState('revoke', now?.state ?? row.state);
    }
    await insertRevocation(client, stated);
    await allow?.(client);
    await recordEvent(client, {
      person,
      action: 'release.revoke',
      subject: `${row.name}@${row.version}`,
      detail: { reason, signed: stated.envelope !== null, ...detail },
      logged: { kind: 'revocation', digest: stated.digest },
    });
  });
}

/** The registry's own words, for whoever has the role but no key at hand. */
export function unsigned(row: ReleaseRow, reason: string, person: string): NewRevocation {
  const at = new Date().toISOString();
  const statement = revocationOf({ ...factsOf(row), reason, revokedBy: person, at });
  const bytes = Buffer.from(canonical(statement));
  return { releaseId: row.id, digest: digestOf(statement), statement, bytes, envelope: null };
}

/** What a revocation has to be about. Throws STATE_CONFLICT for a release that was never scanned. */
export function factsOf(row: ReleaseRow): { server: string; version: string; closureDigest: string } {
  if (row.closure === null) throw wrongState('revoke', row.state);
  return { server: row.name, version: row.version, closureDigest: row.closure.digest };
}
