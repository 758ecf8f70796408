/** What is held for callers, bytes or requests: so much in all, and so much for each, so that nobody takes it all. */
export interface BudgetLimits {
  readonly all: number;
  readonly each: number;
}

/** One caller’s share of it. */
export interface Share {
  readonly each: number;
  /** False, and nothing is counted, when there is no room. */
  take(more: number): boolean;
  give(less: number): void;
}

export class Budget {
  readonly #limits: BudgetLimits;
  readonly #held = new Map<string, number>();
  #all = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  get held(): number {
    return this.#all;
  }

  of(owner: string): Share {
    return {
      each: this.#limits.each,
      take: (more) => {
        const own = (this.#held.get(owner) ?? 0) + more;
        if (own > this.#limits.each || this.#all + more > this.#limits.all) return false;
        this.#count(owner, own, more);
        return true;
      },
      give: (less) => this.#count(owner, (this.#held.get(owner) ?? 0) - less, -less),
    };
  }

  #count(owner: string, own: number, change: number): void {
    this.#all += change;
    if (own > 0) this.#held.set(owner, own);
    else this.#held.delete(owner);
  }
}
