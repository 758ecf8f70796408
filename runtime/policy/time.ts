/** Day and hour of an instant where a policy's times are. */
export interface Moment {
  /** Of the day. */
  readonly minute: number;
  readonly weekday: string;
  /** YYYYMMDD as a number. */
  readonly day: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function momentOf(now: Date, timeZone: string): Moment {
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
