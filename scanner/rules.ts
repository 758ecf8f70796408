/**
 * By which rules a check judges: the digest of its own code and of all code that it calls, so that nobody can forget to say
 * that a check changed. A comment changes it as well, which costs one judgement more.
 */
import { readFile } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve } from 'node:path';
import { digestOf, sha256 } from '../schemas/json.ts';
import type { Check } from './checks/check.ts';
import { checks } from './checks/index.ts';
import { CODE_VERSION } from './code/facts.ts';

/** Digest of the rules of each check, by its id. */
export type Rules = Readonly<Record<string, string>>;

const HOME = dirname(import.meta.dirname);
const INDEX = join('scanner', 'checks', `index${extname(import.meta.filename)}`);
/** What is imported for its types alone is not there when it runs. */
const IMPORTS =
  /^(?:import|export)\s+(?!type\b)[^;']*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm;
const ID = /\bid: '(LK-[A-Z]+-[0-9]{2})'/g;

interface Module {
  readonly text: string;
  readonly imports: readonly string[];
}

let known: Promise<Rules> | null = null;

/** Of every check there is; its own files are read once in a process. */
export function rulesOfChecks(): Promise<Rules> {
  known ??= rulesIn(HOME, checks);
  return known;
}

/** Of these checks, as they read below `home`, which has the folders that this one has. */
export async function rulesIn(home: string, all: readonly Pick<Check, 'id' | 'readsCode'>[]): Promise<Rules> {
  const modules = new Map<string, Module>();
  const homes = new Map<string, string>();
  const index = join(home, INDEX);
  for (const file of (await moduleAt(index, modules)).imports)
    for (const [, id = ''] of (await moduleAt(file, modules)).text.matchAll(ID)) homes.set(id, file);
  const rules: Record<string, string> = {};
  for (const { id, readsCode } of all) {
    const reached = await reach(homes.get(id) ?? index, modules);
    const files = Object.fromEntries(
      reached.map(([file, digest]): [string, string] => [relative(home, file), digest]),
    );
    rules[id] = digestOf({ files, code: readsCode === true ? CODE_VERSION : null });
  }
  return rules;
}

/** Digest of each file that this one needs when it runs, itself among them. */
async function reach(start: string, modules: Map<string, Module>): Promise<[string, string][]> {
  const files = new Set([start]);
  for (const file of files) for (const next of (await moduleAt(file, modules)).imports) files.add(next);
  return [...files].map((file) => [file, sha256(Buffer.from(modules.get(file)?.text ?? ''))]);
}

async function moduleAt(file: string, modules: Map<string, Module>): Promise<Module> {
  const found = modules.get(file);
  if (found) return found;
  const text = await readFile(file, 'utf8');
  const imports = [...text.matchAll(IMPORTS)]
    .map(([, from, bare, lazy]) => from ?? bare ?? lazy ?? '')
    .filter((path) => path.startsWith('.'))
    .map((path) => resolve(dirname(file), path));
  const read = { text, imports };
  modules.set(file, read);
  return read;
}
