/** A question to whoever sits at the terminal. */
import { createInterface } from 'node:readline/promises';
import { LockkeeperError } from '../schemas/errors.ts';

/** Only a plain yes is one. Throws USAGE where there is no terminal to ask on. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new LockkeeperError('USAGE', {
      expected: '--yes, or a terminal to ask on',
      found: 'neither',
      next: 'Look with --dry-run, then add --yes',
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const gone = new Promise<string>((resolve) => terminal.once('close', () => resolve('')));
    return /^y(?:es)?$/i.test((await Promise.race([terminal.question(`${question} [y/N] `), gone])).trim());
  } finally {
    terminal.close();
  }
}
