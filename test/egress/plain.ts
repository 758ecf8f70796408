/** Requests by plain HTTP that say two things at once. */

import type { Reached } from './listen.ts';
import { API, EVIL } from './places.ts';
import type { Row } from './row.ts';
import { proxied, say } from './speak.ts';

const URL_ = `http://${API}`;
const UNREADABLE = /^refused \(unreadable\):0 no request that is read in one way alone: HPE_/;
const anybody = (): boolean => true;
const smuggled = ({ text }: Reached): boolean => text.includes('/smuggled');
const TAIL = 'GET /smuggled HTTP/1.1\r\nhost: api.example.com\r\n\r\n';

interface Plain {
  readonly lines: readonly string[];
  readonly body?: string;
  readonly recorded: RegExp;
  readonly refuses?: string;
  readonly forbidden?: (reached: Reached) => boolean;
}

function plainly(id: string, attack: string, { lines, body = '', ...more }: Plain): Row {
  const { recorded, refuses = 'a byte of it outside', forbidden = anybody } = more;
  return proxied({
    id: `HTTP ${id}`,
    attack,
    refuses,
    recorded,
    speak: (path) => say(path, `${lines.join('\r\n')}\r\n\r\n${body}`),
    forbidden,
  });
}

const TWO = /^refused .* Host is there twice$/;
const NOT_WHOLE = /^refused .* not the whole address of what is asked for$/;
const ALLOWED = /^allowed api\.example\.com:80 /;

export const plainRows: readonly Row[] = [
  plainly('to another host', 'GET of an address that nobody permitted', {
    lines: [`GET http://${EVIL}/ HTTP/1.1`, `host: ${EVIL}`],
    recorded: /not among the permitted hosts$/,
  }),
  plainly('with another Host', 'Host is not the host of the address', {
    lines: [`GET ${URL_}/ HTTP/1.1`, `host: ${EVIL}`],
    recorded: /^allowed api\.example\.com:80 /,
    forbidden: ({ text }) => text.includes(EVIL),
    refuses: 'that Host outside',
  }),
  plainly('with two Hosts', 'Host is there twice', {
    lines: [`GET ${URL_}/ HTTP/1.1`, `host: ${API}`, `host: ${EVIL}`],
    recorded: TWO,
  }),
  plainly('with a path alone', 'asked as a server is, not as a proxy', {
    lines: ['GET / HTTP/1.1', `host: ${EVIL}`],
    recorded: NOT_WHOLE,
  }),
  plainly('with a path alone, Host permitted', 'the same with a permitted Host', {
    lines: ['GET / HTTP/1.1', `host: ${API}`],
    recorded: NOT_WHOLE,
  }),
  plainly('with credentials', 'user@ before the host', {
    lines: [`GET http://${API}@${EVIL}/ HTTP/1.1`, `host: ${EVIL}`],
    recorded: /a target with credentials$/,
  }),
  plainly('for https', 'asks the proxy to speak TLS', {
    lines: [`GET https://${API}:443/ HTTP/1.1`, `host: ${API}:443`],
    recorded: /plain requests are http alone$/,
  }),
  plainly('at port 443', 'plain HTTP where TLS is spoken', {
    lines: [`GET ${URL_}:443/ HTTP/1.1`, `host: ${API}:443`],
    recorded: /TLS alone goes to 443$/,
  }),
  plainly('at a port of its own', 'port 8080 of the permitted host', {
    lines: [`GET ${URL_}:8080/ HTTP/1.1`, `host: ${API}:8080`],
    recorded: /not among the permitted hosts$/,
  }),
  plainly('smuggled, two lengths of two kinds', 'Content-Length and Transfer-Encoding', {
    lines: [`POST ${URL_}/ HTTP/1.1`, `host: ${API}`, 'content-length: 4', 'transfer-encoding: chunked'],
    body: `0\r\n\r\n${TAIL}`,
    recorded: UNREADABLE,
    forbidden: smuggled,
    refuses: 'a second request inside the first',
  }),
  plainly('smuggled, two lengths', 'Content-Length twice', {
    lines: [`POST ${URL_}/ HTTP/1.1`, `host: ${API}`, 'content-length: 0', `content-length: ${TAIL.length}`],
    body: TAIL,
    recorded: UNREADABLE,
    forbidden: smuggled,
    refuses: 'a second request inside the first',
  }),
  plainly('smuggled, an odd encoding', 'Transfer-Encoding that some take for chunked', {
    lines: [`POST ${URL_}/ HTTP/1.1`, `host: ${API}`, 'transfer-encoding: xchunked'],
    body: `0\r\n\r\n${TAIL}`,
    recorded: UNREADABLE,
    forbidden: smuggled,
    refuses: 'a second request inside the first',
  }),
  plainly('smuggled, a space before the colon', 'Transfer-Encoding that some do not see', {
    lines: [`POST ${URL_}/ HTTP/1.1`, `host: ${API}`, 'content-length: 5', 'transfer-encoding : chunked'],
    body: `0\r\n\r\n${TAIL}`,
    recorded: UNREADABLE,
    forbidden: smuggled,
    refuses: 'a second request inside the first',
  }),
  plainly('smuggled, an odd chunk', 'the size of a chunk with a sign', {
    lines: [`POST ${URL_}/ HTTP/1.1`, `host: ${API}`, 'transfer-encoding: chunked'],
    body: `+0\r\n\r\n${TAIL}`,
    recorded: UNREADABLE,
    forbidden: smuggled,
    refuses: 'a second request inside the first',
  }),
  plainly('with a folded line', 'a header that goes on in the next line', {
    lines: [`GET ${URL_}/ HTTP/1.1`, `host: ${API}`, 'x-a: b', ' x-evil: c'],
    recorded: UNREADABLE,
  }),
  plainly('with line feeds alone', 'lines that end in LF', {
    lines: [`GET ${URL_}/ HTTP/1.1\nhost: ${API}\nx-a: b`],
    recorded: UNREADABLE,
  }),
  plainly('with a second request behind', 'pipelined, to another host', {
    lines: [`GET ${URL_}/ HTTP/1.1`, `host: ${API}`],
    body: `GET http://${EVIL}/second HTTP/1.1\r\nhost: ${EVIL}\r\n\r\n`,
    recorded: /^refused evil\.example:80 not among the permitted hosts$/,
    forbidden: ({ text }) => text.includes('/second'),
    refuses: 'the second request',
  }),
  plainly('that asks for another protocol', 'Upgrade', {
    lines: [`GET ${URL_}/ HTTP/1.1`, `host: ${API}`, 'connection: upgrade', 'upgrade: websocket'],
    recorded: ALLOWED,
    forbidden: ({ text }) => /^upgrade:/im.test(text),
    refuses: 'the word Upgrade outside',
  }),
];
