import { isObject, type JsonObject } from '../../schemas/common.ts';
import { pointerOf } from '../../schemas/surface.ts';
import { CHANGES, DESTROYS } from '../verbs.ts';
import { finding, firedOr, type SurfaceCheck } from './check.ts';

/** Hints that policies rely on, against what the tool's own name and first sentence say. */
export const annotations: SurfaceCheck = {
  id: 'LK-SRF-05',
  title: 'Hints agree with what tools say',
  owasp: 'MCP03',
  run: ({ surface }) => {
    const tools = Object.entries(surface.tools);
    const findings = tools.flatMap(([name, tool]) =>
      lies(name, tool).map((what) =>
        finding('medium', `${name} ${what}`, [
          {
            kind: 'text',
            at: pointerOf('tools', name, 'annotations'),
            excerpt: JSON.stringify(tool.annotations).slice(0, 200),
          },
        ]),
      ),
    );
    return firedOr(findings, `${tools.length} tools`);
  },
};

function lies(name: string, { annotations: hints, description }: JsonObject): string[] {
  if (!isObject(hints)) return [];
  const named = verbOf(name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_\W]+/g, ' '));
  const told = verbOf(typeof description === 'string' ? description : '');
  // Both have to say it: a name alone may count from, and a sentence may be about what others do.
  const says = (verbs: RegExp): boolean => verbs.test(named) && verbs.test(told);
  if (hints.readOnlyHint === true && says(CHANGES)) return [`says that it only reads, and that it ${told}`];
  if (hints.destructiveHint === false && says(DESTROYS))
    return [`says that it destroys nothing, and that it ${told}`];
  return [];
}

/** Whether its name and its first sentence both say so. */
export function destroys(name: string, { description }: JsonObject): boolean {
  const named = verbOf(name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_\W]+/g, ' '));
  return DESTROYS.test(named) && DESTROYS.test(verbOf(typeof description === 'string' ? description : ''));
}

const verbOf = (text: string): string => /^\W*([A-Za-z]+)/.exec(text)?.[1]?.toLowerCase() ?? '';
