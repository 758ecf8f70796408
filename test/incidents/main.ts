/** npm run incidents: every replay really tried, and what stops it. Exit 0 only if each row is stopped or says why not. */
import { runIncidents } from './command.ts';

process.exitCode = await runIncidents(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
