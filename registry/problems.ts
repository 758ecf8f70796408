/** How a refusal is told over HTTP: one mapper for everything that is thrown, in problem documents. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asLockkeeperError, CODES, LockkeeperError, quote } from '../schemas/errors.ts';
import { problemOf } from '../schemas/problem.ts';

/** What is not ours is 500 without its inside; the log has the rest. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = known4xx(error) ?? asLockkeeperError(error);
  if (known.status >= 500) request.log.error({ err: error }, 'request failed');
  // Paths, and what programs said, stay on this machine.
  const shown =
    known.code === 'INTERNAL' || known.code === 'SIGNER_FAILED'
      ? new LockkeeperError(known.code, {
          expected: 'no failure',
          found: `one with the request id ${request.id}`,
          next: 'Report it with that id; the registry’s log has more',
        })
      : known;
  return reply
    .code(shown.status)
    .header('cache-control', 'no-store')
    .header('access-control-allow-origin', '*')
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(shown, CODES[shown.code].title)));
}

function badValue(): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', {
    expected: 'values that can be stored: dates that exist, texts without NUL',
    found: 'one that cannot',
    next: 'Correct the request',
  });
}

/** Fastify's own refusals of a request, in our words. */
function known4xx(error: unknown): LockkeeperError | null {
  if (error instanceof LockkeeperError) return error;
  const {
    statusCode,
    message,
    code: cause,
  } = error as { statusCode?: number; message?: string; code?: string };
  // What PostgreSQL says of values, not of itself: class 22 is data, 54000 a text too long for an index.
  if (typeof cause === 'string' && /^(?:22...|54000)$/.test(cause)) return badValue();
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  const code = statusCode === 413 ? 'FRAME_TOO_LARGE' : 'REQUEST_INVALID';
  return new LockkeeperError(code, {
    expected: 'a request this registry reads: JSON within this route’s limit',
    found: quote(message ?? '', 200),
    next: 'Correct the request',
  });
}
