/** A folder as one artifact: a tar that follows from paths, bytes and the executable bit alone, whoever writes it. */
import { tar } from '../lazy.ts';
import type { UnpackedFile } from './unpack.ts';

const BLOCK = 512;
/** Readers take the first part of each path off, as npm does. */
const TOP = 'package/';

/** In path order, without owners and dates; not compressed, for compressors differ between machines. */
export function packFolder(files: readonly UnpackedFile[]): Buffer {
  const blocks: Buffer[] = [];
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const { path, bytes, executable } of sorted) {
    const full = `${TOP}${path}`;
    const plain = full.length < 100 && /^[\x20-\x7e]+$/.test(full);
    if (!plain) blocks.push(...member('PaxHeader', 'ExtendedHeader', Buffer.from(paxPath(full))));
    const mode = executable ? 0o755 : 0o644;
    blocks.push(...member(plain ? full : `${TOP}long`, 'File', bytes, mode));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

function member(path: string, type: 'File' | 'ExtendedHeader', bytes: Buffer, mode = 0o644): Buffer[] {
  const block = Buffer.alloc(BLOCK);
  const owner = { uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) };
  new (tar().Header)({ path, type, mode, size: bytes.length, ...owner }).encode(block, 0);
  return [block, bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
}

/** `LENGTH path=…`, where the length counts its own digits. */
function paxPath(path: string): string {
  const rest = ` path=${path}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (`${length}`.length + bytes !== length) length = `${length}`.length + bytes;
  return `${length}${rest}`;
}
