/** Requests wait here while the server does not read what it is sent. */
export class Turn {
  #full: { readonly over: Promise<void>; readonly end: () => void } | null = null;

  /** Settles when the server reads; undefined while it does. */
  get free(): Promise<void> | undefined {
    return this.#full?.over;
  }

  pause(): void {
    if (this.#full) return;
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    this.#full = { over, end };
  }

  resume(): void {
    this.#full?.end();
    this.#full = null;
  }
}
