import { proposeLabels } from '../labels.ts';
import { counted } from '../text.ts';
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
          `by their words, ${missing.length} of ${counted(proposals.length, 'tool')} should have a label: ${byLabels(missing)}`,
          [
            ...missing.map(({ tool, because }) => ({
              kind: 'fact' as const,
              source: tool,
              value: reasons(because),
            })),
            { kind: 'fact' as const, source: 'labels.json', value: fileOf(missing) },
          ],
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

type Proposals = ReturnType<typeof proposeLabels>;

function byLabels(proposals: Proposals): string {
  const groups = Map.groupBy(proposals, ({ labels: own }) => own.join(' and '));
  return [...groups].map(([own, of]) => `${own}: ${of.map(({ tool }) => tool).join(', ')}`).join('; ');
}

/** As `lk publish --labels` takes it. */
function fileOf(proposals: Proposals): string {
  return JSON.stringify(Object.fromEntries(proposals.map(({ tool, labels: own }) => [tool, own])));
}

function reasons(because: Readonly<Record<string, string | undefined>>): string {
  const all = Object.entries(because).map(([label, word]) => `${label} by "${word}"`);
  return all.join(', ') || 'none of it';
}
