/** Answers in HTTP, however they are cut: read alike, in one way only, and nothing of one is taken for another. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AnswerReader } from '../../../runtime/remote/answer.ts';
import { Head } from '../../../runtime/remote/head.ts';
import { connectTo, serveTls, sharedTls } from '../../helpers/remote.ts';
import { PATIENCE_MS, until } from '../../helpers/wait.ts';

interface Read {
  readonly heads: number[];
  readonly body: string;
  readonly isWhole: boolean;
  /** Whether nothing came behind it. */
  readonly isAlone: boolean;
  readonly keepMs: number | undefined;
}

/** As one connection reads it, in pieces of so many bytes; `ends`: then the connection is over. */
function read(text: string, size = text.length, ends = false): Read {
  const heads: Head[] = [];
  let body = '';
  const reader = new AnswerReader({
    head: (head) => void heads.push(head),
    data: (chunk) => {
      body += chunk.toString('latin1');
    },
    end: () => undefined,
  });
  reader.begin();
  const bytes = Buffer.from(text, 'latin1');
  let isAlone = true;
  for (let at = 0; at < bytes.length; at += size) isAlone &&= reader.take(bytes.subarray(at, at + size));
  if (ends) reader.end();
  const [keepMs, isWhole] = [heads.at(-1)?.keepMs, reader.isOver];
  return { heads: heads.map(({ status }) => status), body, isWhole, isAlone, keepMs };
}

const OK = 'HTTP/1.1 200 OK\r\n';
const PARTS = `${OK}Transfer-Encoding: Chunked\r\n\r\n`;

