/** All roots of a registry, oldest first: read once, verified along the chain, kept. */
import {
  assertFollows,
  openRoot,
  type ReadRoot,
  type RootEvidence,
  type RootPin,
  readRoot,
  type TrustedRoot,
} from '../runtime/trust/root.ts';
import type { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { Client } from './db/pool.ts';
import { rootsAfter } from './db/records.ts';

/** A root is opened anew after so long, so that its dates are looked at. */
const FRESH_MS = 5000;

export interface Current {
  readonly envelope: Envelope;
  readonly trusted: TrustedRoot;
}

export class RootHistory {
  readonly #pin: RootPin;
  #roots: ReadRoot[] = [];
  #opened: { current: Current; at: number } | null = null;

  /** `pin`: the root keys of the first root. */
  constructor(pin: RootPin) {
    this.#pin = pin;
  }

  get newest(): ReadRoot | null {
    return this.#roots.at(-1) ?? null;
  }

  get envelopes(): Envelope[] {
    return this.#roots.map(({ envelope }) => envelope);
  }

  /** Reads what other replicas signed since. */
  async load(client: Client): Promise<void> {
    const fresh = await rootsAfter(client, this.newest?.root.version ?? 0);
    // Two at once read the same ones.
    for (const one of fresh.map(readRoot)) {
      const before = this.newest;
      if (one.root.version <= (before?.root.version ?? 0)) continue;
      // Whoever can write rows cannot make them follow.
      if (before) assertFollows(before, one, new Date(one.root.issuedAt));
      this.#roots.push(one);
    }
  }

  /** Follows the newest root itself, not only one that the first keys signed. Throws ROOT_UNTRUSTED or ROOT_EXPIRED. */
  assertNext(envelope: Envelope): void {
    const now = new Date();
    if (this.newest) assertFollows(this.newest, readRoot(envelope), now);
    openRoot({ root: envelope, rootChain: this.envelopes }, this.#pin, now);
  }

  /** The newest root, verified from the pin. Throws ROOT_UNTRUSTED or ROOT_EXPIRED. */
  async current(client: Client): Promise<Current> {
    const before = this.#roots.length;
    await this.load(client);
    const now = Date.now();
    const fresh = this.#opened !== null && now - this.#opened.at < FRESH_MS;
    if (this.#opened && fresh && before === this.#roots.length) return this.#opened.current;
    const rootChain = this.envelopes;
    const envelope = rootChain.pop();
    if (!envelope)
      throw new LockkeeperError('ROOT_UNTRUSTED', {
        expected: 'a root in the database',
        found: 'none',
        next: 'Start the registry with lk serve first',
      });
    const trusted = openRoot({ root: envelope, rootChain }, this.#pin, new Date(now));
    const current = { envelope, trusted };
    this.#opened = { current, at: now };
    return current;
  }

  /** From the newest root that such a pin can vouch for; from the newest of all where there is none. */
  chainFrom({ rootKeys, threshold }: RootPin): RootEvidence['rootChain'] {
    const start = this.#roots.findLastIndex(
      (one) => one.root.roles.root.keyids.filter((keyid) => rootKeys.includes(keyid)).length >= threshold,
    );
    return start === -1 ? [] : this.envelopes.slice(start, -1);
  }
}
