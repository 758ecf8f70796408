/** The identity of a finding from one scan to the next: what fired, where, on which words; not which version. */
import type { Finding } from '../schemas/finding.ts';
import { digestOf } from '../schemas/json.ts';

/** Of `npm:name@1.2.3` the part before the version. */
export function subjectOf(source: string): string {
  const at = source.lastIndexOf('@');
  return /^[a-z]+:/.test(source) && !source.includes('://') && at > source.indexOf(':') + 1
    ? source.slice(0, at)
    : source;
}

/**
 * SHA-256 over RFC 8785 of the check, the server and its evidence without lines and versions of packages. Any other word
 * in the evidence is another finding, so that what was accepted once does not stand for what came later.
 */
export function fingerprintOf(source: string, { check, severity, evidence }: Finding): string {
  const seen = evidence.map((item) =>
    item.kind === 'file' ? { ...item, line: 0, artifact: subjectOf(`purl:${item.artifact}`) } : { ...item },
  );
  return digestOf({ check, severity, server: subjectOf(source), evidence: seen });
}
