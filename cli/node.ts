/** Whether this Node can run the rest, looked at before anything of it is loaded. */
import { LockkeeperError } from '../schemas/errors.ts';

/** Major and minor version, as the engines of package.json. */
const OLDEST = [24, 15] as const;

/** Null where it is new enough. */
export function tooOld(version: string): LockkeeperError | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return new LockkeeperError('SYSTEM', {
    expected: `Node ${OLDEST.join('.')} or newer`,
    found: `Node ${version} at ${process.execPath}`,
    next: 'Install a newer one, or put it first in PATH',
  });
}
