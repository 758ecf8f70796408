/** Cedar that stands in a policy between fences: read, checked against the schema's names, and held to the same rules. */
import { quote } from '../../schemas/errors.ts';
import { readPredicate } from './arguments/predicate.ts';
import { isDefect, type PolicyJson, policyJson, splitPolicies } from './cedar.ts';
import { conditionsIn, entitiesIn } from './expression.ts';
import type { Ask, Names } from './rules.ts';
import { ENTITY_OF, itemId } from './schema.ts';
import { invalid, Words, wordsOf } from './words.ts';

export interface RawPolicy {
  readonly text: string;
  readonly line: number;
  readonly json: PolicyJson;
  readonly ask: Ask | null;
  /** `@id("…")`, where it has one. */
  readonly id: string | undefined;
}

/** Throws POLICY_INVALID. `line`: of the first line of the text. */
export function readCedar(text: string, line: number): RawPolicy[] {
  const parts = splitPolicies(text);
  if (isDefect(parts)) throw invalid(line + linesBefore(text, parts.at), 'Cedar', quote(parts.message, 300));
  return parts.map((part) => {
    const at = line + linesBefore(text, Math.max(0, text.indexOf(part)));
    const json = policyJson(part);
    if (isDefect(json)) throw invalid(at, 'Cedar', quote(json.message, 300));
    return { text: part, line: at, json, ask: askOf(json, at), id: json.annotations?.id };
  });
}

/** `at` is counted in bytes. */
function linesBefore(text: string, at: number): number {
  return Buffer.from(text).subarray(0, at).toString('utf8').split('\n').length - 1;
}

/** `@ask("1")` or `@ask("2")`, and `@minutes("1")` to `@minutes("15")`, on a prohibition. */
function askOf({ annotations = {}, effect }: PolicyJson, line: number): Ask | null {
  const other = Object.keys(annotations).find((name) => !['ask', 'minutes', 'id'].includes(name));
  if (other !== undefined) throw invalid(line, '@ask, @minutes or @id', `@${other}`);
  const { ask, minutes = '15' } = annotations;
  if (ask === undefined) {
    if (annotations.minutes !== undefined) throw invalid(line, '@ask beside @minutes', 'none');
    return null;
  }
  if (effect === 'permit')
    throw invalid(line, '@ask on a forbid, which people then lift call by call', '@ask on a permit');
  if (ask !== '1' && ask !== '2') throw invalid(line, '@ask("1") or @ask("2")', `@ask(${quote(ask)})`);
  if (!/^(?:[1-9]|1[0-5])$/.test(minutes))
    throw invalid(line, '@minutes("1") to @minutes("15")', `@minutes(${quote(minutes)})`);
  return { people: ask === '1' ? 1 : 2, minutes: Number(minutes) };
}

/** Every entity that is named has to be there: a team of this policy, a server or item of the lock. */
export function assertEntities(
  { json, line }: RawPolicy,
  { teams, names }: { teams: ReadonlySet<string>; names: Names },
): void {
  for (const { type, id } of entitiesIn(json)) {
    if (type === 'Team' && !teams.has(id)) throw invalid(line, 'a team of this policy', quote(id));
    if (type === 'Server' && !names.servers.has(id))
      throw invalid(
        line,
        `the alias of a locked server (${[...names.servers.keys()].join(', ')})`,
        quote(id),
      );
    const isItem = Object.values(ENTITY_OF).includes(type);
    if (isItem && !isLocked(type, id, names))
      throw invalid(line, `a locked ${type.toLowerCase()}, as "ALIAS/NAME"`, quote(id));
  }
}

function isLocked(type: string, id: string, { servers }: Names): boolean {
  return [...servers].some(([alias, { items }]) =>
    (Object.keys(ENTITY_OF) as (keyof typeof ENTITY_OF)[]).some(
      (kind) => ENTITY_OF[kind] === type && items[kind].some((name) => itemId(alias, name) === id),
    ),
  );
}

/** The conditions on arguments that it rests on. Throws for one that stands where what is unknown could permit. */
export function predicatesOf({ json, line }: RawPolicy): ReturnType<typeof readPredicate>[] {
  const texts = conditionsIn(json);
  if (texts === null) {
    const set = json.effect === 'permit' ? 'surely' : 'maybe';
    throw invalid(
      line,
      `context.${set}.contains("…") in a ${json.effect}, joined by && and || alone`,
      'another use of context.surely or context.maybe',
    );
  }
  return texts.map((text) => {
    const words = new Words(wordsOf(text, line), line);
    const predicate = readPredicate(words);
    if (!words.done) throw words.expected('the end of the condition');
    if (predicate.text !== text) throw invalid(line, quote(predicate.text), quote(text));
    return predicate;
  });
}
