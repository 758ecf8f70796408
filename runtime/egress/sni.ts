/** What a TLS ClientHello asks for (RFC 8446 4.1.2, RFC 6066 3). */
export interface Hello {
  /** The server name, in small letters; null where there is none that everybody would read in the same way. */
  readonly name: string | null;
  /** There is another hello inside, which nobody but the server can read (ECH). */
  readonly hidden: boolean;
}

const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
/** encrypted_client_hello and its forerunner, encrypted_server_name. */
const HIDDEN = new Set([0xfe0d, 0xffce]);
const MAX_RECORD = 16_384;
const NONE: Hello = { name: null, hidden: false };

/** Reads a hello that stands whole in the first record; one that is cut, goes on elsewhere or says two names has none. */
export function helloOf(bytes: Buffer): Hello {
  try {
    return parse(bytes);
  } catch {
    return NONE;
  }
}

/** How many bytes the first record of TLS has, head and all, as it says itself; at most what one may have. Else none. */
export function helloBytes(bytes: Buffer): number {
  if (bytes[0] !== HANDSHAKE) return 0;
  return 5 + (bytes.length < 5 ? 0 : Math.min(bytes.readUInt16BE(3), MAX_RECORD));
}

/** Reads past the end throw a RangeError, which the caller takes for "none". */
function parse(bytes: Buffer): Hello {
  if (bytes.readUInt8(0) !== HANDSHAKE || bytes.readUInt8(5) !== CLIENT_HELLO) return NONE;
  const record = piece(bytes, 5, bytes.readUInt16BE(3));
  const hello = piece(record, 4, record.readUIntBE(1, 3));
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  const extensions = piece(hello, at + 2, hello.readUInt16BE(at));
  const names: (string | null)[] = [];
  let hidden = false;
  for (at = 0; at < extensions.length; ) {
    const type = extensions.readUInt16BE(at);
    const value = piece(extensions, at + 4, extensions.readUInt16BE(at + 2));
    if (type === SERVER_NAME) names.push(onlyName(value));
    hidden ||= HIDDEN.has(type);
    at += 4 + value.length;
  }
  const [name = null] = names;
  return { name: names.length === 1 ? name : null, hidden };
}

/** The one host name of the list; null when there are others beside it. */
function onlyName(list: Buffer): string | null {
  const size = list.readUInt16BE(3);
  if (list.readUInt16BE(0) !== list.length - 2 || list.readUInt8(2) !== 0 || size !== list.length - 5)
    return null;
  return list.toString('latin1', 5).toLowerCase();
}

/** So many bytes from there, all of which have to be there. */
function piece(bytes: Buffer, from: number, size: number): Buffer {
  if (from + size > bytes.length) throw new RangeError('cut');
  return bytes.subarray(from, from + size);
}
