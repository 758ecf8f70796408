/** A package that forwards elsewhere: a warning in a first release, a gate where an update becomes one. */
import { expect, it } from 'vitest';
import type { Facts } from '../../scanner/checks/check.ts';
import { thinClient } from '../../scanner/checks/thin-client.ts';
import type { CodeFacts } from '../../scanner/code/facts.ts';
import { judge } from '../../scanner/report.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';

const at = { file: 'main.js', line: 1 };
const own = { tools: [{ name: 't', ...at }], uses: [], bytes: 4000 } as unknown as CodeFacts;
const thin = {
  ...{ tools: [], bytes: 4000 },
  uses: [{ capability: 'remote server', what: 'mcp.vendor.example', ...at }],
} as unknown as CodeFacts;

async function said(now: CodeFacts, before?: CodeFacts): Promise<string> {
  const purl = (version: string): string => `pkg:npm/s@${version}`;
  const facts = {
    ...{ policy: DEFAULT_POLICY, rootPurl: purl('2.0.0') },
    code: async (asked: string) => (asked === purl('2.0.0') ? now : before),
    baseline: before ? { version: '1.0.0', closure: { artifacts: [{ purl: purl('1.0.0') }] } } : null,
  } as unknown as Facts;
  const [result] = await judge([thinClient], facts);
  const severity = result?.outcome === 'fired' ? result.findings[0]?.severity : '';
  return `${result?.outcome} ${severity} ${result?.gates ? 'gates' : 'warns'}`;
}

it.each([
  ['a first release that is one', thin, undefined, 'fired medium warns'],
  ['an update that becomes one', thin, own, 'fired high gates'],
  ['an update that still is one', thin, thin, 'ok  gates'],
  ['a package with tools of its own', own, undefined, 'ok  gates'],
] as const)('%s', async (_what, now, before, expected) => expect(await said(now, before)).toBe(expected));
