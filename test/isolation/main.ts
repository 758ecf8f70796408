/** npm run isolation: every limit of every driver here, really tried. Exit 0 only if each is held or explained. */
import { runTable } from './command.ts';

process.exitCode = await runTable(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.exit();
