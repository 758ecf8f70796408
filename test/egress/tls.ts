/** What TLS inside a tunnel may ask for: the host that was judged, in words that everybody reads in the same way. */
import { ECH, hello, message, names, record } from './hello.ts';
import { API, EVIL } from './places.ts';
import type { Row } from './row.ts';
import { proxied, tunnel } from './speak.ts';

const OTHER = /^refused .* TLS asks for another name than api\.example\.com$/;
const CUT = `${API}.${EVIL}`;

function asks(
  id: string,
  attack: string,
  then: readonly Buffer[],
  more: { port?: number; recorded?: RegExp } = {},
): Row {
  return proxied({
    id: `TLS ${id}`,
    attack,
    refuses: 'a byte of it outside',
    recorded: more.recorded ?? OTHER,
    speak: (path) => tunnel(path, `${API}:${more.port ?? 443}`, then),
    forbidden: () => true,
  });
}

/** The message in two records, the first of which ends right after so many bytes of the name. */
function cutInTheName(name: string, kept: number): readonly Buffer[] {
  const whole = message(names(name));
  const at = whole.indexOf(Buffer.from(name, 'latin1')) + kept;
  return [record(whole.subarray(0, at)), record(whole.subarray(at))];
}

const whole = hello(names(EVIL));

export const tlsRows: readonly Row[] = [
  asks('for another host', 'SNI is not the host of CONNECT', [whole]),
  asks('for another host at port 80', 'the same at a port for plain HTTP', [whole], { port: 80 }),
  asks('without a name', 'there is no SNI', [hello()]),
  asks('with a zero byte', 'SNI goes on after a zero byte', [hello(names(`${API}\0.${EVIL}`))]),
  asks('with a dot at the end', 'SNI ends in a dot', [hello(names(`${API}.`))]),
  asks('for two hosts in one list', 'the permitted name first, another behind it', [hello(names(API, EVIL))]),
  asks('for two hosts in two lists', 'SNI is there twice', [hello(names(API), names(EVIL))]),
  asks('that hides its host', 'ECH with the permitted name outside', [hello(names(API), ECH)], {
    recorded: /^refused .* TLS hides whom it asks for \(ECH\)$/,
  }),
  asks(
    'cut in the name',
    'the first record ends where the permitted name would',
    cutInTheName(CUT, API.length),
  ),
  asks('in two records', 'the hello goes on in a second record', cutInTheName(EVIL, 3)),
  asks('in small pieces', 'another host, five bytes a packet', pieces(whole, 5)),
  asks('begun and not ended', 'a piece of a hello, and silence', [whole.subarray(0, 40)]),
  asks('not spoken', 'plain HTTP at the port for TLS', [
    Buffer.from(`GET / HTTP/1.1\r\nhost: ${EVIL}\r\n\r\n`),
  ]),
];

function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
