/**
 * The second opinion: a linear model over words, concepts and cues, trained by `scripts/train.ts`. It never gates; it makes a
 * person look at a sentence that no rule knows, and says what made it think so.
 */
import { bucketsOf, featuresOf, type Read } from './features.ts';
import { BIAS, DATA, SCALE } from './weights.ts';

/** One signed byte for each bucket, what one of them is worth, and where the sum begins. */
export interface Weights {
  readonly data: Int8Array;
  readonly scale: number;
  readonly bias: number;
}

/** Where the line begins; a tool of one sentence counts as one of two, as it says too little to be sure of. */
const TELLS = -1.4;
/** Who looks at many sentences finds a strange one sooner or later: this much more for each e-fold of them, up to so many. */
const MANY = 1.2;
const LEAST_SENTENCES = 2;
const MOST_SENTENCES = 60;
/** What a rule says as well needs to be so much less sure: both have to see it. */
export const AGREES = 2.5;

/** The opinion from which on a place is told of an item that is read in so many windows. */
export function tellsFrom(windows: number): number {
  return TELLS + MANY * Math.log(Math.min(Math.max(windows, LEAST_SENTENCES), MOST_SENTENCES));
}

let decoded: Weights | null = null;

/** Those that it ships with. */
export function weights(): Weights {
  decoded ??= { data: new Int8Array(Buffer.from(DATA, 'base64')), scale: SCALE, bias: BIAS };
  return decoded;
}

/** How much sentences that stand together sound like an attack; 0 is as likely as not. */
export function opinionOf(reads: readonly Read[], by = weights()): number {
  return scoreOf(bucketsOf(reads), by);
}

/** The same of buckets that were counted before, each once. */
function scoreOf(buckets: Iterable<number>, { data, scale, bias }: Weights): number {
  let [sum, count] = [0, 0];
  for (const bucket of buckets) {
    sum += data[bucket] ?? 0;
    count++;
  }
  return (sum * scale) / Math.sqrt(count || 1) + bias;
}

/** What weighed most in it, heaviest first. */
export function weighedMost(reads: readonly Read[], { by = weights(), most = 5 } = {}): string[] {
  return featuresOf(reads)
    .map(({ bucket, name }) => ({ name, weight: by.data[bucket] ?? 0 }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight)
    .slice(0, most)
    .map(({ name }) => name);
}
