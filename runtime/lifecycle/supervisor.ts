/**
 * Keeps one server instance: starts it when it is wanted, once however many want it; asks whether it is well; lets it rest
 * when nothing needs it; and tells of its death. It knows nothing of what is said to the server.
 */
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import type { RunningServer } from '../ports.ts';
import { openPeer, type Peer, type PeerHandlers } from '../session/peer.ts';
import type { Breaking } from './breaker.ts';
import { type LifeEvent, next, type State } from './states.ts';

export interface Change {
  readonly from: State;
  readonly to: State;
  readonly event: LifeEvent;
  readonly why: string;
}

export interface Probes {
  readonly everyMs: number;
  readonly timeoutMs: number;
  /** Its lists are read again with every so manieth of them: what no notice told is found out so. Absent: 2. */
  readonly listsEvery?: number;
  /** None while nothing was asked of the server since the last one. */
  readonly ifUsed?: boolean;
  /** So many in a row without an answer, with no call in flight, are a dead server. */
  readonly failures: number;
}

export interface SupervisorOptions<Greeted> {
  /** Name of the server, for sentences. */
  readonly server: string;
  readonly start: () => Promise<RunningServer>;
  readonly handlers: Pick<PeerHandlers, 'message' | 'unread' | 'badLine' | 'full' | 'drained'>;
  /** Says hello and compares with the lock. What it throws ends this instance. */
  readonly greet: (peer: Peer) => Promise<Greeted>;
  /** Asks for a sign of life. Throws where none comes. */
  readonly probe: (peer: Peer, timeoutMs: number) => Promise<unknown>;
  /** It died while it was in use, or between its start and the first word to it. */
  readonly lost: (error: LockkeeperError) => void;
  readonly changed: (change: Change) => void;
  /** Shared by all instances of one locked server that one caller has. */
  readonly breaker: Breaking;
  /** Null: never asked. */
  readonly probes: Probes | null;
  /** How long it may do nothing, ms; null: for ever. */
  readonly idleMs: number | null;
  /** Told how to let it rest while nothing needs it, and null when something does or it is gone. */
  readonly spare?: (rest: (() => void) | null) => void;
}

const REST_GRACE_MS = 2000;

interface Live<Greeted> {
  readonly process: RunningServer;
  readonly peer: Peer;
  greeted: Greeted | null;
}

export class Supervisor<Greeted> {
  readonly #o: SupervisorOptions<Greeted>;
  #state: State = 'COLD';
  #live: Live<Greeted> | null = null;
  #launching: Promise<Live<Greeted>> | null = null;
  #wanting: Promise<Greeted> | null = null;
  #stopping: Promise<void> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #probing: NodeJS.Timeout | undefined;
  #busy = false;
  #used = false;
  #over = false;
  #misses = 0;

  constructor(options: SupervisorOptions<Greeted>) {
    this.#o = options;
  }

  get state(): State {
    return this.#state;
  }

  get process(): RunningServer | null {
    return this.#live?.process ?? null;
  }

