/** One control at one place of the gate: how it is tried, and where it does not apply. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../schemas/common.ts';
import { until } from '../helpers/wait.ts';
import { FACES, type FaceName, openFace, pause, type Setup, type Talk } from './faces.ts';

export interface Row {
  /** The number of the step in the design. */
  readonly step: number;
  readonly control: string;
  readonly direction: 'to the server' | 'to the client';
  readonly kind: 'bytes' | 'request' | 'notice' | 'answer';
  /** Made anew for each face. */
  readonly make: () => Trial | Promise<Trial>;
  /** Faces where there is nothing to try, and why. */
  readonly absent?: Partial<Record<FaceName, string>>;
}

export interface Trial {
  readonly setup: Setup;
  /** Throws when the control does not hold. */
  readonly run: (talk: Talk) => Promise<void>;
}

export const trial =
  (run: Trial['run'], setup: Setup = {}): Row['make'] =>
  () => ({ setup, run });

export interface Verdict {
  readonly row: string;
  readonly face: FaceName;
  readonly verdict: 'held' | 'n/a' | 'BROKEN';
  /** Why it does not apply, or what was seen. */
  readonly why: string;
}

export const nameOf = ({ step, control, direction, kind }: Row): string =>
  `${step} ${control}: ${kind} ${direction}`;

/** Longer than any row waits for an answer, ms. */
const MOST_MS = 45_000;

export async function judge(row: Row, face: FaceName): Promise<Verdict> {
  const at = { row: nameOf(row), face };
  const absent = row.absent?.[face];
  if (absent !== undefined) return { ...at, verdict: 'n/a', why: absent };
  let talk: Talk | undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${MOST_MS / 1000} s`)), MOST_MS);
  });
  try {
    const { setup, run } = await row.make();
    talk = await Promise.race([openFace(face, setup), late]);
    await Promise.race([run(talk), late]);
    return { ...at, verdict: 'held', why: '' };
  } catch (error) {
    return { ...at, verdict: 'BROKEN', why: String((error as Error).message).slice(0, 400) };
  } finally {
    clearTimeout(timer);
    await Promise.race([talk?.close().catch(() => undefined), pause(3000)]);
  }
}

/** Every row at every face. */
export async function judgeAll(
  rows: readonly Row[],
  tell: (line: string) => void = () => undefined,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const row of rows) {
    tell(nameOf(row));
    verdicts.push(...(await Promise.all(FACES.map((face) => judge(row, face)))));
  }
  return verdicts;
}

export const codeOf = (message: JsonObject | undefined): unknown =>
  (message?.error as { data?: { code?: string } } | undefined)?.data?.code;

/** It is answered with this code, and nothing of it reached the server. */
export async function refused(
  talk: Talk,
  asked: Promise<JsonObject[]>,
  code: string,
  word = 'marked',
): Promise<void> {
  const answer = (await asked).at(-1);
  assert.equal(codeOf(answer), code, `answered ${JSON.stringify(answer)?.slice(0, 300)}`);
  await untouched(talk, word);
}

/** Something with this word in it reached the server. */
export const reaches = (talk: Talk, word: string): Promise<true> =>
  until(() => talk.reached().includes(word));

/** Nothing with this word in it reached the server, also a moment later. */
export async function untouched(talk: Talk, word = 'marked'): Promise<void> {
  await pause(50);
  assert.ok(!talk.reached().includes(word), `the server was reached: ${talk.reached().slice(0, 300)}`);
}
