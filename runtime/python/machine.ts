/** The Python of this machine that servers run on: it lies below /usr, which is what a sandbox shows of the machine. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { PythonTarget } from '../../schemas/pypi.ts';

const run = promisify(execFile);
const PROBE_MS = 30_000;
const FOLDERS = ['/usr/bin', '/usr/local/bin'];

export interface MachinePython {
  /** The interpreter itself, without links. */
  readonly path: string;
  /** Such as 3.11.2. */
  readonly version: string;
  /** SHA-256 of the interpreter's file. */
  readonly digest: string;
  readonly abi: string;
  /** Such as `glibc 2.36`. */
  readonly libc: string;
  /** Folder of its standard library. */
  readonly stdlib: string;
  /** Folders of packages that this machine has installed: no part of any closure. */
  readonly foreign: readonly string[];
}

const PROBE = `
import json, os, platform, site, sys, sysconfig
try:
    libc = os.confstr('CS_GNU_LIBC_VERSION')
except (OSError, ValueError):
    libc = None
print(json.dumps({
    'path': os.path.realpath(sys.executable), 'version': platform.python_version(),
    'name': sys.implementation.name, 'abi': sysconfig.get_config_var('SOABI'), 'libc': libc or 'musl 1.2',
    'stdlib': os.path.realpath(sysconfig.get_path('stdlib')), 'foreign': site.getsitepackages(),
}))`;

interface Probed {
  readonly path: string;
  readonly version: string;
  readonly name: string;
  readonly abi: string | null;
  readonly libc: string;
  readonly stdlib: string;
  readonly foreign: readonly string[];
}

const known = new Map<string, Promise<MachinePython | string>>();

/** The first Python here that can be shown to servers. Throws PYTHON_MISSING. */
export async function machinePython(): Promise<MachinePython> {
  const { fit, others } = await search(['python3'], () => true);
  if (fit) return fit;
  throw new LockkeeperError('PYTHON_MISSING', {
    expected: `a CPython 3 in ${FOLDERS.join(' or ')}`,
    found: others.join('; ') || 'none',
    next: 'Install one, such as: apt-get install python3',
  });
}

/** The Python of this machine that a closure was resolved for. Throws PYTHON_MISSING or PYTHON_MISMATCH. */
export async function pythonFor(target: PythonTarget): Promise<MachinePython> {
  const { fit, others } = await search(['python3', `python${target.version}`], (one) => fits(one, target));
  if (fit) return fit;
  const { version, abi, libc } = target;
  throw new LockkeeperError(others.length > 0 ? 'PYTHON_MISMATCH' : 'PYTHON_MISSING', {
    expected: `Python ${version} with the ABI ${abi}${libc === null ? '' : ` and at least ${libc}`}, for which the release was resolved`,
    found: others.join('; ') || `none in ${FOLDERS.join(' or ')}`,
    next: `Install Python ${version} on this machine, or have the release scanned on a machine like this one`,
  });
}

/** Same minor version and ABI; the C library may be newer. */
export function fits(
  { version, abi, libc }: Pick<MachinePython, 'version' | 'abi' | 'libc'>,
  target: PythonTarget,
): boolean {
  if (minorOf(version) !== target.version || abi !== target.abi) return false;
  if (target.libc === null) return true;
  const [kind, number = ''] = libc.split(' ');
  const [needed, least = ''] = target.libc.split(' ');
  return kind === needed && numberOf(number) >= numberOf(least);
}

export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function numberOf(version: string): number {
  const [major = '0', minor = '0'] = version.split('.');
  return Number(major) * 10_000 + Number(minor);
}

async function search(
  names: readonly string[],
  accepts: (python: MachinePython) => boolean,
): Promise<{ fit: MachinePython | null; others: string[] }> {
  const others = new Set<string>();
  for (const name of names) {
    for (const folder of FOLDERS) {
      const path = `${folder}/${name}`;
      if (!existsSync(path)) continue;
      const found = await look(path);
      if (typeof found === 'string') others.add(found);
      else if (accepts(found)) return { fit: found, others: [...others] };
      else others.add(`${path} is ${found.version}, ${found.abi}, ${found.libc}`);
    }
  }
  return { fit: null, others: [...others] };
}

/** Asked once for each state of the file. */
async function look(path: string): Promise<MachinePython | string> {
  const real = await realpath(path);
  const { size, mtimeMs, ino } = await stat(real);
  const key = `${real} ${size} ${mtimeMs} ${ino}`;
  let answer = known.get(key);
  if (!answer) {
    answer = probe(path);
    known.set(key, answer);
  }
  return answer;
}

async function probe(path: string): Promise<MachinePython | string> {
  try {
    const words = ['-I', '-S', '-c', PROBE];
    const { stdout } = await run(path, words, { cwd: '/', env: {}, timeout: PROBE_MS });
    const found = JSON.parse(stdout) as Probed;
    const { version, name, abi, libc, stdlib, foreign } = found;
    if (name !== 'cpython' || !version.startsWith('3.') || typeof abi !== 'string')
      return `${path} is ${name} ${version}`;
    if (!found.path.startsWith('/usr/') || !stdlib.startsWith('/usr/'))
      return `${path} leads to ${quote(found.path)}, outside of /usr`;
    const digest = sha256(await readFile(found.path));
    return { path: found.path, version, digest, abi, libc, stdlib, foreign };
  } catch (error) {
    return `${path} does not run: ${quote((error as Error).message, 200)}`;
  }
}
