/** npm run bench -- NAME [--json] [--peers] [--quick] [--only WORD] [--live NAME@VERSION]: measures, prints a table, says what dominates. */
import { parseArgs } from 'node:util';
import { asLockkeeperError, LockkeeperError, quote } from '../schemas/errors.ts';
import { ci } from './ci.ts';
import { content } from './content.ts';
import { journal } from './journal.ts';
import { lock } from './lock.ts';
import { log } from './log.ts';
import { policy } from './policy.ts';
import { proxy } from './proxy/proxy.ts';
import { remote } from './remote.ts';
import { revoke } from './revoke.ts';
import { scan } from './scan/scan.ts';
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
  /** A real server of the registry that npm is configured with, as name@version. */
  readonly live: string | null;
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
  scan,
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
    live: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  const { values, positionals } = parsed(() => parseArgs({ options, allowPositionals: true }));
  if (values.help) return void process.stdout.write(usage());
  const [name = ''] = positionals;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (!bench || positionals.length > 1) throw misused(positionals.join(' ') || 'none');
  const { peers = false, quick = false, only = [], live = null } = values;
  const result = await bench({ peers, quick, only, live });
  process.stdout.write(values.json ? `${JSON.stringify(result.data)}\n` : tableOf(result));
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw misused(quote(cause instanceof Error ? (cause.message.split('. ')[0] ?? '') : '', 200));
  }
}

function misused(found: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `one of ${Object.keys(BENCHES).join(', ')}`,
    found,
    next: 'Such as: npm run bench -- lock; each option is told by: npm run bench -- --help',
  });
}

function usage(): string {
  return `npm run bench -- NAME [--json] [--quick] [--peers] [--only WORD] [--live NAME@VERSION]

  NAME     one of ${Object.keys(BENCHES).join(', ')}
  --json   one object in the place of the table
  --quick  fewer calls: figures of a few minutes less, and less sure
  --peers  other gateways as well, which npm brings
  --only   only what has this word in its name; repeat
  --live   of scan: this package of the registry that npm is configured with, as well
`;
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
