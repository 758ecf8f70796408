/** What a TUF client asks with. The other side is a stranger: no redirects, a time for all of it, a size for each answer. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Fetcher } from 'tuf-js';
import { DownloadHTTPError } from 'tuf-js/dist/error.js';
import { readBounded, whyUnanswered } from '../../runtime/fetched.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export interface TufLimits {
  /** Milliseconds for one answer, and for a whole reading. */
  readonly answerMs: number;
  readonly allMs: number;
}

/** Metadata of the public instances has less than 200 kB. */
const MOST_BYTES = 5_000_000;

/** `failure` keeps the first thing that could not be had: the client wraps errors into others. */
export class BoundedFetcher implements Fetcher {
  failure: LockkeeperError | null = null;
  readonly #limits: TufLimits;
  readonly #end: AbortSignal;
  readonly #tmp: string;

  constructor(tmp: string, limits: TufLimits) {
    this.#tmp = tmp;
    this.#limits = limits;
    this.#end = AbortSignal.timeout(limits.allMs);
  }

  /** The client judges what lies at the path before it takes it. */
  async downloadFile<T>(url: string, maxLength: number, take: (path: string) => Promise<T>): Promise<T> {
    const path = join(this.#tmp, 'download');
    await writeFile(path, await this.downloadBytes(url, maxLength));
    return take(path);
  }

  /** Throws DownloadHTTPError for another status than 2xx, as the client knows it, and whatever fetch throws. */
  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    const most = Math.min(maxLength, MOST_BYTES);
    try {
      const signal = AbortSignal.any([this.#end, AbortSignal.timeout(this.#limits.answerMs)]);
      const response = await fetch(url, { redirect: 'error', signal });
      if (!response.ok) {
        await response.body?.cancel();
        throw new DownloadHTTPError('no answer', response.status);
      }
      const bytes = await readBounded(response.body, most);
      if (bytes === null) throw new Error(`more than ${most} bytes`);
      return bytes;
    } catch (error) {
      // Only these two say that no newer root is there.
      const isEnd =
        error instanceof DownloadHTTPError &&
        [403, 404].includes(error.statusCode) &&
        /\/\d+\.root\.json$/.test(url);
      if (!isEnd) this.failure ??= unreachable(url, error);
      throw error;
    }
  }
}

function unreachable(url: string, error: unknown): LockkeeperError {
  const found = error instanceof DownloadHTTPError ? `status ${error.statusCode}` : whyUnanswered(error);
  return new LockkeeperError('TRUST_UNREACHABLE', {
    expected: `an answer at ${quote(url, 300)}`,
    found: quote(found, 200),
    next: 'Check LOCKKEEPER_TUF; the trust files that root.json pins stay in use',
    cause: error,
  });
}
