/** Real receivers on loopback: a TLS server that takes syslog frames, an HTTP or HTTPS server that takes posts. */
import { once } from 'node:events';
import { createServer as createHttp, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, isIP } from 'node:net';
import { join } from 'node:path';
import { createServer as createTls, type TLSSocket, type TlsOptions } from 'node:tls';
import { certify, makeAuthority } from './certificates.ts';
import { tempDir } from './session.ts';

export interface Certificate {
  /** Of the authority that vouches for it. */
  readonly caFile: string;
  readonly ca: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** A certificate of an authority of its own, for one name or address. */
export function certificateFor(
  subject: string,
  usage: 'serverAuth' | 'clientAuth' = 'serverAuth',
): Certificate {
  const dir = tempDir();
  const authority = makeAuthority(dir, 'authority');
  const san = isIP(subject) ? `IP:${subject}` : `DNS:${subject}`;
  const { cert, key } = certify(authority, { name: 'leaf', san, usage });
  const [caFile, certFile, keyFile] = [
    join(dir, 'authority.pem'),
    join(dir, 'leaf.pem'),
    join(dir, 'leaf.key'),
  ];
  return { caFile, ca: authority.cert, certFile, keyFile, cert, key };
}

export interface SyslogReceiver {
  readonly port: number;
  /** Messages as they came, taken apart by their counts. */
  readonly messages: string[];
  readonly sockets: Set<TLSSocket>;
  close(): Promise<void>;
}

/** Reads octet-counted frames strictly: anything else ends the connection. */
export async function syslogReceiver(options: TlsOptions, port = 0): Promise<SyslogReceiver> {
  const messages: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createTls(options, (socket) => {
    sockets.add(socket);
    let held = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (;;) {
        const [head, digits = ''] = /^([1-9]\d{0,6}) /.exec(held.subarray(0, 9).toString('latin1')) ?? [];
        if (head === undefined) {
          if (held.length > 8) socket.destroy();
          return;
        }
        if (held.length < head.length + Number(digits)) return;
        messages.push(held.subarray(head.length, head.length + Number(digits)).toString('utf8'));
        held = held.subarray(head.length + Number(digits));
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    messages,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface HttpReceiver {
  readonly url: string;
  readonly posts: Posted[];
  /** What the next requests are answered with instead of 200; the first is used first. */
  readonly answers: { status: number; headers?: Record<string, string>; body?: string }[];
  close(): Promise<void>;
}

export async function httpReceiver(certificate?: Certificate): Promise<HttpReceiver> {
  const posts: Posted[] = [];
  const answers: HttpReceiver['answers'] = [];
  const listen: RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      posts.push({ path: request.url ?? '', headers: request.headers, body });
      const { status, headers, body: answer } = answers.shift() ?? { status: 200 };
      response.writeHead(status, headers).end(answer ?? '{}');
    });
  };
  const server = certificate
    ? createHttps({ cert: certificate.cert, key: certificate.key }, listen)
    : createHttp(listen);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    posts,
    answers,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
