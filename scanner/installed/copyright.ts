/** Debian's `copyright` files, where they are in the form that machines read. */
import { type Licence, licenceIn, NO_LICENCE } from './licence.ts';

/** Bytes of one that is kept. */
export const MAX_COPYRIGHT_BYTES = 256 * 1024;
const MAX_PARAGRAPHS = 5000;
const MAX_SAID = 100;
/** Characters of what one paragraph names. */
const MAX_NAMES = 1000;

/** All licences of a package's files hold together; one without an SPDX id leaves the whole as it is said. */
export function licenceOfCopyright(text: string): Licence {
  if (!/^Format:\s*https?:\/\/\S*copyright-format/i.test(text.trimStart())) return NO_LICENCE;
  const told = text
    .split(/\r?\n[ \t]*\r?\n/, MAX_PARAGRAPHS)
    .filter((paragraph) => /^Files:/im.test(paragraph))
    .map((paragraph) => (/^License:(.*)$/im.exec(paragraph)?.[1] ?? '').replace(/\s+/g, ' ').trim());
  const names = [...new Set(told)].filter((name) => name !== '').sort();
  if (names.length === 0) return NO_LICENCE;
  const known = names.flatMap((name) => expressionOf(name) ?? []);
  if (known.length < names.length)
    return { expression: null, said: licenceIn(names.join(', ').slice(0, MAX_SAID)).said };
  const all = [...new Set(known)].map((one) => (one.includes(' OR ') ? `(${one})` : one)).join(' AND ');
  const whole = licenceIn(all);
  return whole.expression === null ? { ...whole, said: whole.said ?? all.slice(0, MAX_SAID) } : whole;
}

/** Names of one paragraph: alternatives, and what holds together, without parentheses. Null for a name without an id. */
function expressionOf(text: string): string | null {
  if (text.length > MAX_NAMES) return null;
  const sides = text
    .split(/\s+or\s+/i)
    .map((side) => side.split(/\s+and\s+|,\s*/i).map((name) => idOf(name)));
  if (sides.flat().includes(null)) return null;
  const joined = sides.map((side) => side.join(' AND '));
  return joined.length === 1
    ? (joined[0] ?? null)
    : joined.map((one) => (one.includes(' ') ? `(${one})` : one)).join(' OR ');
}

/** Debian's short names: of the GNU licences a plus means later ones too, and without it no others. */
function idOf(name: string): string | null {
  const [, kind, major, minor = '0', later] = /^((?:A|L)?GPL)-(\d)(?:\.(\d))?(\+)?$/i.exec(name.trim()) ?? [];
  if (kind === undefined) return licenceIn(name).expression;
  return licenceIn(`${kind.toUpperCase()}-${major}.${minor}-${later ? 'or-later' : 'only'}`).expression;
}
