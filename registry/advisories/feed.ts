/** Where advisories come from: a folder or an http address laid out like the bucket of OSV. It is a stranger: every answer is bounded. */
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readBounded, whyUnanswered } from '../../runtime/fetched.ts';
import { type Archive, openArchive } from '../../scanner/advisories/archive.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

export interface FeedLimits {
  /** Milliseconds for a list or a record, and for an archive. */
  readonly answerMs: number;
  readonly archiveMs: number;
}

const LIMITS: FeedLimits = { answerMs: 30_000, archiveMs: 20 * 60_000 };

export interface Feed {
  /** A file of the feed, by the parts of its path; null where there is none. Throws ADVISORIES_UNREACHABLE. */
  bytes(path: readonly string[], maxBytes: number): Promise<Buffer | null>;
  /** The same, on the disk, to be read in places. */
  archive(path: readonly string[], maxBytes: number): Promise<Archive | null>;
}

/** `location` is the absolute path of a folder, or an address; `tmp` takes what is fetched. */
export function openFeed(
  location: string,
  { tmp, limits = {} }: { readonly tmp: string; readonly limits?: Partial<FeedLimits> },
): Feed {
  const bounds = { ...LIMITS, ...limits };
  return location.startsWith('/') ? folderFeed(location) : httpFeed(location, tmp, bounds);
}

function folderFeed(folder: string): Feed {
  const sizeOf = async (path: string, maxBytes: number): Promise<number | null> => {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw unreachable(path, error.message, error);
    });
    if (found === null) return null;
    if (!found.isFile()) throw unreachable(path, 'no file');
    if (found.size > maxBytes) throw tooLarge(path, maxBytes);
    return found.size;
  };
  return {
    bytes: async (path, maxBytes) => {
      const file = join(folder, ...path);
      return (await sizeOf(file, maxBytes)) === null ? null : readFile(file);
    },
    archive: async (path, maxBytes) => {
      const file = join(folder, ...path);
      const size = await sizeOf(file, maxBytes);
      return size === null ? null : openArchive(file);
    },
  };
}

function httpFeed(base: string, tmp: string, { answerMs, archiveMs }: FeedLimits): Feed {
  const addressOf = (path: readonly string[]): string =>
    [base.replace(/\/+$/, ''), ...path.map((part) => encodeURIComponent(part))].join('/');
  return {
    bytes: async (path, maxBytes) => {
      const url = addressOf(path);
      return asked(url, answerMs, async ({ body }) => {
        const bytes = await readBounded(body, maxBytes);
        if (bytes === null) throw tooLarge(url, maxBytes);
        return bytes;
      });
    },
    archive: async (path, maxBytes) => {
      const url = addressOf(path);
      const dir = await mkdtemp(join(tmp, 'advisories-'));
      const gone = (): Promise<void> => rm(dir, { recursive: true, force: true });
      try {
        const file = join(dir, 'all.zip');
        const found = await asked(url, archiveMs, async (response) => {
          await pipeline(
            Readable.from(bounded(response, url, maxBytes)),
            createWriteStream(file, { flags: 'wx' }),
          );
          return (await stat(file)).size;
        });
        if (found !== null) return await openArchive(file, gone);
        await gone();
        return null;
      } catch (error) {
        await gone();
        throw error;
      }
    },
  };
}

/** One question: no redirects, a time for all of the answer. Null for 404. */
async function asked<T>(
  url: string,
  ms: number,
  take: (response: Response) => Promise<T>,
): Promise<T | null> {
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(ms) });
    if (response.ok) return await take(response);
    await response.body?.cancel();
    if (response.status === 404) return null;
    throw new Error(`status ${response.status}`);
  } catch (error) {
    if (error instanceof LockkeeperError) throw error;
    throw unreachable(url, whyUnanswered(error), error);
  }
}

async function* bounded({ body }: Response, url: string, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(url, maxBytes);
    yield chunk;
  }
}

function tooLarge(where: string, maxBytes: number): LockkeeperError {
  return new LockkeeperError('DOCUMENT_INVALID', {
    expected: `at most ${maxBytes} bytes at ${quote(where, 200)}`,
    found: 'more',
    next: 'Tell whoever runs the feed',
  });
}

/** The refusal of whatever a feed does not answer, or answers too much or too late. */
export function unreachable(where: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('ADVISORIES_UNREACHABLE', {
    expected: `an answer of the advisory feed at ${quote(where, 200)}`,
    found: quote(found, 200),
    next: 'Check LOCKKEEPER_ADVISORIES, or bring the records with: lk advisories import',
    cause,
  });
}
