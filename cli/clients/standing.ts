/** How each server of a client's file stands to a lock: started through it, in it, or beside it. */
import { isAbsolute, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { secretsIn } from '../../runtime/content/secrets.ts';
import type { Entry } from '../../scanner/targets/client-file.ts';
import { understand } from '../../scanner/targets/command.ts';
import { isPinned } from '../../scanner/targets/exact.ts';
import { quote } from '../../schemas/errors.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { aliasFrom, sourceOf } from '../from-client.ts';

/** A lock as far as it holds today; without one that does, nothing is under it. */
export interface LockHere {
  /** The folder of the project. */
  readonly dir: string;
  readonly servers: ReadonlyMap<string, LockEntry>;
  /** Origins of the gateway of the project, as its configuration has them. */
  readonly gateway: readonly string[];
  /** Why there is none. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export const STATES = {
  locked: 'locked',
  bypassed: 'in the lock, not run through it',
  'not-reviewed': 'not reviewed',
  unpinned: 'unpinned',
  remote: 'remote',
} as const;
export type State = keyof typeof STATES;

export interface Standing {
  readonly state: State;
  /** What it runs, in words that hold no secret. */
  readonly runs: string;
  /** What the lock calls it. */
  readonly alias: string | null;
  /** What is to be said beside that. */
  readonly why: string | null;
}

/** Where an entry is from, and the locks that it may be under. */
export interface Seen {
  /** The folder that a client starts it in, where the file says so. */
  readonly dir: string | null;
  readonly here: LockHere;
  /** Of another project. */
  readonly lockAt: (dir: string) => Promise<LockHere>;
}

/** What `lk run` in an entry says that it runs. */
interface RunWords {
  readonly alias: string;
  readonly project: string | null;
}

/** The states are told in this order: through the lock, in it, then what it is where nobody reviewed it. */
export async function standingOf(entry: Entry, seen: Seen): Promise<Standing> {
  const words = runWords(entry);
  if (words) return throughRun(entry, words, seen);
  const { here } = seen;
  if (entry.url !== null) {
    const runs = shownUrl(entry.url);
    const alias = throughGateway(entry.url, here);
    if (alias !== null) return { state: 'locked', runs, alias, why: null };
    return inLock(entry, here, runs) ?? { state: 'remote', runs, alias: null, why: null };
  }
  const meant = understand(entry.command ?? '', entry.args);
  if (typeof meant === 'string') {
    const isTold = secretsIn(meant).length === 0 && !meant.includes('://');
    const why = isTold ? meant : 'what it runs is no package of a registry';
    return { state: 'not-reviewed', runs: why, alias: null, why: null };
  }
  const pinned = isPinned(meant.spec, `${sourceOf(meant)}@${meant.spec}`);
  const version = meant.spec === '' ? ', whatever is newest' : `@${meant.spec}`;
  const runs = `${sourceOf(meant)}${version}`;
  const state = pinned ? 'not-reviewed' : 'unpinned';
  return inLock(entry, here, runs) ?? { state, runs, alias: null, why: null };
}

/** Aliases of the lock for what an entry runs without it: the same package, or the same address. Pure. */
export function aliasesFor(entry: Entry, { servers }: Pick<LockHere, 'servers'>): string[] {
  const meant = entry.url === null ? understand(entry.command ?? '', entry.args) : null;
  if (typeof meant === 'string') return [];
  const fits = (source: string): boolean =>
    meant === null ? source === entry.url : source.startsWith(`${sourceOf(meant)}@`);
  const found = [...servers].flatMap(([alias, { source }]) => (fits(source) ? [alias] : []));
  const named = aliasFrom(entry.alias);
  return found.includes(named) ? [named] : found;
}

function inLock(entry: Entry, here: LockHere, runs: string): Standing | null {
  const [alias, other] = aliasesFor(entry, here);
  if (alias === undefined) return null;
  if (other !== undefined) {
    const why = `the lock has it under several names, none of them ${quote(entry.alias, 64)}`;
    return { state: 'bypassed', runs, alias: null, why };
  }
  const version = here.servers.get(alias)?.version ?? '';
  return { state: 'bypassed', runs, alias, why: `the lock has ${version} of it as ${alias}` };
}

async function throughRun(entry: Entry, { alias, project }: RunWords, seen: Seen): Promise<Standing> {
  const runs = `lk run ${alias}`;
  const not = (why: string): Standing => ({ state: 'not-reviewed', runs, alias: null, why });
  const changing = Object.keys(entry.env).find(changesLk);
  if (changing !== undefined) return not(`${changing} would change what lk itself is`);
  const dir = project === null ? seen.dir : resolve(project);
  if (dir === null) return not('it names no --project, so that nobody can say which lock it is under');
  const lock = dir === seen.here.dir ? seen.here : await seen.lockAt(dir);
  const other = dir === seen.here.dir ? null : `under the lock of ${dir}`;
  if (lock.servers.has(alias)) return { state: 'locked', runs, alias, why: other };
  return not(
    lock.error ? `${dir} has no lock that holds: ${lock.error.code}` : `${dir} has no such server locked`,
  );
}

/** Variables that change which program `lk` is, or what it believes; none of them is for a server to ask for. */
export function changesLk(name: string): boolean {
  return /^(?:PATH|HOME|BASH_ENV|ENV|NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|(?:LD|DYLD|LOCKKEEPER)_.*)$/i.test(
    name,
  );
}

/** Options of `lk run` that change neither what is started nor under which lock. */
const ASIDE = { type: 'string' } as const;
const RUN_OPTIONS = {
  ...{ project: ASIDE, as: ASIDE, isolation: ASIDE, 'on-revoke': ASIDE, 'call-seconds': ASIDE },
};

/** Null for other words: what they mean is not guessed. A relative folder is nobody's in particular. */
export function runWords({ command, args, url }: Entry): RunWords | null {
  if (url !== null || (command !== 'lk' && command !== 'lockkeeper')) return null;
  try {
    const { positionals, values } = parseArgs({
      args: [...args],
      options: RUN_OPTIONS,
      allowPositionals: true,
    });
    const [verb, alias, ...more] = positionals;
    const { project = null } = values;
    if (verb !== 'run' || alias === undefined || more.length > 0) return null;
    return project === null || isAbsolute(project) ? { alias, project } : null;
  } catch {
    return null;
  }
}

/** By its address alone: who listens there is not asked. */
function throughGateway(url: string, { servers, gateway }: LockHere): string | null {
  if (!URL.canParse(url)) return null;
  const { origin, pathname } = new URL(url);
  if (!gateway.includes(origin) || servers.size === 0) return null;
  if (pathname === '/mcp') return '*';
  const [, alias] = /^\/servers\/([^/]+)\/mcp$/.exec(pathname) ?? [];
  return alias !== undefined && servers.has(alias) ? alias : null;
}

/** Without what keys are put into: who asks, the query, and long words of the path. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return 'an address that is none';
  const { origin, protocol, host, pathname, search } = new URL(url);
  const path = pathname.replace(/[^/]{20,}|[^/]*%[^/]*/g, '…');
  return `${origin === 'null' ? `${protocol}//${host}` : origin}${path}${search === '' ? '' : '?…'}`;
}
