/** Which files of a package are read, and as what. */
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

const NATIVE = /\.(?:node|wasm|so(?:\.\d+)*|dylib|dll|exe|pyd)$/;
const TEXT =
  /(?:^|\/)\.(?:npmrc|env[\w.]*|netrc|pypirc|yarnrc)$|\.(?:json|ya?ml|toml|ini|cfg|conf|pem|key|env|sh|bash|ps1|bat|cmd)$/;
const MAX_TEXT_BYTES = 512 * 1024;

/** By name, or by the first line. Declarations of types are not code. */
export function languageOf({ path, bytes }: Pick<UnpackedFile, 'path' | 'bytes'>): Language | null {
  if (/\.d\.[cm]?ts$/.test(path)) return null;
  if (/\.(?:[cm]?[jt]s|[jt]sx)$/.test(path)) return 'javascript';
  if (/\.(?:pyw?|pth)$/.test(path)) return path.endsWith('.pth') ? 'text' : 'python';
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
  for (const { path, bytes } of files) {
    if (NATIVE.test(path)) native.push({ capability: 'native code', what: path, path, line: 0, excerpt: '' });
    const language = languageOf({ path, bytes });
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
