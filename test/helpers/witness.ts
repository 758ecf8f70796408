/** A log in memory and witnesses over HTTP, as tests need them: real keys, real trees, real sockets. */
import { generateKeyPairSync } from 'node:crypto';
import { startWitness } from '../../cli/witness/server.ts';
import { openState } from '../../cli/witness/state.ts';
import {
  consistencyRecipe,
  joined,
  leafHash,
  type NodeAt,
  nodeHash,
  rootRecipe,
} from '../../schemas/merkle.ts';
import {
  checkpointText,
  type NoteKey,
  noteKeyOf,
  type Signer,
  signNote,
  type Verifier,
} from '../../schemas/note.ts';
import { readWitnessKey } from '../../schemas/witness.ts';

export const makeSigner = (name: string): Signer => ({
  name,
  privateKey: generateKeyPairSync('ed25519').privateKey,
});

export interface MemoryLog {
  readonly signer: Signer;
  readonly key: NoteKey;
  note(size: number): string;
  proof(from: number, to: number): Buffer[];
}

/** A log of entries `0`, `1`, …; `salt` makes another history under the same key. */
export function makeLog(signer: Signer, salt: (index: number) => string = () => ''): MemoryLog {
  const node = ({ level, index }: NodeAt): Buffer =>
    level === 0
      ? leafHash(Buffer.from(`${index}${salt(index)}`))
      : nodeHash(
          node({ level: level - 1, index: 2 * index }),
          node({ level: level - 1, index: 2 * index + 1 }),
        );
  return {
    signer,
    key: noteKeyOf(signer, 'log'),
    note: (size) => {
      const root = joined(rootRecipe(size).map(node));
      return signNote(checkpointText({ origin: signer.name, size, root }), signer);
    },
    proof: (from, to) => consistencyRecipe(from, to).map((recipe) => joined(recipe.map(node))),
  };
}

export interface TestWitness {
  readonly key: NoteKey;
  readonly url: string;
  /** May be added to while it runs. */
  readonly logs: Verifier[];
  readonly dir: string;
  readonly said: string[];
  post(body: string | Uint8Array): Promise<{ status: number; type: string; text: string }>;
  close(): Promise<void>;
}

export async function makeWitness(
  dir: string,
  {
    signer = makeSigner('witness.test/one'),
    logs = [],
    port = 0,
  }: { signer?: Signer; logs?: Verifier[]; port?: number } = {},
): Promise<TestWitness> {
  const key = noteKeyOf(signer, 'witness');
  const said: string[] = [];
  const state = await openState(dir, readWitnessKey(key));
  const say = (line: string): void => void said.push(line);
  const running = await startWitness({
    host: '127.0.0.1',
    port,
    signer,
    logs,
    state,
    now: () => new Date(),
    say,
  });
  return {
    key,
    url: running.url,
    logs,
    dir,
    said,
    post: async (body) => {
      const answer = await fetch(`${running.url}/add-checkpoint`, { method: 'POST', body: body as string });
      return {
        status: answer.status,
        type: answer.headers.get('content-type') ?? '',
        text: await answer.text(),
      };
    },
    close: running.close,
  };
}
