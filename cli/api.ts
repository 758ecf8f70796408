/** The registry over HTTP. Answers are checked against their schema before anything believes them. */

import { readBounded, whyUnanswered } from '../runtime/fetched.ts';
import { pathOf, ROUTES, type RouteName, Stored } from '../schemas/api.ts';
import { CODES, type Code, LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict, sha256 } from '../schemas/json.ts';
import { Problem } from '../schemas/problem.ts';
import type { Static, TSchema } from '../schemas/type.ts';
import { assertValid, isValid } from '../schemas/validate.ts';

interface Call {
  readonly parameters?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  /** In the place of a body that is JSON. */
  readonly bytes?: Buffer;
}

export interface Api {
  readonly registry: string;
  /** What it is asked with; empty for nobody. */
  readonly token: string;
  call<S extends TSchema>(route: RouteName, answer: S, call?: Call): Promise<Static<S>>;
  /** Hands bytes in, and sees that they arrived. */
  upload(route: RouteName, bytes: Buffer): Promise<void>;
  /** The same registry, which has to answer within so many milliseconds. */
  within(ms: number): Api;
  /** An answer without an end, as server-sent events; over when `signal` says so. The reader bounds it. */
  stream(route: RouteName, call: Call, signal: AbortSignal): Promise<Response>;
  /** The bytes of a blob, unchecked: the store checks the digest. */
  blob(digest: string): Promise<Buffer>;
}

/** 30 s per request; closures have many small blobs and a report is a few hundred kilobytes. */
const TIMEOUT_MS = 30_000;
/** For a bundle of a quarter of a gigabyte. */
const UPLOAD_MS = 300_000;

export function openApi(registry: string, token: string | null, timeoutMs = TIMEOUT_MS): Api {
  const base = registry.replace(/\/+$/, '');
  const send = async (
    route: RouteName,
    call: Call,
    signal = AbortSignal.timeout(timeoutMs),
  ): Promise<Response> => {
    const url = new URL(base + pathOf(route, call.parameters));
    for (const [name, value] of Object.entries(call.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, value);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    const init: RequestInit = {
      method: ROUTES[route].method,
      headers,
      signal,
      redirect: 'error',
    };
    if (call.bytes !== undefined) {
      headers['content-type'] = 'application/octet-stream';
      init.body = new Uint8Array(call.bytes);
    } else if (call.body !== undefined) {
      headers['content-type'] = 'application/json';
      init.body = JSON.stringify(call.body);
    }
    const response = await fetch(url, init).catch((cause: Error) => {
      throw unreachable(base, whyUnanswered(cause), cause);
    });
    if (!response.ok) throw await problemFrom(response, base);
    return response;
  };
  // An answer that is none says nothing about what was asked: it could not be verified.
  const read = <T>(route: RouteName, take: () => Promise<T>): Promise<T> =>
    take().catch((cause: Error) => {
      throw unreachable(
        base,
        `an answer to ${ROUTES[route].path} that cannot be read: ${cause.message}`,
        cause,
      );
    });
  return {
    registry: base,
    token: token ?? '',
    upload: async (route, bytes) => {
      const response = await send(route, { bytes }, AbortSignal.timeout(UPLOAD_MS));
      const answer = await read(route, async () => parseStrict(await bodyOf(response)));
      const { digest } = assertValid(Stored, answer, `the registry's answer to ${ROUTES[route].path}`);
      if (digest !== sha256(bytes)) throw unreachable(base, 'the digest of other bytes', undefined);
    },
    within: (ms) => openApi(registry, token, ms),
    call: async (route, answer, call = {}) => {
      const response = await send(route, call);
      return read(route, async () => {
        const bytes = await bodyOf(response);
        return assertValid(
          answer,
          parseStrict(bytes, { maxBytes: MAX_ANSWER }),
          `the registry's answer to ${ROUTES[route].path}`,
        );
      });
    },
    stream: async (route, call, signal) => {
      const response = await send(route, call, signal);
      const type = response.headers.get('content-type') ?? 'none';
      if (/^text\/event-stream(?:;|$)/.test(type)) return response;
      await response.body?.cancel().catch(() => undefined);
      throw unreachable(base, `an answer of the type ${type.slice(0, 80)}`, undefined);
    },
    blob: async (digest) => {
      const response = await send('blob', { parameters: { digest } });
      return read('blob', () => bodyOf(response, MAX_BLOB));
    },
  };
}

/** Reports and locks are a few megabytes; a blob is at most as large as the tarball of a package may be. */
const MAX_ANSWER = 256 * 1024 * 1024;
const MAX_BLOB = 256 * 1024 * 1024;
const MAX_PROBLEM = 1_000_000;

async function bodyOf(response: Response, limit = MAX_ANSWER): Promise<Buffer> {
  const bytes = await readBounded(response.body, limit);
  if (bytes === null) throw new Error(`more than ${limit} bytes`);
  return bytes;
}

function unreachable(base: string, found: string, cause: unknown): LockkeeperError {
  return new LockkeeperError('REGISTRY_UNREACHABLE', {
    expected: `an answer from ${base}`,
    found: quote(found),
    next: 'Check the address, the network and that the registry runs',
    cause,
  });
}

/** The registry's refusal, as the error it was there; an answer that is not one means something else answered. */
async function problemFrom(response: Response, base: string): Promise<LockkeeperError> {
  try {
    const problem = parseStrict(await bodyOf(response, MAX_PROBLEM));
    if (isValid(Problem, problem) && Object.hasOwn(CODES, problem.code)) {
      const { expected, found, next } = problem;
      return new LockkeeperError(problem.code as Code, { expected, found, next });
    }
  } catch {
    // falls through: not a problem document
  }
  return unreachable(base, `status ${response.status} without a problem document`, undefined);
}
