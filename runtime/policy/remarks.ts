/** What of a policy that is understood is still likely to be a mistake. */
import type { CompiledPolicy } from './compile.ts';
import { nearTeam } from './principal.ts';
import { FLOWS_RULE } from './rules.ts';
import { sliceFor } from './slice.ts';
import { momentOf } from './time.ts';
import type { Known } from './world.ts';

export interface Remark {
  /** 0: of the policy as a whole. */
  readonly line: number;
  readonly text: string;
}

export interface RemarkContext {
  readonly environment: string;
  readonly world: ReadonlyMap<string, Known>;
  /** Tools that nobody labelled, as `server/tool`. */
  readonly unlabelled: readonly string[];
  readonly now: Date;
}

/** In the order of lines. */
export function remarksOf(compiled: CompiledPolicy, at: RemarkContext): Remark[] {
  const remarks = [
    ...neverMatching(compiled, at),
    ...over(compiled, at),
    ...unusedTeams(compiled),
    ...nobodyPermitted(compiled),
    ...paths(compiled),
    ...labels(compiled, at),
  ];
  return remarks.sort((a, b) => a.line - b.line);
}

/** A line none of whose policies fits anything in the lock, whoever calls. */
function neverMatching({ policies }: CompiledPolicy, { environment, world }: RemarkContext): Remark[] {
  const lines = new Map<number, boolean>();
  for (const policy of policies) {
    if (policy.rule === FLOWS_RULE) continue;
    const fits = [...world.values()].some((item) => sliceFor([policy], item, environment).length > 0);
    lines.set(policy.line, (lines.get(policy.line) ?? false) || fits);
  }
  return [...lines]
    .filter(([, fits]) => !fits)
    .map(([line]) => ({
      line,
      text: `it can never match: nothing in the lock, in ${environment}, is meant by it`,
    }));
}

function over({ parsed, zone }: CompiledPolicy, { now }: RemarkContext): Remark[] {
  const { day } = momentOf(now, zone);
  return parsed.rules
    .filter(({ conditions }) => conditions.until !== null && conditions.until < day)
    .map(({ line }) => ({ line, text: 'its last day is over: it does not match any more' }));
}

function unusedTeams({ teams, policies }: CompiledPolicy): Remark[] {
  const named = policies.map(({ cedar }) => cedar).join('\n');
  return [...teams.keys()]
    .filter((name) => ![name, nearTeam(name)].some((one) => named.includes(`Team::${JSON.stringify(one)}`)))
    .map((name) => ({ line: 0, text: `no line speaks of the team ${name}` }));
}

function nobodyPermitted({ policies }: CompiledPolicy): Remark[] {
  const permits = policies.some(({ json }) => json.effect === 'permit');
  return permits ? [] : [{ line: 0, text: 'no line permits anything, and so every call is refused' }];
}

function paths({ predicates }: CompiledPolicy): Remark[] {
  const text = 'paths are compared as they are written: where symbolic links lead is not looked at';
  return predicates.some(({ kind }) => kind === 'paths') ? [{ line: 0, text }] : [];
}

function labels({ unlabelled: counts }: CompiledPolicy, { unlabelled }: RemarkContext): Remark[] {
  if (unlabelled.length === 0 || counts === 'all') return [];
  const some = `${unlabelled.slice(0, 5).join(', ')}${unlabelled.length > 5 ? ', …' : ''}`;
  const how = counts === 'none' ? 'as none of the labels' : 'by their annotations';
  const text = `toxic flows: ${unlabelled.length} tools without reviewed labels count ${how} (${some})`;
  return [{ line: 0, text }];
}
