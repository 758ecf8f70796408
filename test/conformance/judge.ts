/** Two runs beside each other, check by check, and the few differences whose reason is known. */
import { Closed } from '../../schemas/common.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Check, Revision, Run } from './suite.ts';

/** A difference that is known, with what of the server or of the way is its reason. */
export const Known = Closed({
  way: Type.String({ minLength: 1 }),
  revision: Type.Union([Type.Literal('2025-11-25'), Type.Literal('2026-07-28')]),
  check: Type.String({ pattern: '^[^:]+:.+$', description: 'scenario:id/name' }),
  through: Type.Union(
    [
      Type.Literal('SUCCESS'),
      Type.Literal('FAILURE'),
      Type.Literal('WARNING'),
      Type.Literal('SKIPPED'),
      Type.Literal('absent'),
    ],
    { description: 'what it comes to on this way; anything else is another difference' },
  ),
  why: Type.String({ minLength: 20, description: 'what makes it so, and why nothing is lost' }),
});
export type Known = Static<typeof Known>;

/** The known differences of a text, or a sentence about what is wrong with it. */
export function readBaseline(text: string): readonly Known[] {
  return assertValid(Type.Array(Known), JSON.parse(text), 'the baseline of conformance');
}

/** A scenario that a revision requires of clients and that cannot pass the gateway, with the reason. */
export const Unplayed = Closed({
  scenario: Type.String({ minLength: 1 }),
  revisions: Type.Array(Known.properties.revision, { minItems: 1 }),
  why: Type.String({ minLength: 20 }),
});
export type Unplayed = Static<typeof Unplayed>;

export function readUnplayed(text: string): readonly Unplayed[] {
  return assertValid(Type.Array(Unplayed), JSON.parse(text), 'the scenarios that are not played');
}

export interface Difference {
  /** scenario:id/name */
  readonly check: string;
  readonly direct: Check['status'] | 'absent';
  readonly through: Check['status'] | 'absent';
  /** What the referee says of the one that is worse off. */
  readonly said: string;
}

/** Every check that does not come to the same on both ways; nothing, if they are the same set. */
export function differences(direct: readonly Check[], through: readonly Check[]): Difference[] {
  const keyed = (checks: readonly Check[]): Map<string, Check> =>
    new Map(checks.map((one) => [`${one.scenario}:${one.id}`, one]));
  const [one, other] = [keyed(direct), keyed(through)];
  return [...new Set([...one.keys(), ...other.keys()])]
    .sort()
    .map((check) => ({ check, a: one.get(check), b: other.get(check) }))
    .filter(({ a, b }) => a?.status !== b?.status)
    .map(({ check, a, b }) => ({
      check,
      direct: a?.status ?? 'absent',
      through: b?.status ?? 'absent',
      said: b?.said || a?.said || '',
    }));
}

/** One way to the server, in one revision. */
export interface Taken {
  readonly way: string;
  readonly revision: Revision;
  readonly run: Run;
}

interface Explained extends Difference {
  /** The reason that the baseline names. */
  readonly why?: string;
}

export interface Verdict {
  readonly way: string;
  readonly revision: Revision;
  readonly verdict: 'same' | 'explained' | 'DIFFERENT' | 'DOES NOT CONFORM';
  readonly passed: number;
  readonly failed: number;
  readonly differences: readonly Explained[];
}

export interface Judged {
  readonly verdicts: readonly Verdict[];
  /** Entries of the baseline that nothing of this run needs. */
  readonly stale: readonly Known[];
  readonly ok: boolean;
}

export const DIRECT = 'direct';
/** The suite's client scenarios, with the client by itself. */
export const CLIENT_DIRECT = 'client direct';
/** Those of tasks, with a server that has the extension. */
export const TASKS_DIRECT = 'tasks direct';
const DIRECTS: readonly string[] = [DIRECT, CLIENT_DIRECT, TASKS_DIRECT];

/** What a way is held against. */
function directOf(way: string): string {
  if (way.startsWith('tasks ')) return TASKS_DIRECT;
  return way.startsWith('client ') ? CLIENT_DIRECT : DIRECT;
}

/** Direct must conform by itself; every other way must come to the same checks, but for what the baseline explains. */
export function judge(taken: readonly Taken[], baseline: readonly Known[]): Judged {
  const used = new Set<Known>();
  const verdicts = taken.map(({ way, revision, run }): Verdict => {
    const count = (status: Check['status']): number =>
      run.checks.filter((one) => one.status === status).length;
    const counts = { way, revision, passed: count('SUCCESS'), failed: count('FAILURE') };
    if (DIRECTS.includes(way))
      return { ...counts, verdict: run.conforms ? 'same' : 'DOES NOT CONFORM', differences: [] };
    const direct = taken.find((one) => one.way === directOf(way) && one.revision === revision);
    const found = differences(direct?.run.checks ?? [], run.checks).map((one): Explained => {
      const known = baseline.find(
        (item) =>
          item.way === way &&
          item.revision === revision &&
          item.check === one.check &&
          item.through === one.through,
      );
      if (known) used.add(known);
      return known ? { ...one, why: known.why } : one;
    });
    const open = found.some(({ why }) => why === undefined);
    const verdict = open ? 'DIFFERENT' : found.length > 0 ? 'explained' : 'same';
    return { ...counts, verdict, differences: found };
  });
  const ran = new Set(taken.map(({ way, revision }) => `${way} ${revision}`));
  const stale = baseline.filter((one) => !used.has(one) && ran.has(`${one.way} ${one.revision}`));
  const good = verdicts.every(({ verdict }) => verdict === 'same' || verdict === 'explained');
  return { verdicts, stale, ok: good && stale.length === 0 && verdicts.length > 0 };
}
