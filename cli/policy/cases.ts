/** `lk policy test`: what a policy says of calls that a file describes. */
import type { Caller } from '../../runtime/gate/caller.ts';
import { matchesTemplate } from '../../runtime/gate/template.ts';
import type { Decision, Policy } from '../../runtime/policy/open.ts';
import type { Item } from '../../runtime/policy/world.ts';
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { PolicyCase, PolicyTest } from '../../schemas/policy-test.ts';

export interface CaseOutcome {
  readonly name: string;
  readonly expected: PolicyCase['expect'];
  readonly found: PolicyCase['expect'];
  readonly rule: string;
  readonly ok: boolean;
}

export interface JudgedBy {
  readonly policy: Policy;
  readonly entries: ReadonlyMap<string, Pick<LockEntry, 'surface'>>;
  readonly now: Date;
}

/** In the order of the file. Throws USAGE for a case about nothing, or about what is not in the lock. */
export function runCases({ cases }: PolicyTest, by: JudgedBy): CaseOutcome[] {
  return cases.map((one, index) => {
    const items = itemsOf(one, index + 1, by.entries);
    const call = {
      caller: callerOf(one),
      arguments: argumentsOf(one),
      now: one.at === undefined ? by.now : new Date(one.at),
      read: {
        untrusted: one.read?.includes('untrusted') ?? false,
        private: one.read?.includes('private') ?? false,
      },
    };
    const decision = strictest(
      items.map((item) => by.policy.judge({ ...call, item })),
      one,
    );
    const found = wordOf(decision);
    return {
      name: one.name ?? `${call.caller.user}: ${one.server}/${one.tool ?? one.prompt ?? one.resource}`,
      expected: one.expect,
      found,
      rule: decision.rule,
      ok: found === one.expect,
    };
  });
}

function callerOf({ caller }: PolicyCase): Caller {
  const { user, teams = [], via = 'sign-in' } = typeof caller === 'string' ? { user: caller } : caller;
  return { user, teams, via, actors: [] };
}

function argumentsOf({ arguments: args = {}, resource }: PolicyCase): Json {
  return resource === undefined ? args : { uri: resource };
}

function itemsOf(one: PolicyCase, number: number, entries: JudgedBy['entries']): Item[] {
  const { server, tool, prompt, resource } = one;
  const given = [tool, prompt, resource].filter((name) => name !== undefined);
  const entry = entries.get(server);
  const items = entry ? lockedItems(one, entry) : [];
  if (given.length === 1 && items.length > 0) return items;
  throw new LockkeeperError('USAGE', {
    expected: `case ${number} to name exactly one locked tool, prompt or resource of a locked server`,
    found: given.length === 1 ? quote(`${server}/${given[0]}`, 200) : `${given.length} of them`,
    next: 'Correct the file',
  });
}

function lockedItems(
  { server, tool, prompt, resource }: PolicyCase,
  { surface }: Pick<LockEntry, 'surface'>,
): Item[] {
  if (tool !== undefined)
    return Object.hasOwn(surface.tools, tool) ? [{ server, kind: 'tools', name: tool }] : [];
  if (prompt !== undefined)
    return Object.hasOwn(surface.prompts, prompt) ? [{ server, kind: 'prompts', name: prompt }] : [];
  return resource === undefined ? [] : resourceItems(server, resource, surface);
}

/** The resource itself, or each template that it fits. */
export function resourceItems(server: string, uri: string, surface: LockEntry['surface']): Item[] {
  if (Object.hasOwn(surface.resources, uri)) return [{ server, kind: 'resources', name: uri }];
  return Object.keys(surface.resourceTemplates)
    .filter((template) => matchesTemplate(template, uri))
    .map((name) => ({ server, kind: 'resourceTemplates', name }));
}

/** As the gate does: the first that is refused decides; people are asked about tools alone. */
function strictest(decisions: readonly Decision[], { tool }: PolicyCase): Decision {
  const refused = decisions.find(
    ({ effect }) => effect === 'deny' || (effect === 'ask' && tool === undefined),
  );
  const decision = refused ?? decisions[0] ?? { effect: 'deny', rule: 'none' };
  return refused ? { ...decision, effect: 'deny' } : decision;
}

export function wordOf({ effect, people }: Decision): PolicyCase['expect'] {
  if (effect !== 'ask') return effect;
  return people === 2 ? 'ask two people' : 'ask one person';
}
