/** npm run bench -- NAME [--json]: measures, prints a table, says what dominates. */
import { parseArgs } from 'node:util';
import { LockkeeperError } from '../schemas/errors.ts';
import { ci } from './ci.ts';
import { journal } from './journal.ts';
import { proxy } from './proxy.ts';

export interface BenchResult {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly notes: readonly string[];
  readonly data: unknown;
}

const BENCHES: Readonly<Record<string, () => Promise<BenchResult>>> = { proxy, journal, ci };

const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' } }, allowPositionals: true });
const bench = BENCHES[positionals[0] ?? ''];
if (!bench) {
  const found = positionals[0] ?? 'none';
  throw new LockkeeperError('USAGE', {
    expected: `one of ${Object.keys(BENCHES).join(', ')}`,
    found,
    next: 'Such as: npm run bench -- proxy',
  });
}
const { head, rows, notes, data } = await bench();
if (values.json) process.stdout.write(`${JSON.stringify(data)}\n`);
else {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => (row[column] ?? '').length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  process.stdout.write(`${[head, ...rows].map(line).join('\n')}\n\n${notes.join('\n')}\n`);
}
process.exit(0);
