/** What an SQL statement does, by its first word; `unknown` wherever two databases could read it differently. */
import { type Leaf, lastName } from './leaves.ts';
import type { Truth } from './predicate.ts';

const NAME = /^(?:raw_?|sql_?)?(?:sqls?|quer(?:y|ies)|statements?|stmts?|commands?)$/i;
/** What hardly anything else begins with. */
const VALUE =
  /^[\s(;]*(?:select\s[\s\S]*?\sfrom\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|merge\s+into\s|truncate\s+table\s|(?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:table|view|database|schema|index|function|procedure|trigger|user|role)\s|(?:grant|revoke)\s[\s\S]*?\son\s)/i;
/** Characters of a text that are looked at for that. */
const LOOKED_AT = 2000;

export const SQL_VERBS: ReadonlySet<string> = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'create',
  'alter',
  'drop',
  'truncate',
  'grant',
  'revoke',
  'merge',
  'show',
  'describe',
]);

/** Words of other statements: T-SQL takes a second one without a semicolon before it. */
const ACTING =
  /\b(?:alter|backup|create|dbcc|delete|deny|drop|exec|execute|grant|insert|kill|merge|reconfigure|restore|revert|revoke|setuser|shutdown|truncate|update|updatetext|waitfor|writetext|(?:dis|en)able\s+trigger)\b/g;
/** Statements that have no such word but their own; `DESCRIBE ANALYZE DELETE …` carries out what it describes. */
const PLAIN = new Set(['select', 'insert', 'update', 'delete', 'drop', 'truncate', 'describe']);
/** A SELECT with one of these in it does more than read. */
const NOT_READING = /\b(?:into|outfile|dumpfile|lock|share|procedure)\b/;
const MAX_CHARACTERS = 100_000;

export function looksLikeSql(leaf: Leaf): boolean {
  const { value, isName } = leaf;
  if (typeof value !== 'string' || isName) return false;
  return NAME.test(lastName(leaf)) || VALUE.test(value.slice(0, LOOKED_AT));
}

export function sqlTruth(value: string, verbs: readonly string[]): Truth {
  const verb = verbOf(value);
  if (verb === null) return 'unknown';
  return verbs.includes(verb) ? 'yes' : 'no';
}

/** Null for several statements, comments, WITH, EXPLAIN, quoting that databases differ in, and words that say more. */
export function verbOf(sql: string): string | null {
  const bare = withoutQuoted(sql);
  if (bare === null) return null;
  const one = bare.trim().replace(/;$/, '').trimEnd();
  if (one.includes(';') || /--|\/\*|\*\/|#|\$|\\|[^\x20-\x7e\s]/.test(one)) return null;
  const [first] = /^[a-z]+(?=[\s("]|$)/.exec(one.toLowerCase()) ?? [];
  if (first === undefined || !SQL_VERBS.has(first)) return null;
  const words = one.toLowerCase();
  if (PLAIN.has(first) && (words.match(ACTING) ?? []).some((word) => word !== first)) return null;
  return first === 'select' && NOT_READING.test(words) ? null : first;
}

/** The text with each quoted piece made empty; null for one that does not end, or that holds a backslash. */
function withoutQuoted(sql: string): string | null {
  if (sql.length > MAX_CHARACTERS || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(sql)) return null;
  let bare = '';
  for (let at = 0; at < sql.length; at++) {
    const mark = sql.charAt(at);
    if (mark === '[') {
      const piece = bracketed(sql, at);
      if (piece === null) return null;
      bare += piece;
      at += piece.length - 1;
      continue;
    }
    if (mark !== "'" && mark !== '"' && mark !== '`') {
      bare += mark;
      continue;
    }
    // Oracle's q'[…]' ends where no other text does.
    const end = /q/i.test(sql.charAt(at - 1)) ? null : endOfQuoted(sql, at);
    if (end === null) return null;
    // A string that another reader ends elsewhere could hold a statement of its own.
    if (/[\\]/.test(sql.slice(at, end))) return null;
    bare += '""';
    at = end;
  }
  return bare;
}

/** In some databases square brackets quote a name: null where a mark is inside of them, which begins nothing there. */
function bracketed(sql: string, at: number): string | null {
  const end = sql.indexOf(']', at);
  const piece = sql.slice(at, end + 1);
  return end === -1 || /['"`]/.test(piece) ? null : piece;
}

/** Where a quoted piece ends; a doubled mark stands for itself. */
function endOfQuoted(sql: string, start: number): number | null {
  const mark = sql.charAt(start);
  for (let at = start + 1; at < sql.length; at++) {
    if (sql.charAt(at) !== mark) continue;
    if (sql.charAt(at + 1) !== mark) return at;
    at++;
  }
  return null;
}
