/** Licences that are known by their whole text. A file that says anything besides is none of them: nobody reads it here. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { type Licence, licenceIn } from './licence.ts';
import { LATER_UNTOLD, TEXTS } from './licence-texts.ts';

/** Bytes of a file that is read; the longest of these texts has 35,000. */
const MAX_TEXT_BYTES = 96 * 1024;
/** Its lines, twice as many as the longest has; and those at its top that may be its title. */
const MAX_LINES = 1500;
const TITLE_LINES = 5;
const MAX_FILES = 20;
const LICENCE_FILE = /^(?:licen[cs]e|copying|unlicense)(?:[.-][a-z0-9.-]{1,20})?$/i;

/** Words that a line about whose copyright it is, or a name in a text, does not have: they could change what it says. */
const CONDITION =
  /\b(?:not|no|must|may|shall|only|unless|except|provided|licen[cs]ed?|permi\w+|prohibit\w*|forbid\w*|use[sd]?|commercial\w*|subject|terms|condition\w*)\b/;

const OWNERS: readonly RegExp[] = [
  /(neither the names? of )(.{1,120}?)( nor the names? of (?:its|their|any|other) contributors)/,
  /(provided as is and )(.{1,60}?)( disclaims all warranties)/,
  /(provided by )(.{1,80}?)( as is and any express)/,
  /(in no event shall )(.{1,80}?)( be liable)/,
];

/** The words of a text, without its numbers of paragraphs and whose it is; and what its title names. */
function wordsOf(text: string): { readonly words: string; readonly titles: readonly string[] } {
  const all = text
    .replace(/^\ufeff/, '')
    .toLowerCase()
    .split(/\r\n?|\n/, MAX_LINES + 1);
  if (all.length > MAX_LINES) return { words: '', titles: [] };
  const lines = all
    .map((line) => line.replace(/^[\s*#>/;=~_|•-]+/, '').trim())
    .filter((line) => line !== '' && !isNotice(line));
  const head = lines.slice(0, TITLE_LINES).map((line) => ({ line, title: titleOf(line) }));
  const whole = [
    ...head.flatMap(({ line, title }) => (title === null ? [line] : [])),
    ...lines.slice(TITLE_LINES),
  ]
    .map((line) => line.replace(/^(?:\(?(?:\d{1,2}|[a-z])[.)])\s+/, ''))
    .join(' ')
    .replace(/https?:/g, '')
    .replace(/licence/g, 'license')
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();
  const words = OWNERS.reduce(
    (rest, owner) =>
      rest.replace(owner, (found: string, before: string, who: string, after: string) =>
        CONDITION.test(who) ? found : `${before}them${after}`,
      ),
    whole,
  );
  return { words, titles: head.flatMap(({ title }) => title ?? []).filter((title) => title !== '') };
}

function isNotice(line: string): boolean {
  if (line.length > 120 || CONDITION.test(line)) return false;
  return /^(?:(?:portions )?copyright\b(?! (?:notice|holder|owner|and|or|law|interest|statement))|\(c\)|©|all rights reserved)/.test(
    line,
  );
}

/** Which licence a line names that says no more; empty for one that says `License` alone, null for any other line. */
function titleOf(line: string): string | null {
  const plain = line
    .replace(/[()*#:_=]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (/^(?:the )?licen[cs]e$/.test(plain)) return '';
  return /^(?:the )?mit(?: licen[cs]e)?(?: mit)?$/.test(plain) ? 'MIT' : licenceIn(plain).expression;
}

const BY_DIGEST = new Map(
  Object.entries(TEXTS).flatMap(([id, digests]) => digests.map((digest) => [digest, id] as const)),
);

/** The id of the licence whose text this is, word by word; null for any other text, and under the title of another one. */
export function licenceOfText(text: string): string | null {
  const { words, titles } = wordsOf(text);
  const id = BY_DIGEST.get(createHash('sha256').update(words).digest('hex')) ?? null;
  return titles.every((title) => title === id) ? id : null;
}

/** What a package is under by the files in its folder; where it said something else, that stays. */
export function withText<T extends { readonly licence: Licence }>(
  told: T,
  files: readonly UnpackedFile[],
  folders: readonly string[],
): T {
  const { expression, said } = told.licence;
  if (expression !== null) return told;
  const texts = files.filter(({ path }) => {
    const folder = posix.dirname(path);
    return folders.includes(folder) && LICENCE_FILE.test(posix.basename(path));
  });
  if (texts.length === 0 || texts.length > MAX_FILES) return told;
  const ids = new Set(
    texts.map(({ bytes }) => (bytes.length > MAX_TEXT_BYTES ? null : licenceOfText(bytes.toString('utf8')))),
  );
  const [id = null] = ids;
  if (ids.size !== 1 || id === null || !agrees(said, id)) return told;
  const licence: Licence = LATER_UNTOLD.has(id)
    ? { expression: null, said: said ?? `the text of ${id}` }
    : { expression: id, said: null, from: 'text' };
  return { ...told, licence };
}

/** Is nothing said, or the file named, or a family of licences that this one is of, and no other? */
function agrees(said: string | null, id: string): boolean {
  if (said === null || /^see (?:the )?licen[cs]e/i.test(said)) return true;
  const words = said.toLowerCase().split(/[^a-z0-9]+/);
  const family = id.toLowerCase().split('-')[0] ?? id;
  return words.includes(family) && !/[,/&+;]|\b(?:and|or|with|not)\b/i.test(said);
}
