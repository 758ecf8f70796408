/** Artifacts of a closure, made of files that are here. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { sha256 } from '../../schemas/json.ts';
import type { Artifact } from '../../schemas/release.ts';
import { tarball } from '../../test/helpers/tarball.ts';

const MODULES = join(import.meta.dirname, '../../node_modules');
const CODE = /\.(m?js|json)$/;

export interface Packed {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A server of one file that loads nothing, or only packages packed beside it. */
export function packServer(name: string, file: string): Packed {
  const files = { 'index.mjs': readFileSync(file, 'utf8'), 'package.json': JSON.stringify({ name }) };
  return { name, bytes: packed(Object.entries(files)) };
}

/** The code of a package that is installed here. */
export function packInstalled(name: string): Packed {
  const from = join(MODULES, name);
  const files = readdirSync(from, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && CODE.test(entry.name))
    .map((entry) => relative(from, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('node_modules/'))
    .sort();
  return { name, bytes: packed(files.map((path) => [path, readFileSync(join(from, path), 'utf8')])) };
}

function packed(files: readonly (readonly [path: string, text: string])[]): Buffer {
  return tarball(files.map(([path, text]) => ({ path: `package/${path}`, text })));
}

export function artifactOf({ name, bytes }: Packed, location = `node_modules/${name}`): Artifact {
  return {
    location,
    purl: `pkg:npm/${name.replace('@', '%40')}@1.0.0`,
    sha256: sha256(bytes),
    sha512: createHash('sha512').update(bytes).digest('hex'),
    size: bytes.length,
    optional: false,
  };
}
