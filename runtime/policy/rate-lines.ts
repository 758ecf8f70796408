/** The lines of a policy that say how often: `interns: at most 60 calls a minute of the docs server`. */
import { SECTIONS } from '../../schemas/surface.ts';
import { readConditions } from './conditions.ts';
import type { Names, Rate, Rule } from './rules.ts';
import { readSelection } from './selection.ts';
import type { Words } from './words.ts';

const MS = { second: 1000, minute: 60_000, hour: 3_600_000 } as const;
const ALL: Rule['selection'] = { kinds: SECTIONS, servers: [], names: [], needs: [] };

/** Null for a line of another kind. Throws POLICY_INVALID for what is not understood. */
export function readRate(
  words: Words,
  names: Names,
): Required<Pick<Rule, 'rate' | 'selection' | 'conditions'>> | null {
  if (!words.take('at', 'most')) return null;
  const rate = readNumber(words);
  const selection = words.take('of') ? readSelection(words, names) : ALL;
  const conditions = readConditions(words);
  const { where, weekdays, between, until, minutes } = conditions;
  // What is counted has to be the same at every moment and for whatever arguments.
  if (where.length + weekdays.length > 0 || between !== null || until !== null || minutes !== null)
    throw words.expected('"in ENVIRONMENT" and no other condition');
  return { rate, selection, conditions };
}

/** `60 calls a minute`, and `together`. */
function readNumber(words: Words): Rate {
  const text = words.ahead ?? '';
  if (!/^[1-9]\d{0,5}$/.test(text)) throw words.expected('a number of calls from 1 to 999999');
  words.name('a number');
  if (!words.take('calls') && !words.take('call')) throw words.expected('"calls"');
  const unit =
    words.take('a') || words.take('an') || words.take('per')
      ? words.takeOne(Object.keys(MS) as (keyof typeof MS)[])
      : undefined;
  if (unit === undefined) throw words.expected('"a second", "a minute" or "an hour"');
  return { calls: Number(text), ms: MS[unit], together: words.take('together') };
}
