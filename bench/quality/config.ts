/** Where the labelled sets are. */
import { resolve } from 'node:path';
import { LockkeeperError } from '../../schemas/errors.ts';

/** The folder that was named, or the one of LOCKKEEPER_QUALITY_DATA. Throws USAGE where neither says one. */
export function dataDir(
  named: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const dir = named ?? env.LOCKKEEPER_QUALITY_DATA;
  if (dir === undefined || dir === '') {
    throw new LockkeeperError('USAGE', {
      expected: 'a folder with labelled sets',
      found: 'none',
      next: 'Such as: npm run quality -- --data ../tool-texts, or set LOCKKEEPER_QUALITY_DATA',
    });
  }
  return resolve(dir);
}
