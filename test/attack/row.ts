/** One row of the attack matrix: what an attacker has and does, who refuses it, and how the row is judged. */
import { type Code, LockkeeperError } from '../../schemas/errors.ts';
import type { World } from './world.ts';

export interface Row {
  readonly id: string;
  /** What the attacker has. */
  readonly attacker: string;
  /** What the attacker does with it. */
  readonly attack: string;
  /** Who says no: the runtime, the gate, the registry, the witness, or whoever verifies the log. */
  readonly refusedBy: 'runtime and gate' | 'gate' | 'registry' | 'witness' | 'store' | 'monitor';
  readonly code: Code;
  run(world: World): Promise<Scenario> | Scenario;
}

export interface Scenario {
  /** The same without the attack; has to succeed. */
  control(): Promise<unknown>;
  /** Has to be refused. */
  attack(): Promise<unknown>;
  /** All that the attack must leave as it is, as one text. */
  state(): Promise<string> | string;
  /** What else has to be so once it was refused: throws what is not, may tell a measurement. */
  after?(error: LockkeeperError): Promise<string | undefined> | string | undefined;
}

export interface Verdict {
  readonly id: string;
  readonly attacker: string;
  readonly attack: string;
  readonly refusedBy: string;
  readonly code: Code;
  readonly held: boolean;
  /** The refusal's sentence, or what is wrong with the row. */
  readonly found: string;
  readonly note: string;
  readonly ms: number;
}

/** A refusal is a sentence: what was expected, what was found, what to do next. */
const SENTENCE = /^[^:]+: expected .+; found .+\. .+\.$/s;

/** Holds only if the control succeeds, the attack ends in exactly this code, and nothing else happened. */
export async function judge(row: Row, world: World): Promise<Verdict> {
  const began = performance.now();
  const { id, attacker, attack, refusedBy, code } = row;
  const verdict = (held: boolean, found: string, note = ''): Verdict => {
    const ms = Math.round(performance.now() - began);
    return { id, attacker, attack, refusedBy, code, held, found, note, ms };
  };
  try {
    const scenario = await row.run(world);
    const failed = await thrownBy(() => scenario.control());
    if (failed) return verdict(false, `the same without the attack failed: ${textOf(failed)}`);
    const before = await scenario.state();
    const error = await thrownBy(() => scenario.attack());
    if (!(error instanceof LockkeeperError) || error.code !== code)
      return verdict(false, error ? `refused with another word: ${textOf(error)}` : 'it was not refused');
    if (!SENTENCE.test(error.message)) return verdict(false, `no sentence: ${error.message}`);
    if ((await scenario.state()) !== before) return verdict(false, 'refused, but something was changed');
    return verdict(true, error.message, (await scenario.after?.(error)) ?? '');
  } catch (thrown) {
    return verdict(false, textOf(thrown));
  }
}

async function thrownBy(run: () => Promise<unknown>): Promise<unknown> {
  try {
    await run();
    return null;
  } catch (error) {
    return error;
  }
}

function textOf(error: unknown): string {
  return error instanceof LockkeeperError ? `${error.code}: ${error.message}` : String(error);
}

/** Throws with the sentence unless it is so. */
export function must(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(sentence);
}
