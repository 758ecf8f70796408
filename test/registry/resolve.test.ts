/** Which release a request is answered with, and what is said where none is. */
import { expect, it } from 'vitest';
import type { ReleaseRow } from '../../registry/db/releases.ts';
import { pickRelease } from '../../registry/resolve.ts';

const REQUEST = { server: 'npm.acme/docs', range: '*' };
const row = (version: string, state: ReleaseRow['state']): ReleaseRow =>
  ({ name: REQUEST.server, version, state }) as ReleaseRow;

it('takes the highest approved version that fits, and says what to do where the only one was revoked', () => {
  const rows = [row('1.2.0', 'approved'), row('1.10.0', 'approved'), row('2.0.0', 'revoked')];
  expect(pickRelease('docs', REQUEST, rows).version).toBe('1.10.0');
  expect(() => pickRelease('docs', REQUEST, rows.slice(2))).toThrow(
    /found only 2\.0\.0 \(revoked\)\..*lk review.*lk remove docs\.$/,
  );
});
