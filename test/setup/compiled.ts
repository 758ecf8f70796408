/** What Node compiled of one process serves the next: the tests start hundreds of them on the same few hundred modules. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of this run alone, so that nothing depends on an earlier one. */
export function setup(): () => void {
  const dir = mkdtempSync(join(tmpdir(), 'lk-compiled-'));
  process.env.NODE_COMPILE_CACHE = dir;
  return () => rmSync(dir, { recursive: true, force: true });
}
