/** What becomes of each server of a client's file when it is adopted, and what is to be said of it. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { isSecretMember, secretsIn } from '../../runtime/content/secrets.ts';
import { documentOf, type Entry, type Members, membersOf } from '../../scanner/targets/client-file.ts';
import { understand } from '../../scanner/targets/command.ts';
import { isFolder } from '../../scanner/targets/folders.ts';
import { addressIn } from '../../scanner/targets/places.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { quoted } from '../from-client.ts';
import { isSecretWord } from '../scan/targets.ts';
import { adopted, type Change } from './rewrite.ts';
import { changesLk, type LockHere, STATES, type Standing, shownUrl } from './standing.ts';

/** `change`: null where the entry stays as it is. */
export interface Planned {
  readonly name: string;
  readonly outcome: 'adopted' | 'already' | 'refused';
  readonly alias: string | null;
  readonly change: Change | null;
  /** What the server no longer gets, or gets in another way, in sentences. */
  readonly notes: readonly string[];
  /** Why it is refused, and what to run. */
  readonly why: string | null;
  readonly next: string | null;
  /** Members that differ, before and after, without any value that may be secret. */
  readonly minus: readonly string[];
  readonly plus: readonly string[];
}

const STAYS = { change: null, notes: [], why: null, next: null, minus: [], plus: [] } as const;

interface In {
  /** As it is shown, and as it is read. */
  readonly file: string;
  readonly text: string;
  readonly lock: LockHere;
  /** Address of a gateway that is called in the place of `lk run`. */
  readonly gateway: string | null;
}

/** An entry that runs through a lock stays as it is, and so does one that this lock has not. */
export function planOf(entry: Entry, standing: Standing, { file, text, lock, gateway }: In): Planned {
  const { alias: name } = entry;
  const { state, alias, why } = standing;
  const isRunHere = entry.url === null && why === null;
  if (state === 'locked' && !(gateway && isRunHere)) return { ...STAYS, name, outcome: 'already', alias };
  const refused = (because: string, next: string): Planned => ({
    ...STAYS,
    ...{ name, outcome: 'refused', alias: null, why: because, next },
  });
  const locked = alias === null ? undefined : lock.servers.get(alias);
  if (alias === null || locked === undefined) {
    if (state === 'bypassed') return refused(why ?? STATES[state], `Give it one of these names in ${file}`);
    return refused(why ?? 'it is not in the lock', `lk add ${quoted(file)}, then lk lock`);
  }
  if (entry.url !== null && entry.command !== null)
    return refused('it names a command and an address', `Take one of them out of ${file}`);
  const address = gateway === null ? null : addressIn(file);
  if (gateway !== null && address === null)
    return refused(
      'its client takes no address from this file',
      `lk adopt ${quoted(file)}, without --gateway`,
    );
  const url = `${gateway}/servers/${alias}/mcp`;
  const { dropped, notes } = address ? calledNotes(entry, url, lock) : variablesOf(entry, alias, locked);
  const to = address ? { url, address } : { words: ['run', alias, '--project', lock.dir] };
  const change = { entry, to, dropped };
  const before = entry.place.reduce<Members>((at, one) => membersOf(at[one]), documentOf(file, text));
  const after = adopted(before, change);
  return {
    ...{ name, outcome: 'adopted', alias, change, why: null, next: null },
    notes: [...otherVersion(entry, alias, locked), ...notes, ...leftOut(entry, alias, locked)],
    minus: changed(before, after),
    plus: changed(after, before),
  };
}

