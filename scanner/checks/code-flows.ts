import type { Evidence, Finding, Severity } from '../../schemas/finding.ts';
import type { Flow, Sink } from '../code/facts.ts';
import { type Check, finding, firedOr, gravest, type Outcome } from './check.ts';
import { type Fresh, freshIn, moved } from './fresh.ts';
import { place } from './packages.ts';

const SEVERITY: Readonly<Record<Sink, Severity>> = {
  shell: 'high',
  program: 'high',
  code: 'high',
  query: 'high',
  'whole query': 'low',
  'program argument': 'medium',
  path: 'medium',
  address: 'medium',
  network: 'critical',
};
const BECOMES: Readonly<Record<Sink, string>> = {
  shell: 'a command line',
  program: 'the program that is started',
  code: 'code',
  query: 'a part of a query',
  'whole query': 'a query, all of it,',
  'program argument': 'an argument of a program, an option among them',
  path: 'a path',
  address: 'the host of a request',
  network: 'a part of a request to another machine',
};

/** Advises and never gates: what a function that looks at a value really checks is not followed, so it may be wrong. */
export const argumentFlows: Check = {
  id: 'LK-COD-03',
  title: 'What a tool is given does not become a command, a path or an address',
  owasp: 'MCP05',
  about: 'package',
  readsCode: true,
  run: (facts) => outcome(freshIn(facts, argumentsOf, keysOf)),
};

/** A flow, never two facts side by side: whoever reads a key and asks its own host is not told of. */
export const privateFlows: Check = {
  id: 'LK-COD-05',
  title: 'What is private does not leave, and what others answer is not run',
  owasp: 'MCP04',
  about: 'package',
  readsCode: true,
  run: (facts) => outcome(freshIn(facts, othersOf, keysOf)),
};

const argumentsOf = ({ flows }: { flows: readonly Flow[] }): Flow[] =>
  flows.filter(({ origin }) => origin === 'argument');
const othersOf = ({ flows }: { flows: readonly Flow[] }): Flow[] =>
  flows.filter(({ origin }) => origin !== 'argument');
/** Where it ends is known by its file, or by its line: files are renamed and put together. */
const keysOf = ({ origin, tool, what, sink, path, excerpt }: Flow): string[] => {
  const flow = [origin, tool, what, sink].join(' ');
  return [`${flow} in ${path}`, ...moved(`${flow} at ${excerpt}`, excerpt)];
};

async function outcome(reading: Promise<Fresh<Flow>[]>): Promise<Outcome> {
  const fresh = await reading;
  const findings = fresh.flatMap((one) => one.items.map((flow) => told(one, flow)));
  const unfollowed = fresh.flatMap(({ facts }) => facts.unfollowed);
  const note = `no such flow is new in ${fresh.length} packages`;
  return firedOr(
    gravest(findings),
    unfollowed.length > 0 ? `${note}; ${unfollowed.length} files were not followed to their end` : note,
  );
}

function told({ purl, name }: Fresh<Flow>, flow: Flow): Omit<Finding, 'check'> {
  const { origin, what, tool, sink, call, steps } = flow;
  const from =
    origin === 'argument'
      ? `the argument ${what}${tool === '' ? '' : ` of ${tool}`}`
      : origin === 'answer'
        ? `what ${what} answers`
        : what;
  const evidence: Evidence[] = steps.map((step) =>
    place(purl, { ...step, excerpt: `${step.what}: ${step.excerpt}` }),
  );
  return finding(SEVERITY[sink], `${name}: ${from} becomes ${BECOMES[sink]} in ${call}`, evidence);
}
