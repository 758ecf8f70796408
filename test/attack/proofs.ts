/** What client and witness keep of a log that contradicts itself, checked as a third person would. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { logKey } from '../../registry/log.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { type Checkpoint, parseNote, readCheckpoint, readNoteKey, signersOf } from '../../schemas/note.ts';
import type { Company } from './company.ts';
import type { Machine } from './machine.ts';
import { must } from './row.ts';

export interface Stage {
  readonly company: Company;
  /** It took the lock before anything was rewritten. */
  readonly machine: Machine;
  readonly lock: LockFile;
}

/** Both notes verify with the log's key, and are of the one log. */
function signedPair({ registry }: Company, notes: readonly unknown[]): [Checkpoint, Checkpoint] {
  const key = readNoteKey(logKey(registry.deps.trust.logSigner));
  const [earlier, later] = notes.map((note) => {
    const parsed = parseNote(String(note));
    must(signersOf(parsed, [key])?.has(key.name) ?? false, 'a kept note is not signed by the log');
    return readCheckpoint(parsed.text);
  });
  if (!earlier || !later) throw new Error('two notes are not there');
  return [earlier, later];
}

/** What the client kept shows the contradiction to whoever holds the log's key. */
export function clientProof(code: string, contradicts: (earlier: Checkpoint, later: Checkpoint) => boolean) {
  return ({ machine, company }: Stage): string => {
    const [proof, ...more] = machine.proofs();
    must(proof?.code === code && more.length === 0, `the client kept ${JSON.stringify(proof?.code)}`);
    const later = proof?.later as { checkpoint?: string; lock?: LockFile };
    const earlier = proof?.earlier as string | { checkpoint: string };
    const notes = [
      typeof earlier === 'string' ? earlier : earlier.checkpoint,
      later.checkpoint ?? later.lock?.evidence.log.checkpoint,
    ];
    must(contradicts(...signedPair(company, notes)), 'the two notes do not contradict each other');
    return 'the client kept both signed checkpoints';
  };
}

export const fork = (a: Checkpoint, b: Checkpoint): boolean => a.size === b.size && !a.root.equals(b.root);
export const other = (a: Checkpoint, b: Checkpoint): boolean => !a.root.equals(b.root);
export const smaller = (a: Checkpoint, b: Checkpoint): boolean => b.size < a.size;

/** What the witness kept: two checkpoints of one size that the log signed. */
export function witnessProof({ company }: Stage): string {
  const { dir, said } = company.witness;
  const kept = readdirSync(dir)
    .filter((name) => name.startsWith('misbehaviour-'))
    .map(
      (name) =>
        JSON.parse(readFileSync(join(dir, name), 'utf8')) as { kind: string; earlier: string; later: string },
    );
  const forks = kept.filter(({ kind }) => kind === 'fork');
  must(forks.length === 1, `the witness kept ${kept.map(({ kind }) => kind).join(', ') || 'nothing'}`);
  for (const { earlier, later } of forks)
    must(fork(...signedPair(company, [earlier, later])), 'no fork in its notes');
  must(
    said.some((line) => line.startsWith('MISBEHAVIOUR')),
    'the witness said nothing',
  );
  return 'the witness kept both signed checkpoints';
}

export async function toldCutBack({ company }: Stage): Promise<string> {
  const { rows } = await company.registry.pool.query<{ said: string }>(
    `select detail ->> 'said' as said from events where action = 'witness.refused'`,
  );
  must(
    rows.some(({ said }) => said.includes('cut back')),
    'no event says that the log was cut back',
  );
  return 'an event names the size that the witness has seen';
}
