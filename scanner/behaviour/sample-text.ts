/** A text for one place of a schema: what its format, its pattern or its name says that it is. Pure. */
import { compilePattern } from '../../runtime/gate/pattern.ts';
import { type Node, parsePattern } from '../../runtime/gate/pattern-parse.ts';
import type { Json, JsonObject } from '../../schemas/common.ts';
import type { Places } from './places.ts';

const MAX_LENGTH = 4096;
const PATTERN_FUEL = 200_000;

const WORD = 'test';
const DAY = '2026-01-01';
/** Of formats that have one word for all of them. */
const FORMATS: Readonly<Record<string, string>> = {
  'date-time': `${DAY}T00:00:00Z`,
  date: DAY,
  time: '00:00:00Z',
  duration: 'P1D',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uuid: '00000000-0000-4000-8000-000000000001',
  regex: 'a',
  'json-pointer': '/a',
  'relative-json-pointer': '0',
  byte: 'dGVzdA==',
};

/** Throws where nothing is found; whoever asks judges the whole. */
export function sampleText(
  schema: JsonObject,
  places: Places,
  at: { readonly name: string; readonly index: number },
): string {
  const wanted = [...meant(schema, places, at.name), ...named(schema), WORD, '1', DAY, 'en'];
  const own = at.index === 0 ? [] : wanted.map((text) => `${text}${at.index}`);
  const fits = fitter(schema);
  const found = [...own, ...wanted].map((text) => fitted(text, schema)).find(fits);
  if (found !== undefined) return found;
  const written = typeof schema.pattern === 'string' ? fitted(textOf(schema.pattern), schema) : '';
  if (fits(written)) return written;
  throw new Error('no text fits');
}

/** What a schema's author names, where it is a text. */
function named(schema: JsonObject): string[] {
  const all: Json[] = Array.isArray(schema.examples) ? schema.examples : [];
  return [schema.default, ...all].filter((value) => typeof value === 'string');
}

const URLS = /\b(?:url|uri|link|href|endpoint|website|webpage)s?\b/;
const FOLDERS = /\b(?:dir|directory|directories|folder|root|cwd|workspace|repo path|project path)s?\b/;
const FILES = /\b(?:path|file|filename|filepath)s?\b/;
const HOSTS = /\b(?:host|hostname|domain)s?\b/;

/** By format first, then by the name that the property has, then by the words about it; in the order of trying. */
function meant(schema: JsonObject, { folder, file, host }: Places, name: string): string[] {
  const { format, description } = schema;
  const urls = [`http://${host}/`, `https://${host}/`];
  if (format === 'uri' || format === 'url' || format === 'iri' || format === 'uri-reference') return urls;
  if (format === 'hostname' || format === 'idn-hostname') return [host];
  if (format === 'email' || format === 'idn-email') return [`a@${host}`];
  if (typeof format === 'string' && Object.hasOwn(FORMATS, format)) return [FORMATS[format] ?? WORD];
  const said = typeof description === 'string' ? description.toLowerCase() : '';
  for (const words of [wordsOf(name), said]) {
    if (URLS.test(words)) return urls;
    if (FOLDERS.test(words)) return [folder, file];
    if (FILES.test(words)) return [file, folder];
    if (HOSTS.test(words)) return [host];
    if (/\be-?mail\b/.test(words)) return [`a@${host}`];
    if (/\btime ?zone\b/.test(words)) return ['UTC'];
    if (/\b(?:date|day)\b/.test(words)) return [DAY];
  }
  return [];
}

/** `repoPath`, `repo_path` and `repo-path` alike. */
function wordsOf(name: string): string {
  return name
    .slice(0, 200)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[^A-Za-z0-9]+/g, ' ')
    .toLowerCase();
}

function fitted(text: string, { minLength, maxLength }: JsonObject): string {
  const least = typeof minLength === 'number' ? Math.min(minLength, MAX_LENGTH) : 0;
  const most = typeof maxLength === 'number' ? Math.max(maxLength, 0) : MAX_LENGTH;
  return text.padEnd(least, 'a').slice(0, most);
}

function fitter({ pattern }: JsonObject): (text: string) => boolean {
  if (typeof pattern !== 'string') return () => true;
  const compiled = compilePattern(pattern);
  return (text) => compiled.test(text, { left: PATTERN_FUEL });
}

const LETTERS = 'a1A0-_./:@ #+=,';
const ASCII = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');

/** The shortest way through a pattern, with the first character that each place takes. */
function textOf(pattern: string): string {
  const left = { characters: MAX_LENGTH };
  const write = (node: Node): string => {
    if (node.kind === 'one') {
      if (--left.characters < 0) throw new Error('too long a text');
      const letter = [...LETTERS, ...ASCII].find((one) => node.fits(one.codePointAt(0) ?? 0));
      if (letter === undefined) throw new Error('a character beyond ASCII');
      return letter;
    }
    if (node.kind === 'all') return node.of.map(write).join('');
    if (node.kind === 'any') return write(node.of[0] ?? { kind: 'all', of: [] });
    if (node.kind !== 'repeat') return '';
    let text = '';
    for (let round = 0; round < node.min; round++) {
      if (--left.characters < 0) throw new Error('too long a text');
      text += write(node.of);
    }
    return text;
  };
  return write(parsePattern(pattern));
}
