/** Source archives of Python packages, honest ones and as nobody would publish them. */
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';
import type { Listed } from './pypi-index.ts';

export interface SdistSpec {
  readonly name: string;
  readonly version?: string;
  /** By path below the archive's own folder. */
  readonly files?: Readonly<Record<string, string>>;
  /** Members as they are, before the others. */
  readonly members?: readonly Member[];
  /** What PKG-INFO says instead; null: there is none. */
  readonly info?: string | null;
}

export interface Member {
  readonly path: string;
  readonly bytes?: string | Buffer;
  readonly type?: 'File' | 'SymbolicLink' | 'Link' | 'FIFO';
  readonly linkpath?: string;
}

export function sdistOf(spec: SdistSpec): Listed & { readonly version: string } {
  const { name, version = '1.0.0', files = {}, members = [], info } = spec;
  const stem = `${name.replaceAll('-', '_')}-${version}`;
  const said = info === undefined ? `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n` : info;
  const all: Member[] = [
    ...members,
    ...(said === null ? [] : [{ path: `${stem}/PKG-INFO`, bytes: said }]),
    ...Object.entries(files).map(([path, bytes]) => ({ path: `${stem}/${path}`, bytes })),
  ];
  return { name, version, file: `${stem}.tar.gz`, bytes: gzipSync(tarOf(all)) };
}

function tarOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ path, bytes = '', type = 'File', linkpath }) => {
    const body = Buffer.from(bytes);
    const head = Buffer.alloc(512);
    const more = linkpath === undefined ? {} : { linkpath };
    new Header({ path, type, size: body.length, mode: 0o644, mtime: new Date(0), ...more }).encode(head, 0);
    return [head, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
