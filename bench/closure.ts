/** A lock of one approved server whose closure is cached: what a start is measured with. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Blobs } from '../runtime/store/blobs.ts';
import { sha256 } from '../schemas/json.ts';
import { type Artifact, type Closure, closureDigest } from '../schemas/release.ts';
import { pinSurface } from '../schemas/surface.ts';
import { capture, SCRIPTED } from '../test/helpers/session.ts';
import { tarball } from '../test/helpers/tarball.ts';
import { makeEntry } from '../test/helpers/trust.ts';
import { lockOf, type Unapproved } from './locked.ts';

/** Packages of the closure, and files of each: about what the filesystem server has. */
export const PACKAGES = 100;
export const FILES = 20;
const FILE_BYTES = 4000;

/** A closure whose one server is the tests' own, beside many packages that it does not load; locked and approved. */
export async function lockIn(blobs: Blobs): Promise<Buffer> {
  const filler = '// a line of some package\n'.repeat(FILE_BYTES / 26);
  const artifacts: Artifact[] = [];
  const put = async (name: string, files: Readonly<Record<string, string>>): Promise<void> => {
    const entries = Object.entries(files).map(([path, text]) => ({ path: `package/${path}`, text }));
    const bytes = tarball(entries);
    await blobs.put(bytes);
    artifacts.push({
      location: `node_modules/${name}`,
      purl: `pkg:npm/${name}@1.0.0`,
      sha256: sha256(bytes),
      sha512: createHash('sha512').update(bytes).digest('hex'),
      size: bytes.length,
      optional: false,
    });
  };
  await put('server', { 'index.mjs': readFileSync(SCRIPTED, 'utf8'), 'package.json': '{"name":"server"}' });
  for (let n = 0; n < PACKAGES; n++)
    await put(
      `filler-${n}`,
      Object.fromEntries(
        Array.from({ length: FILES }, (_, file) => [`lib/${file}.js`, `${filler}// ${n} ${file}`]),
      ),
    );
  const closure: Closure = { digest: closureDigest(artifacts), artifacts };
  const surface = await capture([SCRIPTED]);
  const text = Buffer.from(JSON.stringify(surface));
  await blobs.put(text);
  const base = makeEntry();
  const entry: Unapproved = {
    ...base,
    request: { server: base.server, range: '*' },
    closure,
    surface: pinSurface(surface),
    surfaceText: sha256(text),
    launch: {
      transport: 'stdio',
      command: ['node', '/app/node_modules/server/index.mjs'],
      projectArgs: false,
    },
    permissions: {
      egress: [],
      env: [],
      mounts: [],
      limits: { memoryMiB: 512, cpus: 1, pids: 64, tmpMiB: 8 },
    },
  };
  return lockOf({ server: entry });
}
