/** A client's file with some of its servers started by `lk run`, and every other byte as it was. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { documentOf, type Entry, type Members, membersOf } from '../../scanner/targets/client-file.ts';
import type { Address } from '../../scanner/targets/places.ts';
import { jsonSplices } from './json.ts';
import { type Rewriting, spliced, unclear } from './splices.ts';
import { tomlSplices } from './toml.ts';

interface Started {
  /** Words behind `lk`. */
  readonly words: readonly string[];
}

interface Called {
  readonly url: string;
  readonly address: Address;
}

/** What becomes of one entry. */
export interface Change {
  readonly entry: Entry;
  readonly to: Started | Called;
  /** Names of variables that go. */
  readonly dropped: readonly string[];
}

const ADDRESSES = ['url', 'serverUrl', 'httpUrl', 'uri'];
const HEADERS = ['headers', 'http_headers'];
/** Codex refuses a whole file where one of them stands beside a command. */
const OF_ADDRESSES = ['bearer_token', 'bearer_token_env_var', 'env_http_headers', 'oauth', 'oauth_resource'];
const VARIABLES = ['env', 'environment'];
const OF_COMMANDS = ['command', 'args', 'cwd', 'env_vars', 'envFile', ...VARIABLES];

/** JSON or TOML. Throws DOCUMENT_INVALID where what would be written does not say exactly what was meant. */
export function rewritten(path: string, text: string, changes: readonly Change[]): string {
  const whole = documentOf(path, text);
  const each = changes.map((change) => {
    const { place } = change.entry;
    const before = place.reduce<Members>((at, name) => membersOf(at[name]), whole);
    return { place, before, after: adopted(before, change) };
  });
  const splices = path.endsWith('.toml') ? tomlSplices(path, text, each) : jsonSplices(path, text, each);
  const after = spliced(text, splices);
  if (says(path, after, { whole, each })) return after;
  throw unclear(path, changes.map(({ entry }) => entry.alias).join(', '));
}

interface Meant {
  readonly whole: Members;
  readonly each: readonly Rewriting[];
}

/** Whether a text means what is meant. The objects of the two parsers are not of one kind. */
function says(path: string, text: string, { whole, each }: Meant): boolean {
  try {
    const meant = structuredClone(whole) as Record<string, unknown>;
    for (const { place, after } of each) {
      const around = place.slice(0, -1).reduce((at, name) => at[name] as typeof at, meant);
      around[place.at(-1) ?? ''] = structuredClone(after);
    }
    return isDeepStrictEqual(structuredClone(documentOf(path, text)), meant);
  } catch {
    return false;
  }
}

/** An entry's members afterwards, as its client reads them. */
export function adopted(before: Members, { entry, to, dropped }: Change): Members {
  if ('url' in to) return called(before, to);
  const { words } = to;
  const { command } = before;
  const nested = membersOf(command);
  const isList = Array.isArray(command) || (command === undefined && entry.place.at(-2) === 'mcp');
  const gone = [...ADDRESSES, ...HEADERS, ...OF_ADDRESSES];
  const after: Record<string, unknown> = Object.fromEntries(
    Object.entries(before).filter(([name]) => !gone.includes(name)),
  );
  if (isList) after.command = ['lk', ...words];
  else if ('path' in nested)
    after.command = { ...withoutNames(nested, dropped), path: 'lk', args: [...words] };
  else Object.assign(after, { command: 'lk', args: [...words] });
  if (typeof before.type === 'string' && !['stdio', 'local'].includes(before.type))
    after.type = isList ? 'local' : 'stdio';
  return withoutNames(after, dropped);
}

/** What is shown to the server is the gateway's own, and so is what it is started with. */
function called(before: Members, { url, address: { member, type } }: Called): Members {
  const gone = [...ADDRESSES, ...HEADERS, ...OF_ADDRESSES, ...OF_COMMANDS, 'type'];
  const stays = (name: string): boolean =>
    name === member || (name === 'type' && type !== undefined) || !gone.includes(name);
  const kept = Object.entries(before).filter(([name]) => stays(name));
  return { ...Object.fromEntries(kept), ...(type === undefined ? {} : { type }), [member]: url };
}

function withoutNames(members: Members, dropped: readonly string[]): Members {
  const kept = Object.entries(members).map(([name, value]) => {
    if (!VARIABLES.includes(name) || dropped.length === 0) return [name, value];
    return [
      name,
      Object.fromEntries(Object.entries(membersOf(value)).filter(([one]) => !dropped.includes(one))),
    ];
  });
  return Object.fromEntries(kept);
}
