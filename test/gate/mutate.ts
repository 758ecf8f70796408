/** A copy of the tree with one control taken out, and the rows of the table that are tried in it. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Mutation } from './mutations.ts';
import type { Verdict } from './row.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const PARTS = [
  'runtime',
  'schemas',
  'cli',
  'scanner',
  'package.json',
  'test/gate',
  'test/helpers',
  'test/servers',
];
const TIME_MS = 180_000;
const run = promisify(execFile);

export interface Noticed {
  readonly rows: readonly string[];
  /** Faces and rows that held although the control was out, and are not named to. */
  readonly unnoticed: readonly string[];
  /** Those that are named to hold, and did not. */
  readonly stale: readonly string[];
}

export class Copy {
  readonly #dir = mkdtempSync(join(tmpdir(), 'lk-gate-'));

  constructor() {
    for (const part of PARTS) cpSync(join(ROOT, part), join(this.#dir, part), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(this.#dir, 'node_modules'));
  }

  /** Throws when an edit finds nothing to change, or the table could not be tried. */
  async without({ rows, edits, still = {} }: Mutation): Promise<Noticed> {
    const before = edits.map(({ file }) => [file, readFileSync(join(this.#dir, file), 'utf8')] as const);
    try {
      for (const { file, from, to } of edits) {
        const text = readFileSync(join(this.#dir, file), 'utf8');
        if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
        writeFileSync(join(this.#dir, file), text.replaceAll(from, to));
      }
      const verdicts = await this.#tried(rows);
      const held = (verdict: Verdict): boolean => verdict.verdict === 'held';
      const told = ({ row, face }: Verdict): string => `${row}, ${face}`;
      return {
        rows,
        unnoticed: verdicts.filter((each) => held(each) && still[each.face] === undefined).map(told),
        stale: verdicts
          .filter(({ verdict, face }) => verdict === 'BROKEN' && still[face] !== undefined)
          .map(told),
      };
    } finally {
      for (const [file, text] of before.reverse()) writeFileSync(join(this.#dir, file), text);
    }
  }

  async #tried(rows: readonly string[]): Promise<Verdict[]> {
    const words = [join(this.#dir, 'test/gate/main.ts'), '--json', '--table', ...rows];
    const { stdout } = await run(process.execPath, words, { timeout: TIME_MS, maxBuffer: 2 ** 26 }).catch(
      (error: Error & { stdout: string }) => error,
    );
    const { verdicts } = JSON.parse(stdout) as { verdicts: Verdict[] };
    const missing = rows.filter((row) => !verdicts.some((verdict) => verdict.row === row));
    if (missing.length > 0) throw new Error(`the table has no ${missing.join(', ')}`);
    return verdicts;
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
