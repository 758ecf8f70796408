/** lockkeeper.policy, beside lockkeeper.json: people edit it, the lock carries it, the runtime reads it there alone. */
import { join } from 'node:path';
import { POLICY_FILE } from '../runtime/policy/words.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { sha256 } from '../schemas/json.ts';
import { type Lock, MAX_POLICY_BYTES } from '../schemas/lock.ts';
import { type Project, readOr } from './project.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function missing(path: string): LockkeeperError {
  return new LockkeeperError('POLICY_MISSING', {
    expected: `the file ${path}`,
    found: 'none',
    next: 'Write one; "everyone: all locked tools" is one that permits whoever signed in all (docs/policy.md)',
  });
}

/** The text of a policy file. Throws POLICY_MISSING where there is none, POLICY_INVALID for bytes that are no text. */
export async function readPolicyAt(path: string): Promise<string> {
  const bytes = await readOr(path, () => missing(path), MAX_POLICY_BYTES);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new LockkeeperError('POLICY_INVALID', {
      expected: `${POLICY_FILE} in UTF-8`,
      found: 'bytes that are none',
      next: 'Save it as UTF-8',
      cause,
    });
  }
}

/** The project's own; null where it has none. */
export async function readPolicyFile({ dir }: Project): Promise<string | null> {
  try {
    return await readPolicyAt(join(dir, POLICY_FILE));
  } catch (error) {
    if (error instanceof LockkeeperError && error.code === 'POLICY_MISSING') return null;
    throw error;
  }
}

/** Throws POLICY_DROPPED for a lock that says that its policy was dropped, where whoever asks did not say so. */
export function assertNotDropped({ policyDropped }: Pick<Lock, 'policyDropped'>, said: boolean): void {
  if (!policyDropped || said) return;
  throw new LockkeeperError('POLICY_DROPPED', {
    expected: 'a lock that carries a policy, as one before it did',
    found: droppedSentence(policyDropped),
    next: `Put ${POLICY_FILE} back and run lk lock, or say that it is to be so: lk ci --drop-policy`,
  });
}

export function droppedSentence({ digest, by, at }: NonNullable<Lock['policyDropped']>): string {
  return `${by} dropped ${digest} at ${at}, and every locked tool is allowed`;
}

/** Throws POLICY_DROPPED where the next lock would lose the policy of this one, USAGE where both is said. */
export function assertKept(before: Lock | null, file: string | null, drop: boolean): void {
  if (drop && file !== null) {
    throw new LockkeeperError('USAGE', {
      expected: `--drop-policy where there is no ${POLICY_FILE}`,
      found: 'the file',
      next: 'Remove it as well, or leave --drop-policy out',
    });
  }
  if (drop || file !== null || !before?.policy) return;
  throw new LockkeeperError('POLICY_DROPPED', {
    expected: `${POLICY_FILE}, as the lock before carries a policy (${before.policy.digest})`,
    found: 'no such file',
    next: 'Put it back, or say that it is to go: lk lock --drop-policy',
  });
}

/** File and lock carry the same policy, or neither does; and it is understood for exactly these servers. */
export async function assertPolicy(lock: Lock, file: string | null): Promise<void> {
  const differs = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('POLICY_DIFFERS', { expected, found, next: 'Run: lk lock' });
  const { policy } = lock;
  if (file === null && policy)
    throw differs(`${POLICY_FILE} beside a lock that carries a policy`, 'no such file');
  if (file !== null && !policy) throw differs(`a lock that carries ${POLICY_FILE}`, 'one without a policy');
  if (file === null || !policy) return;
  if (sha256(file) !== policy.digest)
    throw differs(
      `${POLICY_FILE} as it is in the lock, ${policy.digest}`,
      `a text with digest ${sha256(file)}`,
    );
  // Cedar is loaded where there is a policy to read.
  const { assertUnderstood } = await import('../runtime/policy/locked.ts');
  assertUnderstood(lock);
}
