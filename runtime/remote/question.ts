/** One question over a pinned channel, and its whole answer. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Ask, Channel } from './channel.ts';
import { broken, type Reply } from './head.ts';

export interface Whole extends Reply {
  /** Empty where the head was all that was wanted. */
  readonly body: Buffer;
}

const ANSWER_MS = 10_000;
const MAX_BYTES = 512 * 1024;

/** Throws what the channel throws, SERVER_SILENT after 10 s, and REMOTE_INVALID for more than 512 KiB. */
export function question(channel: Channel, ask: Ask, wants: 'head' | 'body'): Promise<Whole> {
  const { promise, resolve, reject } = Promise.withResolvers<Whole>();
  const chunks: Buffer[] = [];
  let size = 0;
  let reply: Reply | null = null;
  const done = (): void => {
    if (reply) resolve({ status: reply.status, header: reply.header, body: Buffer.concat(chunks) });
  };
  const flight = channel.ask(ask, {
    head: (head) => {
      reply = head;
      if (wants === 'head') done();
    },
    data: (chunk) => {
      size += chunk.length;
      if (size > MAX_BYTES) throw broken(`an answer of at most ${MAX_BYTES} bytes`, 'a longer one');
      if (wants === 'body') chunks.push(chunk);
    },
    end: done,
    failed: reject,
  });
  const timer = setTimeout(() => reject(silent()), ANSWER_MS);
  return promise.finally(() => {
    clearTimeout(timer);
    flight.abort();
  });
}

function silent(): LockkeeperError {
  return new LockkeeperError('SERVER_SILENT', {
    expected: `an answer within ${ANSWER_MS / 1000} s`,
    found: 'none',
    next: 'Check whether the server is well',
  });
}
