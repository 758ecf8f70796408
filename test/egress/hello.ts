/** TLS hellos as nobody's library would send them. */

const u8 = (value: number): Buffer => Buffer.from([value]);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

function extension(type: number, value: Buffer): Buffer {
  return Buffer.concat([u16(type), u16(value.length), value]);
}

/** A server_name extension with these names in its one list. */
export function names(...all: readonly string[]): Buffer {
  const list = Buffer.concat(
    all.map((name) => {
      const bytes = Buffer.from(name, 'latin1');
      return Buffer.concat([u8(0), u16(bytes.length), bytes]);
    }),
  );
  return extension(0, Buffer.concat([u16(list.length), list]));
}

/** encrypted_client_hello: the outer form with what looks like a hello inside. */
export const ECH = extension(0xfe0d, Buffer.concat([u8(0), Buffer.alloc(64, 7)]));

/** The handshake message, without its record. */
export function message(...extensions: readonly Buffer[]): Buffer {
  const all = Buffer.concat(extensions);
  const parts = [
    u16(0x0303),
    Buffer.alloc(32, 1),
    u8(0),
    u16(2),
    u16(0x1301),
    u8(1),
    u8(0),
    u16(all.length),
    all,
  ];
  const body = Buffer.concat(parts);
  return Buffer.concat([u8(1), u8(0), u16(body.length), body]);
}

export function record(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x16, 3, 1]), u16(bytes.length), bytes]);
}

export function hello(...extensions: readonly Buffer[]): Buffer {
  return record(message(...extensions));
}
