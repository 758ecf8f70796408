/** The requests that are open to one remote server: with credentials, watched for stalling, held back and ended together. */
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { TransientMap } from '../transient-map.ts';
import type { Body } from './body.ts';
import type { Ask, Channel, Flight, ReplyHandlers } from './channel.ts';
import type { Reply } from './head.ts';
import { Held } from './held.ts';
import type { Limits } from './outlet.ts';

/** Ours with the other side, never the caller's: what goes into the headers of each request. */
export interface Credentials {
  headers(): Promise<Readonly<Record<string, string>>>;
  /** They were turned down with this status: the next ones are to be fresh. Whether there may be others to show. */
  forget(status: number): boolean;
  /** What is refused where these are turned down for good; else REMOTE_REFUSED. */
  refusal?(reply: Reply): LockkeeperError;
}

export interface OpenHandlers {
  /** Throws what ends the request. */
  readonly body: (reply: Reply) => Body;
  readonly end: () => void;
  readonly failed: (error: LockkeeperError) => void;
  /** How long the answer may take to begin, ms; else HEAD_MS. */
  readonly headMs?: number;
}

export interface Open {
  abort(): void;
}

/** What a request says of itself is ours alone to say. */
const OURS =
  /^(?:host|accept|accept-encoding|content-type|content-length|transfer-encoding|connection|te|trailer|upgrade|expect|cookie|last-event-id|mcp-.*|proxy-.*)$/;
const NAME = /^[a-z0-9-]{1,100}$/;
const VALUE = /^[\x20-\x7e]{0,16384}$/;

/** How long a server may think before it begins to answer, ms. */
const HEAD_MS = 10 * 60_000;

interface State {
  readonly key: number;
  readonly on: OpenHandlers;
  flight: Flight | null;
  body: Body | null;
  readonly held: Held;
  over: boolean;
  bytes: number;
  readonly since: number;
}

export interface RequestsOptions {
  readonly channel: Channel;
  readonly credentials: Credentials | undefined;
  /** Whose answers these are. */
  readonly origin: string;
  readonly limits: Limits;
  /** Bytes that were on their way have arrived. */
  readonly drained: () => void;
}

export class Requests {
  readonly #o: RequestsOptions;
  readonly #open = new TransientMap<number, State>();
  #count = 0;
  #paused = false;
  #bytes = 0;

  constructor(options: RequestsOptions) {
    this.#o = options;
  }

  /** Bytes of requests whose answers have not begun. */
  get bytes(): number {
    return this.#bytes;
  }

  open(ask: Ask, on: OpenHandlers): Open {
    const bytes = ask.body?.length ?? 0;
    const since = performance.now();
    const held = new Held(this.#o.origin, this.#o.limits);
    const state: State = {
      key: ++this.#count,
      on,
      flight: null,
      body: null,
      held,
      over: false,
      bytes,
      since,
    };
    this.#bytes += bytes;
    this.#open.set(state.key, state);
    if (this.#o.credentials) void this.#withCredentials(state, ask, true);
    else this.#send(state, ask, null);
    return {
      abort: () => {
        if (state.over) return;
        this.#close(state);
        state.flight?.abort();
      },
    };
  }

  #close(state: State): void {
    state.over = true;
    state.held.now(0);
    this.#open.take(state.key);
    this.#arrived(state);
  }

  #arrived(state: State): void {
    if (state.bytes === 0) return;
    this.#bytes -= state.bytes;
    state.bytes = 0;
    this.#o.drained();
  }

  #fail(state: State, error: LockkeeperError): void {
    if (state.over) return;
    this.#close(state);
    state.flight?.abort();
    state.on.failed(error);
  }

  async #withCredentials(state: State, ask: Ask, mayAskAgain: boolean): Promise<void> {
    try {
      const given = (await this.#o.credentials?.headers()) ?? {};
      if (state.over) return;
      const again = mayAskAgain ? () => void this.#withCredentials(state, ask, false) : null;
      this.#send(state, { ...ask, headers: { ...checked(given), ...ask.headers } }, again);
    } catch (error) {
      this.#fail(state, asLockkeeperError(error));
    }
  }

  #send(state: State, ask: Ask, again: (() => void) | null): void {
    if (state.over) return;
    try {
      state.flight = this.#o.channel.ask(ask, this.#handlers(state, again));
    } catch (error) {
      // Whoever opened it is to have it in hand when it fails.
      queueMicrotask(() => this.#fail(state, asLockkeeperError(error)));
    }
  }

  #handlers(state: State, again: (() => void) | null): ReplyHandlers {
    const { on } = state;
    return {
      head: (reply) => {
        this.#arrived(state);
        if (reply.status !== 401 && reply.status !== 403) {
          state.body = on.body(reply);
          return;
        }
        const { credentials } = this.#o;
        if (!again || !credentials?.forget(reply.status))
          throw credentials?.refusal?.(reply) ?? turnedDown(reply, credentials !== undefined);
        state.flight?.abort();
        again();
      },
      data: (chunk) => {
        state.body?.data(chunk);
        state.held.now(state.body?.held ?? 0);
      },
      end: () => {
        state.body?.end();
        this.#close(state);
        on.end();
      },
      failed: (error) => this.#fail(state, error),
    };
  }

  /** Whoever reads us does not: nothing more is taken from the other side. */
  pause(): void {
    this.#paused = true;
    for (const { flight } of this.#open.all()) flight?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    for (const { flight } of this.#open.all()) flight?.resume();
  }

  /** Ends what stalls. To be called about every second; nothing stalls that is held back by us. */
  sweep(now: number): void {
    if (this.#paused) return;
    for (const state of this.#open.all()) {
      const { headMs = HEAD_MS } = state.on;
      try {
        if (state.body) state.body.check(now);
        else if (now - state.since > headMs) throw silent(headMs);
      } catch (error) {
        this.#fail(state, asLockkeeperError(error));
      }
    }
  }

  abortAll(): void {
    for (const state of this.#open.all()) {
      this.#close(state);
      state.flight?.abort();
    }
  }
}

function checked(given: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const small = name.toLowerCase();
    if (!NAME.test(small) || OURS.test(small) || !VALUE.test(value)) {
      throw new LockkeeperError('CONFIG_INVALID', {
        expected: 'credentials in headers of their own, of printable characters',
        found: `a header ${quote(name, 60)} that may not be set, or has another value`,
        next: 'Correct the credentials of this server',
      });
    }
    headers[small] = value;
  }
  return headers;
}

function turnedDown({ status, header }: Reply, given: boolean): LockkeeperError {
  const wants = header('www-authenticate');
  return new LockkeeperError('REMOTE_REFUSED', {
    expected: given ? 'the credentials of this server to be taken' : 'a server that needs no credentials',
    found: `HTTP ${status}`,
    words: wants === undefined ? undefined : `asking for ${quote(wants, 200)}`,
    next: given
      ? 'Check the credentials that are set for it, and what they permit'
      : 'Give it credentials of its own',
  });
}

function silent(ms: number): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `an answer that begins within ${ms / 1000} s`,
    found: 'none',
    next: 'Check whether the server is well',
  });
}
