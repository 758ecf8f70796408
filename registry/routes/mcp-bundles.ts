/** Bundles that a submission will name, as a stream of bytes. */
import { Readable } from 'node:stream';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Handlers } from '../app.ts';
import type { Deps } from '../deps.ts';
import { takeBundle } from '../mcp-bundles.ts';

/** Milliseconds for which the rest of a refused body is read, so that its sender sees the answer. */
const REST_MS = 10_000;

export function bundleRoutes(deps: Deps): Handlers {
  return {
    bundle: async ({ actor, request }) => {
      const { body } = request;
      const length = request.headers['content-length'];
      if (!(body instanceof Readable))
        throw new LockkeeperError('REQUEST_INVALID', {
          expected: 'a bundle as application/octet-stream',
          found: 'no body',
          next: 'Hand in the file itself: lk publish mcpb:FILE',
        });
      try {
        const known = length === undefined ? null : Number(length);
        return await takeBundle({ person: actor.person, body, length: known }, deps);
      } catch (error) {
        body.resume();
        const timer = setTimeout(() => request.raw.destroy(), REST_MS);
        timer.unref();
        request.raw.once('close', () => clearTimeout(timer));
        throw error;
      }
    },
  };
}
