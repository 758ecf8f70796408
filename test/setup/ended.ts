/** The last word of a run of all tests. First in the list of what is set up, it ends last, and only if the others did. */
import { writeFileSync } from 'node:fs';

export function teardown(): void {
  const file = process.env.TESTS_ENDED;
  if (file !== undefined) writeFileSync(file, '');
}
