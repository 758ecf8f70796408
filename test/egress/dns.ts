/** A name server that answers one question in one way and the next in another (RFC 1035 4.1). */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

export interface Name {
  /** Addresses of version 4: of the first question, of the second, and so on; the last ones stay. */
  readonly a?: readonly (readonly string[])[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  /** Asked about it, nothing is said. */
  readonly silent?: boolean;
}
export type Zone = Readonly<Record<string, Name>>;

const A = 1;
const CNAME = 5;
const AAAA = 28;

export interface NameServer {
  /** Replaces all names, and forgets what was asked. */
  load(zone: Zone): void;
}

export async function startNameServer(address: string): Promise<NameServer> {
  let zone: Zone = {};
  let asked = new Map<string, number>();
  const server = createSocket('udp4', (message, { port, address: from }) => {
    const { name, type, question } = questionOf(message);
    const known = zone[name.toLowerCase()];
    if (known?.silent) return;
    const records = recordsOf(name.toLowerCase(), type);
    const head = Buffer.from(message.subarray(0, 12));
    head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
    for (const [at, count] of [1, records.length, 0, 0].entries()) head.writeUInt16BE(count, 4 + 2 * at);
    server.send(Buffer.concat([head, question, ...records]), port, from);
  });
  const recordsOf = (name: string, type: number): Buffer[] => {
    const { a = [], aaaa = [], cname } = zone[name] ?? {};
    if (cname !== undefined) return [record(name, CNAME, wire(cname)), ...recordsOf(cname, type)];
    if (type === AAAA) return aaaa.map((one) => record(name, AAAA, sixth(one)));
    if (type !== A || a.length === 0) return [];
    const count = asked.get(name) ?? 0;
    asked.set(name, count + 1);
    return (a[Math.min(count, a.length - 1)] ?? []).map((one) => record(name, A, fourth(one)));
  };
  server.bind(53, address);
  await once(server, 'listening');
  return {
    load: (names) => {
      zone = names;
      asked = new Map();
    },
  };
}

function questionOf(message: Buffer): { name: string; type: number; question: Buffer } {
  const labels: string[] = [];
  let at = 12;
  for (let size = message[at] ?? 0; size > 0; size = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + size));
    at += 1 + size;
  }
  return {
    name: labels.join('.'),
    type: message.readUInt16BE(at + 1),
    question: message.subarray(12, at + 5),
  };
}

function wire(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  return Buffer.concat([...labels, Buffer.alloc(1)]);
}

/** Valid for no time at all. */
function record(name: string, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([wire(name), head, data]);
}

function fourth(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function sixth(address: string): Buffer {
  const [, mapped] = /:(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
  const text =
    mapped === undefined
      ? address
      : `${address.slice(0, -mapped.length)}${fourth(mapped)
          .toString('hex')
          .replace(/^(.{4})/, '$1:')}`;
  const [before = '', after] = text.split('::');
  const groups = (part: string | undefined): string[] => (part ? part.split(':') : []);
  const zeros = 8 - groups(before).length - groups(after).length;
  const all =
    after === undefined ? groups(before) : [...groups(before), ...Array(zeros).fill('0'), ...groups(after)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
