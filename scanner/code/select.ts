/** Which files of a package are read, and as what. */

import { posix } from 'node:path';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { MAX_FILE_BYTES, MAX_FILES, type Use } from './facts.ts';

export type Language = 'javascript' | 'python' | 'text';

export interface SourceFile {
  readonly path: string;
  readonly language: Language;
  readonly bytes: Uint8Array;
}

export interface Selection {
  readonly files: readonly SourceFile[];
  readonly native: readonly Use[];
  readonly unread: readonly { readonly path: string; readonly reason: string }[];
}

const NATIVE = /\.(?:node|wasm|so(?:\.\d+)*|dylib|dll|exe|pyd|jsc)$/;
const TEXT =
  /(?:^|\/)\.(?:npmrc|env[\w.]*|netrc|pypirc|yarnrc)$|\.(?:json|ya?ml|toml|ini|cfg|conf|pem|key|env|sh|bash|ps1|bat|cmd)$/;
const MAX_TEXT_BYTES = 512 * 1024;

/** By name, or by the first line. Declarations of types are not code. */
export function languageOf({ path, bytes }: Pick<UnpackedFile, 'path' | 'bytes'>): Language | null {
  if (/\.d\.[cm]?ts$/.test(path)) return null;
  if (/\.(?:[cm]?[jt]s|[jt]sx)$/.test(path)) return 'javascript';
  // A line of a .pth file that begins with import is run by every Python it is installed for.
  if (/\.(?:pyw?|pth)$/.test(path)) return 'python';
  if (TEXT.test(path)) return 'text';
  if (/\.\w+$/.test(path)) return null;
  const first = bytes.subarray(0, 100).toString('latin1');
  if (/^#!.*\b(?:node|bun|deno)\b/.test(first)) return 'javascript';
  return /^#!.*\bpython/.test(first) ? 'python' : null;
}

export function select(files: readonly UnpackedFile[]): Selection {
  const chosen: SourceFile[] = [];
  const native: Use[] = [];
  const unread: { path: string; reason: string }[] = [];
  const run = runByOthers(files);
  for (const { path, bytes } of files) {
    if (path.endsWith('.pyc'))
      unread.push({ path, reason: 'it is compiled Python, of which nothing can be read' });
    if (NATIVE.test(path)) native.push({ capability: 'native code', what: path, path, line: 0, excerpt: '' });
    const language = languageOf({ path, bytes }) ?? run.get(path) ?? null;
    if (language === null || (language === 'text' && bytes.length > MAX_TEXT_BYTES)) continue;
    if (bytes.length > MAX_FILE_BYTES)
      unread.push({ path, reason: `it has ${bytes.length} bytes, more than ${MAX_FILE_BYTES}` });
    else if (chosen.length >= MAX_FILES) {
      if (unread.at(-1)?.path !== '')
        unread.push({ path: '', reason: `it has more than ${MAX_FILES} files of code` });
    } else chosen.push({ path, language, bytes });
  }
  return { files: chosen, native, unread };
}

const REQUIRED =
  /\b(?:require|import)\s*\(\s*["'](\.{1,2}\/[^"'\n]{1,200})["']|\bfrom\s*["'](\.{1,2}\/[^"'\n]{1,200})["']/g;
const EXECUTED =
  /\b(?:exec|execfile|compile|run_path|run_module|spec_from_file_location|SourceFileLoader|load_source)\b[^\n]{0,300}/g;
const NAMED = /["']([\w./-]{0,200}\.\w{1,8})["']/g;

/** Files that are code because other files run them, whatever they are called: Node reads any unknown ending as JavaScript. */
function runByOthers(files: readonly UnpackedFile[]): ReadonlyMap<string, Language> {
  const paths = new Set(files.map(({ path }) => path));
  const found = new Map<string, Language>();
  for (const { path, bytes } of files) {
    const language = languageOf({ path, bytes });
    if (language === null || language === 'text' || bytes.length > MAX_FILE_BYTES) continue;
    const text = Buffer.from(bytes).toString('latin1');
    const folder = posix.dirname(path);
    const take = (name: string): void => {
      const at = posix.join(folder, name);
      if (paths.has(at) && !/\.(?:json|node)$/.test(at)) found.set(at, language);
    };
    if (language === 'javascript')
      for (const [, required, from] of text.matchAll(REQUIRED)) take(required ?? from ?? '');
    else
      for (const [line] of text.matchAll(EXECUTED))
        for (const [, name = ''] of line.matchAll(NAMED)) take(name);
  }
  return found;
}
