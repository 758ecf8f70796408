/** HTTP+SSE of 2024-11-05: one stream of events from the server, and an address that it names to post to. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Id, idKey, refusalOf } from '../wire/message.ts';
import { bodyOf, noBody } from './body.ts';
import { broken } from './head.ts';
import { answerOf, failureAt, isFatal, MAX_ASKED, type Outlet, type Said, TOO_MANY } from './outlet.ts';
import type { Requests } from './requests.ts';

export class OldTransport {
  readonly isWaiting = false;
  readonly #requests: Requests;
  readonly #out: Outlet;
  readonly #url: URL;
  readonly #asked = new Map<string, Id>();
  #endpoint: string | null = null;
  #left = false;

  constructor(url: URL, requests: Requests, out: Outlet) {
    this.#url = url;
    this.#requests = requests;
    this.#out = out;
  }

  /** Opens the stream and waits for the address to post to. Throws what the other side breaks. */
  begin(): Promise<void> {
    const { limits } = this.#out;
    const { takenMs } = limits;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(broken('an event "endpoint" first', 'none in time')), takenMs);
      const told = (event: string, data: Buffer): void => {
        if (event !== 'endpoint') return;
        this.#named(data.toString('utf8'));
        clearTimeout(timer);
        resolve();
      };
      const ended = (error: LockkeeperError): void => {
        clearTimeout(timer);
        reject(error);
        if (!this.#left) this.#out.die(error);
      };
      const ask = {
        method: 'GET',
        path: `${this.#url.pathname}${this.#url.search}`,
        headers: { accept: 'text/event-stream' },
      } as const;
      this.#requests.open(ask, {
        headMs: takenMs,
        body: (reply) => {
          if (reply.status >= 300) throw failureAt(reply.status, '');
          return bodyOf(reply, { line: (bytes) => this.#line(bytes), other: told }, this.#out);
        },
        end: () => ended(died('the end of its stream')),
        failed: ended,
      });
    });
  }

  /** The address has to be at the same place; it is told once. */
  #named(text: string): void {
    const url = URL.canParse(text, this.#url.href) ? new URL(text, this.#url) : null;
    if (this.#endpoint !== null) throw broken('an event "endpoint" once', 'another one');
    if (url === null || url.origin !== this.#url.origin || url.username !== '' || url.password !== '')
      throw broken(`an endpoint at ${this.#url.origin}`, quote(text, 200));
    this.#endpoint = `${url.pathname}${url.search}`;
  }

  #line(bytes: Buffer): void {
    const answered = this.#asked.size > 0 ? answerOf(bytes) : null;
    if (answered !== null) this.#asked.delete(answered);
    this.#out.line(bytes);
  }

  take({ id, method, params, bytes }: Said): void {
    const path = this.#endpoint;
    if (path === null) return;
    const asks = id !== undefined && method !== undefined;
    if (asks && this.#asked.size >= MAX_ASKED) return this.#out.line(refusalOf(id, TOO_MANY));
    if (asks) this.#asked.set(idKey(id), id);
    // What was taken back is mostly not answered any more.
    const { requestId } = params;
    const named = typeof requestId === 'string' || typeof requestId === 'number';
    if (named && method === 'notifications/cancelled') this.#asked.delete(idKey(requestId));
    const failed = (error: LockkeeperError): void => {
      if (isFatal(error)) return this.#out.die(error);
      if (asks && this.#asked.delete(idKey(id))) this.#out.line(refusalOf(id, error));
      else this.#out.note(`${method ?? 'an answer'} was not taken: ${error.message}`);
    };
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
    this.#requests.open(
      { method: 'POST', path, headers, body: bytes },
      {
        headMs: this.#out.limits.takenMs,
        body: ({ status }) => {
          if (status >= 300) throw failureAt(status, '');
          return noBody(this.#out.limits);
        },
        end: () => undefined,
        failed,
      },
    );
  }

  sweep(): void {
    // Nothing of its own stalls here: the requests are watched where they are kept.
  }

  async leave(): Promise<void> {
    this.#left = true;
  }
}

function died(found: string): LockkeeperError {
  return new LockkeeperError('SERVER_DIED', {
    expected: 'a server that keeps its stream open',
    found,
    next: 'Begin again',
  });
}
