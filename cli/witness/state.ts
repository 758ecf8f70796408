/** What a witness must never forget: the newest checkpoint of each log, under its own cosignature; and evidence. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { textIfThere } from '../../runtime/store/there.ts';
import type { Misbehaviour, Remembered } from '../../runtime/trust/witness.ts';
import { Closed } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseFile, sha256 } from '../../schemas/json.ts';
import { parseNote, readCheckpoint, signersOf, type Verifier } from '../../schemas/note.ts';
import { Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';

const State = Closed({
  lockkeeper: Type.Literal('witness-state/v1'),
  /** By origin: the whole note, with the witness's own cosignature. */
  checkpoints: Type.Record(Type.String({ minLength: 1, maxLength: 200 }), Type.String({ maxLength: 65_536 })),
});

/** More kept evidence says nothing new, and a disk is finite. */
const MAX_EVIDENCE = 1000;

export interface WitnessState {
  remembered(origin: string): Remembered | null;
  /** On disk when this returns. Throws, and remembers nothing, where it cannot be. */
  remember(next: Remembered): Promise<void>;
  /** Keeps two notes that contradict each other, once. Returns the path of the file; null where it was kept before. */
  keep(evidence: Misbehaviour, at: Date): Promise<string | null>;
}

/**
 * Reads the memory in `dir`, making the folder at the first start. Throws DOCUMENT_INVALID for a file that is torn,
 * edited, or of another key: without its memory a witness would cosign what it ought to refuse.
 */
export async function openState(dir: string, own: Verifier): Promise<WitnessState> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'state.json');
  let text = await textIfThere(path);
  const memory = text === null ? new Map<string, Remembered>() : readState(text, path, own);
  const kept = new Set<string>();
  return {
    remembered: (origin) => memory.get(origin) ?? null,
    remember: async (next) => {
      if ((await textIfThere(path)) !== text) throw foreign(path);
      const notes = new Map([...memory].map(([origin, { note }]) => [origin, note]));
      notes.set(next.origin, next.note);
      const value = { lockkeeper: 'witness-state/v1', checkpoints: Object.fromEntries(notes) };
      const written = `${JSON.stringify(value, null, 2)}\n`;
      await writeAtomic(join(dir, 'state.json'), written, 0o600);
      text = written;
      memory.set(next.origin, next);
    },
    keep: async (evidence, at) => {
      const key = sha256(`${evidence.earlier}\n\n${parseNote(evidence.later).text}`);
      if (kept.has(key) || kept.size >= MAX_EVIDENCE) return null;
      const name = `misbehaviour-${at.toISOString().replace(/[:.]/g, '-')}-${key.slice(7, 15)}.json`;
      const value = { lockkeeper: 'misbehaviour/v1', at: at.toISOString(), ...evidence };
      await writeAtomic(join(dir, name), `${JSON.stringify(value, null, 2)}\n`, 0o600);
      kept.add(key);
      return join(dir, name);
    },
  };
}

function readState(text: string, path: string, own: Verifier): Map<string, Remembered> {
  try {
    const { checkpoints } = assertValid(State, parseFile(text, path), path);
    return new Map(
      Object.entries(checkpoints).map(([origin, note]) => {
        const parsed = parseNote(note);
        const checkpoint = readCheckpoint(parsed.text);
        if (checkpoint.origin === origin && signersOf(parsed, [own])?.has(own.name))
          return [origin, { ...checkpoint, note }];
        throw new Error(`a checkpoint of ${quote(origin, 80)} that ${own.name} did not cosign`);
      }),
    );
  } catch (cause) {
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `the memory of the witness ${own.name} in ${path}, as it wrote it with this key`,
      found: (cause as Error).message.replace(/\.$/, ''),
      next: 'Restore the file, or the name and the key it was written with; a witness that begins anew has forgotten what it saw',
      cause,
    });
  }
}

function foreign(path: string): LockkeeperError {
  return new LockkeeperError('STATE_CONFLICT', {
    expected: `${path} as this witness left it`,
    found: 'another text',
    next: 'Stop whatever else writes there: one witness process to one state folder',
  });
}
