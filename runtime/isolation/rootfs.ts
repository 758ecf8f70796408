/** What bubblewrap shows a server of this machine, and how bytes reach bubblewrap without a name. */
import { randomBytes } from 'node:crypto';
import { openSync, rmSync, writeFileSync } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A read-only view of the system's libraries and tools, none of its data, and the runtime's own Node. */
export async function rootfs(node: string): Promise<string[]> {
  const words = [
    '--ro-bind',
    '/usr',
    '/usr',
    '--ro-bind',
    node,
    '/lockkeeper/node',
    '--ro-bind-data',
    '4',
    '/etc/passwd',
    '--ro-bind-data',
    '5',
    '/etc/group',
  ];
  for (const name of ['/bin', '/sbin', '/lib', '/lib64']) {
    const facts = await lstat(name).catch(() => null);
    if (facts?.isSymbolicLink()) words.push('--symlink', await readlink(name), name);
    else if (facts) words.push('--ro-bind', name, name);
  }
  return [
    ...words,
    '--ro-bind-try',
    '/etc/ld.so.cache',
    '/etc/ld.so.cache',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--remount-ro',
    '/dev',
  ];
}

/** Bytes as a readable descriptor whose file has no name any more. */
export function asDescriptor(bytes: string | Buffer): number {
  const path = join(tmpdir(), `lockkeeper-${randomBytes(8).toString('hex')}`);
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
  try {
    return openSync(path, 'r');
  } finally {
    rmSync(path);
  }
}
