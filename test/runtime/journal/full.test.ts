/** A disk that is really full, for a while. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { tempDir } from '../../helpers/session.ts';

const run = promisify(execFile);
const WRITER = join(import.meta.dirname, '../../helpers/full-disk.ts');

/** What the writer says of one disk, in a mount namespace of its own. */
async function onSmallDisk(how: string): Promise<Record<string, unknown>> {
  const inShell = 'mount -t tmpfs -o size=512k tmpfs "$1" && exec "$2" "$3" "$1" "$4"';
  const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', inShell, 'sh'];
  const { stdout } = await run('unshare', [...words, tempDir(), process.execPath, WRITER, how]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

it.each([
  ['alone', 'one after the other'],
  ['together', 'several at once'],
])('refuses calls while its disk is full, and goes on by itself once it is not: %s', async (how) => {
  const { acknowledged, refused, there, notes, late, kinds, verified, said } = await onSmallDisk(how);
  // What was acknowledged is there and in order; what was refused is not; what nobody waits for is not lost.
  expect(there).toEqual(acknowledged);
  expect([(acknowledged as unknown[]).length > 10, (refused as unknown[]).length > 0]).toEqual([true, true]);
  expect(notes).toEqual(
    [...(acknowledged as string[]).map((call) => `after ${call}`), ...(late as string[])].sort(),
  );
  expect(kinds).toEqual({ 'journal.recovered': 1 });
  expect(verified).toEqual({ journals: 1, records: expect.any(Number) });
  expect(said).toMatch(/ENOSPC.*Free space on the journal’s disk/s);
});

it('keeps what it could not, when it is closed before it would have looked again', async () => {
  const { notes, late, verified } = await onSmallDisk('closed');
  expect(notes).toEqual(expect.arrayContaining(late as string[]));
  expect(verified).toEqual({ journals: 1, records: expect.any(Number) });
});
