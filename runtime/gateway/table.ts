/** Who talks: the sessions of the session era, and one conversation for each stateless caller and door. Both bounded. */
import { asLockkeeperError } from '../../schemas/errors.ts';
import { type Identified, renewSubject, tellGood } from '../identity/identified.ts';
import type { SessionEnd } from '../session/options.ts';
import { Budget } from './budget.ts';
import { type Door, type GatewayLimits, type GatewayOptions, personOf, type Trace } from './ports.ts';
import { tooMany, unknownSession } from './refusals.ts';
import { HttpSession } from './session.ts';
import { Shared } from './shared.ts';
import { Visitors } from './visitors.ts';

const SWEEP_MS = 30_000;

export interface At {
  readonly path: string;
  readonly door: Door;
  readonly who: Identified;
  /** `ownerOf` that. */
  readonly owner: string;
}

export class Table {
  readonly #limits: GatewayLimits;
  readonly #say: (line: string) => void;
  readonly #sessions = new Map<string, HttpSession>();
  readonly #shared = new Map<string, Shared>();
  readonly #trace: Trace;
  readonly #visitors: Visitors;
  /** What is kept of streams that broke off. */
  readonly #kept: Budget;
  /** Requests without an answer. */
  readonly #waiting: Budget;
  /** What is to be waited for, and the path it goes through. */
  readonly #endings = new Map<Promise<void>, string>();
  readonly #sweep: NodeJS.Timeout;

  constructor({ limits, say, trace = () => undefined }: Pick<GatewayOptions, 'limits' | 'say' | 'trace'>) {
    this.#trace = trace;
    this.#limits = limits;
    this.#say = say;
    this.#visitors = new Visitors(limits);
    this.#kept = new Budget({ all: limits.keptBytes, each: limits.keptBytesEach });
    this.#waiting = new Budget({ all: Number.POSITIVE_INFINITY, each: limits.waitingEach });
    this.#sweep = setInterval(() => this.#endIdle(), Math.min(SWEEP_MS, limits.idleMs));
    this.#sweep.unref();
  }

  get sessions(): number {
    return this.#sessions.size + this.#shared.size;
  }

  /** A new session. Throws HttpRefusal 429. */
  begin({ path, door, who, owner }: At): HttpSession {
    const person = this.#enter(who);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endings.set(promise, path);
    const session = new HttpSession({
      who,
      owner,
      path,
      waiting: this.#waiting.of(person),
      trace: this.#trace,
      kept: this.#kept.of(person),
      open: (port) => door.open({ who }, port),
      ended: (ended, { error }) => {
        this.#sessions.delete(ended.id);
        this.#leave(person, promise, resolve);
        if (error) this.#say(`a session of ${who.caller.user} at ${path} ended: ${error.message}`);
      },
    });
    this.#sessions.set(session.id, session);
    return session;
  }

  /** The session of this id, if it is this caller’s and of this door. Throws HttpRefusal 404. */
  session(id: string, { path, who, owner }: Omit<At, 'door'>): HttpSession {
    const session = this.#sessions.get(id);
    if (session?.owner !== owner || session.path !== path) throw unknownSession();
    renewed(session, who);
    return session;
  }

  /** What a stateless caller’s requests go through. Throws HttpRefusal 429. */
  shared({ path, door, who, owner }: At): Shared {
    const key = `${path} ${owner}`;
    const there = this.#shared.get(key);
    if (there) {
      renewed(there, who);
      return there;
    }
    const person = this.#enter(who);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endings.set(promise, path);
    const shared: Shared = new Shared({
      who,
      waiting: this.#waiting.of(person),
      trace: this.#trace,
      open: (port) => door.open({ who }, port),
      ended: ({ error }) => {
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
        this.#leave(person, promise, resolve);
        if (error) this.#say(`what ${who.caller.user} asked at ${path} ended: ${error.message}`);
      },
    });
    this.#shared.set(key, shared);
    return shared;
  }

  /** Ends what these paths lead to; settles when all of it is over. */
  async end(paths: ReadonlySet<string> | 'all'): Promise<void> {
    for (const session of this.#sessions.values())
      if (paths === 'all' || paths.has(session.path)) session.end('stopped');
    for (const [key, shared] of this.#shared)
      if (paths === 'all' || paths.has(key.slice(0, key.indexOf(' '))))
        this.#endShared(key, shared, 'stopped');
    if (paths === 'all') clearInterval(this.#sweep);
    const over = [...this.#endings].filter(([, path]) => paths === 'all' || paths.has(path));
    await Promise.all(over.map(([ending]) => ending));
  }

  /** Whom it is counted for. Throws HttpRefusal 429. */
  #enter(who: Identified): string {
    tellGood(who);
    const person = personOf(who);
    if (this.sessions >= this.#limits.sessions) throw tooMany(`${this.#limits.sessions} sessions`);
    this.#visitors.enter(person);
    return person;
  }

  #leave(person: string, ending: Promise<void>, resolve: () => void): void {
    this.#visitors.leave(person);
    this.#endings.delete(ending);
    resolve();
  }

  /** Ends what belongs to credentials that are good no more, though nobody asks anything of it. */
  async endFallen(refused: GatewayOptions['refused']): Promise<void> {
    for (const session of this.#sessions.values())
      if (await isFallen(session, refused)) session.end('stopped');
    for (const [key, shared] of this.#shared)
      if (await isFallen(shared, refused)) this.#endShared(key, shared, 'stopped');
  }

  #endIdle(): void {
    const before = performance.now() - this.#limits.idleMs;
    const isIdle = (each: HttpSession | Shared): boolean => !each.isUsed && each.lastUsed < before;
    for (const session of this.#sessions.values()) if (isIdle(session)) session.end('client closed');
    for (const [key, shared] of this.#shared)
      if (isIdle(shared)) this.#endShared(key, shared, 'client closed');
  }

  /** Whoever asks while it stops knows of no session: their request begins the next one. */
  #endShared(key: string, shared: Shared, reason: SessionEnd['reason']): void {
    this.#shared.delete(key);
    shared.end(reason);
  }
}

/** Its client came with a credential of the same principal: what was known by the one before, this one tells. */
function renewed(kept: HttpSession | Shared, who: Identified): void {
  renewSubject(kept.who.caller, who.caller);
  kept.shown = who;
  tellGood(who);
}

async function isFallen(kept: HttpSession | Shared, refused: GatewayOptions['refused']): Promise<boolean> {
  if (kept.isFallen) return false;
  const error = await kept.shown.assertStands?.().then(() => null, asLockkeeperError);
  // What cannot be told now is refused with each request, and may be told again.
  if (error?.status !== 401) return false;
  // It takes a while to end, and is told of once.
  kept.isFallen = true;
  refused(error, kept.who.caller);
  return true;
}
