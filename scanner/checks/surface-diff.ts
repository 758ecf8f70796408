import type { Change, RiskClass } from '../../schemas/diff/surfaces.ts';
import type { Evidence, Severity } from '../../schemas/finding.ts';
import { canonical } from '../../schemas/json.ts';
import { SECTIONS } from '../../schemas/surface.ts';
import { apart } from '../excerpt.ts';
import { excerpt, finding, firedOr, ok, type SurfaceCheck } from './check.ts';

/** Gravest first. What is merely cosmetic is told, but does not fire. */
const SEVERITIES: readonly (readonly [RiskClass, Severity])[] = [
  ['risk', 'high'],
  ['contract', 'medium'],
  ['text', 'medium'],
];

/** What a model sees against the last approved release: every change of text, contract or risk, and every new item. */
export const surfaceDiff: SurfaceCheck = {
  id: 'LK-SRF-01',
  title: 'Surface as last approved',
  owasp: 'MCP03',
  run: ({ baseline, changes }) => {
    if (baseline === null) return ok('first release: nothing to compare with, all of it is to be read');
    const { version } = baseline;
    const findings = SEVERITIES.flatMap(([risk, severity]) =>
      told(
        severity,
        `of class ${risk} since ${version}`,
        changes.filter((change) => change.risk === risk),
      ),
    );
    findings.push(...told('low', `that only add an item since ${version}`, changes.filter(isQuietItem)));
    const quiet = changes.filter(({ risk }) => risk === 'cosmetic' || risk === 'additive').length;
    const but =
      quiet > 0 ? ` but for ${quiet} cosmetic or additive ${quiet === 1 ? 'change' : 'changes'}` : '';
    return firedOr(findings, `same as ${version}${but}`);
  },
};

/** A whole tool, prompt or resource that is new, though nothing in it looks risky. */
function isQuietItem({ at, kind, risk }: Change): boolean {
  const [, section = '', ...rest] = at.split('/');
  const listed = SECTIONS.some((name) => name === section) && rest.length === 1;
  return listed && risk === 'additive' && kind === 'added';
}

function told(severity: Severity, what: string, changes: readonly Change[]): ReturnType<typeof finding>[] {
  if (changes.length === 0) return [];
  const message = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'} ${what}`;
  return [finding(severity, message, changes.map(evidenceOf))];
}

const EXCERPT = 240;

export function evidenceOf({ at, before, after }: Change): Evidence {
  const show = (value: unknown): string =>
    value === undefined ? '(absent)' : typeof value === 'string' ? value : canonical(value);
  const [old, now] = apart(show(before), show(after), EXCERPT);
  return { kind: 'change', at, before: excerpt(old, 0, EXCERPT), after: excerpt(now, 0, EXCERPT) };
}
