/** npm run kills: runtimes killed at random moments. Exit 0 only if nothing was called without a record and nothing is left. */
import { runKills } from './command.ts';

const stop = new AbortController();
// The lives that are under way come to their end, and what they come to is told.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

process.exitCode = await runKills(
  process.argv.slice(2),
  {
    out: (text) => void process.stdout.write(text),
    say: (line) => void process.stderr.write(`${line}\n`),
  },
  stop.signal,
);
process.exit();
