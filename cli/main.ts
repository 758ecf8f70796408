/** The process of lk. A verb that serves for long starts light, before anything of it is loaded. */
import { startLight } from '../runtime/footprint.ts';
import { tooOld } from './node.ts';

const refusal = tooOld(process.versions.node);
if (refusal) {
  process.stderr.write(`lk: ${refusal.message} [${refusal.code}]\n`);
  process.exit(refusal.exit);
}

if (process.argv[2] === 'run' || process.argv[2] === 'gateway') startLight();
const { lk } = await import('./lk.ts');

// A reader that goes away (lk … | head) is no error of its own, and hides none: the verdict stays the exit code.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

// Folders and files of the store are for every user's sandbox to read.
process.umask(0o022);
process.exitCode = await lk(process.argv.slice(2), process.env);
