/** Python is read by Python's own parser, in a process of its own that imports nothing, within limits. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { machinePython } from '../../runtime/python/machine.ts';
import { isValid } from '../../schemas/validate.ts';
import { CodeFacts, type FileFacts } from './facts.ts';
import { secretsIn } from './secrets.ts';
import type { SourceFile } from './select.ts';

const SCRIPT = fileURLToPath(new URL('./python/read.py', import.meta.url));
const MAX_ENDS = 5;
const MAX_LINE = 32 * 1024 * 1024;

interface PythonReader {
  /** Null when it ended or took too long; it is of no use afterwards. */
  ask(file: { readonly path: string; readonly text: string }, ms: number): Promise<string | null>;
  stop(): void;
}

/** The facts of each file, or why it was not read. */
export async function readPython(
  files: readonly SourceFile[],
  fileMs: number,
): Promise<(FileFacts | string)[]> {
  if (files.length === 0) return [];
  const python = await machinePython().catch((error: Error) => error);
  if (python instanceof Error) return files.map(() => 'this machine has no Python to read it with');
  const results: (FileFacts | string)[] = [];
  let reader: PythonReader | null = null;
  let ends = 0;
  for (const { path, bytes } of files) {
    if (ends >= MAX_ENDS) {
      results.push('other files of its package took all the time');
      continue;
    }
    reader ??= startPython(python.path);
    const text = Buffer.from(bytes)
      .toString('utf8')
      .replace(/^\ufeff/, '');
    const answer = factsIn(await reader.ask({ path, text }, fileMs));
    if (answer === null) {
      reader.stop();
      reader = null;
      ends++;
    }
    results.push(answer ? { ...answer, secrets: secretsIn(path, text) } : 'it ended the Python that read it');
  }
  reader?.stop();
  return results;
}

function factsIn(line: string | null): FileFacts | null {
  if (line === null) return null;
  const { uses, flows, hidden, tools, unread } = JSON.parse(line) as CodeFacts;
  const whole = { version: 0, files: 0, bytes: 0, minified: [], secrets: [], unfollowed: [] };
  const facts = { uses, flows, hidden, tools, unread, secrets: [] };
  return isValid(CodeFacts, { ...whole, ...facts }) ? facts : null;
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
    ask: async (file, ms) => {
      const { promise, resolve } = Promise.withResolvers<string | null>();
      settle = resolve;
      const timer = setTimeout(() => resolve(null), ms);
      if (child.exitCode !== null || child.signalCode !== null) resolve(null);
      else child.stdin.write(`${JSON.stringify(file)}\n`);
      const line = await promise;
      clearTimeout(timer);
      return line;
    },
  };
}
