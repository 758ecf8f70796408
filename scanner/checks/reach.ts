import { type Check, finding, firedOr, ok } from './check.ts';
import { evidenceOf } from './surface-diff.ts';

/** What the release asks to touch, and how it is started, against the last approved one. Narrower is no finding. */
export const reach: Check = {
  id: 'LK-PRM-01',
  title: 'May touch no more than last approved',
  owasp: 'MCP02',
  run: ({ baseline, reachChanges }) => {
    if (baseline === null) return ok('first release: what it may touch is to be read');
    const wider = reachChanges.filter(({ risk }) => risk === 'risk' || risk === 'contract');
    const what = wider.length === 1 ? 'permission or argument' : 'permissions or arguments';
    const message = `${wider.length} ${what} beyond ${baseline.version}`;
    return firedOr(
      wider.length > 0 ? [finding('high', message, wider.map(evidenceOf))] : [],
      `no more than ${baseline.version}`,
    );
  },
};
