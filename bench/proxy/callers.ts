/** Clients as thin as can be, over a pipe and over HTTP: what they cost is in every figure, and should be little. */
import type { Readable, Writable } from 'node:stream';
import { Pool } from 'undici';
import { readLines } from '../../runtime/wire/lines.ts';
import type { Era } from '../../schemas/surface.ts';
import { callText, greetingText, MESSAGE } from './words.ts';

export interface Caller {
  /** One tools/call of `echo`; rejects when it is not answered with what was said. */
  call(): Promise<void>;
}

const WAIT_MS = 60_000;

function assertResult(text: string): void {
  if (!text.includes('"result"') || text.includes('"isError":true'))
    throw new Error(`no result: ${text.slice(0, 500)}`);
}

export function assertEcho(text: string): void {
  assertResult(text);
  if (!text.includes(MESSAGE)) throw new Error(`another result: ${text.slice(0, 500)}`);
}

/** Of a greeting: whoever does not speak an era says so here. */
export function assertGreeted(text: string, era: Era): void {
  assertResult(text);
  if (era === 'stateless' && !text.includes('"2026-07-28"'))
    throw new Error(`another era: ${text.slice(0, 500)}`);
}

/** Answers by the id of their request. */
export class Answers {
  readonly #waiting = new Map<number, (text: string) => void>();
  #last = 0;

  take(text: string): void {
    const id = Number(/"id":(\d+)/.exec(text)?.[1]);
    this.#waiting.get(id)?.(text);
    this.#waiting.delete(id);
  }

  /** Whoever waits hears that nothing comes any more. */
  end(): void {
    for (const answer of this.#waiting.values()) answer('the connection ended');
    this.#waiting.clear();
  }

  /** What is sent gets the next id. */
  async ask(send: (id: number) => void): Promise<string> {
    const id = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      send(id);
    });
  }
}

export const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

export async function stdioCaller(
  { stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable },
  era: Era,
): Promise<Caller> {
  const answers = new Answers();
  readLines(stdout, 1e8, {
    line: (bytes) => answers.take(bytes.toString('latin1')),
    end: () => answers.end(),
    error: () => answers.end(),
  });
  assertGreeted(await answers.ask((id) => stdin.write(`${greetingText(id, era)}\n`)), era);
  if (era === 'session') stdin.write(`${INITIALIZED}\n`);
  const call = async (): Promise<void> =>
    assertEcho(await answers.ask((id) => stdin.write(`${callText(id, era)}\n`)));
  await call();
  return { call };
}

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const STATELESS = { ...HEADERS, 'mcp-protocol-version': '2026-07-28' };

interface Answer {
  readonly text: string;
  readonly session: string | undefined;
}

/** Connections that one client holds: as many as calls at once. */
export function poolTo(url: string, connections = 64): Pool {
  const settings = { connections, allowH2: false, keepAliveTimeout: 60_000 };
  return new Pool(new URL(url).origin, { ...settings, headersTimeout: WAIT_MS, bodyTimeout: WAIT_MS });
}

/** One POST, by the cheapest way that the client has. */
export function send(
  pool: Pool,
  path: string,
  { headers, body }: { readonly headers: Record<string, string>; readonly body: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let session: string | undefined;
    let status = 0;
    pool.dispatch(
      { method: 'POST', path, headers, body },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_, code, given) => {
          status = code;
          session = given['mcp-session-id'] as string | undefined;
        },
        onResponseData: (_, chunk) => void chunks.push(chunk),
        onResponseEnd: () => {
          const text = Buffer.concat(chunks).toString('latin1');
          if (status < 300) resolve({ text, session });
          else reject(new Error(`status ${status}: ${text.slice(0, 500)}`));
        },
        onResponseError: (_, error) => reject(error),
      },
    );
  });
}

/** The headers of a session that was just begun and greeted. */
export async function begin(pool: Pool, path: string): Promise<Record<string, string>> {
  const { session, text } = await send(pool, path, { headers: HEADERS, body: greetingText(0, 'session') });
  assertResult(text);
  const own = session === undefined ? {} : { 'mcp-session-id': session };
  const headers = { ...HEADERS, ...own, 'mcp-protocol-version': '2025-11-25' };
  await send(pool, path, { headers, body: INITIALIZED });
  return headers;
}

async function discover(pool: Pool, path: string): Promise<Record<string, string>> {
  const headers = { ...STATELESS, 'mcp-method': 'server/discover' };
  const { text } = await send(pool, path, { headers, body: greetingText(0, 'stateless') });
  assertGreeted(text, 'stateless');
  return { ...STATELESS, 'mcp-method': 'tools/call', 'mcp-name': 'echo' };
}

export async function httpCaller(url: string, era: Era): Promise<Caller> {
  const pool = poolTo(url);
  const path = new URL(url).pathname;
  const headers = await (era === 'session' ? begin : discover)(pool, path);
  let id = 0;
  const call = async (): Promise<void> =>
    assertEcho((await send(pool, path, { headers, body: callText(++id, era) })).text);
  await call();
  return { call };
}
