import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SegmentFile } from '../../../runtime/journal/segment.ts';
import { tempDir } from '../../helpers/session.ts';

it('leaves no descriptor open where it cannot be continued', () => {
  const dir = tempDir();
  symlinkSync('/dev/null', join(dir, 'segment'));
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let n = 0; n < 20; n++) expect(() => new SegmentFile(dir, 'segment', 1)).toThrow(/moved or replaced/);
  expect(open()).toBe(before);
});
