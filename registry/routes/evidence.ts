/** Evidence of a period for auditors: a cut of the log, and what its entries name. Whoever gets it verifies it without us. */

import { readRoot } from '../../runtime/trust/root.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import {
  type EvidenceEntries,
  EvidenceEntriesQuery,
  type EvidenceHead,
  EvidenceQuery,
  type EvidenceRecords,
  EvidenceRecordsQuery,
  type Proved,
} from '../../schemas/evidence.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import { LogEntry, type Logged, logLeaf, rootSubject } from '../../schemas/log.ts';
import { rootRecipe } from '../../schemas/merkle.ts';
import type { LogRole } from '../../schemas/root.ts';
import { assertValid } from '../../schemas/validate.ts';
import { readWitnessKey, withLines } from '../../schemas/witness.ts';
import type { Call, Handlers } from '../app.ts';
import { witnessId } from '../checkpoints/witness-client.ts';
import { cosignaturesOf } from '../db/cosignatures.ts';
import { checkpointAfter, checkpointBefore, digestsBefore, recordsBetween } from '../db/evidence.ts';
import { entriesFrom, leafIndexes, logSize, nodesAt, type StoredCheckpoint } from '../db/log.ts';
import type { Pool } from '../db/pool.ts';
import { rootsAfter } from '../db/records.ts';
import type { Deps } from '../deps.ts';
import { consistencyProof, inclusionProofs } from '../log.ts';
import { earlierApprovals, thingOf } from '../things.ts';

const MAX_ENTRIES = 1000;
const MAX_RECORDS = 1000;
/** Characters of things in one answer, but for the last one, which may be large. */
const MAX_CHARACTERS = 8_000_000;
/** A batch of records has at most as many. */
const MAX_BATCH = 1000;

export function evidenceRoutes(deps: Deps): Handlers {
  return {
    evidence: (call) => head(call, deps),
    evidenceEntries: (call) => entries(call, deps),
    evidenceRecords: (call) => records(call, deps),
  };
}

async function head(call: Call, deps: Deps): Promise<EvidenceHead> {
  const { from, to } = call.query(EvidenceQuery);
  if (!(Date.parse(from) < Date.parse(to)))
    throw new LockkeeperError('REQUEST_INVALID', {
      expected: 'a period that begins before it ends',
      found: `${from} to ${to}`,
      next: 'Correct --from and --to',
    });
  const { pool, checkpoints } = deps;
  const { log } = (await deps.trust.current()).trusted.root;
  const by = { witnesses: log.witnesses.map(idOf), threshold: log.threshold };
  const newest = await checkpoints.witnessed(await logSize(pool));
  const begin = await checkpointBefore(pool, from, by);
  const after = await checkpointAfter(pool, to, by);
  const end = after !== null && after.size <= newest.size ? after : newest;
  const nodes = rootRecipe(begin?.size ?? 0);
  const edge = await nodesAt(pool, nodes);
  const grown = async (older: number, newer: number): Promise<string[]> =>
    older === 0 || older >= newer ? [] : (await consistencyProof(pool, older, newer)).map(base64);
  return {
    from,
    to,
    roots: await rootsLogged(pool, newest.size),
    checkpoints: {
      begin: begin && (await noteOf(pool, begin, log)),
      end: end === newest ? newest.note : await noteOf(pool, end, log),
      newest: newest.note,
    },
    edge: nodes.map(({ level, index }) => base64(edge.get(`${level} ${index}`) ?? Buffer.alloc(0))),
    growth: { end: await grown(begin?.size ?? 0, end.size), newest: await grown(end.size, newest.size) },
  };
}

function idOf(key: string): string {
  return witnessId(readWitnessKey(key));
}

function base64(hash: Buffer): string {
  return hash.toString('base64');
}

/** With every line that is stored below it: earlier roots may have named other witnesses. */
async function noteOf(pool: Pool, { size, note }: StoredCheckpoint, log: LogRole): Promise<string> {
  const lines = await cosignaturesOf(pool, size);
  const named = log.witnesses.map(idOf);
  const first = named.flatMap((id) => lines.get(id) ?? []);
  const rest = [...lines].filter(([id]) => !named.includes(id)).map(([, line]) => line);
  return withLines(bare(note), [...first, ...rest]);
}

/** The text and the log's own signature, which is the first line below it. */
function bare(note: string): string {
  const at = note.indexOf('\n\n') + 2;
  return note.slice(0, note.indexOf('\n', at) + 1);
}

