/** Hearing of revocations while a server runs: a stream from the registry, and questions while there is none. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RevocationSource } from '../runtime/trust/revocations.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { HEARTBEAT_S, RevocationList } from '../schemas/revocation.ts';
import type { Api } from './api.ts';
import { EventReader, type ServerEvent } from './events.ts';

export interface Timing {
  /** Between questions while no stream is open. */
  readonly pollMs: number;
  readonly connectMs: number;
  /** A stream that says nothing for so long is dead. */
  readonly silenceMs: number;
  readonly firstWaitMs: number;
}

const TIMING: Timing = {
  pollMs: 15_000,
  connectMs: 5000,
  silenceMs: 2.5 * HEARTBEAT_S * 1000,
  firstWaitMs: 500,
};
/** After so many bytes a stream is opened anew: what flows without end is paced by the back-off. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;
const MAX_PAGES = 20;

/** Revocations of a registry. `say` is told when it is cut off, and when it is back. */
export function revocationsOf(
  api: Api,
  { say, timing = {} }: { say: (line: string) => void; timing?: Partial<Timing> },
): RevocationSource {
  return {
    subscribe: (server, take, signal) =>
      void new Follower({ api, say, server, take, signal, timing: { ...TIMING, ...timing } })
        .follow()
        .catch(() => undefined),
  };
}

interface Following {
  readonly api: Api;
  readonly say: (line: string) => void;
  readonly server: string;
  readonly take: (event: unknown) => void;
  readonly signal: AbortSignal;
  readonly timing: Timing;
}

class Follower {
  readonly #o: Following;
  /** The id of the last revocation heard of. */
  #after = 0;
  #failures = 0;
  #told = false;
  #asked = 0;

  constructor(options: Following) {
    this.#o = options;
  }

  async follow(): Promise<void> {
    const { signal, timing } = this.#o;
    while (!signal.aborted) {
      const why = await this.#stream().catch((thrown: unknown) => asLockkeeperError(thrown));
      if (signal.aborted) return;
      this.#failures++;
      this.#tellCutOff(why.message);
      await this.#ask();
      // At most a poll's time apart, each runtime at its own moment.
      const most = Math.min(timing.pollMs, timing.firstWaitMs * 2 ** Math.min(this.#failures - 1, 10));
      await sleep(most * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  #tellCutOff(why: string): void {
    if (this.#told || this.#failures < 2) return;
    this.#told = true;
    const every = this.#o.timing.pollMs / 1000;
    this.#o.say(`cut off from the registry's revocations, which is asked every ${every} s instead: ${why}`);
  }

  /** One stream, to its end. Resolves or rejects with why it is over. */
  async #stream(): Promise<LockkeeperError> {
    const { api, server, signal, timing } = this.#o;
    const over = new AbortController();
    const both = AbortSignal.any([signal, over.signal]);
    let timer = setTimeout(() => over.abort(), timing.connectMs);
    try {
      const query = { server, after: String(this.#after) };
      const response = await api.stream('revocationStream', { query }, both);
      const reader = new EventReader((event) => this.#event(event));
      const since = performance.now();
      let bytes = 0;
      for await (const chunk of response.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => over.abort(), timing.silenceMs);
        bytes += chunk.length;
        if (bytes > MAX_STREAM_BYTES) return ended(api, `more than ${MAX_STREAM_BYTES} bytes`);
        reader.push(chunk);
        this.#connected(since);
      }
      return ended(api, 'its end');
    } catch (thrown) {
      if (over.signal.aborted) return ended(api, 'silence');
      throw thrown;
    } finally {
      clearTimeout(timer);
      over.abort();
    }
  }

  /** Back-off ends with a stream that lasts, not with one that merely opens. */
  #connected(since: number): void {
    if (this.#failures === 0 || performance.now() - since < this.#o.timing.connectMs) return;
    this.#failures = 0;
    if (this.#told) this.#o.say('the registry tells of revocations at once again');
    this.#told = false;
  }

  #event({ id, type, data }: ServerEvent): void {
    if (type !== 'revocation') return;
    let event: unknown;
    try {
      event = parseStrict(data);
    } catch {
      // not an announcement; the ones after it may be
    }
    this.#heard(Number(id));
    this.#o.take(event);
  }

  #heard(id: number): void {
    if (Number.isSafeInteger(id) && id > this.#after) this.#after = id;
  }

  async #ask(): Promise<void> {
    const { api, server, signal, take, timing } = this.#o;
    if (this.#asked !== 0 && performance.now() - this.#asked < timing.pollMs / 2) return;
    this.#asked = performance.now();
    try {
      for (let page = 0; page < MAX_PAGES && !signal.aborted; page++) {
        const query = { server, after: String(this.#after) };
        const list = await api.within(timing.connectMs).call('revocations', RevocationList, { query });
        const before = this.#after;
        for (const event of list.revocations) {
          this.#heard(event.id);
          take(event);
        }
        if (this.#after === before) return;
      }
    } catch {
      // the stream has said why; the next question may be answered
    }
  }
}

function ended(api: Api, found: string): LockkeeperError {
  return new LockkeeperError('REGISTRY_UNREACHABLE', {
    expected: `a stream of revocations from ${api.registry}`,
    found: quote(found),
    next: 'Check the address, the network and that the registry runs',
  });
}
