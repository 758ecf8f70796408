/** Bytes that are held for callers: so many in all, and so many for each, so that nobody takes it all. */
export interface BudgetLimits {
  readonly all: number;
  readonly each: number;
}

/** One caller’s share of it. */
export interface Share {
  /** False, and nothing is counted, when there is no room. */
  take(bytes: number): boolean;
  give(bytes: number): void;
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
      take: (bytes) => {
        const own = (this.#held.get(owner) ?? 0) + bytes;
        if (own > this.#limits.each || this.#all + bytes > this.#limits.all) return false;
        this.#count(owner, own, bytes);
        return true;
      },
      give: (bytes) => this.#count(owner, (this.#held.get(owner) ?? 0) - bytes, -bytes),
    };
  }

  #count(owner: string, own: number, change: number): void {
    this.#all += change;
    if (own > 0) this.#held.set(owner, own);
    else this.#held.delete(owner);
  }
}
