/** What the entries of the log name, as it is stored: each found by its digest, so that another thing is none. */
import { whereThere } from '../runtime/store/blobs.ts';
import { envelopeDigest } from '../schemas/approval.ts';
import type { Json } from '../schemas/common.ts';
import type { EarlierApproval, Proved, Thing } from '../schemas/evidence.ts';
import { digestOf } from '../schemas/json.ts';
import type { LogEntry } from '../schemas/log.ts';
import { approvalEnvelope, lockNamed, rejectionsOf, revocationNamed, submissionsOf } from './db/evidence.ts';
import type { Pool } from './db/pool.ts';
import type { Deps } from './deps.ts';

type Named = Omit<Thing, 'index'>;

/** Null for what stands elsewhere (roots, audit records) and for what is not there any more. */
export async function thingOf({ pool, blobs }: Deps, entry: LogEntry): Promise<Named | null> {
  const { kind, subject, digest } = entry;
  const at = subject.lastIndexOf(kind === 'lock' ? '#' : '@');
  const [name, version] = [subject.slice(0, at), subject.slice(at + 1)];
  if (kind === 'submission') {
    const submission = (await submissionsOf(pool, name, version)).find((one) => digestOf(one) === digest);
    return submission === undefined ? null : { submission: submission as Json };
  }
  if (kind === 'verdict') {
    const report = await whereThere(blobs, digest);
    return report && { report: report.toString('utf8') };
  }
  if (kind === 'approval') {
    const approval = await approvalEnvelope(pool, digest);
    return approval && { approval };
  }
  if (kind === 'call') {
    const call = await approvalEnvelope(pool, digest);
    return call && { call };
  }
  if (kind === 'rejection') {
    const all = await rejectionsOf(pool, subject);
    const rejection = all.find((one) => digestOf(one) === digest);
    return rejection ? { rejection } : null;
  }
  if (kind === 'revocation') {
    const revocation = await revocationNamed(pool, digest);
    return (
      revocation && { revocation: { ...revocation, statement: revocation.statement as unknown as Json } }
    );
  }
  if (kind === 'lock') {
    const lock = await lockNamed(pool, name, Number(version));
    return lock && { lock };
  }
  return null;
}

/** The envelopes of approvals that were proved to be in the log. */
export async function earlierApprovals(pool: Pool, proved: readonly Proved[]): Promise<EarlierApproval[]> {
  const found: EarlierApproval[] = [];
  for (const logged of proved) {
    const envelope = await approvalEnvelope(pool, logged.entry.digest);
    if (envelope && envelopeDigest(envelope) === logged.entry.digest) found.push({ logged, envelope });
  }
  return found;
}
