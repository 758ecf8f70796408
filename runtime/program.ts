/** A program of somebody else, run once for its answer: without a shell, in a bounded time, for bounded bytes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { type LockkeeperError, quote } from '../schemas/errors.ts';

export interface ProgramRun {
  readonly input: Uint8Array;
  /** What the program sees of the environment; variables of Lockkeeper itself are left out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** Bytes of its standard output. */
  readonly maxAnswer: number;
  /** What to do about an answer that is too long. */
  readonly contract: string;
  /** What is thrown: `found` and what to do next. */
  readonly refusal: (found: string, next: string) => LockkeeperError;
}

const KEPT_WORDS = 2000;
const NOT_THERE = 'Check that the program is there and may be executed';
/** Secrets and settings of this product that a foreign program has no use for. */
const OWN = /^(LOCKKEEPER_|DATABASE_URL$)/;

/** Its standard output, when it ends with 0 in time. The program stays in this session, so that it can ask for a PIN. */
export async function runProgram(command: readonly string[], run: ProgramRun): Promise<Buffer> {
  const child = started(command, run);
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<Buffer>((resolve, reject) => {
    const refuse = (found: string, next: string): void => reject(run.refusal(found, next));
    timer = setTimeout(
      () => refuse(`no end within ${run.timeoutMs / 1000} s`, 'Run it by hand and see what it waits for'),
      run.timeoutMs,
    );
    const said = collect(child, run.maxAnswer, () =>
      refuse(`more than ${run.maxAnswer} bytes of output`, run.contract),
    );
    child.on('error', (cause: NodeJS.ErrnoException) => refuse(cause.code ?? cause.message, NOT_THERE));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(said.answer());
      refuse(`${signal ?? `exit code ${code}`}${said.words()}`, 'Run it by hand and see what it says');
    });
    // It may end without reading; its exit code says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(run.input);
  });
  return ended.finally(() => {
    clearTimeout(timer);
    abandon(child);
  });
}

function started([program = '', ...words]: readonly string[], run: ProgramRun): ChildProcess {
  const env = Object.fromEntries(Object.entries(run.environment).filter(([name]) => !OWN.test(name)));
  try {
    return spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (cause) {
    throw run.refusal((cause as NodeJS.ErrnoException).code ?? String(cause), NOT_THERE);
  }
}

/** What it says; `flood` is called when its answer is longer than `most` bytes. */
function collect(
  child: ChildProcess,
  most: number,
  flood: () => void,
): { answer: () => Buffer; words: () => string } {
  const chunks: Buffer[] = [];
  let size = 0;
  let words = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > most) return flood();
    chunks.push(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-KEPT_WORDS);
  });
  return {
    answer: () => Buffer.concat(chunks),
    words: () => (words.trim() === '' ? '' : `, saying ${quote(words.trim(), 300)}`),
  };
}

/** Whatever of it is left holds up nobody: what it started itself may keep its pipes open. */
function abandon(child: ChildProcess): void {
  child.kill('SIGKILL');
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
}
