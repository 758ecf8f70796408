/** What JavaScript can reach, as far as its text says so plainly: modules, hosts, variables, programs, code made at run time. */
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { type Literal, readSource, type Source } from './javascript.ts';

export type Capability =
  | 'network'
  | 'programs'
  | 'environment'
  | 'dynamic code'
  | 'native code'
  | 'files'
  | 'files of the user';

export interface Use {
  readonly capability: Capability;
  /** Module, host, variable, function or file. */
  readonly what: string;
  readonly path: string;
  readonly line: number;
  readonly excerpt: string;
}

const kinds = (capability: Capability, names: string): [string, Capability][] =>
  names.split(' ').map((name) => [name, capability]);
const MODULES: ReadonlyMap<string, Capability> = new Map([
  ...kinds(
    'network',
    'http https http2 net tls dgram dns dns/promises undici axios node-fetch cross-fetch got ws superagent request needle ky nodemailer ssh2 puppeteer playwright socks',
  ),
  ...kinds('programs', 'child_process cluster worker_threads execa cross-spawn shelljs node-pty tinyexec'),
  ...kinds('dynamic code', 'vm vm2 module repl inspector isolated-vm'),
  ...kinds('files', 'fs fs/promises fs-extra graceful-fs'),
  ...kinds('native code', 'bindings node-gyp-build ffi-napi koffi'),
  ...kinds('environment', 'process'),
]);
const GLOBALS =
  /(?<![\w$.])(?:(?:globalThis|global|window|self)\s*\.\s*)?(fetch|WebSocket|EventSource|XMLHttpRequest)\s*\(/g;
const DYNAMIC =
  /(?<![\w$.])(?:(?:globalThis|global)\s*\.\s*)?(eval|Function)\s*\(|\b(setTimeout|setInterval)\s*\(\s*["'`]|\bprocess\s*\.\s*(binding|_linkedBinding|dlopen)\s*\(/g;
const IMPORT =
  /(?<![\w$.])(require|import)\s*\(\s*|(?<![\w$.])(from|import)\s*(?=["'])|\b(getBuiltinModule)\s*\(\s*/g;
const ENV = /\bprocess\s*\.\s*env\b(?:\s*\.\s*([A-Za-z_$][\w$]*)|\s*\[\s*(?=["'`]))?/g;
const HOME = /(?<![\w$])(homedir|userInfo)\s*\(/g;
const HOST = /(?:https?|wss?|ftp):\/\/([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?)/g;
const PRIVATE_FILE =
  /(?:^|\/|~\/)(\.(?:ssh|aws|gnupg|netrc|npmrc|docker|kube|git-credentials|bash_history|zsh_history)\b)|^(\/etc\/(?:passwd|shadow)|\/proc\/)/;
/** Hosts that name a vocabulary, not a place to go. */
const NAMES_ONLY =
  /^(?:(?:www\.)?json-schema\.org|(?:www\.)?w3\.org|schema\.org|schemas?\.[\w.-]+|tools\.ietf\.org|spdx\.org)$/;
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** Code that node would run: by name, or by its first line. Type declarations are not code. */
export function isSource({ path, bytes }: UnpackedFile): boolean {
  if (/\.d\.[cm]?ts$/.test(path)) return false;
  if (/\.(?:[cm]?[jt]s|[jt]sx)$/.test(path)) return true;
  return !/\.\w+$/.test(path) && /^#!.*\bnode\b/.test(bytes.subarray(0, 100).toString('latin1'));
}

export function isReadable({ bytes }: UnpackedFile): boolean {
  return bytes.length <= MAX_FILE_BYTES;
}

/** Every capability once per file, at its first place. */
export function usesIn(path: string, text: string): Use[] {
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
    for (const [, host = ''] of value.matchAll(HOST))
      if (!NAMES_ONLY.test(host)) yield ['network', host.toLowerCase(), start];
    const secret = PRIVATE_FILE.exec(value);
    if (secret) yield ['files of the user', secret[1] ?? secret[2] ?? '', start];
  }
}

function lineOf(text: string, at: number): number {
  let line = 1;
  for (let i = text.indexOf('\n'); i !== -1 && i < at; i = text.indexOf('\n', i + 1)) line++;
  return line;
}

/** At most 160 characters of the line, also of a file that is one line. */
function lineAround(text: string, at: number): string {
  const from = Math.max(text.lastIndexOf('\n', at) + 1, at - 40);
  const end = text.indexOf('\n', at);
  return text.slice(from, Math.min(end === -1 ? text.length : end, from + 160)).trim();
}
