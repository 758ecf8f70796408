/** A large answer that has to be read where everybody is served: in bounded work, or not at all. */
import { asLockkeeperError, LockkeeperError } from '../../../schemas/errors.ts';
import { parseMessage, type Response, type Unread } from '../../wire/message.ts';

/** The answer, or why it is not read. */
export function readHere({ id, bytes }: Unread): Response | LockkeeperError {
  try {
    const message = parseMessage(bytes, true);
    if ((message.kind === 'response' || message.kind === 'error') && message.id === id) return message;
    return new LockkeeperError('RESULT_INVALID', {
      expected: 'one answer',
      found: 'something else',
      next: 'The server breaks the protocol; use another release',
    });
  } catch (thrown) {
    const { expected, found } = asLockkeeperError(thrown);
    return new LockkeeperError('RESULT_INVALID', { expected, found, next: 'Ask for less at a time' });
  }
}

/** What is known of an answer that nobody reads. */
export function unreadable({ id, bytes }: Unread | Response): Response {
  return { kind: 'error', id, error: {}, bytes };
}
