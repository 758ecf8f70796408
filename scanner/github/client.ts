/**
 * What GitHub is asked with: one request at a time, each answer remembered by its ETag, and nobody asked again who said
 * that it is enough or who could not be reached.
 */
import { Octokit } from '@octokit/rest';
import { fetch } from 'undici';
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { openDispatcher } from '../proxies.ts';

const ASK_MS = 10_000;
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_KEPT = 1000;
/** After a failure of the network, in milliseconds. */
const REST_MS = 60_000;
/** The longest that a limit is believed. */
const MAX_REST_MS = 3_600_000;

export interface Github {
  /** Whose repositories it knows, such as github.com. */
  readonly host: string;
  /** The answer of one route, null where there is no such thing. Throws SOURCE_UNREACHABLE. */
  ask(route: string, parameters: Readonly<Record<string, string | number>>): Promise<Json | null>;
  close(): Promise<void>;
}

export interface GithubOptions {
  /** Base address of the API, without a slash at the end. */
  readonly api: string;
  /** Whose repositories they are, where the address does not say so. */
  readonly host?: string;
  readonly token: string | null;
  /** Proxies as variables name them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

interface Kept {
  readonly etag: string;
  readonly data: unknown;
}

interface Answered {
  readonly status?: number;
  readonly data?: unknown;
  readonly headers: Readonly<Record<string, string | number | undefined>>;
}

export function openGithub({ api, host, token, environment, now }: GithubOptions): Github {
  const dispatcher = openDispatcher({ environment, maxResponseSize: MAX_BYTES });
  const octokit = new Octokit({
    baseUrl: api,
    userAgent: 'lockkeeper',
    ...(token === null ? {} : { auth: token }),
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    request: {
      fetch: (url: string, init: object) =>
        fetch(url, { ...init, dispatcher, signal: AbortSignal.timeout(ASK_MS) }),
    },
  });
  const kept = new Map<string, Kept>();
  let last: Promise<unknown> = Promise.resolve();
  let rest = { until: 0, why: '' };

  const once = async (
    route: string,
    parameters: Readonly<Record<string, string | number>>,
  ): Promise<Json | null> => {
    if (now().getTime() < rest.until) throw unreachable(rest.why);
    const key = octokit.request.endpoint(route, { ...parameters }).url;
    const known = kept.get(key);
    const headers = { 'accept-encoding': 'identity', ...(known ? { 'if-none-match': known.etag } : {}) };
    const answered = await octokit
      .request(route, { ...parameters, headers })
      .catch((error: unknown) => failed(error, (until) => (rest = until)));
    rest = restOf(answered.headers, now()) ?? rest;
    if (answered.status === 304 && known) return known.data as Json;
    if (answered.status !== 200) return null;
    // The library gives text for what is no JSON, and nothing for what broke off.
    if (answered.data === null || typeof answered.data !== 'object') {
      rest = { until: now().getTime() + REST_MS, why: 'an answer that is no JSON, or too long' };
      throw unreachable(rest.why);
    }
    const { etag } = answered.headers;
    if (typeof etag === 'string') keep(kept, key, { etag, data: answered.data });
    return answered.data as Json;
  };

  /** Anything else than an answer about the thing itself is thrown on. */
  const failed = (error: unknown, set: (rest: { until: number; why: string }) => void): Answered => {
    const { status, message, response } = error as { status?: number; message?: string; response?: Answered };
    const gone = status === 404 || status === 410 || status === 451;
    if (response && (gone || status === 304)) return { status: gone ? 404 : 304, headers: response.headers };
    const why = quote(message ?? String(error), 200);
    set(restOf(response?.headers ?? {}, now(), status) ?? { until: now().getTime() + REST_MS, why });
    throw unreachable(why, error);
  };

  return {
    host: host ?? hostOf(api),
    ask: (route, parameters) => {
      const turn = last.then(() => once(route, parameters));
      last = turn.catch(() => undefined);
      return turn;
    },
    close: () => dispatcher.close(),
  };
}

function hostOf(api: string): string {
  const { hostname } = new URL(api);
  return hostname === 'api.github.com' ? 'github.com' : hostname;
}

function keep(kept: Map<string, Kept>, key: string, one: Kept): void {
  kept.delete(key);
  kept.set(key, one);
  const [oldest] = kept.keys();
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
}

/** Until when nobody is asked, where an answer says that it is enough for now. */
function restOf(
  headers: Answered['headers'],
  now: Date,
  status = 200,
): { until: number; why: string } | null {
  const after = Number(headers['retry-after'] ?? Number.NaN) * 1000;
  const spent =
    headers['x-ratelimit-remaining'] !== undefined && Number(headers['x-ratelimit-remaining']) === 0;
  const limited = spent || status === 429 || (status === 403 && !Number.isNaN(after));
  if (!limited) return null;
  const reset = Number(headers['x-ratelimit-reset'] ?? Number.NaN) * 1000 - now.getTime();
  const ms = [after, reset, REST_MS].find((one) => Number.isFinite(one) && one > 0) ?? REST_MS;
  const until = now.getTime() + Math.min(ms, MAX_REST_MS);
  return { until, why: `its limit is reached until ${new Date(until).toISOString()}` };
}

function unreachable(found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('SOURCE_UNREACHABLE', {
    expected: 'GitHub to answer',
    found,
    next: 'Check LOCKKEEPER_GITHUB and its token, or wait',
    cause,
  });
}
