/** An image's tree on the disk: folders, files and links of our own making, readable by every user, nothing else. */
import { closeSync, linkSync, mkdirSync, openSync, renameSync, symlinkSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Artifact } from '../../../schemas/release.ts';
import type { Blobs } from '../blobs.ts';
import { imageParts, readTree, type Spool } from './read.ts';
import type { TreeFolder } from './tree.ts';

/**
 * Lays the image of a closure out below `root`, which has to be there and empty; `spoolDir` is made and goes again. Owners,
 * dates, set-user bits and attributes are left behind. Throws what `imageParts` and `readTree` throw.
 */
export async function layOutImage(
  artifacts: readonly Artifact[],
  blobs: Blobs,
  { root, spoolDir }: { readonly root: string; readonly spoolDir: string },
): Promise<void> {
  mkdirSync(spoolDir);
  try {
    const { tree } = await readTree(await imageParts(artifacts, blobs), { blobs, spool: spoolIn(spoolDir) });
    await makeFolder(tree.root, root, { spoolDir, made: new Map() });
  } finally {
    await rm(spoolDir, { recursive: true, force: true });
  }
}

function spoolIn(dir: string): Spool {
  return {
    open: (content, { executable }) => {
      const file = openSync(join(dir, String(content)), 'wx', executable ? 0o755 : 0o644);
      return {
        write: (bytes) => {
          for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
        },
        close: () => closeSync(file),
      };
    },
  };
}

interface Making {
  readonly spoolDir: string;
  /** Where each content stands already: a second name of it is a hard link. */
  readonly made: Map<number, string>;
}

async function makeFolder(folder: TreeFolder, at: string, making: Making): Promise<void> {
  await turn();
  for (const [name, node] of folder.children) {
    const path = join(at, name);
    if (node.kind === 'folder') {
      mkdirSync(path, 0o755);
      await makeFolder(node, path, making);
    } else if (node.kind === 'link') symlinkSync(node.target, path);
    else {
      const other = making.made.get(node.content);
      if (other === undefined) renameSync(join(making.spoolDir, String(node.content)), path);
      else linkSync(other, path);
      making.made.set(node.content, path);
    }
  }
}
