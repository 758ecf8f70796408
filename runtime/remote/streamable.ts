/** Streamable HTTP, both eras: each message is a POST; answers come as one JSON text or as events. */
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { TransientMap } from '../transient-map.ts';
import { type Id, idKey, refusalOf } from '../wire/message.ts';
import { textAt } from '../wire/splice.ts';
import { type Body, bodyOf, noBody } from './body.ts';
import type { Ask } from './channel.ts';
import { broken, type Reply } from './head.ts';
import { messageHeaders, statelessVersion } from './headers.ts';
import { Listening } from './listening.ts';
import { answerOf, failureAt, isFatal, MAX_ASKED, type Outlet, type Said, TOO_MANY } from './outlet.ts';
import type { Open, Requests } from './requests.ts';

/** A stream that goes on after its answer is not kept, ms. */
const AFTER_MS = 2000;

/** A request of ours until it is answered. */
export interface Asked {
  readonly id: Id;
  readonly method: string;
  readonly stateless: boolean;
  /** When its answer came; null before. */
  answered: number | null;
  open: Open | null;
}

export class Streamable {
  readonly #requests: Requests;
  readonly #out: Outlet;
  readonly #path: string;
  readonly #asked = new TransientMap<string, Asked>();
  readonly #listening: Listening;
  #session: string | null = null;
  #version: string | null = null;
  /** Messages that wait until the server has taken `initialized`. */
  #waiting: Said[] | null = null;
  #spoke = false;

  constructor(path: string, requests: Requests, out: Outlet) {
    this.#path = path;
    this.#requests = requests;
    this.#out = out;
    this.#listening = new Listening({
      requests,
      path,
      out,
      headers: () => this.#headers(),
      assertSession: (reply) => this.#assertSession(reply),
      body: (reply, asked, on) => bodyOf(reply, { ...on, line: (bytes) => this.#line(bytes, asked) }, out),
      failed: (asked, error) => this.#failed(asked, error),
    });
  }

  /** Whoever sends more is to wait: until the server has taken `initialized`, all of it is kept here. */
  get isWaiting(): boolean {
    return this.#waiting !== null;
  }

