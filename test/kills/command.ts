/** Kills as a command: so many runtimes killed at random moments, and what each left behind. */
import type { Streams } from '../attack/command.ts';
import { type Death, Field } from './field.ts';

const USAGE =
  'npm run kills [-- --json] [-- --seed N] [-- COUNT]: runtimes to kill, 1000 where none is named';
const SAID_EVERY = 50;

export interface Kills {
  readonly conclusion: 'held' | 'BROKEN';
  readonly seed: number;
  readonly kills: number;
  readonly seconds: number;
  /** Kills before any call had reached a server, and after. */
  readonly before: number;
  readonly amid: number;
  readonly reached: number;
  readonly answered: number;
  readonly withoutRecord: number;
  /** Runtimes whose processes the kernel did not end by itself, and what the next start left of them. */
  readonly swept: number;
  readonly orphans: number;
  /** The longest that a process outlived its runtime, ms. */
  readonly longestMs: number;
  readonly verified: number;
  /** What was answered with something else than its result while the runtime lived. */
  readonly refused: number;
  readonly faults: readonly string[];
}

export interface KillOptions {
  readonly count: number;
  readonly seed: number;
  readonly hasty?: boolean;
  readonly say?: (line: string) => void;
}

/** Kills so many, one after another. What it tells is held only if calls reached servers at all. */
export async function killMany({ count, seed, hasty = false, say }: KillOptions): Promise<Kills> {
  const since = performance.now();
  const field = new Field({ random: randomOf(seed), hasty });
  const deaths: Death[] = [];
  let orphans = 0;
  try {
    await field.open();
    for (let n = 1; n <= count; n++) {
      deaths.push(await field.kill());
      if (n % SAID_EVERY === 0) say?.(`${n} of ${count} killed`);
    }
  } finally {
    orphans = await field.close();
  }
  return summed(deaths, { seed, orphans, seconds: Math.round((performance.now() - since) / 100) / 10 });
}

function summed(
  deaths: readonly Death[],
  at: { readonly seed: number; readonly orphans: number; readonly seconds: number },
): Kills {
  const sum = (of: (death: Death) => number): number => deaths.reduce((all, death) => all + of(death), 0);
  const reached = sum((death) => death.reached);
  const withoutRecord = sum((death) => death.withoutRecord.length);
  const orphans = at.orphans + sum((death) => death.orphans);
  const verified = deaths.filter(({ chain }) => chain === null).length;
  const held =
    deaths.length > 0 && reached > 0 && withoutRecord + orphans === 0 && verified === deaths.length;
  const amid = deaths.filter((death) => death.reached > 0).length;
  return {
    conclusion: held ? 'held' : 'BROKEN',
    ...at,
    kills: deaths.length,
    before: deaths.length - amid,
    amid,
    reached,
    answered: sum((death) => death.answered),
    withoutRecord,
    swept: deaths.filter(({ goneMs }) => goneMs === null).length,
    orphans,
    longestMs: Math.round(Math.max(0, ...deaths.map(({ goneMs }) => goneMs ?? 0))),
    verified,
    refused: sum((death) => death.refused.length),
    faults: deaths.flatMap((death, n) => faultsOf(death, n + 1)).slice(0, 20),
  };
}

function faultsOf({ chain, withoutRecord, orphans, refused }: Death, kill: number): string[] {
  return [
    ...(chain === null ? [] : [`kill ${kill}: ${chain}`]),
    ...withoutRecord.map((message) => `kill ${kill}: ${message} reached its server without a durable record`),
    ...(orphans === 0 ? [] : [`kill ${kill}: ${orphans} processes of earlier runtimes`]),
    ...refused.map((answer) => `kill ${kill}: answered ${answer.slice(0, 300)}`),
  ];
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

/** Returns the exit code: 0 if all of it held, 1 if not, 2 for words it does not know. */
export async function runKills(words: readonly string[], { out, say }: Streams): Promise<number> {
  const json = words.includes('--json');
  const at = words.indexOf('--seed');
  const seed = at === -1 ? Date.now() % 2 ** 32 : Number(words[at + 1]);
  const rest = words.filter(
    (word, index) => word !== '--json' && (at === -1 || (index !== at && index !== at + 1)),
  );
  const count = rest.length === 0 ? 1000 : Number(rest[0]);
  if (rest.length > 1 || !Number.isSafeInteger(seed) || !Number.isSafeInteger(count) || count < 1) {
    say(USAGE);
    return 2;
  }
  const kills = await killMany({ count, seed, say });
  out(json ? `${JSON.stringify(kills)}\n` : `${told(kills)}\n`);
  return kills.conclusion === 'held' ? 0 : 1;
}

function told(kills: Kills): string {
  const { before, amid, reached, answered, withoutRecord, swept, orphans, longestMs, verified } = kills;
  return [
    `${kills.kills} runtimes killed at random moments, ${before} before a call had reached a server, ${amid} amid calls`,
    `calls that reached a server                     ${reached} (${answered} answered)`,
    `  of them without a durable record              ${withoutRecord}`,
    `runtimes whose processes the next start swept   ${swept}`,
    `  processes that were left after it             ${orphans}`,
    `longest that a process outlived its runtime     ${longestMs} ms`,
    `chains that verify                              ${verified} of ${kills.kills}`,
    ...kills.faults,
    `${kills.conclusion} (seed ${kills.seed}, ${kills.seconds} s)`,
  ].join('\n');
}
