/** Text that is written in codes inside of other text: percent signs, character references, escapes of JSON. */

/** What each code begins with. */
export const CODED = /[%&\\]/;
/** Codes within codes that are read. */
const LAYERS = 3;
const NAMED: Readonly<Record<string, string>> = {
  quot: '"',
  apos: "'",
  amp: '&',
  lt: '<',
  gt: '>',
  colon: ':',
  equals: '=',
  commat: '@',
  sol: '/',
  bsol: '\\',
  nbsp: ' ',
};
/** One character of ASCII in a code; others separate no name from a value. */
const CODE = new RegExp(
  `%([0-7][0-9a-f])|&#x0{0,5}([0-9a-f]{2});|&#0{0,5}(\\d{2,3});|&(${Object.keys(NAMED).join('|')});|\\\\u00([0-7][0-9a-f])|\\\\(["'\\\\/])`,
  'gi',
);

export interface Read {
  readonly text: string;
  /** Where a place of the text is in the one that was given. */
  at(place: number): number;
}

/** What the text says once codes are read, one layer after the other, each in one pass; nothing where there are none. */
export function* layersOf(text: string): Generator<Read> {
  let read = text;
  let before: Read['at'] = (place) => place;
  for (let layer = 0; layer < LAYERS; layer++) {
    const next = once(read);
    if (next === null) return;
    const outer = before;
    before = (place) => outer(next.at(place));
    read = next.text;
    yield { text: read, at: before };
  }
}

function once(text: string): Read | null {
  if (!CODED.test(text)) return null;
  const pieces: string[] = [];
  /** Of each code: its place in what is read, and how much longer the text was up to its end. */
  const places: number[] = [];
  const longer: number[] = [];
  let from = 0;
  let length = 0;
  for (const {
    0: code,
    1: percent,
    2: hex,
    3: decimal,
    4: name,
    5: unicode,
    6: escaped,
    index,
  } of text.matchAll(CODE)) {
    const coded = percent ?? hex ?? unicode;
    const char =
      escaped ??
      (name === undefined
        ? String.fromCharCode(coded === undefined ? Number(decimal) : Number.parseInt(coded, 16))
        : (NAMED[name.toLowerCase()] ?? code));
    pieces.push(text.slice(from, index), char);
    length += index - from;
    from = index + code.length;
    places.push(length);
    length += char.length;
    longer.push(from - length);
  }
  if (places.length === 0) return null;
  pieces.push(text.slice(from));
  return { text: pieces.join(''), at: (place) => place + (longer[lastBefore(places, place)] ?? 0) };
}

/** The last one below, by halves; -1 where there is none. */
function lastBefore(places: readonly number[], place: number): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((places[middle] ?? 0) < place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
