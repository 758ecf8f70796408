/** The people who are here: how many sessions each has. */
import type { GatewayLimits } from './ports.ts';
import { tooMany } from './refusals.ts';

export class Visitors {
  readonly #each: number;
  readonly #here = new Map<string, number>();

  constructor({ sessionsEach }: Pick<GatewayLimits, 'sessionsEach'>) {
    this.#each = sessionsEach;
  }

  /** Counts one session more. Throws HttpRefusal 429. */
  enter(person: string): void {
    const sessions = (this.#here.get(person) ?? 0) + 1;
    if (sessions > this.#each) throw tooMany(`${this.#each} sessions of one caller`);
    this.#here.set(person, sessions);
  }

  leave(person: string): void {
    const sessions = (this.#here.get(person) ?? 1) - 1;
    if (sessions > 0) this.#here.set(person, sessions);
    else this.#here.delete(person);
  }
}
