/** Paths inside of arguments. They are compared as they are written: where a symbolic link leads nobody can tell from here. */
import { posix } from 'node:path';
import { folded } from '../../wire/names.ts';
import { type Leaf, lastName } from './leaves.ts';
import type { Truth } from './predicate.ts';

const NAME = /path|file|dir|folder|cwd|root|source|src|dest|target|location|(?:^|_)(?:from|to)$/i;
const VALUE = /[/\\]|%2f|%5c|^~|^\.{1,2}$|^file:/i;
/** With a host: `sqlite:///data` has none. */
const ADDRESS = /^(?!file:)[a-z][a-z0-9+.-]+:\/\/[^/\\]/i;
/** To a program that takes it for a path, `x://../../..` leads up. */
const UPWARDS = /(?:[/\\]|%(?:25)*(?:2f|5c))(?:\.|%(?:25)*2e){2}(?:[/\\?#]|%(?:25)*(?:2f|5c)|$)/i;
/** Characters of the longest path that Linux takes. */
const MAX_PATH = 4096;

/** By its name or by itself. An address of the net is none, whatever it is called, unless it leads up. */
export function looksLikePath(leaf: Leaf): boolean {
  const { value } = leaf;
  if (typeof value !== 'string') return false;
  if (ADDRESS.test(value) && !UPWARDS.test(value)) return false;
  return (!leaf.isName && NAME.test(lastName(leaf))) || VALUE.test(value);
}

/** What a policy may name: absolute, and without a way up. */
export function isAbsolute(path: string): boolean {
  return path.startsWith('/') && !/[\\%\u0000-\u001f]/.test(path) && !path.split('/').includes('..');
}

export function normalised(path: string): string {
  const plain = posix.normalize(path);
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

/** Is it in one of these folders? Read in every way that a server might read it; `unknown` where these differ. */
export function pathTruth(value: string, folders: readonly string[]): Truth {
  const readings = value.length > MAX_PATH ? null : readingsOf(value);
  if (readings === null) return 'unknown';
  const bothOf = (path: string, all: readonly string[]): Truth[] => [
    plainTruth(path, all),
    patternTruth(path, all),
  ];
  const same = folders.map(alike);
  // Some file systems take large and small letters, or other forms of a letter, for one.
  const truths = readings.flatMap((path) => [...bothOf(path, folders), ...bothOf(alike(path), same)]);
  const [first = 'unknown'] = truths;
  return truths.every((truth) => truth === first) ? first : 'unknown';
}

/** As it stands, and with percent signs decoded once, twice, three times; null where a reading is no absolute path. */
function readingsOf(value: string): string[] | null {
  const readings: string[] = [];
  for (let text = value; readings.length < 5; ) {
    const path = text.startsWith('file:') ? fromUrl(text) : text;
    if (path === null || !path.startsWith('/') || !isPlain(path)) return null;
    readings.push(path);
    if (!text.includes('%')) return readings;
    const next = decoded(text);
    if (next === null || next === text) return readings;
    text = next;
  }
  return null;
}

/** No control characters, no backslashes, and no letters that another reader takes for a dot or a slash. */
function isPlain(path: string): boolean {
  if (/[\\\u0000-\u001f\u007f\u2044\u2215\u29f5\u29f8]/.test(path)) return false;
  const folded = path.normalize('NFKC');
  const marks = (text: string): number => text.replace(/[^./\\]/g, '').length;
  return marks(folded) === marks(path);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Without its scheme, still encoded, so that it is decoded like any other. */
function fromUrl(text: string): string | null {
  const match = /^file:(?:\/\/(?:localhost)?)?(\/.*)$/.exec(text);
  const path = match?.[1];
  return path === undefined || path.startsWith('//') || /[?#]/.test(path) ? null : path;
}

function alike(path: string): string {
  return folded(path.normalize('NFKC').replace(/\p{Default_Ignorable_Code_Point}/gu, ''));
}

/** As a pattern of names (`*`, `?`, `[…]`, `{…}`) may be meant as well: it fits only what begins as it does. */
function patternTruth(path: string, folders: readonly string[]): Truth {
  const mark = path.search(/[*?[{]/);
  if (mark === -1) return plainTruth(path, folders);
  const head = posix.normalize(path.slice(0, mark));
  if (/[/{,[]\.\.(?:[/},\]]|$)/.test(path.slice(mark))) return 'unknown';
  const above = head.slice(0, head.lastIndexOf('/')) || '/';
  if (folders.some((folder) => isBelow(above, folder))) return 'yes';
  return folders.some((folder) => `${folder}/`.startsWith(head)) ? 'unknown' : 'no';
}

/** On the way up and down again every folder has to be on the same side; else a link could have led elsewhere. */
function plainTruth(path: string, folders: readonly string[]): Truth {
  const deepest = Math.max(...folders.map((folder) => folder.split('/').length - 1));
  const stack: string[] = [];
  /** Of the root, and of each folder of the stack. */
  const within = [folders.includes('/')];
  const passed = new Set<boolean>();
  const pass = (): unknown => passed.add(within.at(-1) === true);
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') {
      stack.push(part);
      const here = stack.length <= deepest && folders.includes(`/${stack.join('/')}`);
      within.push(here || within.at(-1) === true);
      continue;
    }
    pass();
    if (stack.pop() !== undefined) within.pop();
    pass();
  }
  pass();
  if (passed.size > 1) return 'unknown';
  return passed.has(true) ? 'yes' : 'no';
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
