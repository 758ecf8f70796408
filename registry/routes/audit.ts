/** Taking the runtimes' journals in, and answering who did what. */
import { AuditBatch, AuditQuery } from '../../schemas/api.ts';
import { type AuditRecord, chainDefect } from '../../schemas/audit.ts';
import { LockkeeperError, refusing } from '../../schemas/errors.ts';
import type { Call, Handlers } from '../app.ts';
import { assertSpeaksFor } from '../auth.ts';
import type { Actor } from '../db/people.ts';
import { withTransaction } from '../db/pool.ts';
import { chainHead, digestAt, findRecords, insertRecords } from '../db/records.ts';
import type { Deps } from '../deps.ts';
import { logThat } from '../log.ts';

export function auditRoutes(deps: Deps): Handlers {
  return {
    auditWrite: (call) => take(call, deps),
    auditRead: async (call) => {
      const query = call.query(AuditQuery);
      return {
        records: await findRecords(deps.pool, { ...query, limit: Math.min(Number(query.limit ?? 50), 1000) }),
      };
    },
  };
}

const broken = refusing('JOURNAL_CHAIN', 'Keep the journal and tell your security team: lk audit verify');

/** Records continue the runtime's chain; ones that are here already must be the same ones. All of a batch, or nothing. */
async function take(call: Call, { pool }: Deps): Promise<unknown> {
  const { records } = call.body(AuditBatch);
  const runtime = records[0]?.body.runtime ?? '';
  if (records.some((record) => record.body.runtime !== runtime))
    throw broken('records of one runtime', 'several');
  assertOwn(records, call.actor);
  return withTransaction(pool, async (client) => {
    const head = await chainHead(client, runtime);
    assertSameShipper(runtime, head.shippedBy, call.actor);
    const fresh = records.filter((record) => record.seq > head.seq);
    for (const record of records) {
      if (record.seq > head.seq) continue;
      const known = await digestAt(client, runtime, record.seq);
      if (known !== record.digest)
        throw broken(
          `record ${record.seq} of ${runtime} with digest ${known}, as received before`,
          record.digest,
        );
    }
    assertContinues(fresh, head);
    await insertRecords(client, { runtime, shippedBy: call.actor.person }, fresh);
    const last = fresh.at(-1);
    // The chain's head stands for all records before it.
    if (last)
      await logThat(client, { kind: 'audit', subject: `${runtime}#${last.seq}`, digest: last.digest });
    return { stored: fresh.length, upTo: fresh.at(-1)?.seq ?? head.seq };
  });
}

function assertOwn(records: readonly AuditRecord[], actor: Actor): void {
  for (const user of new Set(records.map(({ body }) => body.user))) assertSpeaksFor(actor, user);
}

/** A journal belongs to whom it first came from: nobody else can begin or continue it in their place. */
function assertSameShipper(runtime: string, before: string | null, { person, roles }: Actor): void {
  if (before === null || before === person || roles.includes('runtime')) return;
  throw new LockkeeperError('FORBIDDEN', {
    expected: `the journal ${runtime} from ${before}, as before`,
    found: `records of it from ${person}`,
    next: 'Ship it with the sign-in that it was begun with',
  });
}

function assertContinues(
  records: readonly AuditRecord[],
  head: { seq: number; digest: string | null },
): void {
  let { seq, digest } = head;
  for (const record of records) {
    const defect = chainDefect(record, seq + 1, digest);
    if (defect) throw broken(defect.expected, defect.found);
    seq = record.seq;
    digest = record.digest;
  }
}
