/** What is in a laid out tree, file by file: for telling whether it was changed. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';

export type TreeList = Record<string, string>;

/** Others have their turn after so many ms, and within a file after so many bytes. */
const TURN_MS = 10;
const CHUNK = 1 << 20;

/**
 * path -> digest and mode of every file below a folder, target of every link, and empty folders; anything else spoils it.
 * Files are read without a turn of the event loop for each: a closure is thousands of small ones, and that would cost ten
 * times the hashing. A turn is given by time instead.
 */
export async function listTree(root: string): Promise<TreeList> {
  const list: TreeList = Object.create(null);
  const chunk = Buffer.allocUnsafe(CHUNK);
  let since = performance.now();
  const rest = async (): Promise<void> => {
    if (performance.now() - since < TURN_MS) return;
    await turn();
    since = performance.now();
  };
  const walk = async (folder: string, below: string): Promise<void> => {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (entries.length === 0) list[`${below}/`] = 'empty';
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      const name = below ? `${below}/${entry.name}` : entry.name;
      if (entry.isDirectory()) await walk(path, name);
      else if (entry.isFile())
        list[name] = `${await digestOf(path, chunk, rest)} ${(statSync(path).mode & 0o777).toString(8)}`;
      else if (entry.isSymbolicLink()) list[name] = `to ${readlinkSync(path)}`;
      else list[name] = 'neither file, folder nor link';
    }
    await rest();
  };
  if (existsSync(root)) await walk(root, '');
  return list;
}

/** The buffer is one for all files, so each is hashed before a turn is given. */
async function digestOf(path: string, chunk: Buffer, rest: () => Promise<void>): Promise<string> {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const read = readSync(file, chunk, 0, CHUNK, null);
      hash.update(chunk.subarray(0, read));
      if (read === 0) return `sha256:${hash.digest('hex')}`;
      await rest();
    }
  } finally {
    closeSync(file);
  }
}
