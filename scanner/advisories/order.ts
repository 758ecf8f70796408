/** In which order versions stand, by the rules of those who number them. Each answers below, at or above 0; null for no version. */
import semver from 'semver';

export type Order = (a: string, b: string) => number | null;

export const npmOrder: Order = (a, b) => {
  const [left, right] = [semver.parse(a, { loose: true }), semver.parse(b, { loose: true })];
  return left && right && semver.compare(left, right);
};

/** Debian's: `epoch:upstream-revision`, letters before other marks, and `~` before the end. */
export const debianOrder: Order = (a, b) => {
  const [left, right] = [debianParts(a), debianParts(b)];
  if (left === null || right === null) return null;
  return (
    number(left.epoch, right.epoch) ||
    byRuns(left.upstream, right.upstream) ||
    byRuns(left.revision, right.revision)
  );
};

function debianParts(text: string): { epoch: string; upstream: string; revision: string } | null {
  const [, epoch = '0', rest = ''] = /^(?:(\d+):)?([A-Za-z0-9.+~:-]+)$/.exec(text) ?? [];
  if (rest === '') return null;
  const dash = rest.lastIndexOf('-');
  // A revision is there or it is not named.
  if (dash === rest.length - 1) return null;
  return dash < 0
    ? { epoch, upstream: rest, revision: '' }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

/** Runs of other marks and of digits in turn, each compared in its own way. */
function byRuns(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== '' || right !== '') {
    const [, words = '', digits = '', rest = ''] = /^(\D*)(\d*)(.*)$/s.exec(left) ?? [];
    const [, otherWords = '', otherDigits = '', otherRest = ''] = /^(\D*)(\d*)(.*)$/s.exec(right) ?? [];
    const order = marks(words, otherWords) || number(digits, otherDigits);
    if (order !== 0) return order;
    [left, right] = [rest, otherRest];
  }
  return 0;
}

function marks(a: string, b: string): number {
  const rank = (text: string, at: number): number => {
    const code = text.codePointAt(at);
    if (code === undefined) return 0;
    if (code === 0x7e) return -1;
    return /[A-Za-z]/.test(text[at] ?? '') ? code : code + 256;
  };
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const order = rank(a, at) - rank(b, at);
    if (order !== 0) return order;
  }
  return 0;
}

/** Digits of any length; none are 0. */
function number(a: string, b: string): number {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

const SUFFIXES = ['alpha', 'beta', 'pre', 'rc', '', 'cvs', 'svn', 'git', 'hg', 'p'];
const APK =
  /^(\d+(?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:~[0-9a-f]+)?(?:-r(\d+))?$/;

/** Alpine's: numbers, a letter, suffixes before or after the end, and a revision. */
export const alpineOrder: Order = (a, b) => {
  const [left, right] = [APK.exec(a), APK.exec(b)];
  if (!left || !right) return null;
  return (
    byNumbers(left[1] ?? '', right[1] ?? '') ||
    (left[2] ?? '').localeCompare(right[2] ?? '', 'en') ||
    bySuffixes(left[3] ?? '', right[3] ?? '') ||
    number(left[4] ?? '', right[4] ?? '')
  );
};

function byNumbers(a: string, b: string): number {
  const [left, right] = [a.split('.'), b.split('.')];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [one = '', other = ''] = [left[at], right[at]];
    // Behind the first dot, 01 is a fraction and stands below 1.
    const fraction = at > 0 && (one.startsWith('0') || other.startsWith('0'));
    const order = fraction ? (one < other ? -1 : one > other ? 1 : 0) : number(one, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function bySuffixes(a: string, b: string): number {
  const of = (text: string): string[] => text.split('_').slice(1);
  const [left, right] = [of(a), of(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [, word = '', digits = ''] = /^([a-z]*)(\d*)$/.exec(left[at] ?? '') ?? [];
    const [, otherWord = '', otherDigits = ''] = /^([a-z]*)(\d*)$/.exec(right[at] ?? '') ?? [];
    const order = SUFFIXES.indexOf(word) - SUFFIXES.indexOf(otherWord) || number(digits, otherDigits);
    if (order !== 0) return order;
  }
  return 0;
}
