/** npm run bench -- NAME [--json] [--peers] [--quick] [--only WORD]: measures, prints a table, says what dominates. */
import { parseArgs } from 'node:util';
import { asLockkeeperError, LockkeeperError } from '../schemas/errors.ts';
import { ci } from './ci.ts';
import { content } from './content.ts';
import { journal } from './journal.ts';
import { lock } from './lock.ts';
import { log } from './log.ts';
import { policy } from './policy.ts';
import { proxy } from './proxy/proxy.ts';
import { remote } from './remote.ts';
import { revoke } from './revoke.ts';
import { start } from './start.ts';

export interface BenchResult {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
  readonly data: unknown;
}

export interface BenchOptions {
  /** Other gateways as well, which npm brings. */
  readonly peers: boolean;
  /** Fewer calls: figures of a few minutes less, and less sure. */
  readonly quick: boolean;
  /** Only what has one of these words in its name, and what it is held against; empty: everything. */
  readonly only: readonly string[];
}

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  proxy,
  remote,
  journal,
  content,
  ci,
  lock,
  log,
  policy,
  revoke,
  start,
};

try {
  await main();
  process.exit(0);
} catch (thrown) {
  const { message, code, exit } = asLockkeeperError(thrown);
  process.stderr.write(`bench: ${message} [${code}]\n`);
  process.exit(exit);
}

async function main(): Promise<void> {
  const options = {
    json: { type: 'boolean' },
    peers: { type: 'boolean' },
    quick: { type: 'boolean' },
    only: { type: 'string', multiple: true },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const bench = BENCHES[positionals[0] ?? ''];
  if (!bench) {
    throw new LockkeeperError('USAGE', {
      expected: `one of ${Object.keys(BENCHES).join(', ')}`,
      found: positionals[0] ?? 'none',
      next: 'Such as: npm run bench -- proxy',
    });
  }
  const { peers = false, quick = false, only = [] } = values;
  const result = await bench({ peers, quick, only });
  process.stdout.write(values.json ? `${JSON.stringify(result.data)}\n` : tableOf(result));
}

/** The first column to the left, figures to the right. */
function tableOf({ head, rows, notes }: BenchResult): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return `${all.map(line).join('\n')}\n\n${notes.join('\n')}\n`;
}
