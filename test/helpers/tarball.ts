/** Tarballs as nobody would publish them. */
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

export interface Entry {
  readonly path: string;
  readonly type?:
    | 'File'
    | 'SymbolicLink'
    | 'Link'
    | 'CharacterDevice'
    | 'FIFO'
    | 'Directory'
    | 'ExtendedHeader';
  readonly text?: string;
  readonly linkpath?: string;
  readonly mode?: number;
  readonly size?: number;
}

/** A tarball with exactly these headers, hostile ones too. */
export function tarball(entries: readonly Entry[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { path, type = 'File', text = '', linkpath, mode = 0o644, size } of entries) {
    const block = Buffer.alloc(512);
    const bytes = Buffer.from(text);
    const header = new Header({
      path,
      type,
      mode,
      size: size ?? bytes.length,
      mtime: new Date(0),
      ...(linkpath === undefined ? {} : { linkpath }),
    });
    header.encode(block, 0);
    blocks.push(block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
