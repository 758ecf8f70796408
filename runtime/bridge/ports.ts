/** What stands between a client of one protocol era and a server of the other, and what it has of their session. */
import type { JsonObject } from '../../schemas/common.ts';
import type { Surface } from '../../schemas/surface.ts';
import type { Exchange } from '../session/exchange.ts';
import type { Peer } from '../session/peer.ts';
import type { Message } from '../wire/message.ts';

/** How long a client may take to answer what a call asks, ms. */
export const ANSWER_MS = 5 * 60_000;

export interface BridgeOptions {
  readonly exchange: Exchange;
  /** The texts of the lock: what the server would say of itself. */
  readonly surface: Surface;
  readonly answerMs: number;
  /** The server's word as its client's era has it, to be judged like any other. */
  readonly heard: (message: Message) => void;
  /** Nothing waits here any more. */
  readonly idle: () => void;
}

export interface Bridge {
  /** The greeting in the client's era, from the lock. */
  readonly hello: JsonObject;
  /** The server is needed though no request of the client is open. */
  readonly isWaiting: boolean;
  /** A server is there and the locked one: gives what the client's words are sent to. */
  begin(peer: Peer): Peer;
  /** What the server says, in its own era. */
  hear(message: Message): void;
  /** The server is gone: nothing that was said to it is waited for. */
  over(): void;
}
