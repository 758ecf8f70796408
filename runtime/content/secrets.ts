/** Where secrets stand in an answer: the journal's forms and names, but only values that look like ones. */
import { SECRET_FORM, SECRET_NAME, USERINFO, VALUE } from '../journal/secrets.ts';

/** From and to, in UTF-16 units; in order, apart from one another. */
export type Span = readonly [from: number, to: number];

const FORM = new RegExp(SECRET_FORM.source, 'g');
const KEY_END = /-----END [A-Z ]{0,40}PRIVATE KEY-----/g;
/** What a name has in it that announces a secret, up to the value. */
const NAMED =
  /(?:pass(?:word|phrase|wd|code)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|account[_-]?key|authorization|credential|cookie|session[_-]?id)[\w-]{0,20}\\?["']?\s{0,3}[=:]\s{0,3}\\?/gi;
/** Names of tokens that give no access: places in a list, figures. */
const HARMLESS =
  /page|next|prev|continu|cursor|progress|sync|max|min|count|limit|budget|usage|total|type|name|url/i;
const PLACEHOLDER =
  /^(?:[<$%{[*(/]|x{3}|your|my|the|example|sample|placeholder|redacted|change|null|undefined|true|false|none|string|process\.|os\.|env|config|self\.|this\.)/i;

/** Whether there is one, which there is not in nearly every text: to ask costs a fifth of beginning to list them. */
const ANY_NAMED = new RegExp(NAMED.source, 'i');
const NOTHING: readonly Span[] = [];

/** Everything in one text that looks like a secret. Linear in its length. */
export function secretsIn(text: string): readonly Span[] {
  const named = /[=:]/.test(text) && (text.includes('://') || ANY_NAMED.test(text));
  const isFormed = SECRET_FORM.test(text);
  return named || isFormed ? listed(text) : NOTHING;
}

function listed(text: string): Span[] {
  const spans: Span[] = [];
  for (const { 0: found, index } of text.matchAll(FORM)) {
    // What stands in the last one ends where that does: to look for its end each time would be to read the text each time.
    if (index + found.length <= (spans.at(-1)?.[1] ?? 0)) continue;
    if (!/^(?:Bearer|Basic) /.test(found) || looksSecret(found.slice(found.indexOf(' ') + 1), 16))
      spans.push(formed(text, index, index + found.length));
  }
  if (text.includes('://'))
    for (const { 0: found, index } of text.matchAll(USERINFO)) {
      const user = found.slice(found.indexOf('://') + 3, -1);
      if (user.includes(':') && !PLACEHOLDER.test(user.slice(user.indexOf(':') + 1)))
        spans.push([index + found.indexOf('://') + 3, index + found.length - 1]);
    }
  for (const { 0: found, index } of text.matchAll(NAMED)) {
    if (HARMLESS.test(text.slice(Math.max(0, index - 24), index).replace(/^.*[^\w-]/s, '') + found)) continue;
    VALUE.lastIndex = index + found.length;
    const value = VALUE.exec(text)?.[0] ?? '';
    if (looksSecret(value) && !IDENTIFIER.test(value))
      spans.push([index + found.length, index + found.length + value.length]);
  }
  return joined(spans);
}

/** Whether a member of an object holds a secret, by its name and its look. */
export function isSecretMember(name: string, value: string): boolean {
  return SECRET_NAME.test(name) && !HARMLESS.test(name) && looksSecret(value);
}

/** Code names values by other names. */
const IDENTIFIER = /^[A-Za-z_$][A-Za-z_$.]*\d{0,2}$/;

/** Letters and digits, and nothing that stands where a secret would. */
function looksSecret(value: string, least = 6): boolean {
  const bare = value.replace(/^["']|["'\\]+$/g, '');
  const mixed = /\d/.test(bare) && /[A-Za-z]/.test(bare);
  return (
    bare.length >= least && mixed && !PLACEHOLDER.test(bare) && !/[({[\s]/.test(bare.replace(/^\w+ /, ''))
  );
}

/** To the end of the word, or of the key; a web token from its beginning. */
function formed(text: string, from: number, to: number): Span {
  if (text.startsWith('-----BEGIN', from)) {
    KEY_END.lastIndex = to;
    const end = KEY_END.exec(text);
    return [from, end ? end.index + end[0].length : text.length];
  }
  let [start, end] = [from, to];
  if (text.charAt(from) === '.') while (start > 0 && /[\w-]/.test(text.charAt(start - 1))) start--;
  while (end < text.length && /[\w+/=~-]/.test(text.charAt(end))) end++;
  return [start, end];
}

function joined(spans: Span[]): Span[] {
  spans.sort(([a], [b]) => a - b);
  const apart: Span[] = [];
  for (const [from, to] of spans) {
    const last = apart.at(-1);
    if (last && from < last[1]) apart[apart.length - 1] = [last[0], Math.max(last[1], to)];
    else apart.push([from, to]);
  }
  return apart;
}
