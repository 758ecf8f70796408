/**
 * The second opinion: a linear model over words and cues, trained by `scripts/train.ts`. It never gates; it makes a person
 * look at a sentence that no rule knows, and says what made it think so.
 */
import { bucketsOf, featuresOf, type Read } from './features.ts';
import { BIAS, DATA, SCALE } from './weights.ts';

/** Where the line begins; a tool of one sentence counts as one of two, as it says too little to be sure of. */
const TELLS = -1.5;
/** Who looks at many sentences finds a strange one sooner or later: this much more for each e-fold of them, up to so many. */
const MANY = 1.2;
const LEAST_SENTENCES = 2;
const MOST_SENTENCES = 60;
/** What a rule knows is told from here on: both have to see it. */
export const AGREES = -1.5;

/** The opinion from which on a place is told of an item that is read in so many windows. */
export function tellsFrom(windows: number): number {
  return TELLS + MANY * Math.log(Math.min(Math.max(windows, LEAST_SENTENCES), MOST_SENTENCES));
}

let decoded: Int8Array | null = null;

function weights(): Int8Array {
  decoded ??= new Int8Array(Buffer.from(DATA, 'base64'));
  return decoded;
}

/** How much sentences that stand together sound like an attack; 0 is as likely as not. */
export function opinionOf(reads: readonly Read[]): number {
  const all = weights();
  const buckets = bucketsOf(reads);
  let sum = 0;
  for (const bucket of buckets) sum += all[bucket] ?? 0;
  return (sum * SCALE) / Math.sqrt(buckets.size || 1) + BIAS;
}

/** What weighed most in it, heaviest first. */
export function weighedMost(reads: readonly Read[], most = 5): string[] {
  const all = weights();
  return featuresOf(reads)
    .map(({ bucket, name }) => ({ name, weight: all[bucket] ?? 0 }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most)
    .map(({ name }) => name);
}
