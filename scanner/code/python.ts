/** Python is read by Python's own parser, in a process of its own that imports nothing, within limits. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { machinePython } from '../../runtime/python/machine.ts';
import { isValid } from '../../schemas/validate.ts';
import { CodeFacts, type FileFacts } from './facts.ts';
import type { FlowFacts } from './javascript/follow.ts';
import { secretsIn } from './secrets.ts';
import type { SourceFile } from './select.ts';

const SCRIPT = fileURLToPath(new URL('./python/read.py', import.meta.url));
const MAX_ENDS = 5;
const MAX_LINE = 32 * 1024 * 1024;
/** Bytes of one file, and of all files of a package together, that are followed: a tree takes a hundred times as much. */
const MAX_FOLLOWED = 1024 * 1024;
const MAX_HELD = 12 * 1024 * 1024;
/** As in PEP 263: the encoding that a file says it has, in its first two lines. */
const DECLARED = /^(?:[ \t\f]*(?:#.*)?\r?\n)?[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)/;
const ENDED = 'it ended the Python that read it';
const NO_FLOWS: FlowFacts = { flows: [], tools: [], unfollowed: [] };

export interface PythonReading {
  /** The facts of each file, or why it was not read. */
  readonly files: readonly (FileFacts | string)[];
  /** What flows from file to file. */
  readonly flows: FlowFacts;
}

interface PythonReader {
  /** Null when it ended or took too long; it is of no use afterwards. */
  ask(question: Readonly<Record<string, unknown>>, ms: number): Promise<string | null>;
  stop(): void;
}

export async function readPython(files: readonly SourceFile[], fileMs: number): Promise<PythonReading> {
  if (files.length === 0) return { files: [], flows: NO_FLOWS };
  const python = await machinePython().catch((error: Error) => error);
  if (python instanceof Error)
    return { files: files.map(() => 'this machine has no Python to read it with'), flows: NO_FLOWS };
  const results: (FileFacts | string)[] = [];
  let reader: PythonReader | null = null;
  let ends = 0;
  for (const file of files) {
    if (ends >= MAX_ENDS) {
      results.push('other files of its package took all the time');
      continue;
    }
    reader ??= startPython(python.path);
    const { path } = file;
    const text = textOf(file);
    const answer = factsIn(await reader.ask({ path, text, ...encoded(file, text) }, fileMs));
    if (answer === null) {
      reader.stop();
      reader = null;
      ends++;
    }
    results.push(answer ? { ...answer, secrets: secretsIn(path, text) } : ENDED);
  }
  reader ??= startPython(python.path);
  const flows = await follow(
    files.filter((_, at) => typeof results[at] === 'object'),
    reader,
    fileMs,
  );
  reader.stop();
  return { files: results, flows };
}

const textOf = ({ bytes }: SourceFile): string =>
  Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');

/** Bytes that say they are no UTF-8: Python makes other text of them than anybody else. */
function encoded(
  { bytes }: SourceFile,
  text: string,
): { readonly bytes?: string; readonly encoding?: string } {
  const [, encoding] = DECLARED.exec(text.slice(0, 2000)) ?? [];
  if (encoding === undefined || /^(?:utf-?8(?:-sig)?|u8|ascii|us-ascii)$/i.test(encoding.replace(/_/g, '-')))
    return {};
  return { bytes: Buffer.from(bytes).toString('base64'), encoding };
}

/** One question for all files of the package; what is too large for it, or ends it, is said to be unfollowed. */
async function follow(files: readonly SourceFile[], reader: PythonReader, ms: number): Promise<FlowFacts> {
  const texts: Record<string, string> = {};
  const unfollowed: string[] = [];
  let held = 0;
  for (const file of files) {
    held += file.bytes.length;
    if (file.bytes.length > MAX_FOLLOWED || held > MAX_HELD) unfollowed.push(file.path);
    else texts[file.path] = textOf(file);
  }
  const line = await reader.ask({ follow: texts, seconds: (ms * 3) / 4000 }, ms);
  const told = line === null ? null : flowsIn(line);
  if (told === null) return { ...NO_FLOWS, unfollowed: files.map(({ path }) => path) };
  return { ...told, unfollowed: [...told.unfollowed, ...unfollowed] };
}

const WHOLE = { version: 0, files: 0, bytes: 0, minified: [], secrets: [] };

function factsIn(line: string | null): FileFacts | null {
  if (line === null) return null;
  const { uses, hidden, unread } = JSON.parse(line) as CodeFacts;
  const facts = { uses, hidden, unread, secrets: [] };
  return isValid(CodeFacts, { ...WHOLE, flows: [], tools: [], unfollowed: [], ...facts }) ? facts : null;
}

function flowsIn(line: string): FlowFacts | null {
  const { flows, tools, unfollowed } = JSON.parse(line) as FlowFacts;
  const facts = { flows, tools, unfollowed };
  return isValid(CodeFacts, { ...WHOLE, uses: [], hidden: [], unread: [], ...facts }) ? facts : null;
}

function startPython(python: string): PythonReader {
  const child = spawn(python, ['-I', '-S', '-B', SCRIPT], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {},
    cwd: '/',
  });
  const lines = createInterface({ input: child.stdout });
  let settle: (line: string | null) => void = () => undefined;
  lines.on('line', (line) => settle(line.length > MAX_LINE ? null : line));
  child.on('error', () => settle(null)).on('close', () => settle(null));
  child.stdin.on('error', () => settle(null));
  return {
    stop: () => void child.kill('SIGKILL'),
    ask: async (question, ms) => {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      settle = resolve;
      const timer = setTimeout(() => resolve(null), ms);
      if (child.exitCode !== null || child.signalCode !== null) resolve(null);
      else child.stdin.write(`${JSON.stringify(question)}\n`);
      const line = await promise;
      clearTimeout(timer);
      return line;
    },
  };
}