describe('an answer', () => {
  it.each([
    ['with its length', `${OK}Content-Length: 5\r\n\r\nhello`, 'hello', 30_000],
    ['without a body', `${OK}content-length:0\r\n\r\n`, '', 30_000],
    ['that has none', 'HTTP/1.1 204\r\n\r\n', '', 30_000],
    ['in parts', `${PARTS}3\r\nhel\r\n2;x="y"\r\nlo\r\n0\r\n\r\n`, 'hello', 30_000],
    [
      'in parts, with words behind them',
      `${PARTS}5\r\nhello\r\n000\r\na: b\r\nc: d\r\n\r\n`,
      'hello',
      30_000,
    ],
    ['whose server goes', `${OK}connection: Close\r\ncontent-length: 5\r\n\r\nhello`, 'hello', 0],
    ['whose server stays for a while', `${OK}keep-alive: timeout=5\r\ncontent-length: 0\r\n\r\n`, '', 4000],
    [
      'whose server stays for ever',
      `${OK}keep-alive: timeout=99999\r\ncontent-length: 0\r\n\r\n`,
      '',
      300_000,
    ],
    ['of the older version', 'HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello', 'hello', 0],
    [
      'of which much else is told',
      `${OK}a:\t b \r\na: c\r\ncontent-length:\t 5 \r\n\r\nhello`,
      'hello',
      30_000,
    ],
  ])('%s is read alike however it is cut', (_, text, body, keepMs) => {
    for (let size = 1; size <= text.length; size++)
      expect(read(text, size)).toMatchObject({ body, keepMs, isWhole: true, isAlone: true });
  });

  it('may be promised before', () => {
    const text = `HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 100\r\n\r\n${OK}content-length: 2\r\n\r\nhi`;
    for (let size = 1; size <= text.length; size++)
      expect(read(text, size)).toMatchObject({ heads: [103, 100, 200], body: 'hi', isWhole: true });
  });

  it('goes on to the end of its connection where it says nothing, and is not whole before', () => {
    const text = `${OK}\r\nhello`;
    expect(read(text, 3)).toMatchObject({ body: 'hello', isWhole: false, keepMs: 0 });
    expect(read(text, 3, true)).toMatchObject({ body: 'hello', isWhole: true });
  });

  it.each([
    ['its length', `${OK}content-length: 9\r\n\r\nhello`],
    ['its parts', `${PARTS}9\r\nhello`],
    ['its head', OK],
  ])('that ends before %s does is not whole', (_, text) => {
    expect(read(text, 4, true).isWhole).toBe(false);
  });

  it('is told apart from what comes behind it', () => {
    for (const text of [`${OK}content-length: 2\r\n\r\nhi`, `${PARTS}2\r\nhi\r\n0\r\n\r\n`])
      for (const size of [1, 1000])
        expect(read(`${text}${OK}`, size)).toMatchObject({ body: 'hi', isWhole: true, isAlone: false });
  });

  it.each([
    ['another protocol', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['a greeting of another protocol', '220 mail.example ESMTP\r\n'],
    ['lines that end in a line feed alone', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
    ['a number of no status', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status with a bell', 'HTTP/1.1 200 \x07\r\n\r\n'],
    ['a change of protocols', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['lines that end otherwise', `${OK}a: b\nc: d\r\n\r\n`],
    ['a header without a name', `${OK}: b\r\n\r\n`],
    ['a header without a colon', `${OK}content-length\r\n\r\n`],
    ['a blank before the colon', `${OK}content-length : 5\r\n\r\n`],
    ['a folded header', `${OK}a: b\r\n c\r\n\r\n`],
    ['a header with a zero in it', `${OK}a: b\0c\r\n\r\n`],
    ['two lengths', `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\n`],
    ['a list of lengths', `${OK}content-length: 5, 5\r\n\r\n`],
    ['a length with a sign', `${OK}content-length: +5\r\n\r\n`],
    ['a length in another script', `${OK}content-length: \xb25\r\n\r\n`],
    ['a length beyond counting', `${OK}content-length: ${'9'.repeat(16)}\r\n\r\n`],
    ['a length and parts', `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`],
    ['two codings', `${OK}transfer-encoding: gzip, chunked\r\n\r\n`],
    ['a coding twice', `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n`],
    ['parts in the older version', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['parts of what has no body', 'HTTP/1.1 204\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['a promise in parts', 'HTTP/1.1 103\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['headers without an end', `${OK}a: ${'x'.repeat(16_384)}`],
    ['a head too long that ends', `${OK}a: ${'x'.repeat(16_384)}\r\n\r\n`],
    ['a part of no size', `${PARTS}\r\nhello`],
    ['a part of a size below nothing', `${PARTS}-5\r\nhello`],
    ['a part of a size in a word of the language', `${PARTS}0x5\r\nhello`],
    ['a part beyond counting', `${PARTS}${'f'.repeat(13)}\r\nhello`],
    ['a part whose size ends otherwise', `${PARTS}5\nhello`],
    ['a part that is longer', `${PARTS}2\r\nhello\r\n`],
    ['a line without an end', `${PARTS}5;${'x'.repeat(1024)}`],
    ['words behind it without end', `${PARTS}0\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(17)}`],
    ['words behind it without a name', `${PARTS}0\r\nHTTP/1.1 200 OK\r\n\r\n`],
    ['words behind it that are none', `${PARTS}0\r\na\0: b\r\n\r\n`],
  ])('with %s is refused however it is cut', (_, text) => {
    for (const size of [1, 7, text.length])
      expect(() => read(text, size)).toThrow(expect.objectContaining({ code: 'REMOTE_INVALID' }));
  });

  it('may say in several lines whom it wants to know, as in one', () => {
    const head = new Head(`${OK.trim()}\r\nWWW-Authenticate: Basic realm="a"\r\nwww-authenticate: Bearer`);
    expect(head.header('www-authenticate')).toBe('Basic realm="a", Bearer');
  });

  it('of blanks alone takes no longer than any', () => {
    const since = performance.now();
    for (let n = 0; n < 100; n++) read(`${OK}a:${' \t'.repeat(8000)}x\r\ncontent-length: 0\r\n\r\n`);
    expect(performance.now() - since).toBeLessThan(5000);
  });
});

describe('a connection', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };
  const result = (body: string): string =>
    JSON.stringify({ jsonrpc: '2.0', id: (JSON.parse(body) as { id: number }).id, result: {} });

  it('is used again for whatever comes next, however large', async () => {
    const { url, seen, connections } = await serveTls((_, response, body) => {
      response.writeHead(200, JSON_TYPE).end(result(body));
    });
    const { peer } = await connectTo(url);
    const texts = [10, 20_000, 2_000_000, 10].map((size) => 'é'.repeat(size));
    for (const text of texts) expect(await peer.ask('x', { text }, PATIENCE_MS)).toEqual({});
    expect(connections()).toBe(1);
    const said = seen.map(({ body }) => (JSON.parse(body) as { params: { text: string } }).params.text);
    expect(said.every((text, at) => text === texts[at])).toBe(true);
  });

  it.each([
    ['that its server spoke on unasked', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ['that its server left', null],
  ])('%s is not used again', async (_, unasked) => {
    const { url, sockets, connections } = await serveTls((__, response, body) => {
      response.writeHead(200, JSON_TYPE).end(result(body));
    });
    const { peer } = await connectTo(url);
    expect(await peer.ask('x', {}, PATIENCE_MS)).toEqual({});
    const [socket] = sockets;
    if (unasked === null) socket?.end();
    else socket?.write(unasked);
    await until(() => sockets.size === 0);
    expect(await peer.ask('x', {}, PATIENCE_MS)).toEqual({});
    expect(connections()).toBe(2);
  });

  it('whose server answers without reading on is not used again: what it does not read would pile up', async () => {
    const { cert, key } = sharedTls().pair;
    let connections = 0;
    const server = createServer({ cert, key }, (socket) => {
      connections++;
      socket.on('error', () => undefined);
      socket.once('data', (chunk: Buffer) => {
        socket.pause();
        const [, id] = /"id":"([^"]+)"/.exec(chunk.toString('latin1')) ?? [];
        const answer = `{"jsonrpc":"2.0","id":"${id}","result":{}}`;
        const head = `${OK}content-type: application/json\r\ncontent-length: ${answer.length}\r\n\r\n`;
        socket.write(head + answer);
      });
      onTestFinished(() => void socket.destroy());
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { peer } = await connectTo(`https://localhost:${(server.address() as AddressInfo).port}/mcp`);
    for (let n = 0; n < 2; n++)
      expect(await peer.ask('x', { text: 'x'.repeat(20_000_000) }, PATIENCE_MS)).toEqual({});
    expect(connections).toBe(2);
  });

  it('carries one question at a time', async () => {
    const answers: (() => void)[] = [];
    const { url, connections } = await serveTls((_, response, body) => {
      answers.push(() => response.writeHead(200, JSON_TYPE).end(result(body)));
    });
    const { peer } = await connectTo(url);
    const asked = Array.from({ length: 5 }, () => peer.ask('x', {}, PATIENCE_MS));
    await until(() => answers.length === 5);
    expect(connections()).toBe(5);
    for (const answer of answers) answer();
    expect(await Promise.all(asked)).toEqual([{}, {}, {}, {}, {}]);
  });
});
