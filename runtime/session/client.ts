/** The client's side of a session: its lines, read and parsed; what it is told, written. */
import type { Readable, Writable } from 'node:stream';
import { asLockkeeperError, type LockkeeperError } from '../../schemas/errors.ts';
import { readLines } from '../wire/lines.ts';
import { type Message, parseMessage } from '../wire/message.ts';
import { pipeTo } from './backpressure.ts';
import type { ClientPort } from './options.ts';

const LINE_BYTES = 8 * 1024 * 1024;
const MAX_BAD_LINES = 100;
const NEWLINE = Buffer.from('\n');

export interface ClientHandlers {
  readonly message: (message: Message) => void;
  /** A line that is no message; after the last one of these, `broken`. */
  readonly badLine: (error: LockkeeperError) => void;
  /** What comes from it can no longer be told apart. */
  readonly broken: (error: LockkeeperError) => void;
  /** It sends nothing any more, but may still listen. */
  readonly ended: () => void;
  /** It does not listen any more. */
  readonly deaf: () => void;
}

export class ClientSide implements ClientPort {
  readonly #input: Readable;
  readonly #output: Writable;

  constructor({ input, output }: { readonly input: Readable; readonly output: Writable }) {
    this.#input = input;
    this.#output = output;
  }

  read(handlers: ClientHandlers): void {
    let bad = 0;
    const refuse = (error: LockkeeperError, last: boolean): void => {
      handlers.badLine(error);
      if (last) handlers.broken(error);
    };
    this.#output.on('error', () => handlers.deaf());
    readLines(this.#input, LINE_BYTES, {
      line: (bytes) => {
        let message: Message;
        try {
          message = parseMessage(bytes);
        } catch (thrown) {
          return refuse(asLockkeeperError(thrown), ++bad > MAX_BAD_LINES);
        }
        handlers.message(message);
      },
      end: () => handlers.ended(),
      error: (thrown) => refuse(asLockkeeperError(thrown), true),
    });
  }

  send(bytes: Buffer, _about: string | null, source: Readable | undefined): void {
    if (!this.#output.destroyed) pipeTo(this.#output, Buffer.concat([bytes, NEWLINE]), source);
  }

  aside(bytes: Buffer, about: string | null, source: Readable | undefined): void {
    this.send(bytes, about, source);
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }
}
