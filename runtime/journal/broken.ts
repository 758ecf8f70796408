/** The refusal of every call whose record cannot be kept. */
import { LockkeeperError } from '../../schemas/errors.ts';

/** JOURNAL_BROKEN. */
export function broken(expected: string, found: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('JOURNAL_BROKEN', {
    expected,
    found,
    next: 'Free space on the journal’s disk or correct its folder; no call is forwarded until its record can be kept',
    cause,
  });
}
