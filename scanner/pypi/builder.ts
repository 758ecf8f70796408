/** One build in a sandbox: no network, little memory and time, and nothing of it stays but what it hands out. */
import { randomBytes } from 'node:crypto';
import type { SandboxedProcess } from '../../runtime/ports.ts';
import { minorOf } from '../../runtime/python/machine.ts';
import { quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { isValid } from '../../schemas/validate.ts';
import type { PypiWorld } from './fetch.ts';
import { unbuilt } from './sdist.ts';

const BUILD_MS = 180_000;
const LIMITS = { memoryMiB: 2048, cpus: 1, pids: 128, tmpMiB: 512 };
/** Bytes that are taken from it: a wheel with a line before it, and words for people. */
const MAX_WHEEL_BYTES = 64 * 1024 * 1024;
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_WORDS_BYTES = 16 * 1024 * 1024;
const TAIL_BYTES = 700;
/** Seconds since 1970 of the first day of 1980, before which a zip has no dates. */
const DATE = 315_532_800;

/** How the backend is loaded, and the requirements that are installed. */
export interface Recipe {
  readonly backend: string;
  readonly path: readonly string[];
  readonly given: readonly string[];
}

export interface Build {
  readonly label: string;
  /** Has the program, the source and the requirements. */
  readonly appDir: string;
  readonly source: string;
  readonly recipe: Recipe;
}

export type BuildAnswer =
  | { readonly file: string; readonly bytes: Buffer }
  /** Requirements that the backend names besides. */
  | { readonly wants: readonly string[] };

const Head = Type.Union([
  Type.Object({ wheels: Type.Array(Type.String(), { maxItems: 100 }), size: Type.Integer() }),
  Type.Object({ wants: Type.Array(Type.String(), { minItems: 1, maxItems: 100 }) }),
  Type.Object({ failed: Type.Integer() }),
]);

/** Throws BUILD_FAILED, with the build's last words. Leaves no process. */
export async function buildOnce(build: Build, { python, ports }: PypiWorld): Promise<BuildAnswer> {
  const { label, appDir, source, recipe } = build;
  const running = await ports.driver.start({
    id: `build-${randomBytes(6).toString('hex')}`,
    appDir,
    command: ['python', '/app/bundle/build.py', `/app/${source}`, String(DATE), JSON.stringify(recipe)],
    python: { version: minorOf(python.version), abi: python.abi, libc: null },
    ...{ env: {}, mounts: [], limits: LIMITS },
  });
  const { said, tail, ended } = await endOf(running, ports.buildMs ?? BUILD_MS);
  const words = tail === '' ? 'it said nothing' : `its last words: ${quote(tail, TAIL_BYTES + 100)}`;
  if (ended !== null) throw unbuilt(label, `${ended}; ${words}`);
  const line = said.indexOf('\n');
  const head = line < 0 || line > MAX_HEAD_BYTES ? null : headIn(said.subarray(0, line));
  if (head === null) throw unbuilt(label, `an end without a wheel; ${words}`);
  if ('failed' in head) throw unbuilt(label, `a build that ended with ${head.failed}; ${words}`);
  if ('wants' in head) return head;
  const bytes = said.subarray(line + 1);
  const [file, ...others] = head.wheels;
  if (file === undefined || others.length > 0) {
    const names = head.wheels.slice(0, 5).map((name) => quote(name, 100));
    throw unbuilt(label, others.length > 0 ? `several files: ${names.join(', ')}` : `no wheel; ${words}`);
  }
  if (bytes.length !== head.size) throw unbuilt(label, `${bytes.length} bytes of a wheel of ${head.size}`);
  return { file, bytes: Buffer.from(bytes) };
}

function headIn(line: Buffer): Static<typeof Head> | null {
  try {
    const head = parseStrict(line, { maxBytes: MAX_HEAD_BYTES });
    return isValid(Head, head) ? head : null;
  } catch {
    return null;
  }
}

interface End {
  readonly said: Buffer;
  readonly tail: string;
  /** Why it was ended; null when it came to its end by itself. */
  readonly ended: string | null;
}

/** Reads both streams within their limits; what breaks one is ended with everything that it started. */
async function endOf(running: SandboxedProcess, ms: number): Promise<End> {
  const chunks: Buffer[] = [];
  const bytes = { wheel: 0, words: 0 };
  let tail = Buffer.alloc(0);
  let ended: string | null = null;
  const end = (why: string): void => {
    ended ??= why;
    void running.stop(0);
  };
  running.stdout.on('data', (chunk: Buffer) => {
    bytes.wheel += chunk.length;
    if (bytes.wheel <= MAX_WHEEL_BYTES) chunks.push(chunk);
    else end(`more than ${MAX_WHEEL_BYTES} bytes of a wheel`);
  });
  running.stderr.on('data', (chunk: Buffer) => {
    bytes.words += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
    if (bytes.words > MAX_WORDS_BYTES) end(`more than ${MAX_WORDS_BYTES} bytes of words`);
  });
  const timer = setTimeout(() => end(`no end within ${ms / 1000} s`), ms);
  await running.exited;
  clearTimeout(timer);
  await running.stop(0);
  return { said: Buffer.concat(chunks), tail: tail.toString('utf8').trim(), ended };
}
