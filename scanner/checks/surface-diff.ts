import type { Change } from '../../schemas/diff.ts';
import type { Severity } from '../../schemas/finding.ts';
import { canonical } from '../../schemas/json.ts';
import { type Check, excerpt, finding, firedOr, ok } from './check.ts';

const SEVERITY: Readonly<Record<string, Severity>> = { risk: 'high', contract: 'medium', text: 'medium' };

/** What a model sees against the last approved release. Cosmetic and additive changes are told, but do not fire. */
export const surfaceDiff: Check = {
  id: 'LK-SRF-01',
  title: 'Surface as last approved',
  owasp: 'MCP03',
  run: ({ baseline, changes }) => {
    if (baseline === null) return ok('first release: nothing to compare with, all of it is to be read');
    const quiet = changes.filter((change) => SEVERITY[change.risk] === undefined).length;
    const findings = (['risk', 'contract', 'text'] as const).flatMap((risk) => {
      const some = changes.filter((change) => change.risk === risk);
      const severity = SEVERITY[risk] ?? 'info';
      return some.length
        ? [
            finding(
              severity,
              `${some.length} ${risk} ${some.length === 1 ? 'change' : 'changes'} since ${baseline.version}`,
              some.map(evidenceOf),
            ),
          ]
        : [];
    });
    return firedOr(
      findings,
      `same as ${baseline.version}${quiet ? ` but for ${quiet} cosmetic or additive changes` : ''}`,
    );
  },
};

function evidenceOf({ at, before, after }: Change): {
  kind: 'change';
  at: string;
  before: string;
  after: string;
} {
  const show = (value: unknown): string =>
    value === undefined ? '(absent)' : excerpt(typeof value === 'string' ? value : canonical(value), 0, 240);
  return { kind: 'change', at, before: show(before), after: show(after) };
}