  /** Starts the process, ahead of the first word to it. Throws what the start throws. */
  launch(): Promise<Live<Greeted>> {
    if (this.#live) return Promise.resolve(this.#live);
    this.#launching ??= this.#launch().finally(() => {
      this.#launching = null;
    });
    return this.#launching;
  }

  /** The server, started and known to be the locked one. Throws SERVER_RESTING, or what start and greeting throw. */
  want(): Promise<Greeted> {
    const greeted = this.#live?.greeted;
    if (greeted && this.#state !== 'DRAINING') return Promise.resolve(greeted);
    this.#wanting ??= this.#begin().finally(() => {
      this.#wanting = null;
    });
    return this.#wanting;
  }

  /** Whether calls are in flight. A busy server is never let rest, nor killed by a probe. */
  set busy(busy: boolean) {
    // What a call changed is seen after it ended.
    this.#used ||= busy || this.#busy;
    this.#busy = busy;
    clearTimeout(this.#idle);
    const { idleMs, spare } = this.#o;
    spare?.(busy || !this.#live ? null : () => void this.rest('another one needs the room'));
    if (busy || idleMs === null) return;
    this.#idle = setTimeout(() => void this.rest('nothing needed it'), idleMs);
    this.#idle.unref();
  }

  /** Ends the instance in order, within the grace. It may be wanted again. */
  async rest(why: string, graceMs = REST_GRACE_MS): Promise<void> {
    if (this.#launching) await this.#launching.catch(() => undefined);
    this.#move('rest', why);
    await this.#stop(graceMs);
  }

  /** As `rest`, and it never starts again. */
  async end(why: string, graceMs = REST_GRACE_MS): Promise<void> {
    this.#over = true;
    await this.rest(why, graceMs);
  }

  /** Its release was revoked: it never starts again. The kill is up to `rest`. */
  quarantine(why: string): void {
    this.#move('revoked', why);
  }

  #move(event: LifeEvent, why: string): void {
    const from = this.#state;
    const to = next(from, event);
    if (to === null) return;
    this.#state = to;
    this.#o.changed({ from, to, event, why });
  }

  async #launch(): Promise<Live<Greeted>> {
    await this.#stopping;
    const { breaker, server, start, handlers } = this.#o;
    if (this.#over) throw over(server);
    const refused = breaker.refusal(server, this);
    if (refused) throw refused;
    this.#move('wanted', 'a message needs it');
    try {
      const process = await start();
      const peer = openPeer(process, { ...handlers, gone: (error) => this.#gone(peer, error) });
      this.#live = { process, peer, greeted: null };
      return this.#live;
    } catch (thrown) {
      throw this.#failed(asLockkeeperError(thrown));
    }
  }

  async #begin(): Promise<Greeted> {
    const live = await this.launch();
    try {
      live.greeted = await this.#o.greet(live.peer);
    } catch (thrown) {
      const error = this.#failed(asLockkeeperError(thrown));
      await this.#stop(0);
      throw error;
    }
    this.#misses = 0;
    this.#o.breaker.started(this);
    this.#move('greeted', 'it is the locked one');
    this.#watch(live);
    return live.greeted;
  }

  #failed(error: LockkeeperError): LockkeeperError {
    const { breaker } = this.#o;
    breaker.failed(error.told, this);
    breaker.left(this);
    this.#move('failed', error.message);
    return error;
  }

  /** It can no longer be listened to. While it is greeted, whoever greets it is told. */
  #gone(peer: Peer, error: LockkeeperError): void {
    if (this.#live?.peer !== peer || this.#state === 'DRAINING' || this.#wanting) return;
    this.#o.breaker.failed(error.told, this);
    this.#move('ended', error.message);
    void this.#stop(0);
    this.#o.lost(error);
  }

  /** Settles when the process is gone and told to be: the next one is not started before. Never rejects. */
  async #stop(graceMs: number): Promise<void> {
    clearTimeout(this.#idle);
    this.#o.spare?.(null);
    clearInterval(this.#probing);
    this.#o.breaker.left(this);
    const live = this.#live;
    this.#live = null;
    if (live) this.#stopping = this.#end(live.process, graceMs);
    await this.#stopping;
  }

  async #end(process: RunningServer, graceMs: number): Promise<void> {
    await process.stop(graceMs).catch(() => undefined);
    this.#move('stopped', 'its process is gone');
  }

  /** Each instance has its own timer, so that a server that hangs keeps nobody else waiting. */
  #watch(live: Live<Greeted>): void {
    const { probes } = this.#o;
    if (!probes) return;
    let asking = false;
    this.#probing = setInterval(() => {
      if (asking || (probes.ifUsed && !this.#used)) return;
      asking = true;
      this.#used = false;
      void this.#probe(live, probes).finally(() => {
        asking = false;
      });
    }, probes.everyMs);
    this.#probing.unref();
  }

  async #probe(live: Live<Greeted>, { timeoutMs, failures }: Probes): Promise<void> {
    const why = await this.#o.probe(live.peer, timeoutMs).then(
      () => null,
      (thrown: unknown) => asLockkeeperError(thrown),
    );
    if (this.#live !== live) return;
    if (why === null) {
      this.#misses = 0;
      return this.#move('well', 'it answers again');
    }
    this.#misses++;
    this.#move('unwell', why.message);
    if (this.#misses < failures || this.#busy) return;
    this.#gone(live.peer, why);
  }
}

function over(server: string): LockkeeperError {
  return new LockkeeperError('SERVER_DIED', {
    expected: `${server} to be wanted by a session`,
    found: 'one that is over',
    next: 'Begin a new session',
  });
}
