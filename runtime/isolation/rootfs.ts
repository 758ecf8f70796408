/** What bubblewrap shows a server of this machine, and how bytes reach bubblewrap without a name. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
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
function asDescriptor(bytes: string | Buffer): number {
  const path = join(tmpdir(), `lockkeeper-${randomBytes(8).toString('hex')}`);
  try {
    writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' });
    return openSync(path, 'r');
  } finally {
    rmSync(path, { force: true });
  }
}

/** All of them in order, or none is left open. */
export function asDescriptors(texts: readonly (string | Buffer)[]): number[] {
  const open: number[] = [];
  try {
    for (const text of texts) open.push(asDescriptor(text));
    return open;
  } catch (error) {
    for (const one of open) closeSync(one);
    throw error;
  }
}
