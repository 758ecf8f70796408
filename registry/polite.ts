/** Manners towards hosts that are asked often: few questions at once, a pause between them, longer where a host asks for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LockkeeperError } from '../schemas/errors.ts';

export interface Manners {
  /** Questions to one host at the same time. */
  readonly atOnce: number;
  /** Milliseconds between two of them; up to as many again are added by chance, so that many registries do not ask in step. */
  readonly pauseMs: number;
}

interface Clock {
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<unknown>;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Asks a host once it may be asked; throws what the question throws. */
export type Politely = <T>(host: string, ask: () => Promise<T>) => Promise<T>;

const CLOCK: Clock = { now: Date.now, sleep, random: Math.random };
/** The longest pause, and the first one once a host asked for less. */
const MOST_MS = 60_000;
const FIRST_MS = 2000;

export function politely(manners: Manners, clock: Clock = CLOCK): Politely {
  const hosts = new Map<string, Host>();
  return (name, ask) => {
    const host = hosts.get(name) ?? new Host(manners, clock);
    hosts.set(name, host);
    return host.ask(ask);
  };
}

class Host {
  readonly #manners: Manners;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #next = 0;
  #pause: number;

  constructor(manners: Manners, clock: Clock) {
    this.#manners = manners;
    this.#clock = clock;
    this.#pause = manners.pauseMs;
  }

  async ask<T>(ask: () => Promise<T>): Promise<T> {
    await this.#slot();
    try {
      const now = this.#clock.now();
      const start = Math.max(now, this.#next);
      this.#next = start + this.#pause * (1 + this.#clock.random());
      if (start > now) await this.#clock.sleep(start - now);
      const answer = await ask();
      this.#pause = Math.max(this.#manners.pauseMs, this.#pause / 2);
      return answer;
    } catch (error) {
      if (asksForLess(error)) this.#slower();
      throw error;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  async #slot(): Promise<void> {
    while (this.#running >= this.#manners.atOnce)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #slower(): void {
    this.#pause = Math.min(MOST_MS, Math.max(FIRST_MS, this.#pause * 2));
    this.#next = Math.max(this.#next, this.#clock.now() + this.#pause);
  }
}

/** Too many questions, or none for now, in the words of npm's client, of our own and of git. */
function asksForLess(error: unknown): boolean {
  if (!(error instanceof LockkeeperError)) return false;
  const { code } = (error.cause ?? {}) as { code?: unknown };
  return code === 'E429' || code === 'E503' || /^HTTP (?:429|503)\b|\berror: (?:429|503)\b/.test(error.found);
}
