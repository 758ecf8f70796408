/**
 * The floor over HTTP: hands each request on to argv[3] once its body stands in a file below argv[2], one group fdatasync
 * before it goes. Tells its port.
 */
import { fdatasync, openSync, write } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Pool } from 'undici';

const [dir = '', target = ''] = process.argv.slice(2);
const url = new URL(target);
const pool = new Pool(url.origin, { connections: 64, allowH2: false });
const fd = openSync(join(dir, 'bodies'), 'a');
let waiting: { readonly body: Buffer; readonly done: () => void }[] = [];
let busy = false;

function flush(): void {
  if (busy || waiting.length === 0) return;
  busy = true;
  const now = waiting;
  waiting = [];
  write(fd, Buffer.concat(now.map(({ body }) => body)), () =>
    fdatasync(fd, () => {
      busy = false;
      for (const { done } of now) done();
      flush();
    }),
  );
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const { host: _, connection: __, 'content-length': ___, ...headers } = request.headers;
    const done = (): void =>
      void pool.dispatch(
        { method: 'POST', path: url.pathname, headers, body },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_, code, given) => void response.writeHead(code, given),
          onResponseData: (_, chunk) => void response.write(chunk),
          onResponseEnd: () => void response.end(),
          onResponseError: () => void response.destroy(),
        },
      );
    waiting.push({ body, done });
    flush();
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
