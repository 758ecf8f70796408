/** One request on its way, and whom its answer goes to. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Ask, Flight, ReplyHandlers } from './channel.ts';
import type { Connection } from './connection.ts';
import { broken, type Head } from './head.ts';

/** Interim answers (1xx) before the answer. */
const MAX_INFORMED = 16;
/** What may stand in a request beside what ends a line. */
const WORD = /^[\x21-\x7e]+$/;
const NAME = /^[a-z0-9-]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

export class Exchange implements Flight {
  readonly text: string;
  readonly body: Buffer | undefined;
  readonly #on: ReplyHandlers;
  readonly #dropped: (exchange: Exchange) => void;
  #connection: Connection | null = null;
  #paused = false;
  #over = false;
  #informed = 0;

  /** `dropped`: called when it is given up before it went out. Throws for what cannot stand in a request. */
  constructor(
    host: string,
    ask: Ask,
    { on, dropped }: { on: ReplyHandlers; dropped: (one: Exchange) => void },
  ) {
    this.text = textOf(host, ask);
    this.body = ask.body;
    this.#on = on;
    this.#dropped = dropped;
  }

  begin(connection: Connection): void {
    this.#connection = connection;
    if (this.#paused) connection.pause();
  }

  head(head: Head): void {
    if (head.status >= 200) this.#on.head(plain(head));
    else if (++this.#informed > MAX_INFORMED) throw broken('an answer', `${this.#informed} promises of one`);
  }

  data(chunk: Buffer): void {
    this.#on.data(chunk);
  }

  end(): void {
    this.#on.end();
    this.#over = true;
  }

  failed(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#on.failed(failureOf(error));
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#connection) this.#connection.destroy();
    else this.#dropped(this);
  }

  pause(): void {
    this.#paused = true;
    if (!this.#over) this.#connection?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#over) this.#connection?.resume();
  }
}

function textOf(host: string, { method, path, headers, body }: Ask): string {
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\naccept-encoding: identity\r\n`;
  let isClean = WORD.test(path);
  for (const name of Object.keys(headers)) {
    const value = headers[name] ?? '';
    isClean &&= NAME.test(name) && VALUE.test(value);
    text += `${name}: ${value}\r\n`;
  }
  if (!isClean) throw broken('headers and an address of printable characters', 'others');
  return body === undefined ? `${text}\r\n` : `${text}content-length: ${body.length}\r\n\r\n`;
}

/** Not sent elsewhere, not packed. */
function plain(head: Head): Head {
  const { status } = head;
  if (status >= 300 && status < 400) {
    throw broken(
      'an answer at the address that was reviewed',
      `a redirection (${status})`,
      'Redirections are not followed; publish the address that it leads to, if that is the server',
      `to ${quote(head.header('location') ?? 'nowhere', 200)}`,
    );
  }
  const encoding = head.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw broken('an answer as it is, as asked for', `one packed as ${quote(encoding, 60)}`);
  return head;
}

function failureOf(thrown: unknown): LockkeeperError {
  if (thrown instanceof LockkeeperError) return thrown;
  const { code = '', message } = thrown as Error & { code?: string };
  // The connection stood, and was held to its pins: what ended is the other end.
  return new LockkeeperError('SERVER_DIED', {
    expected: 'a whole answer',
    found: quote(`${code} ${message}`.trim(), 200),
    next: 'It is not known whether the server did what it was asked: look before asking again',
    cause: thrown,
  });
}