async function rootsLogged(pool: Pool, size: number): Promise<EvidenceHead['roots']> {
  const envelopes = await rootsAfter(pool, 0);
  const logged = envelopes.map(
    (envelope): Logged => ({
      kind: 'root',
      subject: rootSubject(readRoot(envelope).root),
      digest: digestOf(envelope),
    }),
  );
  const proved = await prove(pool, logged, size);
  return envelopes.flatMap((envelope, at) => {
    const found = proved[at];
    return found ? [{ envelope, logged: found }] : [];
  });
}

/** Proofs in the tree of this size; null for what is not in it. */
async function prove(pool: Pool, logged: readonly Logged[], size: number): Promise<(Proved | null)[]> {
  const leaves = logged.map(logLeaf);
  const indexes = await leafIndexes(pool, leaves);
  const at = leaves.map((leaf) => indexes.get(leaf.toString('hex')) ?? size);
  const inside = at.filter((index) => index < size);
  const proofs = (await inclusionProofs(pool, inside, size)).values();
  return logged.map((one, n): Proved | null => {
    const index = at[n] ?? size;
    if (index >= size) return null;
    const proof = (proofs.next().value ?? []).map(base64);
    return { entry: { lockkeeper: 'log-entry/v1', ...one }, index, proof };
  });
}

async function entries(call: Call, deps: Deps): Promise<EvidenceEntries> {
  const query = call.query(EvidenceEntriesQuery);
  const [start, end, begin, size] = [query.start, query.end, query.begin, query.size].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  const { pool } = deps;
  const rows = await entriesFrom(pool, start, Math.max(0, Math.min(end - start, MAX_ENTRIES)));
  const answer: EvidenceEntries = { entries: [], things: [], earlier: [] };
  const approvals = new Set<string>();
  let characters = 0;
  for (const [offset, row] of rows.entries()) {
    if (characters > MAX_CHARACTERS) break;
    const entry = assertValid(LogEntry, parseStrict(row), 'an entry of the log');
    answer.entries.push(entry);
    const thing = await thingOf(deps, entry);
    if (thing === null) continue;
    answer.things.push({ index: start + offset, ...thing });
    characters += JSON.stringify(thing).length;
    for (const server of Object.values(thing.lock?.lock.servers ?? {}))
      for (const digest of server.approvals) approvals.add(`${digest} ${server.server}@${server.version}`);
  }
  const wanted = [...approvals].map((item): Logged => {
    const [digest = '', subject = ''] = item.split(' ');
    return { kind: 'approval', subject, digest };
  });
  const proved = (await prove(pool, wanted, size)).filter((one) => one !== null && one.index < begin);
  answer.earlier.push(...(await earlierApprovals(pool, proved as Proved[])));
  return answer;
}

async function records(call: Call, { pool }: Deps): Promise<EvidenceRecords> {
  const { runtime, after, upTo, begin, size } = call.query(EvidenceRecordsQuery);
  const limit = MAX_RECORDS;
  if (after !== undefined)
    return {
      previous: null,
      records: await recordsBetween(pool, runtime, { after: Number(after), upTo: Number(upTo), limit }),
    };
  const previous = await lastBatch(pool, runtime, {
    upTo: Number(upTo),
    begin: Number(begin),
    size: Number(size),
  });
  const from = previous === null ? 0 : Number(previous.entry.subject.slice(runtime.length + 1));
  return {
    previous,
    records: await recordsBetween(pool, runtime, { after: from, upTo: Number(upTo), limit }),
  };
}

/** The last batch of the journal that was logged before `begin`. */
async function lastBatch(
  pool: Pool,
  runtime: string,
  { upTo, begin, size }: { upTo: number; begin: number; size: number },
): Promise<Proved | null> {
  const heads = await digestsBefore(pool, runtime, { before: upTo, limit: MAX_BATCH });
  const logged = heads.map(
    ({ seq, digest }): Logged => ({ kind: 'audit', subject: `${runtime}#${seq}`, digest }),
  );
  const leaves = logged.map(logLeaf);
  const found = await leafIndexes(pool, leaves);
  const at = leaves.findIndex((leaf) => (found.get(leaf.toString('hex')) ?? begin) < begin);
  const head = logged[at];
  return head ? ((await prove(pool, [head], size))[0] ?? null) : null;
}
