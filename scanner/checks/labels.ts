import { proposeLabels } from '../labels.ts';
import { type Check, finding, firedOr } from './check.ts';

/** Toxic flows are told by labels; what nobody labelled counts by its hints, which are the server's own word. */
export const labels: Check = {
  id: 'LK-LBL-01',
  title: 'Tools say what they read and send',
  owasp: 'MCP06',
  run: ({ surface, permissions }) => {
    const said = permissions.labels ?? {};
    const proposals = proposeLabels(surface, permissions);
    const missing = proposals.filter(({ tool, labels: own }) => !Object.hasOwn(said, tool) && own.length > 0);
    const less = proposals.filter(
      ({ tool, labels: own }) => Object.hasOwn(said, tool) && own.some((one) => !said[tool]?.includes(one)),
    );
    const findings = [];
    if (missing.length > 0)
      findings.push(
        finding(
          'info',
          `${missing.length} of ${proposals.length} tools need a label by their words: ${shown(missing)}`,
          missing.map(({ tool, because }) => ({ kind: 'fact', source: tool, value: reasons(because) })),
        ),
      );
    for (const { tool, labels: own, because } of less)
      findings.push(
        finding(
          'low',
          `${tool} is labelled ${said[tool]?.join(', ') || 'as none of it'}, but by its words ${own.join(', ')}`,
          [{ kind: 'fact', source: tool, value: reasons(because) }],
        ),
      );
    return firedOr(findings, `${proposals.length} tools; none does by its words what its labels do not say`);
  },
};

function shown(proposals: ReturnType<typeof proposeLabels>): string {
  return JSON.stringify(Object.fromEntries(proposals.map(({ tool, labels: own }) => [tool, own])));
}

function reasons(because: Readonly<Record<string, string | undefined>>): string {
  const all = Object.entries(because).map(([label, word]) => `${label} by "${word}"`);
  return all.join(', ') || 'none of it';
}
