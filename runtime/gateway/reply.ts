/** The answer to one POST: plain JSON where the answer comes alone, events where something comes before it or it takes long. */
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { type EventStream, writeHeard } from './stream.ts';

/** An answer that takes longer is waited for as a stream that shows that it lives. */
const STREAM_AFTER_MS = 10_000;
/** What a connection takes at once, whoever reads it. */
const SMALL_BYTES = 16 * 1024;

export interface ReplyOptions {
  readonly headers: Record<string, string>;
  /** Whether the stream begins with an event that tells how to come back. */
  readonly prime: boolean;
  readonly stream: () => EventStream;
  /** Answer with events from the start, whatever comes. */
  readonly events: boolean;
}

export class Reply {
  readonly #response: ServerResponse;
  readonly #o: ReplyOptions;
  #stream: EventStream | null = null;
  #answered = false;
  readonly #streaming: NodeJS.Timeout;
  /** The client went before it was answered. */
  onGone: () => void = () => undefined;

  constructor(response: ServerResponse, options: ReplyOptions) {
    this.#response = response;
    this.#o = options;
    this.#streaming = setTimeout(() => void this.#streamed(), STREAM_AFTER_MS);
    this.#streaming.unref();
    response.on('close', () => {
      clearTimeout(this.#streaming);
      if (!this.#answered) this.onGone();
    });
    if (options.events) this.#streamed();
  }

  /** Somebody still waits for it. */
  get isHeard(): boolean {
    return !this.#response.destroyed;
  }

  /** There will be no answer: it was cancelled by who asked. */
  drop(): void {
    this.#answered = true;
    clearTimeout(this.#streaming);
    if (this.#stream) return this.#stream.end();
    if (!this.#response.destroyed) this.#response.writeHead(202, this.#o.headers).end();
  }

  answer(bytes: Buffer, status: number, source: Readable | undefined): void {
    this.#answered = true;
    clearTimeout(this.#streaming);
    if (this.#stream) {
      this.#stream.push(bytes, source);
      return this.#stream.end();
    }
    if (this.#response.destroyed) return;
    this.#response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': bytes.length,
      ...this.#o.headers,
    });
    // As characters that are its bytes it goes behind its head, in one piece.
    if (bytes.length <= SMALL_BYTES) return void this.#response.end(bytes.toString('latin1'), 'latin1');
    writeHeard(this.#response, bytes, source);
    this.#response.end();
  }

  aside(bytes: Buffer, source: Readable | undefined): void {
    this.#streamed().push(bytes, source);
  }

  #streamed(): EventStream {
    clearTimeout(this.#streaming);
    if (this.#stream) return this.#stream;
    this.#stream = this.#o.stream();
    if (!this.#response.destroyed)
      this.#stream.attach(this.#response, { headers: this.#o.headers, prime: this.#o.prime });
    return this.#stream;
  }
}
