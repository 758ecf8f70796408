/** Kills as a command: so many runtimes killed at random moments, and what each left behind. */
import { parseArgs } from 'node:util';
import type { Streams } from '../helpers/show.ts';
import { Field } from './field.ts';
import { type Kept, openKept } from './kept.ts';
import { counted, type Kills, standing, Tally, told } from './tally.ts';

const USAGE = `npm run kills -- [--json] [--seed N] [--parallel N] [--kept FILE] [COUNT]

  COUNT       runtimes to kill (default: 1000)
  --parallel  lives side by side (default: 1)
  --kept      keeps each kill in this file; a run that names it again goes on from there
  --seed      the same number, the same moments (default: another one each time)
  --json      one object in the place of the sums
`;
const SAID_EVERY = 25;
const MOST_PARALLEL = 16;

export interface KillOptions {
  readonly count: number;
  readonly seed: number;
  /** Lives side by side, each lane in folders of its own. */
  readonly parallel?: number;
  readonly hasty?: boolean;
  readonly kept?: Kept;
  /** Begins no further life. */
  readonly stop?: AbortSignal;
  readonly say?: (line: string) => void;
}

/** Kills so many. What one kill comes to depends on the seed and its number, not on the lane that it has. */
export async function killMany(options: KillOptions): Promise<Kills> {
  const { count, seed, parallel = 1, kept, say } = options;
  const since = performance.now();
  const tally = new Tally();
  for (const one of kept?.done ?? []) if (one.kill <= count) tally.add(one);
  const done = new Set(kept?.done.map(({ kill }) => kill));
  const open = Array.from({ length: count }, (_, at) => at + 1).filter((kill) => !done.has(kill));
  const stand = (): Kills => {
    const seconds = Math.round((performance.now() - since) / 100) / 10;
    return tally.sum({ seed, asked: count, seconds });
  };
  const lanes = Array.from({ length: Math.min(parallel, open.length) }, () =>
    lane(open, options, {
      tally,
      told: () => {
        const now = stand();
        if (now.kills % SAID_EVERY === 0) say?.(standing(now));
      },
    }),
  );
  await Promise.all(lanes);
  return stand();
}

/** One life after another, of those that nobody has taken yet. What goes wrong with one ends all lanes. */
async function lane(
  open: number[],
  { seed, hasty = false, kept, stop }: KillOptions,
  { tally, told: tell }: { readonly tally: Tally; readonly told: () => void },
): Promise<void> {
  const field = new Field({ hasty });
  try {
    await field.open();
    while (!stop?.aborted) {
      const kill = open.shift();
      if (kill === undefined) break;
      const one = counted(kill, await field.kill(randomOf(seed + kill * 0x9e3779b9)));
      kept?.add(one);
      tally.add(one);
      tell();
    }
  } catch (error) {
    open.length = 0;
    // Whoever ends the run from the keyboard ends the runtimes as well.
    if (!stop?.aborted) tally.fail(error instanceof Error ? error.message : String(error));
  } finally {
    tally.left(await field.close());
  }
}

/** The same moments for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Asked {
  readonly json: boolean;
  readonly count: number;
  readonly seed: number;
  readonly parallel: number;
  readonly file: string | null;
}

function asked(words: readonly string[]): Asked | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        seed: { type: 'string', default: `${Date.now() % 2 ** 32}` },
        parallel: { type: 'string', default: '1' },
        kept: { type: 'string' },
      },
    });
    const [count = '1000', ...more] = positionals;
    const numbers = { count: Number(count), seed: Number(values.seed), parallel: Number(values.parallel) };
    const known = more.length === 0 && Object.values(numbers).every((one) => Number.isSafeInteger(one));
    const { count: many, seed, parallel } = numbers;
    if (!known || many < 1 || seed < 0 || parallel < 1 || parallel > MOST_PARALLEL) return null;
    return { ...numbers, json: values.json, file: values.kept ?? null };
  } catch {
    return null;
  }
}

const EXITS = { held: 0, BROKEN: 1, unfinished: 4 } as const;

/** Returns the exit code: 0 if all of it held, 1 if not, 2 for words it does not know, 4 if it was ended before. */
export async function runKills(
  words: readonly string[],
  { out, say }: Streams,
  stop?: AbortSignal,
): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    out(USAGE);
    return 0;
  }
  const run = asked(words);
  if (!run) {
    say(USAGE);
    return 2;
  }
  const { count, parallel, file, json } = run;
  let kept: Kept | undefined;
  try {
    if (file !== null) kept = openKept(file, run.seed);
  } catch (error) {
    say((error as Error).message);
    return 2;
  }
  const from = kept ? { seed: kept.seed, kept } : { seed: run.seed };
  const kills = await killMany({ count, parallel, ...from, say, ...(stop ? { stop } : {}) });
  out(json ? `${JSON.stringify(kills)}\n` : `${told(kills)}\n`);
  return EXITS[kills.conclusion];
}
