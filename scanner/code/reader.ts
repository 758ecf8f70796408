/** Code is read in a process of its own, within limits of time and memory: whatever a file does to its reader ends there. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname, extname } from 'node:path';
import type { FileFacts } from './facts.ts';
import type { FlowFacts } from './javascript/follow.ts';
import type { ReaderAnswer, ReaderWork } from './main.ts';
import { readPython } from './python.ts';
import type { SourceFile } from './select.ts';

export interface ReaderLimits {
  /** Milliseconds for one file, and for one package. */
  readonly fileMs: number;
  readonly packageMs: number;
  readonly memoryMiB: number;
}

const READER_LIMITS: ReaderLimits = { fileMs: 20_000, packageMs: 180_000, memoryMiB: 1536 };
/** Of the 8 MiB that systems give: enough for what compilers write; deeper nesting is an error that is caught. */
const STACK_KIB = 6000;
/** Files that may end their reader before the rest of a package is left unread. */
const MAX_ENDS = 5;
/** Times that a file is waited for on a machine that lets its reader do next to nothing. */
const MAX_TURNS = 4;
const SPENT = 'other files of its package took all the time';

export interface Reading {
  /** The facts of every file in their order, or the reason why it was not read. */
  readonly files: readonly (FileFacts | string)[];
  /** What was not followed to its end is named; the reason stands in its place where it ended the reader. */
  readonly flows: FlowFacts;
}

export interface Reader {
  read(files: readonly SourceFile[]): Promise<Reading>;
  close(): Promise<void>;
}

/** A reader for one package after the other; its process is started when first asked, and anew after each end. */
export function openReader(limits: ReaderLimits = READER_LIMITS): Reader {
  let worker: ChildProcess | null = null;
  const drop = async (): Promise<void> => {
    const old = worker;
    worker = null;
    if (!old || old.exitCode !== null || old.signalCode !== null) return;
    const ended = once(
      old.on('error', () => undefined),
      'exit',
    );
    old.kill('SIGKILL');
    await ended;
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    close: drop,
    // One after the other: all of them are answered by one process.
    read: (given) => {
      const next = last.then(() => readOne(given));
      last = next.catch(() => undefined);
      return next;
    },
  };

  async function readOne(given: readonly SourceFile[]): Promise<Reading> {
    const files = given.filter(({ language }) => language !== 'python');
    const python = given.filter(({ language }) => language === 'python');
    const read = await readPython(python, limits.fileMs);
    const told = read.files.values();
    const both = (flows: FlowFacts | string): FlowFacts => together(flows, read.flows);
    const whole = (read: readonly (FileFacts | string)[]): (FileFacts | string)[] => {
      const rest = read.values();
      return given.map(({ language }) => (language === 'python' ? told : rest).next().value ?? SPENT);
    };
    const results: (FileFacts | string)[] = [];
    const late = Date.now() + limits.packageMs;
    for (let ends = 0; ; ) {
      if (ends >= MAX_ENDS || Date.now() > late) {
        results.push(...files.slice(results.length).map(() => SPENT));
        return { files: whole(results), flows: both(SPENT) };
      }
      if (worker && (worker.exitCode !== null || worker.signalCode !== null)) worker = null;
      worker ??= startWorker(limits);
      const end = await some(worker, { files, results, limits, late });
      if (typeof end !== 'string') return { files: whole(results), flows: both(end) };
      await drop();
      ends++;
      if (results.length === files.length) return { files: whole(results), flows: both(end) };
      results.push(end);
    }
  }
}

/** Milliseconds of the processor that a process took, where the system tells (hundredths of a second, proc(5)); else all of them. */
function spentBy({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** What flows in either language. */
function together(javascript: FlowFacts | string, python: FlowFacts): FlowFacts {
  if (typeof javascript === 'string') return { ...python, unfollowed: [...python.unfollowed, javascript] };
  return {
    flows: [...javascript.flows, ...python.flows],
    tools: [...javascript.tools, ...python.tools],
    unfollowed: [...javascript.unfollowed, ...python.unfollowed],
  };
}

/**
 * A thread would not do: memory that runs out at once ends the whole process, with whatever else it was doing. Nothing
 * of the environment is told but where this process, if anywhere, keeps what Node compiled of modules.
 */
function startWorker({ memoryMiB }: ReaderLimits): ChildProcess {
  // Node answers with the folder of its own version, which stands in the one that it was given.
  const compiled = getCompileCacheDir();
  return fork(new URL(`./main${extname(import.meta.url)}`, import.meta.url), {
    execArgv: [`--max-old-space-size=${memoryMiB}`, `--stack-size=${STACK_KIB}`],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) },
  });
}

interface Progress {
  readonly files: readonly SourceFile[];
  /** What is read so far; added to. */
  readonly results: (FileFacts | string)[];
  readonly limits: ReaderLimits;
  /** Unix time in milliseconds after which nothing more is begun. */
  readonly late: number;
}

/** Reads on from where the results end. What flows at the end; otherwise why the next file ended the reader. */
async function some(
  worker: ChildProcess,
  { files, results, limits, late }: Progress,
): Promise<FlowFacts | string> {
  const { promise, resolve } = Promise.withResolvers<FlowFacts | string>();
  let timer: NodeJS.Timeout | undefined;
  let spentMs = 0;
  const watch = (turn = 1): void => {
    clearTimeout(timer);
    const ms = Math.max(1, Math.min(limits.fileMs, late - Date.now()));
    timer = setTimeout(() => {
      const idle = spentBy(worker) - spentMs < limits.fileMs / 2;
      if (idle && turn < MAX_TURNS && Date.now() < late) watch(turn + 1);
      else resolve(`it was not read within ${limits.fileMs / 1000} s`);
    }, ms);
  };
  const hear = (answer: ReaderAnswer): void => {
    if ('at' in answer) {
      spentMs = answer.spentMs;
      watch();
    } else if ('end' in answer) resolve(answer.end);
    else results.push(answer.facts);
  };
  const broke = (error: Error): void => resolve(`its reader was not reached: ${error.message}`.slice(0, 200));
  const ended = (code: number | null, signal: NodeJS.Signals | null): void =>
    resolve(
      signal === 'SIGABRT' || code === 134
        ? `reading it takes more than ${limits.memoryMiB} MiB`
        : 'its reader ended without an answer',
    );
  const hearing = (answer: unknown): void => hear(answer as ReaderAnswer);
  worker.on('message', hearing).on('error', broke).on('exit', ended);
  watch();
  worker.send({ files: [...files], from: results.length } satisfies ReaderWork, (error) => {
    if (error) broke(error);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    worker.off('message', hearing).off('error', broke).off('exit', ended);
  }
}
