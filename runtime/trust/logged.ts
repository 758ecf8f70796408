/** The log's part of verifying a lock: its checkpoint, what that grew out of, and what is in it. */
import { LockkeeperError } from '../../schemas/errors.ts';
import { type Growth, type LogEvidence, type Logged, logLeaf } from '../../schemas/log.ts';
import { verifyInclusion } from '../../schemas/merkle.ts';
import { parseNote, readCheckpoint } from '../../schemas/note.ts';
import type { LogRole } from '../../schemas/root.ts';
import { assertGrew, type OpenedCheckpoint, openCheckpoint } from './checkpoint.ts';
import { CLOCK_SKEW_MS, short } from './root.ts';

export interface LogSteps {
  readonly checkpoint: OpenedCheckpoint;
  /** Throws LOG_INCLUSION unless the evidence proves that the entry is in the checkpoint. */
  assertLogged(entry: Logged): void;
}

export interface LogContext {
  readonly role: LogRole;
  /** The checkpoint this machine accepted last, as its signed note. */
  readonly seen: { readonly checkpoint: string } | null;
  readonly now: Date;
  readonly growth?: readonly Growth[] | undefined;
}

/** Throws LOG_SIGNATURE, LOG_WITNESS, LOG_ROLLBACK, LOG_FORK, LOG_UNPROVEN or LOCK_FUTURE. */
export function openLogEvidence(evidence: LogEvidence, context: LogContext): LogSteps {
  const checkpoint = openCheckpoint(evidence.checkpoint, context.role);
  assertClock(checkpoint, context.now);
  if (context.seen !== null) {
    const earlier = readCheckpoint(parseNote(context.seen.checkpoint).text);
    const proof = [...evidence.growth, ...(context.growth ?? [])].find(({ from }) => from === earlier.size);
    assertGrew(earlier, checkpoint, proof ? proof.proof.map(hash) : null);
  }
  return { checkpoint, assertLogged: (entry) => assertLogged(entry, evidence, checkpoint) };
}

function hash(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

function assertLogged(entry: Logged, evidence: LogEvidence, { size, root }: OpenedCheckpoint): void {
  const found = Object.hasOwn(evidence.proofs, entry.digest) ? evidence.proofs[entry.digest] : undefined;
  const leaf = logLeaf(entry);
  if (found && verifyInclusion({ index: found.index, size, leaf, proof: found.proof.map(hash), root }))
    return;
  throw new LockkeeperError('LOG_INCLUSION', {
    expected: `the ${entry.kind} ${short(entry.digest)} of ${entry.subject} in the log of ${size} entries`,
    found: found ? 'a proof that does not fit' : 'no proof of it',
    next: 'Restore mcp.lock from version control, or run: lk lock; if it stays so, tell your security team',
  });
}

/** A clock that stands before what witnesses have already seen cannot judge what has expired. */
function assertClock({ witnesses }: OpenedCheckpoint, now: Date): void {
  const latest = Math.max(0, ...witnesses.values()) * 1000;
  if (latest <= now.getTime() + CLOCK_SKEW_MS) return;
  throw new LockkeeperError('LOCK_FUTURE', {
    expected: `a checkpoint witnessed before ${now.toISOString()}`,
    found: `one witnessed at ${new Date(latest).toISOString()}`,
    next: 'Check this machine’s clock',
  });
}
