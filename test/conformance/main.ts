/** npm run conformance: the MCP conformance suite directly and by each way. Exit 0 only if no check differs unexplained. */
import { runTable } from './command.ts';

process.exitCode = await runTable(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  say: (line) => void process.stderr.write(`${line}\n`),
});
process.exit();
