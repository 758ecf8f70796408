/** Open streams of revocations: told from the database, bounded in number for each person, and ended with the token they were opened with. */
import type { ServerResponse } from 'node:http';
import { ROUTES, type RoleName } from '../schemas/api.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { HEARTBEAT_S, type RevocationEvent } from '../schemas/revocation.ts';
import { mayCall } from './auth.ts';
import { type Listening, listen } from './db/listen.ts';
import type { Pool } from './db/pool.ts';
import { CHANNEL, newestRevocation, revocationsAfter } from './db/revocations.ts';

export interface StreamLimits {
  /** Streams of one person, whatever their tokens, and of this process. */
  readonly perPerson: number;
  readonly total: number;
  readonly beatMs: number;
}

const LIMITS: StreamLimits = { perPerson: 64, total: 4000, beatMs: HEARTBEAT_S * 1000 };
const PAGE = 500;
/** What a reader may leave unread, bytes; it takes up the thread by its last id. */
const MAX_UNREAD = 1024 * 1024;

export interface StreamRequest {
  readonly token: string;
  /** Whom the token speaks for. */
  readonly person: string;
  readonly server: string | null;
  readonly after: number;
}

export interface StreamsOptions {
  readonly pool: Pool;
  /** The roles that a token has now; null when it is no longer one. */
  readonly rolesOf: (token: string) => Promise<readonly RoleName[] | null>;
  readonly limits?: Partial<StreamLimits> | undefined;
}

export class Streams {
  readonly #o: StreamsOptions;
  readonly #limits: StreamLimits;
  readonly #open = new Set<Stream>();
  #listening: Listening | null = null;
  #beat: NodeJS.Timeout | undefined;
  #cursor = 0;
  #starting: Promise<void> | null = null;
  #reading: Promise<void> | null = null;
  #again = false;
  #checking = false;

  constructor(options: StreamsOptions) {
    this.#o = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }

  /** Throws RATE_LIMITED when there are too many; nothing is written then. */
  async open(request: StreamRequest, response: ServerResponse): Promise<void> {
    this.#assertRoom(request.person);
    const stream = new Stream(request, response);
    this.#open.add(stream);
    response.once('close', () => this.#open.delete(stream));
    try {
      this.#starting ??= this.#start();
      await this.#starting;
      await stream.begin(this.#o.pool);
    } catch (error) {
      this.#starting = this.#listening ? this.#starting : null;
      this.#open.delete(stream);
      throw error;
    }
  }

  /** Ends every stream; readers come back to another replica. */
  close(): void {
    clearInterval(this.#beat);
    this.#listening?.close();
    for (const stream of this.#open) stream.end();
    this.#open.clear();
  }

  #assertRoom(person: string): void {
    const mine = [...this.#open].filter((stream) => stream.request.person === person).length;
    const { perPerson, total } = this.#limits;
    if (mine < perPerson && this.#open.size < total) return;
    throw new LockkeeperError('RATE_LIMITED', {
      expected: `at most ${perPerson} streams of one person and ${total} of this registry`,
      found: 'one more',
      next: 'Ask GET /v1/revocations from time to time instead, or sign each machine in as a person of its own: lk people add',
    });
  }

  async #start(): Promise<void> {
    this.#cursor = await newestRevocation(this.#o.pool);
    this.#listening = listen(this.#o.pool, CHANNEL, () => void this.#wake().catch(() => undefined));
    this.#beat = setInterval(() => {
      if (this.#checking) return;
      this.#checking = true;
      this.#check().then(
        () => (this.#checking = false),
        () => (this.#checking = false),
      );
    }, this.#limits.beatMs);
    this.#beat.unref();
  }

  /** Reads what is new once for all streams; announcements during a reading cause one more. */
  #wake(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      const at = { after: this.#cursor, server: null, limit: PAGE };
      const events = await revocationsAfter(this.#o.pool, at);
      this.#cursor = events.at(-1)?.id ?? this.#cursor;
      this.#again ||= events.length === PAGE;
      for (const stream of this.#open) stream.deliver(events);
    }
  }

  /** A heartbeat promises that news would have come: there is none while the database cannot be heard. */
  async #check(): Promise<void> {
    await this.#listening?.ping(this.#limits.beatMs / 2);
    await this.#wake();
    const tokens = new Set([...this.#open].map(({ request }) => request.token));
    for (const token of tokens) {
      const roles = await this.#o.rolesOf(token);
      const may = roles !== null && mayCall(ROUTES.revocationStream, roles);
      for (const stream of this.#open) {
        if (stream.request.token !== token) continue;
        if (may) stream.beat();
        else stream.end();
      }
    }
  }
}

/** One reader. It is told from its own place in the order first, then of what comes. */
class Stream {
  readonly request: StreamRequest;
  readonly #response: ServerResponse;
  #cursor: number;
  #ready = false;
  /** There is, or may be, more in the database than was told. */
  #more = true;

  constructor(request: StreamRequest, response: ServerResponse) {
    this.request = request;
    this.#response = response;
    this.#cursor = request.after;
  }

  /** Throws what the database throws before the first byte; later it can only break off, and the reader comes again. */
  async begin(pool: Pool): Promise<void> {
    const first = await this.#page(pool);
    this.#head();
    this.#tell(first);
    try {
      while (this.#more) this.#tell(await this.#page(pool));
      this.#ready = true;
    } catch {
      this.#response.destroy();
    }
  }

  async #page(pool: Pool): Promise<RevocationEvent[]> {
    this.#more = false;
    const { server } = this.request;
    const events = await revocationsAfter(pool, { after: this.#cursor, server, limit: PAGE });
    this.#more ||= events.length === PAGE;
    return events;
  }

  deliver(events: readonly RevocationEvent[]): void {
    if (this.#ready) this.#tell(events);
    else this.#more ||= events.length > 0;
  }

  beat(): void {
    if (this.#ready) this.#write(': beat\n\n');
  }

  end(): void {
    this.#response.end();
  }

  #head(): void {
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      connection: 'close',
    });
    this.#write(': open\n\n');
  }

  #tell(events: readonly RevocationEvent[]): void {
    const { server } = this.request;
    for (const event of events) {
      if (event.id <= this.#cursor) continue;
      this.#cursor = event.id;
      if (server === null || event.server === server)
        this.#write(`id: ${event.id}\nevent: revocation\ndata: ${JSON.stringify(event)}\n\n`);
    }
  }

  #write(text: string): void {
    const response = this.#response;
    if (response.writableEnded || response.destroyed) return;
    response.write(text);
    if (response.writableLength > MAX_UNREAD) response.destroy();
  }
}
