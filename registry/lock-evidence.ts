/** What a lock carries of the log: a checkpoint, what is in it, and how it grew since earlier locks. */
import { LockkeeperError } from '../schemas/errors.ts';
import { type LogEvidence, type Logged, logLeaf } from '../schemas/log.ts';
import { leafIndexes } from './db/log.ts';
import type { Pool } from './db/pool.ts';
import { consistencyProof, inclusionProofs } from './log.ts';

/** Earlier locks of a project whose readers need not ask how the log grew since. */
export const GROWTH_LOCKS = 8;

export interface Witnessed {
  readonly size: number;
  readonly note: string;
}

/** Throws LOG_BROKEN when something that was logged is not there. */
export async function evidenceOf(
  pool: Pool,
  checkpoint: Witnessed,
  of: { readonly entries: readonly Logged[]; readonly earlier: readonly number[] },
): Promise<LogEvidence> {
  const { size, note } = checkpoint;
  const leaves = of.entries.map(logLeaf);
  const found = await leafIndexes(pool, leaves);
  const indexes = leaves.map((leaf, at) => {
    const index = found.get(leaf.toString('hex'));
    if (index !== undefined && index < size) return index;
    const entry = of.entries[at];
    throw new LockkeeperError('LOG_BROKEN', {
      expected: `the ${entry?.kind} of ${entry?.subject} in the log of ${size} entries`,
      found: 'none',
      next: 'The log was changed outside of Lockkeeper: keep the database as it is and tell your security team',
    });
  });
  const proofs = await inclusionProofs(pool, indexes, size);
  const sizes = [...new Set(of.earlier)].filter((from) => from > 0 && from < size);
  const growth = [];
  for (const from of sizes) growth.push({ from, proof: texts(await consistencyProof(pool, from, size)) });
  return {
    checkpoint: note,
    growth,
    proofs: Object.fromEntries(
      of.entries.map(({ digest }, at) => [
        digest,
        { index: indexes[at] ?? 0, proof: texts(proofs[at] ?? []) },
      ]),
    ),
  };
}

function texts(hashes: readonly Buffer[]): string[] {
  return hashes.map((hash) => hash.toString('base64'));
}
