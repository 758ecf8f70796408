/** Refusals of the HTTP face: a status, and the JSON-RPC error that says the same. */

import type { Json } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { encode, type Id, REFUSED } from '../wire/message.ts';

/** Thrown while a request is read: it is answered with this and reaches nothing. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly error: LockkeeperError;
  readonly headers: Readonly<Record<string, string>>;
  /** The protocol's own error number, where it has one. */
  readonly rpc: number;
  readonly data: Readonly<Record<string, Json>>;

  constructor(
    status: number,
    error: LockkeeperError,
    more: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly rpc?: number;
      readonly data?: Readonly<Record<string, Json>>;
    } = {},
  ) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.headers = more.headers ?? {};
    this.rpc = more.rpc ?? REFUSED;
    this.data = more.data ?? {};
  }

  body(id: Id | null): Buffer {
    const { code, expected, found, next, told } = this.error;
    const data = { ...this.data, code, expected, found, next };
    return encode({
      jsonrpc: '2.0',
      id,
      error: { code: this.rpc, message: `Lockkeeper: ${told}`, data },
    });
  }
}

export function badRequest(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', { expected, found, next });
}

/** The session is not known, or not this caller's: the two are not told apart. */
export function unknownSession(): HttpRefusal {
  const error = new LockkeeperError('NOT_FOUND', {
    expected: 'a session of this caller (Mcp-Session-Id)',
    found: 'none: it ended, or was never here',
    next: 'Begin again with initialize',
  });
  return new HttpRefusal(404, error);
}

export function tooManyWait(each: number): HttpRefusal {
  return tooMany(`${each} requests of one caller that wait for an answer`);
}

export function tooMany(most: string): HttpRefusal {
  const error = new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${most}`,
    found: 'one more',
    next: 'Wait for answers, or end what is not used',
  });
  return new HttpRefusal(429, error, { headers: { 'retry-after': '1' } });
}

/** To whoever waits for an answer when what was asked is over. */
export const ENDED = new LockkeeperError('SERVER_DIED', {
  expected: 'a server that answers',
  found: 'one that ended',
  next: 'Ask again',
});
