/** What stands after the commas of a line: `in production`, `where paths are below /data`, `until 2026-12-31`. */
import { CALL_MINUTES } from '../../schemas/call.ts';
import { type Predicate, readPredicate } from './arguments/predicate.ts';
import type { Conditions } from './rules.ts';
import type { Words } from './words.ts';

export const WEEKDAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;

const FORMS =
  '"in ENVIRONMENT", "where …", "on WEEKDAY", "between 08:00 and 18:00", "until 2026-12-31" or "within 10 minutes" after the comma';

/** Throws POLICY_INVALID for what is not understood. */
export function readConditions(words: Words): Conditions {
  const environments: string[] = [];
  const where: Predicate[] = [];
  const weekdays: string[] = [];
  let between: Conditions['between'] = null;
  let until: number | null = null;
  let minutes: number | null = null;
  while (!words.done) {
    words.need(',');
    if (words.take('in') && environments.length === 0)
      environments.push(...words.names('an environment', ['or']));
    else if (words.take('where')) where.push(readPredicate(words));
    else if (words.take('on') && weekdays.length === 0) weekdays.push(...readWeekdays(words));
    else if (words.take('between') && between === null) between = readBetween(words);
    else if (words.take('until') && until === null) until = readDay(words);
    else if (words.take('within') && minutes === null) minutes = readMinutes(words);
    else throw words.expected(FORMS);
  }
  return { environments, where, weekdays, between, until, minutes };
}

/** `, within 5 minutes` alone, or the most. */
export function readAskMinutes(words: Words): number {
  const { minutes, ...more } = readConditions(words);
  const { environments, where, weekdays, between, until } = more;
  if (environments.length + where.length + weekdays.length > 0 || between !== null || until !== null)
    throw words.expected('"within N minutes" and no other condition');
  return minutes ?? CALL_MINUTES;
}

function readWeekdays(words: Words): string[] {
  if (words.take('weekdays')) return WEEKDAYS.slice(0, 5);
  if (words.take('weekends')) return WEEKDAYS.slice(5);
  const days: string[] = [];
  const readDayName = (): number => {
    const day = words.takeOne(WEEKDAYS);
    if (day === undefined) throw words.expected(`"weekdays", "weekends" or one of ${WEEKDAYS.join(', ')}`);
    return WEEKDAYS.indexOf(day);
  };
  do {
    const from = readDayName();
    const last = words.take('to') ? readDayName() : from;
    // Over sunday where the last day comes first in the week.
    for (let day = from; ; day = (day + 1) % WEEKDAYS.length) {
      days.push(WEEKDAYS[day] ?? '');
      if (day === last) break;
    }
  } while (words.take('and') || words.take('or'));
  return days;
}

function readBetween(words: Words): [number, number] {
  const from = readTime(words);
  words.need('and');
  const before = readTime(words);
  if (from === before) throw words.expected('two different times');
  return [from, before];
}

function readTime(words: Words): number {
  const match = /^([01][0-9]|2[0-3]):([0-5][0-9])$/.exec(words.ahead ?? '');
  if (!match) throw words.expected('a time such as 08:00');
  words.name('a time');
  return Number(match[1]) * 60 + Number(match[2]);
}

function readDay(words: Words): number {
  const text = words.ahead ?? '';
  const date = new Date(`${text}T00:00:00.000Z`);
  const real = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(date.getTime());
  if (!real || date.toISOString().slice(0, 10) !== text) throw words.expected('a day such as 2026-12-31');
  words.name('a day');
  return Number(text.replaceAll('-', ''));
}

function readMinutes(words: Words): number {
  const text = words.ahead ?? '';
  const minutes = Number(text);
  if (!/^\d{1,2}$/.test(text) || minutes < 1 || minutes > CALL_MINUTES)
    throw words.expected(`a number of minutes from 1 to ${CALL_MINUTES}`);
  words.name('a number');
  if (!words.take('minutes') && !words.take('minute')) throw words.expected('"minutes"');
  return minutes;
}
