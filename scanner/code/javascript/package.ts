/** All JavaScript of one package, followed across its files. */
import { posix } from 'node:path';
import type { SourceFile } from '../select.ts';
import { into } from './calls.ts';
import {
  emptyModule,
  FILE_BUDGET,
  type FlowFacts,
  type Following,
  type Module,
  OutOfBudget,
  startFollowing,
} from './follow.ts';
import { parseCode, type Tree } from './parse.ts';
import { run } from './statements.ts';

/** Bytes of one file, and of all files together that are kept as trees while a package is followed. */
const MAX_TEXT = 4 * 1024 * 1024;
const MAX_HELD = 12 * 1024 * 1024;
/** Milliseconds for a whole package. */
const MAX_MS = 15_000;
/** Words without which there is nothing to follow. */
const WORTH =
  /child_process|\bfetch\b|https?\b|axios|undici|\beval\b|\bFunction\b|\bvm\b|\bfs\b|registerTool|setRequestHandler|\.tool\(|query|execute|\bimport\(|\bopen\b|\bgot\b|execa|dns/;

/** What flows from where to where. Says which files were not followed to their end. */
export function followPackage(files: readonly SourceFile[]): FlowFacts {
  const texts = new Map<string, string>();
  const large: string[] = [];
  for (const { path, language, bytes } of files) {
    if (language !== 'javascript') continue;
    if (bytes.length > MAX_TEXT) large.push(path);
    else texts.set(path, Buffer.from(bytes).toString('utf8'));
  }
  const modules = new Map<string, Module | null>();
  let held = 0;
  const open = (path: string): Module | null => {
    const known = modules.get(path);
    const text = texts.get(path);
    if (known !== undefined || text === undefined) return known ?? null;
    modules.set(path, null);
    held += text.length;
    const tree = treeOf(path, text);
    if (!tree) return null;
    const module = emptyModule(path, text);
    modules.set(path, module);
    attempt(path, all, () =>
      run(tree.program.body, { all, module, env: module.env, depth: 0, tool: '', returns: [] }),
    );
    return module;
  };
  const all = startFollowing((from, specifier) => {
    const path = resolve(from, specifier, texts);
    return path === null ? null : open(path);
  });
  const late = performance.now() + MAX_MS;
  for (const [path, text] of texts) {
    if (!WORTH.test(text)) continue;
    if (performance.now() > late) {
      all.unfollowed.add(path);
      continue;
    }
    if (held > MAX_HELD) {
      for (const kept of [modules, all.met, all.results, all.ids]) kept.clear();
      held = 0;
    }
    all.budget = FILE_BUDGET;
    const module = open(path);
    if (module) attempt(path, all, () => rest(all, module));
  }
  return {
    flows: [...all.flows.values()],
    tools: [...all.tools].sort(),
    unfollowed: [...large, ...all.unfollowed],
  };
}

/** Functions that nobody called: each on its own, with nothing known of its arguments. */
function rest(all: Following, module: Module): void {
  for (const item of all.met.values()) {
    if (item.followed || item.module !== module) continue;
    item.followed = true;
    into(item.fn, [], { all, module, env: item.fn.env, depth: 1, tool: '', returns: [] });
  }
}

/** A file that takes too many steps, or nests too deeply, is left; the others are followed all the same. */
function attempt(path: string, all: Following, follow: () => void): void {
  try {
    follow();
  } catch (error) {
    if (!(error instanceof OutOfBudget) && !(error instanceof RangeError)) throw error;
    all.unfollowed.add(path);
  }
}

function treeOf(path: string, text: string): Tree | null {
  try {
    return parseCode(path, text);
  } catch {
    return null;
  }
}

const ENDINGS = [
  '',
  '.js',
  '.mjs',
  '.cjs',
  '.ts',
  '.mts',
  '.tsx',
  '.jsx',
  '/index.js',
  '/index.mjs',
  '/index.ts',
];

function resolve(from: string, specifier: string, texts: ReadonlyMap<string, string>): string | null {
  const path = posix.join(posix.dirname(from), specifier);
  for (const ending of ENDINGS) if (texts.has(path + ending)) return path + ending;
  const typed = path.replace(/\.([cm]?)js$/, '.$1ts');
  return texts.has(typed) ? typed : null;
}
