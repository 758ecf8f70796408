/** The process of lk. A verb that serves for long starts light, before anything of it is loaded. */
import { startLight } from '../runtime/footprint.ts';
import { asLockkeeperError, CODES } from '../schemas/errors.ts';
import { tooOld } from './node.ts';

const refusal = tooOld(process.versions.node);
if (refusal) {
  if (process.argv.includes('--json')) {
    const { problemOf } = await import('../schemas/problem.ts');
    process.stdout.write(`${JSON.stringify({ error: problemOf(refusal, CODES[refusal.code].title) })}\n`);
  } else process.stderr.write(`lk: ${refusal.message} [${refusal.code}]\n`);
  process.exit(refusal.exit);
}

if (process.argv[2] === 'run' || process.argv[2] === 'gateway') startLight();
const { lk } = await import('./lk.ts');

// A reader that goes away (lk … | head) is no error of its own, and hides none: the verdict stays the exit code.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  const { message, code, exit } = asLockkeeperError(error);
  process.stderr.write(`lk: ${message} [${code}]\n`);
  process.exit(exit);
});
// What is told to people ends nothing where it cannot be told: not where a log's disk is full or its reader is gone.
process.stderr.on('error', () => undefined);

// Folders and files of the store are for every user's sandbox to read.
process.umask(0o022);
process.exitCode = await lk(process.argv.slice(2), process.env);
