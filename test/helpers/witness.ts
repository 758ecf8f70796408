/** Witnesses over HTTP, as tests need them: real keys, real sockets. */
import { generateKeyPairSync } from 'node:crypto';
import { startWitness } from '../../cli/witness/server.ts';
import { openState } from '../../cli/witness/state.ts';
import { type NoteKey, noteKeyOf, type Signer, type Verifier } from '../../schemas/note.ts';
import { readWitnessKey } from '../../schemas/witness.ts';

export const makeSigner = (name: string): Signer => ({
  name,
  privateKey: generateKeyPairSync('ed25519').privateKey,
});

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