  /** One message of ours. */
  take(said: Said): void {
    if (this.#waiting) this.#waiting.push(said);
    else if (said.method === undefined || said.id === undefined) this.#notice(said);
    else this.#ask({ ...said, id: said.id, method: said.method });
  }

  sweep(now: number): void {
    for (const asked of this.#asked.all())
      if (asked.answered !== null && now - asked.answered >= AFTER_MS) this.#giveUp(asked);
  }

  /** Says goodbye to a session, if there is one. */
  leave(): Promise<void> {
    this.#listening.close();
    if (this.#session === null) return Promise.resolve();
    const ask = { method: 'DELETE', path: this.#path, headers: this.#headers() } as const;
    return new Promise((resolve) => {
      this.#requests.open(ask, {
        body: () => noBody(this.#out.limits),
        end: resolve,
        failed: () => resolve(),
        headMs: this.#out.limits.takenMs,
      });
    });
  }

  #headers(version = this.#version): Record<string, string> {
    return {
      accept: 'application/json, text/event-stream',
      ...(version === null ? {} : { 'mcp-protocol-version': version }),
      ...(this.#session === null ? {} : { 'mcp-session-id': this.#session }),
    };
  }

  #post({ method, params, bytes }: Said): Ask {
    const version = statelessVersion(params);
    const repeated =
      version === null || method === undefined ? {} : messageHeaders(method, params, this.#out.tools);
    const headers = {
      ...this.#headers(version ?? this.#version),
      'content-type': 'application/json',
      ...repeated,
    };
    return { method: 'POST', path: this.#path, headers, body: bytes };
  }

  #ask(said: Said & { readonly id: Id; readonly method: string }): void {
    const { id, method, params } = said;
    if (this.#asked.size >= MAX_ASKED) return this.#out.line(refusalOf(id, TOO_MANY));
    const stateless = statelessVersion(params) !== null;
    const asked: Asked = { id, method, stateless, answered: null, open: null };
    this.#asked.set(idKey(id), asked);
    const from = { lastId: null as string | null, retryMs: null as number | null };
    asked.open = this.#requests.open(this.#post(said), {
      body: (reply) => this.#answerBody(reply, asked, from),
      end: () => {
        if (asked.answered !== null) this.#asked.takeIf(idKey(id), asked);
        else if (from.lastId !== null && !asked.stateless) this.#listening.resume(asked, from);
        else this.#failed(asked, broken('an answer before the stream ends', 'its end'));
      },
      failed: (error) => {
        if (asked.answered !== null) this.#asked.takeIf(idKey(id), asked);
        else if (error.code === 'SERVER_DIED' && from.lastId !== null && !asked.stateless)
          this.#listening.resume(asked, from);
        else this.#failed(asked, error);
      },
    });
  }

  #answerBody(reply: Reply, asked: Asked, from: { lastId: string | null; retryMs: number | null }): Body {
    if (asked.method !== 'initialize') this.#assertSession(reply);
    if (reply.status >= 400) return this.#errorBody(reply, asked);
    if (asked.method === 'initialize') this.#session = sessionOf(reply);
    const on = {
      line: (bytes: Buffer) => this.#line(bytes, asked),
      id: (id: string) => {
        from.lastId = id;
      },
      retry: (ms: number) => {
        from.retryMs = ms;
      },
    };
    const body = bodyOf(reply, on, this.#out);
    if (body.kind === 'none') throw broken('an answer', `HTTP ${reply.status} and nothing more`);
    return body;
  }

  /** An error may be said in the protocol's own words, which are the answer; else the status is. */
  #errorBody(reply: Reply, asked: Asked): Body {
    const type = reply.header('content-type') ?? '';
    if (!/^application\/json\b/i.test(type)) throw failureAt(reply.status, '');
    const line = (bytes: Buffer): void => {
      if (answerOf(bytes) !== idKey(asked.id)) throw failureAt(reply.status, bytes.toString('utf8'));
      this.#line(bytes, asked);
    };
    return bodyOf(reply, { line }, this.#out);
  }

  #line(bytes: Buffer, asked: Asked | null): void {
    if (asked && asked.answered === null && answerOf(bytes) === idKey(asked.id)) {
      asked.answered = performance.now();
      this.#spoke = true;
      if (asked.method === 'initialize') this.#version = versionIn(bytes);
    }
    this.#out.line(bytes);
  }

  #failed(asked: Asked, error: LockkeeperError): void {
    this.#asked.takeIf(idKey(asked.id), asked);
    if (isFatal(error) || !this.#spoke) return this.#out.die(error);
    this.#out.line(refusalOf(asked.id, error));
  }

  /** A notice, or an answer to the server. */
  #notice(said: Said): void {
    const { method, params } = said;
    const about = method === 'notifications/cancelled' ? this.#named(params) : undefined;
    // There, the end of its stream is how a request is taken back.
    if (about?.stateless) return this.#giveUp(about);
    if (method === 'notifications/initialized') this.#waiting = [];
    const done = (): void => {
      if (about) this.#giveUp(about);
      if (method === 'notifications/initialized') this.#initialized();
    };
    this.#requests.open(this.#post(said), {
      headMs: this.#out.limits.takenMs,
      body: (reply) => {
        this.#assertSession(reply);
        if (reply.status >= 300) throw failureAt(reply.status, '');
        return noBody(this.#out.limits);
      },
      end: done,
      failed: (error) => {
        if (isFatal(error)) return this.#out.die(error);
        this.#out.note(`${method ?? 'an answer'} was not taken: ${error.message}`);
        done();
      },
    });
  }

  #named({ requestId }: JsonObject): Asked | undefined {
    const named = typeof requestId === 'string' || typeof requestId === 'number';
    return named ? this.#asked.get(idKey(requestId)) : undefined;
  }

  #giveUp(asked: Asked): void {
    this.#asked.takeIf(idKey(asked.id), asked);
    asked.open?.abort();
  }

  #initialized(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    this.#listening.begin();
    for (const said of waiting) this.take(said);
    this.#out.free();
  }

  #assertSession({ status }: Reply): void {
    if (status !== 404 || this.#session === null) return;
    this.#out.die(
      new LockkeeperError('SERVER_DIED', {
        expected: 'a server that knows our session',
        found: 'HTTP 404: it has forgotten it',
        next: 'Begin a new session',
      }),
    );
  }
}

function sessionOf({ header }: Reply): string | null {
  const id = header('mcp-session-id');
  if (id === undefined) return null;
  if (/^[\x21-\x7e]{1,1024}$/.test(id)) return id;
  throw broken('a session id of visible characters', quote(id, 80));
}

/** Null also for what is no JSON: that is refused where it is read. */
function versionIn(bytes: Buffer): string | null {
  try {
    const text = textAt(bytes, ['result', 'protocolVersion'])?.toString('latin1') ?? '';
    return /^"(\d{4}-\d{2}-\d{2})"$/.exec(text)?.[1] ?? null;
  } catch {
    return null;
  }
}
