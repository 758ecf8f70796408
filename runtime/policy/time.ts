/** Day and hour of an instant where a policy's times are. */
export interface Moment {
  /** Of the day. */
  readonly minute: number;
  readonly weekday: string;
  /** YYYYMMDD as a number. */
  readonly day: number;
}

export const NO_MOMENT: Moment = { minute: 0, weekday: '', day: 0 };

const MINUTE_MS = 60_000;
/** The minute that was asked for last: reading a calendar costs more than all else that a call is judged by. */
let last: { readonly minute: number; readonly timeZone: string; readonly moment: Moment } | null = null;

const formats = new Map<string, Intl.DateTimeFormat>();

export function momentOf(now: Date, timeZone: string): Moment {
  const minute = Math.floor(now.getTime() / MINUTE_MS);
  if (last?.minute === minute && last.timeZone === timeZone) return last.moment;
  const moment = readMoment(now, timeZone);
  last = { minute, timeZone, moment };
  return moment;
}

function readMoment(now: Date, timeZone: string): Moment {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(now)
      .map(({ type, value }) => [type, value]),
  );
  const number = (name: Intl.DateTimeFormatPartTypes): number => Number(parts.get(name) ?? Number.NaN);
  return {
    minute: number('hour') * 60 + number('minute'),
    weekday: (parts.get('weekday') ?? '').toLowerCase(),
    day: number('year') * 10_000 + number('month') * 100 + number('day'),
  };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    weekday: 'long',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
  });
  formats.set(timeZone, format);
  return format;
}
