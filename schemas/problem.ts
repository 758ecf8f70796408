/** problem+json (RFC 9457) with a stable code, and the member `error` that registry clients read. */
import { Closed } from './common.ts';
import type { LockkeeperError } from './errors.ts';
import { type Static, Type } from './type.ts';

export const Problem = Closed({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String(),
  code: Type.String(),
  expected: Type.String(),
  found: Type.String(),
  next: Type.String(),
  error: Type.String(),
});
export type Problem = Static<typeof Problem>;

export function problemOf(error: LockkeeperError, title: string): Problem {
  const { code, status, expected, found, next, message } = error;
  return {
    type: `urn:lockkeeper:problem:${code}`,
    title,
    status,
    detail: message,
    code,
    expected,
    found,
    next,
    error: message,
  };
}
