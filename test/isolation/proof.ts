/** One proof of isolation: what a server tries, and how the answers of one place are judged against those without any. */

import type { DriverName } from '../../runtime/ports.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Attempt, Place } from './place.ts';
import type { Stage } from './stage.ts';

export interface Proof {
  readonly id: string;
  /** What is tried. */
  readonly tries: string;
  run(place: Place, stage: Stage): Promise<Found>;
  /** What a driver does not hold, and why that is not a hole; a sentence for a person. */
  readonly explained?: Partial<Record<DriverName, string>>;
}

export interface Found extends Attempt {
  /** The machine has no such thing: nothing is there to be held. */
  readonly absent?: boolean;
}

export interface Verdict {
  readonly proof: string;
  readonly tries: string;
  readonly driver: string;
  readonly verdict: 'held' | 'explained' | 'BROKEN';
  /** What was seen in the sandbox. */
  readonly seen: string;
  /** What the same attempt came to without one. */
  readonly control: string;
  readonly why: string;
}

export interface Answers {
  readonly found: Answer;
  /** Without a sandbox. */
  readonly control: Answer;
}

export interface Answer extends Found {
  /** The attempt itself could not be made. */
  readonly failed?: boolean;
}

/**
 * Held only if the attempt got through bare and did not in the sandbox. An attempt that gets through nowhere proves
 * nothing: that is explained where the kernel says that it has no such thing, or where the bare one is no root.
 */
export function judge(proof: Proof, driver: string, { found, control }: Answers): Verdict {
  const verdict = (word: Verdict['verdict'], why = ''): Verdict => ({
    proof: proof.id,
    tries: proof.tries,
    driver,
    verdict: word,
    seen: found.seen,
    control: control.seen,
    why,
  });
  if (found.failed) return verdict('BROKEN', 'the attempt could not be made');
  if (found.broke) {
    const why = proof.explained?.[driver as DriverName];
    return why === undefined ? verdict('BROKEN', 'it got through') : verdict('explained', why);
  }
  if (control.absent) return verdict('explained', `this kernel has no such thing: ${control.seen}`);
  if (control.broke) return verdict('held');
  if (process.getuid?.() !== 0) return verdict('explained', 'without root the attempt gets through nowhere');
  return verdict('BROKEN', `the probe proves nothing: without a sandbox it saw ${control.seen}`);
}

/** What one place answers. */
export async function answerOf(proof: Proof, place: Place, stage: Stage): Promise<Answer> {
  try {
    return await proof.run(place, stage);
  } catch (error) {
    const seen = error instanceof LockkeeperError ? `${error.code}: ${error.message}` : String(error);
    return { broke: false, seen, failed: true };
  }
}
