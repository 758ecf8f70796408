/** The files in which MCP clients keep their servers, read alike whoever's they are. */
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { parse as parseToml } from 'smol-toml';
import { isObject } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

/** One server as a client would start it, or connect to it. */
export interface Entry {
  readonly alias: string;
  readonly command: string | null;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly url: string | null;
  /** Values of headers that a remote server is sent. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names of members that lead to it in the file, its own last. */
  readonly place: readonly string[];
  /** The folder that it is for, where one file has those of several. */
  readonly project: string | null;
}

export const MAX_CLIENT_FILE_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 500;
/** Members that hold servers by name: most clients, VS Code and its settings, Zed, Codex, opencode. */
const SECTIONS = ['mcpServers', 'servers', 'mcp.servers', 'context_servers', 'mcp_servers', 'mcp'] as const;

export type Members = Readonly<Record<string, unknown>>;

/** In the order of the file. Throws DOCUMENT_INVALID where it cannot be read, or names too many. */
export function entriesOf(path: string, text: string): Entry[] {
  const whole = documentOf(path, text);
  // Claude Code keeps those of each project in one file of the home folder.
  const projects = Object.entries(membersOf(whole.projects));
  const entries = [
    ...entriesBelow(whole, [], null),
    ...projects.flatMap(([dir, one]) => entriesBelow(membersOf(one), ['projects', dir], dir)),
  ];
  if (entries.length <= MAX_ENTRIES) return entries;
  throw invalid(path, `at most ${MAX_ENTRIES} servers`, `${entries.length}`);
}

/** The whole file as its client reads it. Throws DOCUMENT_INVALID. */
export function documentOf(path: string, text: string): Members {
  return path.endsWith('.toml') ? tomlOf(path, text) : jsonOf(path, text);
}

function entriesBelow(members: Members, at: readonly string[], project: string | null): Entry[] {
  return SECTIONS.flatMap((name) => entriesIn(membersOf(members[name]), [...at, name], project));
}

function entriesIn(section: Members, at: readonly string[], project: string | null): Entry[] {
  const inner = membersOf(section.servers);
  // Settings of VS Code: {"mcp": {"servers": {…}}}.
  if (isServers(inner)) return entriesIn(inner, [...at, 'servers'], project);
  return Object.entries(section).flatMap(([alias, value]) => {
    const entry = entryOf(alias, membersOf(value));
    return entry === null ? [] : [{ ...entry, place: [...at, alias], project }];
  });
}

function isServers(value: Members): boolean {
  return Object.values(value).some((one) => entryOf('', membersOf(one)) !== null);
}

function entryOf(alias: string, from: Members): Omit<Entry, 'place' | 'project'> | null {
  const [first, ...rest] = [membersOf(from.command).path ?? from.command].flat();
  const url = from.url ?? from.serverUrl ?? from.httpUrl ?? from.uri;
  const command = typeof first === 'string' && first !== '' ? first : null;
  if (command === null && typeof url !== 'string') return null;
  return {
    alias,
    command,
    args: [...wordsOf(rest), ...wordsOf(membersOf(from.command).args ?? from.args)],
    env: textsOf(from.env ?? from.environment ?? membersOf(from.command).env),
    url: typeof url === 'string' ? url : null,
    headers: textsOf(from.headers ?? from.http_headers),
  };
}

export function membersOf(value: unknown): Members {
  return isObject(value) ? (value as Members) : {};
}

function wordsOf(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter((one) => ['string', 'number'].includes(typeof one)).map(String)
    : [];
}

function textsOf(value: unknown): Record<string, string> {
  const texts = Object.entries(membersOf(value)).filter(([, one]) => typeof one !== 'object');
  return Object.fromEntries(texts.map(([name, one]) => [name, String(one)]));
}

function jsonOf(path: string, text: string): Members {
  const errors: ParseError[] = [];
  const value: unknown = deepest(text) > MAX_DEPTH ? null : parse(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first) {
    const line = text.slice(0, first.offset).split('\n').length;
    const found = `${printParseErrorCode(first.error)} in line ${line}`;
    throw invalid(path, 'JSON, with comments or without', found);
  }
  if (isObject(value)) return value as Members;
  // Its words may be anybody's: a file of keys, for one.
  throw invalid(path, 'a JSON object', 'another value');
}

const MAX_DEPTH = 200;

/** Brackets that are open at once; those in strings count as well, which may only refuse more. */
function deepest(text: string): number {
  let [open, most] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x7b || code === 0x5b) most = Math.max(most, ++open);
    else if (code === 0x7d || code === 0x5d) open--;
  }
  return most;
}

function tomlOf(path: string, text: string): Members {
  try {
    return parseToml(text, { maxDepth: MAX_DEPTH });
  } catch (cause) {
    throw invalid(path, 'TOML', quote((cause as Error).message.split('\n')[0] ?? '', 120));
  }
}

function invalid(path: string, expected: string, found: string): LockkeeperError {
  return new LockkeeperError('DOCUMENT_INVALID', {
    expected: `${path} to hold ${expected}`,
    found,
    next: 'Correct the file: what its client makes of it is not guessed',
  });
}
