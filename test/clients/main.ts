/** npm run clients: real clients, unchanged, calling through lk run and lk gateway. Exit 0 only if each is in the journal. */
import { runTable } from './command.ts';

process.exitCode = await runTable(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.exit();
