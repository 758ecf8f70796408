/** Proofs that are one attempt of the probe that lives as long as its place. */
import type { Json } from '../../schemas/common.ts';
import { asLockkeeperError } from '../../schemas/errors.ts';
import type { Attempt, Place } from './place.ts';
import type { Proof } from './proof.ts';
import type { Stage } from './stage.ts';

type Words = readonly Json[] | ((stage: Stage, place: Place) => readonly Json[]);

export interface Try {
  /** Name of the attempt in probe.mjs, and its words. */
  readonly does: readonly [name: string, words?: Words];
  readonly explained?: Proof['explained'];
  /** A limit on the whole sandbox may end the server. */
  readonly mayEnd?: boolean;
}

/** Where being ended is how a limit is kept. */
export async function orEnded(attempt: Promise<Attempt>, seen = 'the server was ended'): Promise<Attempt> {
  return attempt.catch((error: unknown) => {
    if (asLockkeeperError(error).code === 'SERVER_DIED') return { broke: false, seen };
    throw error;
  });
}

export function tries(
  id: string,
  what: string,
  { does: [name, words = []], explained = {}, mayEnd = false }: Try,
): Proof {
  return {
    id,
    tries: what,
    explained,
    run: async (place, stage) => {
      const probe = await place.probe();
      const attempt = probe.attempt(name, ...(typeof words === 'function' ? words(stage, place) : words));
      return mayEnd ? orEnded(attempt) : attempt;
    },
  };
}
