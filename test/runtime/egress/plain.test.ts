import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { plain } from '../../../runtime/egress/plain.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** What reaches the host outside, byte by byte, of one request that is permitted. */
async function reached(head: string, body: string): Promise<string> {
  let text = '';
  const outside = createServer((socket) => {
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.includes('/second') && text.includes('the end'))
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    });
  });
  const desk = {
    decide: async () => ({ address: '127.0.0.1', reason: 'permitted' }),
    record: async () => undefined,
  };
  const proxy = createHttp((incoming, outgoing) => void plain(incoming, outgoing, desk));
  for (const server of [outside, proxy]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    undo.push(() => server.close());
  }
  const { port } = outside.address() as AddressInfo;
  const socket = connect((proxy.address() as AddressInfo).port, '127.0.0.1');
  undo.push(() => socket.destroy());
  socket.write(`${head.replace('HOST', `http://api.example.com:${port}`)}\r\n\r\n${body}`);
  await once(socket, 'data');
  return text;
}

describe('a request by plain HTTP', () => {
  const second = 'GET /second HTTP/1.1\r\nhost: other.example.com\r\n\r\nthe end';
  const chunked = `${second.length.toString(16)}\r\n${second}\r\n0\r\n\r\n`;

  it.each(['GET', 'DELETE', 'OPTIONS', 'POST'])(
    'with a body in chunks goes out in chunks, and is no second request: %s',
    async (method) => {
      const text = await reached(
        `${method} HOST/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked`,
        chunked,
      );
      expect(text).toContain(`\r\n\r\n${chunked.slice(0, -5)}`);
      expect(text).toMatch(/^transfer-encoding: chunked\r$/im);
    },
  );

  it('with a length keeps it', async () => {
    const text = await reached(`GET HOST/ HTTP/1.1\r\nhost: x\r\ncontent-length: ${second.length}`, second);
    expect(text).toContain(`content-length: ${second.length}\r\n`);
    expect(text).not.toMatch(/^transfer-encoding/im);
  });
});
