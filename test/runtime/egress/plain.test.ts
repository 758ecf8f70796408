import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { plain } from '../../../runtime/egress/plain.ts';

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

/** A client of the proxy, before a host outside that says this to what it hears; null: nothing yet. */
async function between(says: (heard: string) => string | null): Promise<{ socket: Socket; port: number }> {
  const outside = createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      const answer = says(text);
      if (answer !== null) socket.end(answer);
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
  return { socket, port };
}

/** What reaches the host outside, byte by byte, of one request that is permitted. */
async function reached(head: string, body: string): Promise<string> {
  let text = '';
  const { socket, port } = await between((heard) => {
    text = heard;
    const whole = text.includes('/second') && text.includes('the end');
    return whole ? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' : null;
  });
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

  it.each(['099', '000'])(
    'that is answered with a status that is none is not answered: %s',
    async (status) => {
      const { socket, port } = await between((heard) =>
        heard.endsWith('\r\n\r\n') ? `HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n` : null,
      );
      let answer = '';
      socket.on('data', (bytes) => {
        answer += bytes.toString();
      });
      socket.write(`GET http://api.example.com:${port}/ HTTP/1.1\r\nhost: x\r\n\r\n`);
      await once(socket, 'close');
      expect(answer).toBe('');
    },
  );
});
