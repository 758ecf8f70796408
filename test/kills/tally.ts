/** What many deaths come to: sums of a fixed size, however many there were. */
import type { Death } from './field.ts';

const FAULTS_TOLD = 20;
const FAULT_CHARS = 300;

/** One kill as it is kept: what it counted, and what was wrong with it. */
export interface Counted {
  readonly kill: number;
  readonly reached: number;
  readonly answered: number;
  readonly withoutRecord: number;
  readonly orphans: number;
  readonly refused: number;
  /** Whether the kernel ended all of its processes; how long that took, ms. */
  readonly gone: boolean;
  readonly goneMs: number;
  readonly verified: boolean;
  readonly faults: readonly string[];
}

export interface Kills {
  /** `unfinished` is no verdict: nothing was wrong so far, and fewer were killed than were asked for. */
  readonly conclusion: 'held' | 'BROKEN' | 'unfinished';
  readonly seed: number;
  readonly asked: number;
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

export function counted(kill: number, death: Death): Counted {
  const { chain, withoutRecord, orphans, refused } = death;
  const faults = [
    ...(chain === null ? [] : [`kill ${kill}: ${chain}`]),
    ...withoutRecord.map((message) => `kill ${kill}: ${message} reached its server without a durable record`),
    ...(orphans === 0 ? [] : [`kill ${kill}: ${orphans} processes of earlier runtimes`]),
    ...refused.map((answer) => `kill ${kill}: answered ${answer}`),
  ];
  return {
    kill,
    reached: death.reached,
    answered: death.answered,
    withoutRecord: withoutRecord.length,
    orphans,
    refused: refused.length,
    gone: death.goneMs !== null,
    goneMs: Math.round(death.goneMs ?? 0),
    verified: chain === null,
    faults: faults.slice(0, FAULTS_TOLD).map((fault) => fault.slice(0, FAULT_CHARS)),
  };
}

export class Tally {
  #sum = { kills: 0, amid: 0, reached: 0, answered: 0, withoutRecord: 0, swept: 0, orphans: 0 };
  #more = { longestMs: 0, verified: 0, refused: 0 };
  readonly #faults: string[] = [];
  /** Something kept a runtime from being killed at all: nothing was proved of it. */
  #failed = false;

  add(one: Counted): void {
    const { kills, amid, reached, answered, withoutRecord, swept, orphans } = this.#sum;
    this.#sum = {
      kills: kills + 1,
      amid: amid + (one.reached > 0 ? 1 : 0),
      reached: reached + one.reached,
      answered: answered + one.answered,
      withoutRecord: withoutRecord + one.withoutRecord,
      swept: swept + (one.gone ? 0 : 1),
      orphans: orphans + one.orphans,
    };
    this.#more = {
      longestMs: Math.max(this.#more.longestMs, one.goneMs),
      verified: this.#more.verified + (one.verified ? 1 : 0),
      refused: this.#more.refused + one.refused,
    };
    for (const fault of one.faults) this.#tell(fault);
  }

  /** What the last sweep of all left. */
  left(orphans: number): void {
    this.#sum = { ...this.#sum, orphans: this.#sum.orphans + orphans };
    if (orphans > 0) this.#tell(`${orphans} processes after the last sweep`);
  }

  fail(fault: string): void {
    this.#failed = true;
    this.#tell(fault);
  }

  /** Held only if calls reached servers at all, and as many were killed as were asked for. */
  sum({ seed, asked, seconds }: Pick<Kills, 'seed' | 'asked' | 'seconds'>): Kills {
    const { kills, amid, reached, withoutRecord, orphans } = this.#sum;
    const clean = !this.#failed && withoutRecord + orphans === 0 && this.#more.verified === kills;
    const whole = kills >= asked && reached > 0;
    const open = kills < asked ? 'unfinished' : 'BROKEN';
    const conclusion = clean ? (whole ? 'held' : open) : 'BROKEN';
    const rest = { ...this.#sum, ...this.#more, before: kills - amid, faults: [...this.#faults] };
    return { conclusion, seed, asked, seconds, ...rest };
  }

  #tell(fault: string): void {
    if (this.#faults.length < FAULTS_TOLD) this.#faults.push(fault);
  }
}

export function told(kills: Kills): string {
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
    `${kills.conclusion}${kills.kills < kills.asked ? ` at ${kills.kills} of ${kills.asked}` : ''} (seed ${kills.seed}, ${kills.seconds} s)`,
  ].join('\n');
}

/** Where it stands, in one line. */
export function standing({ kills, asked, withoutRecord, orphans, verified, seconds }: Kills): string {
  return `${kills} of ${asked} killed in ${seconds} s: ${withoutRecord} calls without a record, ${orphans} orphans, ${verified} chains verified`;
}
