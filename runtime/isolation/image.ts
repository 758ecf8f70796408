/** The image that containers run on: the runtime's own Node and the libraries it links, and nothing else. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { create } from 'tar';
import { sha256 } from '../../schemas/json.ts';

const run = promisify(execFile);
const UID = 65534;
/** Raised when the image is made differently. */
const LAYOUT = 2;

/** localhost/lockkeeper-node:<digest of the Node binary>, made on first use. */
export async function ensureImage(engine: string, nodePath: string): Promise<string> {
  const tag = `localhost/lockkeeper-node:${LAYOUT}-${sha256(await readFile(nodePath)).slice(7, 23)}`;
  const there = await run(engine, ['image', 'inspect', tag]).then(
    () => true,
    () => false,
  );
  if (there) return tag;
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-image-'));
  try {
    const root = join(dir, 'root');
    for (const file of await librariesOf(nodePath)) await place(file, join(root, file));
    await place(nodePath, join(root, 'lockkeeper/node'));
    for (const folder of ['tmp', 'app', 'proc', 'dev', 'etc'])
      await mkdir(join(root, folder), { recursive: true });
    // An engine gives its tmpfs the mode that the folder has in the image.
    await chmod(join(root, 'tmp'), 0o1777);
    await writeFile(join(root, 'etc/passwd'), `mcp:x:${UID}:${UID}::/tmp:/sbin/nologin\n`);
    await create({ cwd: root, file: join(dir, 'image.tar') }, ['.']);
    await run(engine, ['import', join(dir, 'image.tar'), tag], { timeout: 120_000 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return tag;
}

async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]);
  return [...stdout.matchAll(/(\/[^\s)]+)\s+\(0x/g)].map((match) => match[1] ?? '').filter(Boolean);
}
