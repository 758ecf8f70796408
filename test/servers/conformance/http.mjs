// Streamable HTTP on the loopback address: sessions that can be resumed, and the stateless era beside them.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  isLegacyRequest,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { makeServer } from './make.mjs';

/** Events of one session in order, so that a client may come back and hear the rest. */
function eventStore() {
  const events = [];
  return {
    storeEvent: async (streamId, message) => `${streamId}/${events.push({ streamId, message }) - 1}`,
    replayEventsAfter: async (last, { send }) => {
      const at = Number(last.slice(last.lastIndexOf('/') + 1));
      const streamId = events[at]?.streamId ?? '';
      for (const [index, event] of events.entries())
        if (index > at && event.streamId === streamId && Object.keys(event.message).length > 0)
          await send(`${streamId}/${index}`, event.message);
      return streamId;
    },
  };
}

const refusal = (status, code, message) =>
  Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status });

function sessions() {
  const open = new Map();
  return async (request) => {
    const id = request.headers.get('mcp-session-id');
    if (id) return open.get(id)?.handleRequest(request) ?? refusal(404, -32001, 'Session not found');
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: eventStore(),
      retryInterval: 100,
      onsessioninitialized: (made) => void open.set(made, transport),
      onsessionclosed: (gone) => void open.delete(gone),
    });
    await makeServer().connect(transport);
    return transport.handleRequest(request);
  };
}

function toRequest(req, res) {
  const stopped = new AbortController();
  res.on('close', () => stopped.abort());
  return new Request(`http://${req.headers.host ?? 'localhost'}${req.url}`, {
    method: req.method,
    headers: Object.entries(req.headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one])),
    signal: stopped.signal,
    ...(req.method === 'POST' ? { body: Readable.toWeb(req), duplex: 'half' } : {}),
  });
}

async function answer(res, response) {
  res.writeHead(response.status, Object.fromEntries(response.headers));
  // Without a body the length is known: a chunked nothing may be cancelled by a client while it ends.
  if (!response.body) return void res.end();
  res.flushHeaders();
  await pipeline(Readable.fromWeb(response.body), res);
}

/** Listens on a free port of 127.0.0.1 and gives the address. */
export async function serveHttp() {
  const modern = createMcpHandler(
    () =>
      makeServer({
        tools: () => modern.notify.toolsChanged(),
        prompts: () => modern.notify.promptsChanged(),
      }),
    { legacy: 'reject' },
  );
  const legacy = sessions();
  const handle = async (request) =>
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins()) ??
    ((await isLegacyRequest(request)) ? legacy(request) : modern.fetch(request));
  const http = createServer((req, res) => {
    handle(toRequest(req, res))
      .then((response) => answer(res, response))
      // A client that hangs up ends its own stream; nothing else ends.
      .catch(() => res.destroy());
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${http.address().port}/mcp`;
}
