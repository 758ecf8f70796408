/** One file of JavaScript, read: what it reaches, what of it is hidden. */
import { usesByWords } from '../by-words.ts';
import type { FileFacts } from '../facts.ts';
import { hiddenIn, hiddenInText, isMinified } from '../hidden.ts';
import { secretsIn } from '../secrets.ts';
import { parseCode, type Tree } from './parse.ts';
import { usesOf } from './uses.ts';

/** What no engine would run is read by its words alone; what is nested too deeply to be read says so. */
export function readCode(path: string, text: string): FileFacts & { readonly tree: Tree | null } {
  const secrets = secretsIn(path, text);
  const rest = { secrets, minified: isMinified(text) };
  let tree: Tree;
  try {
    tree = parseCode(path, text);
  } catch (error) {
    const uses = usesByWords(path, text);
    const deep = error instanceof RangeError;
    const unread = deep ? [{ path, reason: 'it is nested too deeply' }] : [];
    return { ...rest, uses, hidden: hiddenInText(path, text), unread, tree: null };
  }
  return { ...rest, uses: usesOf(path, text, tree), hidden: hiddenIn(path, text, tree), unread: [], tree };
}
