/** A client of the old HTTP+SSE transport: one stream brings every answer, each request is a POST of its own. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Answers, assertEcho, assertGreeted, type Caller, INITIALIZED, poolTo, send } from './callers.ts';
import { callText, greetingText } from './words.ts';

const HEADERS = { 'content-type': 'application/json' };

/** The data of each event of a stream, in order; an event is one line here. */
function readEvents(body: Readable, { data, end }: { data: (text: string) => void; end: () => void }): void {
  let rest = '';
  body.setEncoding('latin1');
  body.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.startsWith('data:')) data(line.slice(5).trim());
  });
  body.on('close', end);
  body.on('error', end);
}

/** `tool` is how the gateway calls the echo of the server behind it. */
export async function sseCaller(url: string, tool: string): Promise<Caller> {
  const pool = poolTo(url);
  const answers = new Answers();
  const headers = { accept: 'text/event-stream' };
  const { statusCode, body } = await pool.request({ method: 'GET', path: new URL(url).pathname, headers });
  if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  const first = new EventTarget();
  let path: string | undefined;
  readEvents(body, {
    data: (text) => {
      if (path !== undefined) return answers.take(text);
      path = text;
      first.dispatchEvent(new Event('endpoint'));
    },
    end: () => answers.end(),
  });
  if (path === undefined) await once(first, 'endpoint', { signal: AbortSignal.timeout(5000) });
  const to = new URL(path ?? '', url);
  const post = (text: string): void => {
    send(pool, `${to.pathname}${to.search}`, { headers: HEADERS, body: text }).catch(() => answers.end());
  };
  assertGreeted(await answers.ask((id) => post(greetingText(id, 'session'))), 'session');
  post(INITIALIZED);
  const call = async (): Promise<void> =>
    assertEcho(await answers.ask((id) => post(callText(id, 'session', tool))));
  await call();
  return { call };
}
