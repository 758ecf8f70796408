/** npm run attack: every attack of the matrix, really tried, and who refuses it. Exit 0 only if all of them were. */
import { runMatrix } from './command.ts';

process.exitCode = await runMatrix(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
