/**
 * A server of the suite, and the authorization servers that it names, as they would be found outside: the server with TLS,
 * and every address of theirs the mirror's. What is asked for is asked for there, in the suite's own names.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Certified } from '../helpers/certificates.ts';

export interface Mirror {
  readonly url: string;
  close(): Promise<void>;
}

/** Never passed on: they are of one connection alone, or no longer so. */
const OWN = /^(?:connection|keep-alive|transfer-encoding|content-length|content-encoding|host|date)$/;

export async function openMirror(direct: string, tls: Certified): Promise<Mirror> {
  const names = new Map<string, string>();
  const servers: ReturnType<typeof createServer>[] = [];
  const open = async (real: string, secure: boolean): Promise<string> => {
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      void pass(request, response, real).catch(() => response.destroy());
    const server = secure ? createTlsServer({ key: tls.key, cert: tls.cert }, take) : createServer(take);
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const shown = secure ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
    names.set(real, shown);
    return shown;
  };
  /** An authorization server is known from the first metadata that names it. */
  const learn = async (said: string): Promise<void> => {
    const [, list = ''] = /"authorization_servers":\[([^\]]*)\]/.exec(said) ?? [];
    for (const [, origin = ''] of list.matchAll(/"(http:\/\/localhost:\d+)/g))
      if (!names.has(origin)) await open(origin, false);
  };
  const renamed = (words: string, back: boolean): string => {
    let result = words;
    for (const [real, shown] of names) {
      const [from, to] = back ? [shown, real] : [real, shown];
      for (const form of [(word: string) => word, encodeURIComponent])
        result = result.replaceAll(new RegExp(`${form(from)}(?!\\d)`, 'g'), form(to));
    }
    return result;
  };
  const pass = async (request: IncomingMessage, response: ServerResponse, real: string): Promise<void> => {
    const body = renamed(await text(request), true);
    const headers = Object.entries(request.headers).filter(([name]) => !OWN.test(name)) as [string, string][];
    const method = request.method ?? 'GET';
    const answer = await fetch(`${real}${renamed(request.url ?? '', true)}`, {
      ...{ method, headers, redirect: 'manual' },
      ...(body === '' ? {} : { body }),
    });
    const said = await answer.text();
    await learn(said);
    const back = [...answer.headers].filter(([name]) => !OWN.test(name));
    response.writeHead(
      answer.status,
      back.flatMap(([name, value]) => [name, renamed(value, false)]),
    );
    response.end(renamed(said, false));
  };
  const shown = await open(new URL(direct).origin, true);
  return {
    url: `${shown}${new URL(direct).pathname}`,
    close: async () => {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