/** `lk run` takes variables from its own environment, which the client gives it; those of no use to the server go. */
function variablesOf(
  { env }: Entry,
  alias: string,
  { request, permissions }: LockEntry,
): { dropped: string[]; notes: string[] } {
  const [dropped, notes]: [string[], string[]] = [[], []];
  const targets = permissions.mounts.map(({ target }) => target);
  for (const [name, value] of Object.entries(env)) {
    const secret = request.secrets?.[name];
    const permitted = permissions.env.includes(name) || permissions.secrets?.includes(name);
    const file = secret?.startsWith('file:') ? secret.slice(5) : null;
    if (changesLk(name)) notes.push(`${name} goes: it would change what lk itself is`);
    else if (file !== null) notes.push(`${name} goes: ${alias} reads it from ${file}`);
    else if (!permitted) notes.push(`${name} goes: the locked release takes no such variable`);
    else {
      const isAsked = request.env?.includes(name) || secret === 'env';
      const how = permissions.secrets?.includes(name) ? `--secret ${name}=env` : `--env ${name}`;
      if (!isAsked)
        notes.push(`${name} stays, and reaches the server after: lk add ${alias} ${how}, then lk lock`);
      if (isFolder(value) && !targets.some((target) => value.startsWith(target)))
        notes.push(
          `${name} is a path of this machine: in the sandbox there is ${targets.join(', ') || 'no folder of it'}`,
        );
      if (isSecretMember(name, value) || secretsIn(`${name}=${value}`).length > 0)
        notes.push(`${name} is a secret that stands in the file itself, as before`);
      continue;
    }
    dropped.push(name);
  }
  return { dropped, notes };
}

/** A gateway starts its servers with what is its own. */
function calledNotes(
  { env }: Entry,
  url: string,
  { gateway }: LockHere,
): { dropped: string[]; notes: string[] } {
  const names = Object.keys(env);
  const notes = [
    ...names.map((name) => `${name} goes: the gateway's own environment has it, or not`),
    ...(gateway.includes(new URL(url).origin)
      ? []
      : ['lk discover knows that address once lockkeeper.gateway.json has it (docs/gateway.md)']),
  ];
  return { dropped: names, notes };
}

function otherVersion(entry: Entry, alias: string, { version }: LockEntry): string[] {
  const meant = entry.url === null ? understand(entry.command ?? '', entry.args) : '';
  if (typeof meant === 'string' || meant.spec === '' || meant.spec === version) return [];
  return [`${alias} is ${version}, as locked, in the place of ${meant.spec}`];
}

/** Headers, and arguments that neither the approved command nor the project has. */
function leftOut(entry: Entry, alias: string, { launch, request }: LockEntry): string[] {
  const headers = Object.keys(entry.headers).map(
    (name) => `the header ${name} goes: what ${alias} is shown is not in a client's file (docs/identity.md)`,
  );
  const meant = entry.url === null ? understand(entry.command ?? '', entry.args) : '';
  if (typeof meant === 'string') return headers;
  const command: readonly string[] = launch.transport === 'stdio' ? launch.command : [];
  const known = [...command, ...(request.args ?? []), ...Object.values(request.mounts ?? {})];
  const others = meant.args.flatMap((word, at) =>
    known.includes(word) ? [] : [isSecretWord(meant.args, at) ? '(a secret)' : word],
  );
  return others.length === 0
    ? headers
    : [...headers, `${alias} is started as locked, without ${others.join(' ')}`];
}

function changed(one: Members, other: Members): string[] {
  return Object.entries(one)
    .filter(([name, value]) => !isDeepStrictEqual(value, other[name]))
    .map(([name, value]) => `${JSON.stringify(name)}: ${shown(name, value)}`);
}

const NAMES_ALONE = /^(?:env|environment|headers|http_headers)$/;

function shown(name: string, value: unknown): string {
  if (Array.isArray(value)) {
    const words = value.map(String);
    return `[${words.map((word, at) => (isSecretWord(words, at) ? '…' : JSON.stringify(word))).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const inner = Object.entries(value).map(
      ([key, one]) => `${JSON.stringify(key)}: ${NAMES_ALONE.test(name) ? '…' : shown(key, one)}`,
    );
    return `{${inner.join(', ')}}`;
  }
  if (typeof value !== 'string') return JSON.stringify(value);
  if (value.includes('://')) return JSON.stringify(shownUrl(value));
  return secretsIn(value).length > 0 ? '…' : JSON.stringify(value);
}
