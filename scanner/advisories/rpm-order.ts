/** The order of RPM: `epoch:version-release`, runs of digits and of letters in turn, `~` before the end and `^` after it. */
import type { Order } from './order.ts';

const FORM = /^(?:(\d{1,10}):)?([A-Za-z0-9._+~^]+)(?:-([A-Za-z0-9._+~^]+))?$/;

/** A version without a release is at every release of it. */
export const rpmOrder: Order = (a, b) => {
  const [left, right] = [FORM.exec(a), FORM.exec(b)];
  if (!left || !right) return null;
  const [, epoch = '0', version = '', release] = left;
  const [, otherEpoch = '0', otherVersion = '', otherRelease] = right;
  return (
    Number(epoch) - Number(otherEpoch) ||
    byRuns(version, otherVersion) ||
    (release === undefined || otherRelease === undefined ? 0 : byRuns(release, otherRelease))
  );
};

const RUNS = /\d+|[A-Za-z]+|[~^]/g;

function byRuns(a: string, b: string): number {
  const [left, right] = [a.match(RUNS) ?? [], b.match(RUNS) ?? []];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const order = run(left[at], right[at]);
    if (order !== 0) return order;
  }
  return 0;
}

/** Digits stand above letters, those above the end but for `^`, and `~` below everything. */
function run(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  const [left, right] = [rank(a), rank(b)];
  if (left !== right) return left - right;
  if (left < DIGITS) return (a ?? '') < (b ?? '') ? -1 : 1;
  const [one, other] = [(a ?? '').replace(/^0+/, ''), (b ?? '').replace(/^0+/, '')];
  return one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);
}

const DIGITS = 4;

function rank(part: string | undefined): number {
  if (part === '~') return 0;
  if (part === undefined) return 1;
  if (part === '^') return 2;
  return /^\d/.test(part) ? DIGITS : 3;
}
