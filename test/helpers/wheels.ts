/** Zip archives and wheels, honest ones and as nobody would publish them. */
import { createHash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipFile {
  readonly path: string;
  readonly bytes: Buffer | string;
  /** File type and permissions, as Unix has them. */
  readonly mode?: number;
  /** What the local header says instead. */
  readonly ownPath?: string;
  /** What the headers promise instead. */
  readonly size?: number;
}

/** A deflated zip with exactly these entries, in this order. */
export function zipOf(files: readonly ZipFile[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { path, bytes, mode = 0o100644, ownPath = path, size } of files) {
    const content = Buffer.from(bytes);
    const packed = deflateRawSync(content);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x800, 2);
    facts.writeUInt16LE(8, 4);
    facts.writeUInt32LE(crc32(content), 10);
    facts.writeUInt32LE(packed.length, 14);
    facts.writeUInt32LE(size ?? content.length, 18);
    const local = Buffer.from(facts);
    local.writeUInt16LE(Buffer.byteLength(ownPath), 22);
    parts.push(Buffer.from('PK\x03\x04'), local, Buffer.from(ownPath), packed);
    facts.writeUInt16LE(Buffer.byteLength(path), 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\x03'), facts, rest, Buffer.from(path));
    offset += 4 + 26 + Buffer.byteLength(ownPath) + packed.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.length, 4);
  end.writeUInt16LE(files.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, Buffer.from('PK\x05\x06'), end]);
}

export interface WheelSpec {
  readonly name: string;
  readonly version?: string;
  readonly tag?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Entries as they are, listed in RECORD unless it is replaced. */
  readonly entries?: readonly ZipFile[];
  readonly requires?: readonly string[];
  /** Console scripts: name to module:object. */
  readonly scripts?: Readonly<Record<string, string>>;
  /** What RECORD says instead. */
  readonly record?: (text: string) => string | null;
  /** What METADATA says instead. */
  readonly metadata?: (text: string) => string;
}

export interface Wheel {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: Buffer;
}

export function wheelOf(spec: WheelSpec): Wheel {
  const { name, version = '1.0.0', tag = 'py3-none-any', files = {}, entries = [], requires = [] } = spec;
  const stem = `${name.replaceAll('-', '_')}-${version}`;
  const info = `${stem}.dist-info`;
  const head = ['Metadata-Version: 2.1', `Name: ${name}`, `Version: ${version}`];
  const needs = requires.map((one) => `Requires-Dist: ${one}`);
  const metadata = `${[...head, ...needs].join('\n')}\n\nA package for tests.\n`;
  const scripts = Object.entries(spec.scripts ?? {}).map(([script, object]) => `${script} = ${object}\n`);
  const all: ZipFile[] = [
    ...Object.entries(files).map(([path, bytes]) => ({ path, bytes })),
    ...entries,
    { path: `${info}/METADATA`, bytes: spec.metadata?.(metadata) ?? metadata },
    { path: `${info}/WHEEL`, bytes: `Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: ${tag}\n` },
    ...(scripts.length > 0
      ? [{ path: `${info}/entry_points.txt`, bytes: `[console_scripts]\n${scripts.join('')}` }]
      : []),
  ];
  const rows = all.filter(({ path }) => !path.endsWith('/')).map(({ path, bytes }) => rowOf(path, bytes));
  const record = `${[...rows, `${info}/RECORD,,`].join('\n')}\n`;
  const said = spec.record ? spec.record(record) : record;
  if (said !== null) all.push({ path: `${info}/RECORD`, bytes: said });
  return { name, version, file: `${stem}-${tag}.whl`, bytes: zipOf(all) };
}

function rowOf(path: string, bytes: Buffer | string): string {
  const digest = createHash('sha256').update(bytes).digest('base64url');
  const shown = /[",]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path;
  return `${shown},sha256=${digest},${Buffer.byteLength(bytes)}`;
}
