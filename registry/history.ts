/** All roots of a registry, oldest first: read once, verified along the chain, kept. */
import type { KeyObject } from 'node:crypto';
import {
  assertFollows,
  openRoot,
  type ReadRoot,
  type RootEvidence,
  type RootPin,
  readRoot,
  type TrustedRoot,
} from '../runtime/trust/root.ts';
import { type Envelope, verifiedKeys } from '../schemas/dsse.ts';
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
  readonly #signers = new WeakMap<ReadRoot, ReadonlySet<string>>();
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
    await this.load(client);
    const now = Date.now();
    const { current: opened, at } = this.#opened ?? { current: null, at: 0 };
    if (opened && opened.envelope === this.newest?.envelope && now - at < FRESH_MS) return opened;
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

  /**
   * What leads to this root: from the newest one that as many of these keys vouch for as for any. Whatever threshold
   * they were pinned with, it was met there if it ever was. Empty where none of them signed.
   */
  chainTo(envelope: Envelope, rootKeys: readonly string[]): RootEvidence['rootChain'] {
    const roots = this.#roots.slice(0, this.envelopes.indexOf(envelope) + 1);
    const signed = roots.map((one) => this.#vouching(one, rootKeys));
    const most = Math.max(0, ...signed);
    return most === 0 ? [] : this.envelopes.slice(signed.lastIndexOf(most), roots.length - 1);
  }

  /** How many persons signed it with one of these keys, as a runtime counts them: signatures are verified once. */
  #vouching(one: ReadRoot, rootKeys: readonly string[]): number {
    const signers = this.#signers.get(one) ?? verifiedKeys(one.envelope, rootKeysOf(one));
    this.#signers.set(one, signers);
    const at = one === this.newest ? Date.now() : Date.parse(one.root.issuedAt);
    const counting = rootKeys.flatMap((keyid) => {
      const entry = signers.has(keyid) ? one.table.get(keyid)?.entry : undefined;
      const active = entry && Date.parse(entry.notBefore) <= at && at < Date.parse(entry.notAfter);
      return active ? [entry.person] : [];
    });
    return new Set(counting).size;
  }
}

function rootKeysOf({ root, table }: ReadRoot): Map<string, KeyObject> {
  return new Map(
    [...table].filter(([id]) => root.roles.root.keyids.includes(id)).map(([id, { key }]) => [id, key]),
  );
}
