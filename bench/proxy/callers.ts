/** Clients as thin as can be, over a pipe and over HTTP: what they cost is in every figure, and should be little. */
import type { Readable, Writable } from 'node:stream';
import { Pool } from 'undici';
import { readLines } from '../../runtime/wire/lines.ts';
import type { Era } from '../../schemas/surface.ts';
import { callText, INITIALIZE } from './words.ts';

export interface Caller {
  /** One tools/call of `echo`; rejects when it is not answered with a result. */
  call(): Promise<void>;
}

const WAIT_MS = 60_000;

function assertResult(text: string): void {
  if (!text.includes('"result"') || text.includes('"isError":true'))
    throw new Error(`no result: ${text.slice(0, 500)}`);
}

/** Greets in the era of sessions; the other one has no greeting. */
export async function stdioCaller(
  { stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable },
  era: Era,
): Promise<Caller> {
  const waiting = new Map<number, (text: string) => void>();
  const id = /"id":(\d+)/;
  readLines(stdout, 1e8, {
    line: (bytes) => {
      const text = bytes.toString('latin1');
      const key = Number(id.exec(text)?.[1]);
      waiting.get(key)?.(text);
      waiting.delete(key);
    },
    end: () => {
      for (const answer of waiting.values()) answer('its output ended');
    },
    error: () => undefined,
  });
  let next = 0;
  const ask = (text: (id: number) => string): Promise<void> => {
    const at = ++next;
    return new Promise((resolve, reject) => {
      waiting.set(at, (answer) => {
        try {
          assertResult(answer);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      stdin.write(`${text(at)}\n`);
    });
  };
  if (era === 'session') {
    await ask((at) => JSON.stringify({ jsonrpc: '2.0', id: at, method: 'initialize', params: INITIALIZE }));
    stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  }
  return { call: () => ask((at) => callText(at, era)) };
}

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const STATELESS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo' };

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
  const hello = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: INITIALIZE });
  const { session, text } = await send(pool, path, { headers: HEADERS, body: hello });
  assertResult(text);
  const own = session === undefined ? {} : { 'mcp-session-id': session };
  const headers = { ...HEADERS, ...own, 'mcp-protocol-version': '2025-11-25' };
  await send(pool, path, { headers, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' });
  return headers;
}

export async function httpCaller(url: string, era: Era): Promise<Caller> {
  const pool = poolTo(url);
  const path = new URL(url).pathname;
  const headers = era === 'session' ? await begin(pool, path) : { ...HEADERS, ...STATELESS };
  let id = 0;
  return {
    call: async () => assertResult((await send(pool, path, { headers, body: callText(++id, era) })).text),
  };
}
