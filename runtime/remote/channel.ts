/** HTTP to one origin over pinned connections: requests out, answers in as they come, nothing followed or unpacked. */
import type { LockkeeperError } from '../../schemas/errors.ts';
import { Connection } from './connection.ts';
import { Exchange } from './exchange.ts';
import type { Reply } from './head.ts';
import { type Dial, type Dialled, dial } from './tls.ts';

/** Connections at once: each answer that is still open holds one. */
export const MAX_CONNECTIONS = 128;

export interface Ask {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** By small names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

/** What one of these throws ends the request, and is told as its failure. */
export interface ReplyHandlers {
  readonly head: (reply: Reply) => void;
  readonly data: (chunk: Buffer) => void;
  readonly end: () => void;
  /** Nothing follows. Not called after `abort`. */
  readonly failed: (error: LockkeeperError) => void;
}

/** One request on its way. */
export interface Flight {
  abort(): void;
  pause(): void;
  resume(): void;
}

export interface Channel {
  readonly first: Dialled;
  /** Throws REMOTE_INVALID for what cannot stand in a request; calls nothing before it returns. */
  ask(ask: Ask, handlers: ReplyHandlers): Flight;
  /** Ends connections that waited for too long. To be called about every second. */
  sweep(now: number): void;
  /** Ends all requests and connections at once. */
  destroy(): Promise<void>;
}

/** Connects once, so that whoever is not the one who was reviewed is refused before anything is said. */
export async function openChannel(to: Dial): Promise<Channel> {
  return new Pool(to, await dial(to));
}

class Pool implements Channel {
  readonly first: Dialled;
  readonly #to: Dial;
  readonly #host: string;
  readonly #all = new Set<Connection>();
  /** Of those, the ones that can be asked; the last was asked last. */
  #idle: Connection[] = [];
  #waiting: Exchange[] = [];
  #dialling = 0;
  #isDue = false;
  #over = false;

  constructor(to: Dial, first: Dialled) {
    this.first = first;
    this.#to = to;
    this.#host = new URL(to.launch.url).host;
    this.#connected(first);
  }

  ask(ask: Ask, on: ReplyHandlers): Flight {
    const exchange = new Exchange(this.#host, ask, { on, dropped: (one) => this.#drop(one) });
    this.#waiting.push(exchange);
    this.#soon();
    return exchange;
  }

  /** In the next turn: of connections that the other side ended meanwhile, all is known by then. */
  #soon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.#serve();
    });
  }

  #serve(): void {
    if (this.#over)
      for (const exchange of this.#waiting.splice(0)) exchange.failed(new Error('it was stopped'));
    for (let next = this.#next(); next; next = this.#next()) next[0].ask(next[1]);
    this.#dialMore();
  }

  #next(): [Connection, Exchange] | null {
    if (this.#waiting.length === 0) return null;
    const connection = this.#idle.pop();
    const exchange = connection && this.#waiting.shift();
    return exchange ? [connection, exchange] : null;
  }

  sweep(now: number): void {
    for (const connection of this.#idle.filter(({ until }) => until < now)) connection.destroy();
  }

  async destroy(): Promise<void> {
    this.#over = true;
    this.#serve();
    const all = [...this.#all];
    for (const connection of all) connection.destroy();
    await Promise.all(all.map(({ closed }) => closed));
  }

  #connected({ socket }: Dialled): void {
    const connection = new Connection(socket, {
      free: (one) => this.#free(one),
      gone: (one) => this.#gone(one),
    });
    this.#all.add(connection);
    this.#free(connection);
  }

  #free(connection: Connection): void {
    this.#idle.push(connection);
    if (this.#waiting.length > 0) this.#soon();
  }

  #gone(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#idle = this.#idle.filter((one) => one !== connection);
    if (this.#waiting.length > 0) this.#soon();
  }

  #drop(exchange: Exchange): void {
    this.#waiting = this.#waiting.filter((one) => one !== exchange);
  }

  /** One connection for each that waits, as long as there may be more. */
  #dialMore(): void {
    while (
      !this.#over &&
      this.#dialling < this.#waiting.length &&
      this.#all.size + this.#dialling < MAX_CONNECTIONS
    ) {
      this.#dialling++;
      void this.#dial();
    }
  }

  async #dial(): Promise<void> {
    try {
      const dialled = await dial(this.#to);
      this.#dialling--;
      if (this.#over) dialled.socket.destroy();
      else this.#connected(dialled);
    } catch (error) {
      this.#dialling--;
      // Of those that wait, the ones that others are dialled for go on waiting.
      if (this.#waiting.length > this.#dialling) this.#waiting.shift()?.failed(error);
      this.#dialMore();
    }
  }
}
