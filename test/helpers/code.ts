/** What was read of the code of packages, for every test of a run: a closure of an SDK takes ten seconds of a processor. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';

/** For scans that work in this folder, or will: a registry's is `scan` in its data. */
export function shareCode(workDir: string): void {
  mkdirSync(workDir, { recursive: true });
  symlinkSync(inject('codeDir'), join(workDir, 'code'));
}
