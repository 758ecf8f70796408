/** DER, as far as certificates and revocation lists need it. Anything that is not exactly that throws RangeError. */
export interface Der {
  readonly tag: number;
  readonly body: Buffer;
  /** With its tag and length. */
  readonly whole: Buffer;
}

export const TAGS = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  zero: 0xa0,
} as const;

/** One value that these bytes are, to the last one. */
export function derIn(bytes: Buffer): Der {
  const { one, end } = next(bytes, 0);
  if (end !== bytes.length) throw new RangeError(`${bytes.length - end} bytes behind the end`);
  return one;
}

/** What a sequence holds, one after the other. */
export function* eachOf({ tag, body }: Der): Generator<Der, void> {
  if ((tag & 0x20) === 0) throw new RangeError(`tag ${tag}, which holds no parts`);
  for (let at = 0; at < body.length; ) {
    const { one, end } = next(body, at);
    yield one;
    at = end;
  }
}

export function partsOf(der: Der): Der[] {
  return [...eachOf(der)];
}

/** This part, which has to be of that kind. */
export function need(part: Der | undefined, tag: number): Der {
  if (part?.tag === tag) return part;
  throw new RangeError(`tag ${part?.tag ?? 'none'} where ${tag} has to be`);
}

/** Dotted, as it is written. */
export function oidOf(part: Der | undefined): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of need(part, TAGS.oid).body) {
    number = number * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const above = Math.min(2, Math.floor(first / 40));
  return [above, first - above * 40, ...rest].join('.');
}

/** ms since 1970. */
export function timeOf(part: Der | undefined): number {
  const text = part?.body.toString('latin1') ?? '';
  const long = part?.tag === TAGS.utcTime ? `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}` : text;
  const [, y, month, day, h, min, sec] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(long) ?? [];
  const at = Date.parse(`${y}-${month}-${day}T${h}:${min}:${sec}Z`);
  const isTime = part?.tag === TAGS.utcTime || part?.tag === TAGS.time;
  if (!isTime || Number.isNaN(at)) throw new RangeError('no time of the form YYYYMMDDHHMMSSZ');
  return at;
}

function next(bytes: Buffer, at: number): { readonly one: Der; readonly end: number } {
  const [tag, first] = [bytes[at], bytes[at + 1]];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new RangeError('no value');
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const size = first & 0x7f;
    if (size === 0 || size > 4 || start + size > bytes.length)
      throw new RangeError('a length of another kind');
    length = bytes.readUIntBE(start, size);
    // The shortest form alone: what is written in two ways is signed in one.
    if (length < 0x80 || length < 2 ** (8 * (size - 1))) throw new RangeError('a length that is too long');
    start += size;
  }
  const end = start + length;
  if (end > bytes.length) throw new RangeError(`${end - bytes.length} bytes too few`);
  return { one: { tag, body: bytes.subarray(start, end), whole: bytes.subarray(at, end) }, end };
}
