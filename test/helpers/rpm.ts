/** Databases of RPM, made: headers byte by byte, in a file that SQLite itself writes. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export type Tag = readonly [tag: number, type: number, count: number, data: Buffer];

export const text = (tag: number, value: string): Tag => [tag, 6, 1, Buffer.from(`${value}\0`)];
export const texts = (tag: number, values: readonly string[]): Tag => [
  ...([tag, 8, values.length, Buffer.from(values.map((one) => `${one}\0`).join(''))] as const),
];
export function int32(tag: number, value: number): Tag {
  const data = Buffer.alloc(4);
  data.writeUInt32BE(value);
  return [tag, 4, 1, data];
}

/** The bytes of a header with these tags, in this order. */
export function headerOf(tags: readonly Tag[]): Buffer {
  const index = Buffer.alloc(8 + 16 * tags.length);
  const data = Buffer.concat(tags.map(([, , , bytes]) => bytes));
  index.writeUInt32BE(tags.length, 0);
  index.writeUInt32BE(data.length, 4);
  let offset = 0;
  for (const [at, [tag, type, count, bytes]] of tags.entries()) {
    for (const [field, value] of [tag, type, offset, count].entries())
      index.writeUInt32BE(value, 8 + 16 * at + 4 * field);
    offset += bytes.length;
  }
  return Buffer.concat([index, data]);
}

export interface RpmSpec {
  readonly name: string;
  readonly version?: string;
  readonly release?: string;
  readonly arch?: string;
  readonly epoch?: number;
  readonly licence?: string;
  readonly source?: string;
  readonly more?: readonly Tag[];
}

export function packageHeader(spec: RpmSpec): Buffer {
  const { name, version = '1.0', release = '1.el9', arch = 'x86_64', licence = 'MIT', more = [] } = spec;
  const of = [text(1000, name), text(1001, version), text(1002, release), text(1014, licence)];
  const source = text(1044, `${spec.source ?? name}-${version}-${release}.src.rpm`);
  const epoch = spec.epoch === undefined ? [] : [int32(1003, spec.epoch)];
  return headerOf([...of, ...(arch === '' ? [] : [text(1022, arch), source]), ...epoch, ...more]);
}

export const PACKAGES = `CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL)`;

/** A database with these headers; `other` is run after its table was made. */
export function rpmDatabase(blobs: readonly Uint8Array[], other = '', table = PACKAGES): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'lk-rpm-'));
  try {
    const path = join(dir, 'rpmdb.sqlite');
    const database = new DatabaseSync(path);
    database.exec(`pragma synchronous = off; begin; ${table};${other}`);
    for (const blob of blobs) database.prepare('insert into Packages (blob) values (?)').run(blob);
    database.exec('commit');
    database.close();
    return readFileSync(path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
