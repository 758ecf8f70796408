/** Lines of a server, read once: answers to our own questions, and what is handed on. */
import type { JsonObject } from '../../schemas/common.ts';
import { CODES, LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Id, LARGE_BYTES, LARGE_PARTS, type Message, parseMessage } from '../wire/message.ts';
import { answeredBy } from '../wire/peek.ts';
import { MAX_SAID_BYTES, TOO_LOUD } from './limits.ts';
import type { PeerHandlers } from './peer.ts';

export interface Asked {
  readonly method: string;
  readonly resolve: (result: JsonObject) => void;
  readonly reject: (error: unknown) => void;
}

/** What is to be done about a line. Throws where it is no message; what is done may throw what ends the session. */
export function reader(
  asked: Map<string, Asked>,
  handlers: Pick<PeerHandlers, 'message' | 'unread'>,
): (bytes: Buffer) => () => void {
  const { unread } = handlers;
  const most = unread ? LARGE_PARTS : Number.POSITIVE_INFINITY;
  const settled = (mine: Asked, id: string, bytes: Buffer): void => {
    asked.delete(id);
    // What is compared and digested has to be read in one way.
    try {
      settle(mine, parseMessage(bytes, false, most));
    } catch (error) {
      mine.reject(error);
    }
  };
  const mineBy = (id: Id | null): Asked | undefined => (typeof id === 'string' ? asked.get(id) : undefined);
  return (bytes) => {
    const large = unread !== undefined && bytes.length >= LARGE_BYTES;
    const id = large ? answeredBy(bytes) : null;
    const awaited = mineBy(id);
    if (awaited) return () => settled(awaited, String(id), bytes);
    if (large && id !== null) return () => unread({ kind: 'unread', id, bytes });
    if (large && bytes.length > MAX_SAID_BYTES) return tooLoud;
    const message = parseMessage(bytes, true, most);
    const answers = message.kind === 'response' || message.kind === 'error';
    const mine = answers ? mineBy(message.id) : undefined;
    if (!mine || !answers) return () => handlers.message(message);
    return () => settled(mine, String(message.id), bytes);
  };
}

/** Unread: it is more than a server may say in ten seconds. Throws what ends its session. */
function tooLoud(): never {
  throw TOO_LOUD;
}

function settle({ method, resolve, reject }: Asked, message: Message): void {
  if (message.kind === 'response') {
    const { result } = message;
    if (result !== null && typeof result === 'object' && !Array.isArray(result)) return resolve(result);
    return reject(
      new LockkeeperError('SURFACE_UNREADABLE', {
        expected: `an object as the result of ${method}`,
        found: 'something else',
        words: quote(JSON.stringify(result), 80),
        next: 'The server breaks the protocol; use another release',
      }),
    );
  }
  const error: JsonObject = message.kind === 'error' ? message.error : {};
  reject(
    new LockkeeperError('SURFACE_UNREADABLE', {
      expected: `a result of ${method}`,
      found: `an error ${codeIn(error)}`.trim(),
      words: quote(JSON.stringify(error), 300),
      next: 'See what the server says on stderr: lk logs',
      cause: error,
    }),
  );
}

/** The number of an error, or a code of our own table: no words. */
function codeIn({ code, data }: JsonObject): string {
  const ours = data !== null && typeof data === 'object' && !Array.isArray(data) ? data?.code : undefined;
  if (typeof ours === 'string' && Object.hasOwn(CODES, ours)) return ours;
  return typeof code === 'number' ? `${code}` : '';
}
