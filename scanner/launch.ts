/** How a package is started: its own program, found in its own package.json, never through a shell or npm. */
import { posix } from 'node:path';
import type { UnpackedFile } from '../runtime/store/unpack.ts';
import { isObject } from '../schemas/common.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import type { LocalLaunch, Submission } from '../schemas/release.ts';
import { incomplete, type PackageRef } from './tree.ts';

/** The package's only `bin`, or the one named like it, with the submission's arguments. Throws CLOSURE_INCOMPLETE. */
export function launchOf(
  ref: PackageRef,
  submission: Submission,
  files: readonly UnpackedFile[],
): LocalLaunch {
  return {
    transport: 'stdio',
    command: ['node', `/app/node_modules/${ref.name}/${programOf(ref, files)}`, ...submission.args],
    projectArgs: submission.projectArgs,
  };
}

/** The path of that program below its package. Throws CLOSURE_INCOMPLETE. */
export function programOf(ref: PackageRef, files: readonly UnpackedFile[]): string {
  const { bin } = manifestOf(ref, files);
  const base = ref.name.split('/').at(-1) ?? ref.name;
  const named = typeof bin === 'string' ? { [base]: bin } : bin;
  const programs = named !== null && typeof named === 'object' ? (named as Record<string, unknown>) : {};
  const names = Object.keys(programs);
  const path = programs[base] ?? (names.length === 1 ? programs[names[0] ?? ''] : undefined);
  const label = `${ref.name}@${ref.version}`;
  if (typeof path !== 'string') {
    const found = names.length > 0 ? `several: ${names.map((name) => quote(name, 60)).join(', ')}` : 'none';
    throw incomplete(`one program in the bin of ${label}`, found);
  }
  const program = posix.normalize(path).replace(/^\//, '');
  const present = [program, `${program}.js`, `${program}/index.js`].some((candidate) =>
    files.some((file) => file.path === candidate),
  );
  if (!present) throw incomplete(`${label} to hold its program`, `no file ${quote(path)} in it`);
  return program;
}

export function manifestOf(ref: PackageRef, files: readonly UnpackedFile[]): { bin?: unknown } {
  const manifest = files.find((file) => file.path === 'package.json');
  const label = `a package.json in ${ref.name}@${ref.version}`;
  if (!manifest) throw incomplete(label, 'none');
  try {
    const value = parseStrict(manifest.bytes.subarray(startOf(manifest.bytes)));
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof LockkeeperError)) throw error;
    throw incomplete(`${label} that can be read`, error.found, error);
  }
  throw incomplete(label, 'something that is not an object');
}

/** npm allows a byte order mark before a package.json. */
function startOf(bytes: Buffer): number {
  return bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? 3 : 0;
}
