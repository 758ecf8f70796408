/** An image's tree as an engine's own image, made from the tree that was verified and named by it. No registry is asked. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from '../../schemas/json.ts';
import { tar } from '../lazy.ts';
import { hasImage } from './engine.ts';
import { OWN } from './image-root.ts';

const run = promisify(execFile);
const IMPORT_MS = 600_000;
/** Raised when the copy is made differently. */
const LAYOUT = 1;

/** localhost/lockkeeper-image:<digest of the tree's own list of files>; made on first use. */
export async function ensureCopy(engine: string, root: string): Promise<string> {
  const list = await readFile(join(dirname(root), 'manifest.json'));
  const tag = `localhost/lockkeeper-image:${LAYOUT}-${sha256(list).slice('sha256:'.length)}`;
  if (await hasImage(engine, tag)) return tag;
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-image-'));
  try {
    const file = join(dir, 'image.tar');
    const names = (await readdir(root)).filter((name) => !OWN.has(name));
    await tar().create(
      { cwd: root, file },
      names.map((name) => `./${name}`),
    );
    await tar().replace(
      { cwd: await ownFolders(dir), file },
      [...OWN].map((name) => `./${name}`),
    );
    await run(engine, ['import', file, tag], { timeout: IMPORT_MS });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return tag;
}

/** Places for what the engine lays there. It gives its tmpfs the mode that the folder has. */
async function ownFolders(dir: string): Promise<string> {
  const own = join(dir, 'own');
  for (const name of OWN) await mkdir(join(own, name), { recursive: true });
  await chmod(join(own, 'tmp'), 0o1777);
  return own;
}
