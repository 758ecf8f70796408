/**
 * The images that containers run on: the runtime's own Node and the libraries it links; and for servers on Python the
 * machine's own interpreter with its standard library besides. Nothing else, and no registry is asked.
 */
import { execFile } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { sha256 } from '../../schemas/json.ts';
import { tar } from '../lazy.ts';
import type { MachinePython } from '../python/machine.ts';
import { hasImage } from './engine.ts';

const run = promisify(execFile);
const UID = 65534;
/** Raised when the image is made differently. */
const LAYOUT = 2;

/** localhost/lockkeeper-node:<digest of the Node binary>, or lockkeeper-python with Python's besides; made on first use. */
export async function ensureImage(
  engine: string,
  nodePath: string,
  python: MachinePython | null,
): Promise<string> {
  const tag = await tagOf(nodePath, python);
  if (await hasImage(engine, tag)) return tag;
  const dir = await mkdtemp(join(tmpdir(), 'lockkeeper-image-'));
  try {
    const root = join(dir, 'root');
    for (const file of await librariesOf(nodePath)) await place(file, join(root, file));
    await place(nodePath, join(root, 'lockkeeper/node'));
    if (python !== null) await placePython(python, root);
    for (const folder of ['tmp', 'app', 'proc', 'dev', 'etc'])
      await mkdir(join(root, folder), { recursive: true });
    // An engine gives its tmpfs the mode that the folder has in the image.
    await chmod(join(root, 'tmp'), 0o1777);
    await writeFile(join(root, 'etc/passwd'), `mcp:x:${UID}:${UID}::/tmp:/sbin/nologin\n`);
    await tar().create({ cwd: root, file: join(dir, 'image.tar') }, ['.']);
    await run(engine, ['import', join(dir, 'image.tar'), tag], { timeout: 120_000 });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return tag;
}

async function tagOf(nodePath: string, python: MachinePython | null): Promise<string> {
  const node = `${LAYOUT}-${sha256(await readFile(nodePath)).slice(7, 23)}`;
  if (python === null) return `localhost/lockkeeper-node:${node}`;
  const { mtimeMs } = await stat(python.stdlib);
  const own = sha256(Buffer.from(`${python.digest} ${python.stdlib} ${mtimeMs}`)).slice(7, 23);
  return `localhost/lockkeeper-python:${node}-${own}`;
}

/** What a wheel may expect of a machine beside what Python itself links (PEP 600). */
const EXPECTED = [
  'libdl.so.2',
  'libgcc_s.so.1',
  'libpthread.so.0',
  'libresolv.so.2',
  'librt.so.1',
  'libstdc++.so.6',
  'libutil.so.1',
  'libz.so.1',
];
/** Of a standard library: what no server is made of, and what the machine has installed. */
const LEFT_OUT = new Set([
  '__pycache__',
  'dist-packages',
  'idlelib',
  'site-packages',
  'sitecustomize.py',
  'test',
]);

async function placePython({ path, stdlib }: MachinePython, root: string): Promise<void> {
  await place(path, join(root, path));
  await cp(stdlib, join(root, stdlib), {
    recursive: true,
    dereference: true,
    filter: (source) => !LEFT_OUT.has(basename(source)),
  });
  const modules = globSync(`${stdlib}/lib-dynload/*.so`);
  const libraries = new Set((await Promise.all([path, ...modules].map(librariesOf))).flat());
  const libc = [...libraries].find((file) => basename(file) === 'libc.so.6') ?? '';
  for (const name of libc === '' ? [] : EXPECTED) {
    const file = join(dirname(libc), name);
    if (existsSync(file)) libraries.add(file);
  }
  for (const file of libraries) await place(file, join(root, file));
}

async function place(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]);
  return [...stdout.matchAll(/(\/[^\s)]+)\s+\(0x/g)].map((match) => match[1] ?? '').filter(Boolean);
}
