/**
 * JavaScript and TypeScript text split into code and strings, comments gone. Not a parser: it knows what a string, a
 * template, a regular expression and a comment are, so that words in a comment are not read as code and the other way
 * round. Code that is built at run time stays hidden from it.
 */
export interface Literal {
  readonly start: number;
  readonly end: number;
  /** The string itself, escapes resolved; neighbours joined by `+` are one. */
  readonly value: string;
}

export interface Source {
  /** As long as the text and with the same lines; strings and regular expressions blank but for their quotes. */
  readonly code: string;
  readonly strings: readonly Literal[];
}

interface Reading {
  readonly text: string;
  readonly parts: string[];
  readonly strings: Literal[];
  /** What each open bracket is: a condition's `(`, a template's `${`, or another. */
  readonly open: ('condition' | 'template' | 'other')[];
  /** Last word or sign of the code, which decides what a slash means. */
  last: string;
  beforeLast: string;
}

const WORD = /[\w$\u0080-\uffff]/;
const REGEX_AFTER_WORD =
  /^(?:return|typeof|case|in|of|delete|void|throw|new|else|do|instanceof|yield|await|default)$/;

export function readSource(text: string): Source {
  const reading: Reading = { text, parts: [], strings: [], open: [], last: '', beforeLast: '' };
  let at = text.startsWith('#!') ? blank(reading, 0, lineEnd(text, 0)) : 0;
  while (at < text.length) at = step(reading, at);
  return { code: reading.parts.join(''), strings: joined(reading) };
}

function step(reading: Reading, at: number): number {
  const { text } = reading;
  const c = text.charAt(at);
  if (c === '/') {
    const next = text.charAt(at + 1);
    if (next === '/') return blank(reading, at, lineEnd(text, at));
    if (next === '*') return blank(reading, at, after(text, '*/', at + 2));
    if (startsRegex(reading)) return regex(reading, at);
  }
  if (c === '"' || c === "'") return string(reading, at, c);
  if (c === '`') return template(reading, at, '`');
  if (c === '}' && reading.open.at(-1) === 'template') {
    reading.open.pop();
    return template(reading, at, '}');
  }
  return WORD.test(c) ? word(reading, at) : sign(reading, at, c);
}

function emit(reading: Reading, piece: string, token: string): void {
  reading.parts.push(piece);
  reading.beforeLast = reading.last;
  reading.last = token;
}

function word(reading: Reading, at: number): number {
  let end = at + 1;
  while (end < reading.text.length && WORD.test(reading.text.charAt(end))) end++;
  const found = reading.text.slice(at, end);
  emit(reading, found, found);
  return end;
}

function sign(reading: Reading, at: number, c: string): number {
  if (c === ' ' || c === '\n' || c === '\t' || c === '\r') reading.parts.push(c);
  else {
    let token = c;
    if (c === '(') reading.open.push(/^(?:if|while|for|with)$/.test(reading.last) ? 'condition' : 'other');
    else if (c === '[' || c === '{') reading.open.push('other');
    else if (c === ')' && reading.open.pop() === 'condition') token = ';';
    else if (c === ']' || c === '}') reading.open.pop();
    emit(reading, c, token);
  }
  return at + 1;
}

/** After a value a slash divides; elsewhere it opens a regular expression. A name after a dot is a value. */
function startsRegex({ last, beforeLast }: Reading): boolean {
  if (last === '') return true;
  if (WORD.test(last.charAt(0))) return beforeLast !== '.' && REGEX_AFTER_WORD.test(last);
  return !/[)\]"'`/]$/.test(last);
}

function regex(reading: Reading, start: number): number {
  const { text } = reading;
  let inClass = false;
  for (let at = start + 1; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === '\\') at++;
    else if (c === '\n') break;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) {
      emit(reading, `/${' '.repeat(at - start - 1)}/`, '/');
      return at + 1;
    }
  }
  return sign(reading, start, '/');
}

function string(reading: Reading, start: number, quote: string): number {
  const { text } = reading;
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== quote && text.charAt(at) !== '\n') {
    at += text.charAt(at) === '\\' ? 2 : 1;
  }
  const end = Math.min(at + 1, text.length);
  keep(reading, { start, end, raw: text.slice(start + 1, at), close: quote });
  return end;
}

/** One stretch of a template: up to its end, or to `${`, where code begins. */
function template(reading: Reading, start: number, opening: string): number {
  const { text } = reading;
  for (let at = start + 1; at < text.length; at++) {
    const c = text.charAt(at);
    if (c === '\\') at++;
    else if (c === '`') {
      keep(reading, { start, end: at + 1, raw: text.slice(start + 1, at), close: '`', opening });
      return at + 1;
    } else if (c === '$' && text.charAt(at + 1) === '{') {
      keep(reading, { start, end: at + 2, raw: text.slice(start + 1, at), close: '${', opening });
      reading.open.push('template');
      reading.last = '(';
      return at + 2;
    }
  }
  return blank(reading, start, text.length);
}

interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly raw: string;
  readonly close: string;
  readonly opening?: string;
}

function keep(reading: Reading, { start, end, raw, close, opening = close }: Stretch): void {
  reading.strings.push({ start, end, value: unescaped(raw) });
  emit(reading, opening + raw.replace(/[^\n]/g, ' ') + close.slice(0, end - start - 1 - raw.length), close);
}

function blank(reading: Reading, from: number, to: number): number {
  reading.parts.push(reading.text.slice(from, to).replace(/[^\n]/g, ' '));
  return to;
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  return at === -1 ? text.length : at;
}

function after(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at === -1 ? text.length : at + mark.length;
}

function unescaped(raw: string): string {
  if (!raw.includes('\\')) return raw;
  return raw.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\}|(\r?\n)|(.))/gi,
    (_, ...groups: string[]) => {
      const [x, u, braced, line, other] = groups;
      const hex = x ?? u ?? braced;
      if (hex !== undefined) return String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff));
      return line === undefined ? (other ?? '') : '';
    },
  );
}

function joined({ text, strings }: Reading): Literal[] {
  const out: Literal[] = [];
  for (const literal of strings) {
    const before = out.at(-1);
    const gap = before ? text.slice(before.end, literal.start) : '';
    if (before && gap.length < 40 && /^\s*\+\s*$/.test(gap)) {
      out[out.length - 1] = { start: before.start, end: literal.end, value: before.value + literal.value };
    } else out.push(literal);
  }
  return out;
}
