/** The lines of a policy that begin with `toxic flows:`. */
import { MAX_REMEMBERED_MS } from './rules.ts';
import { invalid, type Words } from './words.ts';
import type { Unlabelled } from './world.ts';

export interface SaidOfFlows {
  unlabelled?: Unlabelled;
  by?: 'credential';
  ms?: number;
}

const MS = { hours: 3_600_000, hour: 3_600_000, days: 86_400_000, day: 86_400_000 } as const;

/** Throws POLICY_INVALID for what is not understood, and for what was said before. */
export function readFlows(words: Words, said: SaidOfFlows): void {
  const before = Object.keys(said).length;
  if (words.take('each', 'credential', 'by', 'itself')) said.by = 'credential';
  else if (words.take('remembered', 'for')) said.ms = readSpan(words);
  else if (words.take('unlabelled', 'tools', 'count', 'as')) said.unlabelled = readKind(words);
  else
    throw words.expected(
      '"unlabelled tools count as all", "remembered for 8 hours" or "each credential by itself"',
    );
  if (!words.done) throw words.expected('the end of the line');
  if (Object.keys(said).length === before) throw invalid(words.line, 'such a line once', 'it again');
}

function readKind(words: Words): Unlabelled {
  const kind = words.takeOne(['all', 'none'] as const);
  if (kind === undefined) throw words.expected('"all" or "none"');
  return kind;
}

/** From an hour to 30 days. */
function readSpan(words: Words): number {
  const text = words.ahead ?? '';
  if (!/^[1-9]\d{0,2}$/.test(text)) throw words.expected('a number of hours or days');
  words.name('a number');
  const unit = words.takeOne(Object.keys(MS) as (keyof typeof MS)[]);
  if (unit === undefined) throw words.expected('"hours" or "days"');
  const ms = Number(text) * MS[unit];
  if (ms <= MAX_REMEMBERED_MS) return ms;
  throw invalid(words.line, 'at most 30 days', `${text} ${unit}`);
}
