/** npm run kills: runtimes killed at random moments. Exit 0 only if nothing was called without a record and nothing is left. */
import { runKills } from './command.ts';

process.exitCode = await runKills(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.exit();
