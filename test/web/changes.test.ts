/** What the dashboard and the command line tell in the same way, each with its own code. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isQuiet as quietInTerminal } from '../../cli/commands/audit.ts';
import { renderDiff } from '../../scanner/render/diff.ts';
import { type AuditBody, AuditKind } from '../../schemas/audit.ts';
import type { Change } from '../../schemas/diff/surfaces.ts';
import { bodyOf } from '../helpers/journals.ts';

interface Page {
  together(changes: readonly Change[]): { kind: string | null; names: string[]; rest: string }[];
  isQuiet(body: AuditBody): boolean;
}
// By a name that the compiler does not follow: the page is checked with the browser's own types.
const page = async (name: string): Promise<Page> =>
  (await import(join(import.meta.dirname, '../../web', name))) as Page;
const { together } = await page('changes.ts');
const { isQuiet } = await page('audit.ts');

const same = (word: string): string => word;
const paint = { bold: same, dim: same, red: same, green: same, yellow: same };

it('a difference is told once where many items share it', () => {
  const hint = (name: string, after: boolean): Change => ({
    ...{ at: `/tools/${name}/annotations/openWorldHint`, kind: 'added', risk: 'risk', after },
  });
  const gone = (uri: string): Change => ({
    ...{ at: `/resources/${uri.replaceAll('/', '~1')}`, kind: 'removed', risk: 'contract', before: { uri } },
  });
  const fresh = (name: string): Change => ({
    ...{ at: `/tools/${name}`, kind: 'added', risk: 'additive', after: { name } },
  });
  const reach: Change = { at: '/permissions/egress', kind: 'added', risk: 'risk', after: 'a.example:443' };
  const all = [reach, hint('a', true), hint('b', true), hint('c', false), gone('x://1'), gone('x://2')];
  const changes = [...all, fresh('d'), fresh('e')];
  expect(together(changes).map(({ kind, names, rest }) => [kind, names, rest])).toEqual([
    [null, [], 'permissions/egress'],
    ['tool', ['a', 'b'], 'annotations/openWorldHint'],
    ['tool', ['c'], 'annotations/openWorldHint'],
    ['resource', ['x://1', 'x://2'], ''],
    ['tool', ['d'], ''],
    ['tool', ['e'], ''],
  ]);
  const artifacts = { added: [], removed: [], rewritten: [] };
  const told = { before: { version: '1.0.0' }, after: { version: '2.0.0' }, changes, reach: [], artifacts };
  expect(renderDiff(told, paint).match(/^(?:risk|contract|additive) /gm)).toHaveLength(6);
});

it('of records the same are shown first', () => {
  for (const { const: kind } of AuditKind.anyOf)
    for (const outcome of ['ok', 'error'] as const) {
      const body: AuditBody = { ...bodyOf(1), kind, outcome };
      expect(isQuiet(body), `${kind} ${outcome}`).toBe(quietInTerminal(body));
    }
});
