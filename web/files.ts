/**
 * The dashboard's files for a server, read once. In the repository TypeScript is stripped here, so that the page needs
 * no build; a published package has them compiled.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

export interface PageFiles {
  /** The one page. */
  readonly page: PageFile;
  /** What the page asks for, by address. */
  readonly assets: ReadonlyMap<string, PageFile>;
}

const FOLDER = new URL('./', import.meta.url);
/** Of what is served as it stands. */
const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Headers of every answer: no frame, no foreign script, no guessing of types, nothing kept in a cache unasked. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-cache',
};

function read(name: string): string {
  return readFileSync(new URL(name, FOLDER), 'utf8');
}

/** This module is the server's; the page never loads it. */
function isScript(name: string): boolean {
  return /^[a-z]+\.(?:ts|js)$/.test(name) && !name.startsWith('files.');
}

function scriptText(name: string): string {
  if (name.endsWith('.js')) return read(name);
  return stripTypeScriptTypes(read(name)).replaceAll(/from '\.\/([a-z]+)\.ts'/g, "from './$1.js'");
}

export function pageFiles(): PageFiles {
  const assets = new Map<string, PageFile>();
  const names = readdirSync(FOLDER);
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (type !== undefined) assets.set(`/assets/${name}`, { type, text: read(name) });
  }
  for (const name of names.filter(isScript)) {
    const address = `/assets/${name.replace(/\.ts$/, '.js')}`;
    assets.set(address, { type: 'text/javascript; charset=utf-8', text: scriptText(name) });
  }
  return { page: { type: 'text/html; charset=utf-8', text: read('index.html') }, assets };
}
