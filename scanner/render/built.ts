/** Wheels of a closure that no index has, in one line for people. */
import type { Report } from '../../schemas/finding.ts';

const SHOWN = 5;

/** Which they are, and whether building them again gave the same. */
export function builtLine(built: NonNullable<Report['closure']['built']>): string {
  const names = built.slice(0, SHOWN).map(({ purl, reproducible }) => {
    return `${purl.replace(/^pkg:pypi\//, '')} (${reproducible ? 'twice the same' : 'another each time'})`;
  });
  const more = built.length > SHOWN ? ` and ${built.length - SHOWN} more` : '';
  return `from source in a sandbox: ${names.join(', ')}${more}`;
}
