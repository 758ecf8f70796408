/** npm run gate: every control at every face, each of them taken out as well. Exit 0 only if all hold and are missed. */
import { runGate } from './command.ts';

process.exitCode = await runGate(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.exit();
