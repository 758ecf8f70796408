/** What one process did serves the next: modules that Node compiled, and what was read of the code of packages. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    codeDir: string;
  }
}

/** A folder of this run alone, so that nothing depends on an earlier one. */
export function setup(project: TestProject): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'lk-compiled-'));
  process.env.NODE_COMPILE_CACHE = dir;
  const codeDir = join(dir, 'code');
  mkdirSync(codeDir, { mode: 0o700 });
  project.provide('codeDir', codeDir);
  return () => rmSync(dir, { recursive: true, force: true });
}
