/** Source archives of an index: which one is built where pip finds no wheel, and how it says that it wants to be built. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import { assertStoodBy, filesOfProject, type PypiWorld } from './fetch.ts';
import type { IndexFile } from './project.ts';
import type { Wish } from './resolve.ts';

const ASK = fileURLToPath(new URL('./python/ask.py', import.meta.url));
const ASK_MS = 30_000;
const LIMITED = 'ulimit -v 1048576 && exec "$@"';
const BUILDABLE = /\.(?:tar\.gz|zip)$/;

export interface Sdist {
  readonly name: string;
  /** In the one form that a wheel has it in. */
  readonly version: string;
  readonly promise: IndexFile;
}

const Chosen = Type.Union([Type.Null(), Type.Object({ file: Type.String(), version: Type.String() })]);
const System = Type.Union([
  Type.Object({ error: Type.String() }),
  Type.Object({
    requires: Type.Array(Type.String()),
    backend: Type.String(),
    path: Type.Array(Type.String()),
  }),
]);

/** The newest that fits what is asked for and runs on this Python; null for none, and where there is such a wheel. One that was withdrawn is refused. */
export async function chooseSdist({ name, specifier }: Wish, world: PypiWorld): Promise<Sdist | null> {
  const listed = await filesOfProject(name, world);
  const all = listed.filter(({ file }) => BUILDABLE.test(file));
  const stoodBy = all.filter(({ yanked }) => yanked === null);
  const from = stoodBy.length > 0 ? stoodBy : all;
  const files = from.map(({ file, requires }) => ({ file, requires }));
  const wheels = listed.flatMap(({ file, yanked }) =>
    file.endsWith('.whl') && yanked === null ? [file] : [],
  );
  const asked = { choose: { specifier, python: world.python.version, files, wheels } };
  const answer = assertValid(Chosen, await ask(asked, world), 'the choice of a source archive', 'INTERNAL');
  const promise = from.find(({ file }) => file === answer?.file);
  if (answer === null || promise === undefined) return null;
  assertStoodBy(promise, name, answer.version);
  return { name, version: answer.version, promise };
}

export interface BuildSystem {
  readonly requires: readonly string[];
  readonly backend: string;
  readonly path: readonly string[];
}

/** Throws BUILD_FAILED. */
export async function buildSystem(pyproject: string, label: string, world: PypiWorld): Promise<BuildSystem> {
  const answer = assertValid(System, await ask({ system: pyproject }, world), 'a build system', 'INTERNAL');
  if ('error' in answer) throw unbuilt(label, quote(answer.error, 300));
  const plain =
    /^[A-Za-z0-9_.:]{1,200}$/.test(answer.backend) &&
    answer.path.length <= 20 &&
    answer.path.every((one) => /^[^\0-\x1f]{1,200}$/.test(one));
  if (!plain)
    throw unbuilt(label, `the backend ${quote(answer.backend, 200)} in ${answer.path.length} folders`);
  return answer;
}

export function unbuilt(label: string, found: string): LockkeeperError {
  return new LockkeeperError('BUILD_FAILED', {
    expected: `${label} to become one wheel in a sandbox without a network and without a compiler`,
    found,
    next: 'Ask its maintainers for a wheel, use a version that has one, or build one where you trust it (pip wheel --no-deps) and publish it in your own index',
  });
}

async function ask(question: object, { python, options }: PypiWorld): Promise<unknown> {
  const pip = options.pip.replace(/\/pip$/, '');
  const child = spawn('/bin/sh', ['-c', LIMITED, 'sh', python.path, '-I', '-S', '-B', ASK, pip], {
    ...{ cwd: '/', env: {}, timeout: ASK_MS, killSignal: 'SIGKILL' as const },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(JSON.stringify(question));
  const said = await new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    text(child.stdout).then(resolve, reject);
  });
  try {
    return JSON.parse(said);
  } catch {
    throw unbuilt('a source archive', 'an answer about it that did not come to an end');
  }
}
