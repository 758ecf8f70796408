/**
 * Stands in for the models' APIs on loopback: Anthropic's messages, OpenAI's responses and chat, Gemini's content, plain or
 * as events, as the client asks. On the first turn it calls the tool that it is told to; once it reads the tool's
 * answer, it says it again. What it is not asked for with such a tool, it answers with one word.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json, JsonObject } from '../../schemas/common.ts';
import * as dialects from './dialects.ts';

export interface Model {
  readonly url: string;
  /** Paths that were asked for, in order, for whoever wants to know why a client said nothing. */
  readonly asked: readonly string[];
  /** Hosts that a client wanted to be connected with; it never was. */
  readonly beyond: readonly string[];
  /** What is called from now on, and what with. */
  tool: RegExp;
  message: string;
  close(): Promise<void>;
}

interface Heard {
  readonly asked: string[];
  readonly beyond: string[];
}

/** What a model does next. */
export type Turn =
  | { readonly call: { readonly name: string; readonly arguments: JsonObject } }
  | { readonly text: string };

/** How one vendor's API is read and spoken. */
export interface Dialect {
  /** Of paths. */
  readonly path: RegExp;
  /** Names of the tools that are offered. */
  tools(body: JsonObject): string[];
  /** What the last tool answered; null before. */
  answered(body: JsonObject): string | null;
  whole(turn: Turn, model: string): Json;
  /** Events as [name, data]; a name of '' is not written. */
  events(turn: Turn, model: string): [string, Json | string][];
  streams(path: string, body: JsonObject): boolean;
}

export async function openModel(): Promise<Model> {
  const asked: string[] = [];
  const beyond: string[] = [];
  const model = { tool: /echo$/, message: '', asked, beyond };
  const server = createServer((request, response) => {
    void answer(request, response, model).catch((error: unknown) => {
      asked.push(`FAILED ${String(error)}`);
      response.destroy();
    });
  });
  server.on('connect', ({ url = '' }, socket) => {
    beyond.push(url);
    socket.on('error', () => undefined);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(model, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { tool, message, asked, beyond }: Pick<Model, 'tool' | 'message'> & Heard,
): Promise<void> {
  // What a client asks of a proxy has the whole address.
  if (request.url?.startsWith('http:')) {
    beyond.push(new URL(request.url).host);
    return void response.writeHead(403).end();
  }
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  let text = '';
  for await (const part of request as AsyncIterable<Buffer>) text += part.toString();
  const body = (text.startsWith('{') ? JSON.parse(text) : {}) as JsonObject;
  const dialect = request.method === 'POST' ? dialects.ALL.find((one) => one.path.test(path)) : undefined;
  asked.push(`${request.method} ${path}${dialect ? ` with ${dialect.tools(body).length} tools` : ''}`);
  if (!dialect) return void sendJson(response, ...asideOf(path));
  const turn = turnOf(dialect, body, { tool, message });
  const name = String(body.model ?? 'stand-in');
  if (!dialect.streams(path, body)) return void sendJson(response, 200, dialect.whole(turn, name));
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const [event, data] of dialect.events(turn, name)) {
    const line = typeof data === 'string' ? data : JSON.stringify(data);
    response.write(`${event === '' ? '' : `event: ${event}\n`}data: ${line}\n\n`);
  }
  response.end();
}

function turnOf(
  dialect: Dialect,
  body: JsonObject,
  { tool, message }: Pick<Model, 'tool' | 'message'>,
): Turn {
  const answered = dialect.answered(body);
  if (answered !== null) return { text: `The tool said: ${answered}` };
  const name = dialect.tools(body).find((each) => tool.test(each));
  return name === undefined ? { text: 'Nothing.' } : { call: { name, arguments: { message } } };
}

/** What is neither a turn nor known: the list of models and the count of tokens that clients ask for beside. */
function asideOf(path: string): [number, Json] {
  if (path.endsWith('/models')) return [200, { object: 'list', data: [{ id: 'stand-in', object: 'model' }] }];
  if (path.endsWith('/count_tokens')) return [200, { input_tokens: 1 }];
  if (path.endsWith(':countTokens')) return [200, { totalTokens: 1 }];
  return [404, { error: { type: 'not_found_error', message: 'nothing here' } }];
}

function sendJson(response: ServerResponse, status: number, value: Json): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
