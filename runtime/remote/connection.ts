/** One pinned connection that asks one thing after the other, each in one write. */
import type { TLSSocket } from 'node:tls';
import { AnswerReader } from './answer.ts';
import type { Exchange } from './exchange.ts';

/** A body that is copied behind its head rather than written beside it, bytes. */
const SMALL_BYTES = 16_384;

export interface ConnectionHandlers {
  /** It can be asked again. */
  readonly free: (connection: Connection) => void;
  readonly gone: (connection: Connection) => void;
}

export class Connection {
  /** Settles when it is closed. */
  readonly closed: Promise<void>;
  /** Until when it may wait to be asked, as `performance.now()` has it. */
  until = Number.POSITIVE_INFINITY;
  readonly #socket: TLSSocket;
  readonly #on: ConnectionHandlers;
  readonly #reader: AnswerReader;
  #exchange: Exchange | null = null;
  #keepMs = 0;
  #over = false;

  constructor(socket: TLSSocket, on: ConnectionHandlers) {
    this.#socket = socket;
    this.#on = on;
    this.#reader = new AnswerReader({
      head: (head) => {
        this.#keepMs = head.keepMs;
        this.#exchange?.head(head);
      },
      data: (chunk) => this.#exchange?.data(chunk),
      end: () => this.#exchange?.end(),
    });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#fail(error));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#fail(new Error('the connection was closed'));
        resolve();
      });
    });
  }

  ask(exchange: Exchange): void {
    this.#exchange = exchange;
    this.#reader.begin();
    exchange.begin(this);
    const { text, body } = exchange;
    if (body === undefined) this.#socket.write(text, 'latin1');
    else if (body.length <= SMALL_BYTES) this.#socket.write(text + body.toString('latin1'), 'latin1');
    else {
      this.#socket.cork();
      this.#socket.write(text, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#exchange = null;
    this.#socket.destroy();
    this.#on.gone(this);
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    try {
      // Whatever comes without a question, or behind its answer, is no answer to the next one.
      if (!this.#reader.take(chunk)) return this.#fail(new Error('more came than an answer'));
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#exchange && this.#reader.isOver) this.#answered();
  }

  #answered(): void {
    this.#exchange = null;
    // Who answers before it has taken much of what was asked is not asked again: what it does not read is held here.
    if (this.#keepMs <= 0 || this.#socket.writableLength > SMALL_BYTES) return this.destroy();
    if (this.#socket.isPaused()) this.#socket.resume();
    this.until = performance.now() + this.#keepMs;
    this.#on.free(this);
  }

  #ended(): void {
    try {
      if (this.#exchange && this.#reader.end()) return this.destroy();
      this.#fail(new Error('the other side ended the connection'));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    const exchange = this.#exchange;
    this.destroy();
    exchange?.failed(error);
  }
}
