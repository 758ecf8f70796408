/** The server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), or null where there is none to be read. */
export function serverNameOf(bytes: Buffer): string | null {
  try {
    return parse(bytes);
  } catch {
    return null;
  }
}

/** How many bytes the first record of TLS has, head and all, as it says itself; at most what one may have. Else none. */
export function helloBytes(bytes: Buffer): number {
  if (bytes[0] !== 0x16) return 0;
  return 5 + (bytes.length < 5 ? 0 : Math.min(bytes.readUInt16BE(3), 16_384));
}

/** Reads past the end throw a RangeError, which the caller takes for "none". */
function parse(bytes: Buffer): string | null {
  if (bytes.readUInt8(0) !== 0x16 || bytes.readUInt8(5) !== 0x01) return null;
  let at = 5 + 4 + 2 + 32;
  at += 1 + bytes.readUInt8(at);
  at += 2 + bytes.readUInt16BE(at);
  at += 1 + bytes.readUInt8(at);
  const end = at + 2 + bytes.readUInt16BE(at);
  at += 2;
  while (at < end) {
    const type = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    if (type === 0) {
      const size = bytes.readUInt16BE(at + 7);
      return bytes
        .subarray(at + 9, at + 9 + size)
        .toString('latin1')
        .toLowerCase();
    }
    at += 4 + length;
  }
  return null;
}
