import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../cli/main.ts');

describe('[npm] the drill: the whole product in one story', () => {
  it('holds at every step', async () => {
    const home = mkdtempSync(join(tmpdir(), 'lk-test-'));
    const { stdout } = await run(process.execPath, [MAIN, 'drill', '--json'], {
      env: { ...process.env, LOCKKEEPER_HOME: home },
      maxBuffer: 1e8,
    }).catch((error: Error & { stdout: string }) => {
      if (error.stdout === '') throw error;
      return error;
    });
    const { conclusion, steps } = JSON.parse(stdout) as {
      conclusion: string;
      steps: { step: string; ok: boolean; found: string }[];
    };
    expect(steps.filter((step) => !step.ok)).toEqual([]);
    // What was read of its packages' code is there for the next one.
    expect(readdirSync(join(home, 'store/code')).length).toBeGreaterThan(50);
    expect(steps.length).toBeGreaterThanOrEqual(17);
    expect(conclusion).toBe('ok');
  });
});
