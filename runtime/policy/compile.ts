/** A policy's text and the lock it is for, as single Cedar policies that are known to be sound. */
import { quote } from '../../schemas/errors.ts';
import type { Predicate } from './arguments/predicate.ts';
import { isDefect, type PolicyJson, policyJson, validate } from './cedar.ts';
import { type Uses, usesOf } from './expression.ts';
import { type Parsed, parsePolicy, type Team } from './parse.ts';
import { assertEntities, predicatesOf, type RawPolicy, readCedar } from './raw.ts';
import { askedFlowsCedar, cedarOf, flowsCedar } from './render.ts';
import { type Ask, FLOWS_RULE, type Names, type Rate } from './rules.ts';
import { CEDAR_SCHEMA } from './schema.ts';
import { invalid } from './words.ts';
import type { Unlabelled } from './world.ts';

/** A line with many names at many servers is as many policies. */
const MAX_POLICIES = 10_000;
/** Of a rule's text in records. */
const MAX_RULE = 200;

export interface Compiled {
  readonly id: string;
  /** As records name it: `line 3: interns: no write tools`. */
  readonly rule: string;
  readonly line: number;
  readonly cedar: string;
  readonly json: PolicyJson;
  readonly uses: Uses;
  readonly ask: Ask | null;
  /** Counted, and no part of what Cedar decides. */
  readonly rate?: Rate | null;
}

export interface CompiledPolicy {
  readonly policies: readonly Compiled[];
  readonly predicates: readonly Predicate[];
  readonly teams: ReadonlyMap<string, Team>;
  readonly zone: string;
  readonly unlabelled: Unlabelled;
  readonly parsed: Parsed;
}

/** Throws POLICY_INVALID, naming the line, what was expected there and what to do. */
export function compilePolicy(text: string, names: Names): CompiledPolicy {
  const parsed = parsePolicy(text, names);
  const { teams, zone, unlabelled } = parsed;
  const raw = parsed.cedar.flatMap((part) => readCedar(part.text, part.line));
  const known = { teams: new Set(teams.keys()), names };
  for (const one of raw) assertEntities(one, known);
  const predicates = new Map<string, Predicate>();
  for (const predicate of [
    ...parsed.rules.flatMap(({ conditions }) => conditions.where),
    ...raw.flatMap(predicatesOf),
  ])
    predicates.set(predicate.text, predicate);
  const policies = [...ready(parsed), ...raw.map(ofRaw)];
  if (policies.length > MAX_POLICIES)
    throw invalid(
      policies.at(-1)?.line ?? 1,
      `at most ${MAX_POLICIES} single policies`,
      `${policies.length}`,
    );
  assertValid(policies);
  return { policies, predicates: [...predicates.values()], teams, zone, unlabelled, parsed };
}

function ready({ rules, exempt }: Parsed): Compiled[] {
  const lines = rules.flatMap((rule) =>
    cedarOf(rule).map((cedar, index) => {
      const name = `line ${rule.line}: ${rule.text}`.slice(0, MAX_RULE);
      const { line, ask, rate } = rule;
      return compiled({ id: `${line}.${index + 1}`, rule: name, line, cedar, ask, rate });
    }),
  );
  const flows = [...flowsCedar(exempt), ...askedFlowsCedar(exempt)].map(({ cedar, line, ask }, index) =>
    compiled({ id: `flows.${index + 1}`, rule: FLOWS_RULE, line, cedar, ask }),
  );
  return [...lines, ...flows];
}

function ofRaw({ text, line, json, ask, id }: RawPolicy, index: number): Compiled {
  const rule = `line ${line}: ${id === undefined ? 'Cedar' : `Cedar ${id}`}`.slice(0, MAX_RULE);
  return { id: `${line}.c${index + 1}`, rule, line, cedar: text, json, uses: usesOf(json), ask };
}

function compiled(of: Omit<Compiled, 'json' | 'uses'>): Compiled {
  const json = policyJson(of.cedar);
  if (isDefect(json)) throw invalid(of.line, 'a line that can be Cedar', quote(json.message, 300));
  return { ...of, json, uses: usesOf(json) };
}

/** Names and types of everything that a policy speaks of, so that no mistake is found by a call. */
function assertValid(policies: readonly Compiled[]): void {
  const [wrong] = validate(textsOf(policies), CEDAR_SCHEMA);
  if (!wrong) return;
  const line = policies.find(({ id }) => id === wrong.id)?.line ?? 1;
  throw invalid(
    line,
    'Cedar that fits what policies speak of (docs/policy.md)',
    quote(wrong.defect.message, 300),
  );
}

export function textsOf(policies: readonly Compiled[]): Record<string, string> {
  return Object.fromEntries(policies.map(({ id, cedar }) => [id, cedar]));
}
