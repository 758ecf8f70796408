/** A registry that contradicts itself is not an error but misbehaviour: what proves it is kept, apart from everything else. */
import { join } from 'node:path';
import { writeAtomic } from '../runtime/store/atomic.ts';
import { type Code, LockkeeperError } from '../schemas/errors.ts';
import type { Context } from './command.ts';

const MISBEHAVIOUR: ReadonlySet<Code> = new Set([
  'LOG_FORK',
  'LOG_ROLLBACK',
  'LOCK_EQUIVOCATION',
  'ROOT_ROLLBACK',
  'ROOT_FORK',
]);

export interface Contradiction {
  readonly registry: string;
  readonly project: string;
  /** Both sides, as they were signed: checkpoints, locks, proofs. */
  readonly earlier: unknown;
  readonly later: unknown;
}

/** Runs it; what it throws that is misbehaviour is written down with its proof, told, and thrown on. */
export async function keepingProof<T>(
  context: Context,
  proof: () => Contradiction,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof LockkeeperError && MISBEHAVIOUR.has(error.code)) {
      const at = context.now().toISOString();
      const path = join(context.home.dir, 'misbehaviour', `${at.replaceAll(':', '')}-${error.code}.json`);
      const { code, message } = error;
      const document = { lockkeeper: 'misbehaviour/v1', at, code, sentence: message, ...proof() };
      await writeAtomic(path, `${JSON.stringify(document, null, 2)}\n`, 0o600);
      context.say(`lk: the proof of this is kept in ${path}; give it to your security team`);
    }
    throw error;
  }
}
