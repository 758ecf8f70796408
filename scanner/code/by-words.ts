/** What JavaScript says plainly that it reaches, by its words alone: for files that no parser takes. */
import { type Capability, lineAround, type Use } from './facts.ts';
import { type Literal, readSource, type Source } from './tokens.ts';
import { hostsIn, MODULES, privateFileIn } from './words.ts';

const GLOBALS =
  /(?<![\w$.])(?:(?:globalThis|global|window|self)\s*\.\s*)?(fetch|WebSocket|EventSource|XMLHttpRequest)\s*\(/g;
const DYNAMIC =
  /(?<![\w$.])(?:(?:globalThis|global)\s*\.\s*)?(eval|Function)\s*\(|\b(setTimeout|setInterval)\s*\(\s*["'`]|\bprocess\s*\.\s*(binding|_linkedBinding|dlopen)\s*\(/g;
const IMPORT =
  /(?<![\w$.])(require|import)\s*\(\s*|(?<![\w$.])(from|import)\s*(?=["'])|\b(getBuiltinModule)\s*\(\s*/g;
const ENV = /\bprocess\s*\.\s*env\b(?:\s*\.\s*([A-Za-z_$][\w$]*)|\s*\[\s*(?=["'`]))?/g;
const HOME = /(?<![\w$])(homedir|userInfo)\s*\(/g;

/** Every capability once per file, at its first place. */
export function usesByWords(path: string, text: string): Use[] {
  const source = readSource(text);
  const uses = new Map<string, Use>();
  for (const [capability, what, at] of found(source)) {
    const key = `${capability} ${what}`;
    const known = uses.get(key);
    if (known) continue;
    uses.set(key, { capability, what, path, line: lineOf(text, at), excerpt: lineAround(text, at) });
  }
  return [...uses.values()];
}

type Sighting = readonly [Capability, string, number];

function* found({ code, strings }: Source): Generator<Sighting> {
  const byStart = new Map<number, Literal>(strings.map((literal) => [literal.start, literal]));
  for (const match of code.matchAll(IMPORT)) {
    const literal = byStart.get(match.index + match[0].length);
    const name = literal?.value.replace(/^node:/, '');
    const capability = name === undefined ? undefined : MODULES.get(name);
    if (capability !== undefined && name !== undefined) yield [capability, name, match.index];
    else if (name?.endsWith('.node')) yield ['native code', name, match.index];
    else if (match[1] === 'import' && literal === undefined && match[0].includes('('))
      yield ['dynamic code', 'import of a computed name', match.index];
  }
  for (const match of code.matchAll(GLOBALS)) yield ['network', match[1] ?? '', match.index];
  for (const match of code.matchAll(DYNAMIC))
    yield ['dynamic code', match[1] ?? match[2] ?? match[3] ?? '', match.index];
  for (const match of code.matchAll(HOME)) yield ['files of the user', match[1] ?? '', match.index];
  for (const match of code.matchAll(ENV)) {
    const name = match[1] ?? byStart.get(match.index + match[0].length)?.value;
    yield ['environment', name ?? 'all variables', match.index];
  }
  for (const { value, start } of strings) {
    for (const host of hostsIn(value)) yield ['network', host, start];
    const secret = privateFileIn(value);
    if (secret !== null) yield ['files of the user', secret, start];
  }
}

function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) line++;
  return line;
}
