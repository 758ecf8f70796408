/** docs/policy.md, run: each policy in it is understood, its cases are as they say, its schema is the one that holds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCases } from '../cli/policy/cases.ts';
import { CEDAR_SCHEMA } from '../runtime/policy/schema.ts';
import { parseStrict } from '../schemas/json.ts';
import { PolicyTest } from '../schemas/policy-test.ts';
import { ToolLabels } from '../schemas/release.ts';
import { assertValid } from '../schemas/validate.ts';
import { entriesWith, policyOf } from './helpers/policy.ts';

const page = readFileSync(join(import.meta.dirname, '../docs/policy.md'), 'utf8');
const blocks = (kind: string): string[] =>
  [...page.matchAll(new RegExp(`^(\`{3,4})${kind}\\n([\\s\\S]*?)^\\1$`, 'gm'))].map(
    ([, , text = '']) => text,
  );

describe('docs/policy.md', () => {
  const policies = blocks('policy');
  const [labels = '', cases = ''] = blocks('json');

  it('has what is looked at here', () => {
    expect(policies).toHaveLength(5);
    expect(blocks('json')).toHaveLength(2);
  });

  it.each(policies)('%#: a policy that is understood', (text) => {
    expect(() => policyOf(text)).not.toThrow();
    const lines = text.split('\n').filter((line) => /^[a-z]+: /.test(line));
    expect(lines.length).toBeGreaterThan(0);
  });

  it('has labels, and cases that the first policy answers as they expect', () => {
    assertValid(ToolLabels, parseStrict(labels), 'labels');
    const entries = entriesWith();
    const test = assertValid(PolicyTest, parseStrict(cases), 'cases');
    const outcomes = runCases(test, { policy: policyOf(policies[0] ?? ''), entries, now: new Date() });
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  });

  it('shows the schema that policies are held to', () => {
    expect(blocks('cedarschema')).toEqual([CEDAR_SCHEMA]);
  });
});
