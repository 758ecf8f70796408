/** From the file of an MCP client to what a project asks for: the same servers, as they were approved. Pure. */
import semver from 'semver';
import { secretsIn } from '../runtime/content/secrets.ts';
import type { Entry } from '../scanner/targets/client-file.ts';
import { type Meant, understand } from '../scanner/targets/command.ts';
import { isFolder, placed } from '../scanner/targets/folders.ts';
import type { IntentServer } from '../schemas/intent.ts';
import { pypiName } from '../schemas/pypi.ts';
import type { Release } from '../schemas/release.ts';
import { inRange } from '../schemas/request.ts';

/** A server of the file that is approved. */
interface Wish {
  readonly alias: string;
  readonly request: IntentServer;
  readonly release: Release;
  /** What the file gives the server and the approval does not permit, in sentences. */
  readonly notes: readonly string[];
}

/** A server of the file that nothing approved stands for, and what to run. */
interface Missing {
  readonly alias: string;
  readonly why: string;
  readonly next: string;
}

/** `before`: what the project asks for already. */
export function fromClient(
  entries: readonly Entry[],
  approved: readonly Release[],
  before: Readonly<Record<string, IntentServer>> = {},
): { wishes: Wish[]; missing: Missing[] } {
  const wishes: Wish[] = [];
  const missing: Missing[] = [];
  const taken = new Set<string>();
  for (const entry of entries) {
    const found = beside(wishOf(entry, approved), before);
    const { alias } = found;
    const twice = taken.has(alias);
    taken.add(alias);
    if (twice)
      missing.push({ alias, why: 'the file has two of that name', next: 'lk add NAME --alias OTHER' });
    else if ('release' in found) wishes.push(found);
    else missing.push(found);
  }
  return { wishes, missing };
}

/** What the project said of the server stays; a name that is another server's already does not become this one's. */
function beside(found: Wish | Missing, before: Readonly<Record<string, IntentServer>>): Wish | Missing {
  const { alias } = found;
  const known = Object.hasOwn(before, alias) ? before[alias] : undefined;
  if (!known || !('release' in found)) return found;
  const { request } = found;
  const { server, range } = request;
  if (known.server !== server) {
    const why = `the project asks for ${known.server} under this name, and the file means ${server}`;
    return { alias, why, next: `lk add ${server} --alias OTHER` };
  }
  const mounts = { ...request.mounts, ...known.mounts };
  const env = [...new Set([...(known.env ?? []), ...(request.env ?? [])])];
  const secrets = { ...request.secrets, ...known.secrets };
  const kept: IntentServer = { ...known, range: range === '*' ? known.range : range };
  if (Object.keys(mounts).length > 0) kept.mounts = mounts;
  if (env.length > 0) kept.env = env;
  if (Object.keys(secrets).length > 0) kept.secrets = secrets;
  return { ...found, request: kept };
}

function wishOf(entry: Entry, approved: readonly Release[]): Wish | Missing {
  const alias = aliasFrom(entry.alias);
  if (entry.url !== null) {
    const { url } = entry;
    const [release] = newest(approved.filter(({ source }) => source === url));
    if (release) return wish(entry, { alias, release, range: '*' });
    const address = secretsIn(url).length > 0 ? 'ADDRESS' : url;
    return {
      alias,
      why: `${address} is not approved`,
      next: `lk publish ${quoted(address)} --release 1.0.0`,
    };
  }
  const meant = understand(entry.command ?? '', entry.args);
  if (typeof meant === 'string') return { alias, why: meant, next: 'lk publish --help names the sources' };
  const source = sourceOf(meant);
  const all = newest(approved.filter((one) => one.source.startsWith(`${source}@`)));
  const range = meant.spec !== '' && semver.validRange(meant.spec) !== null ? meant.spec : '*';
  const release = all.find(({ version }) => inRange(version, range));
  if (release) return wish({ ...entry, args: meant.args }, { alias, release, range });
  const [other] = all;
  if (other) {
    const why = `${source} ${range} is not approved; ${all.map(({ version }) => version).join(', ')} is`;
    return { alias, why, next: `lk add ${other.name} --alias ${alias}` };
  }
  return { alias, why: `${source} is not approved`, next: publishing(source, meant, entry) };
}

interface Found {
  readonly alias: string;
  readonly release: Release;
  readonly range: string;
}

function wish({ args, env }: Pick<Entry, 'args' | 'env'>, { alias, release, range }: Found): Wish {
  const { permissions, launch } = release;
  const request: IntentServer = { server: release.name, range };
  const command: readonly string[] = launch?.transport === 'stdio' ? launch.command : [];
  const folders = [...new Set(args.filter(isFolder))];
  const targets = permissions.mounts
    .map(({ target }) => target)
    .sort((a, b) => command.indexOf(a) - command.indexOf(b));
  const mapped = folders.length > 0 && folders.length === targets.length;
  if (mapped) request.mounts = Object.fromEntries(targets.map((target, at) => [target, folders[at] ?? '']));
  const names = Object.keys(env);
  const passed = names.filter((name) => permissions.env.includes(name));
  const secret = names.filter((name) => permissions.secrets?.includes(name));
  if (passed.length > 0) request.env = passed;
  if (secret.length > 0) request.secrets = Object.fromEntries(secret.map((name) => [name, 'env']));
  const left = names.filter((name) => ![...passed, ...secret].includes(name));
  const others = args.filter((word) => !(mapped && folders.includes(word)) && !command.includes(word));
  const notes = [
    ...left.map((name) => `${alias} is not given ${name}: the approved release takes no such variable`),
    ...(others.length > 0 ? [`${alias} is started as approved, without ${others.map(shown).join(' ')}`] : []),
  ];
  return { alias, request, release, notes };
}

/** What is approved of a package begins with it, and an @. */
export function sourceOf({ kind, name }: Pick<Meant, 'kind' | 'name'>): string {
  return `${kind}:${kind === 'pypi' ? pypiName(name) : name}`;
}

function newest(releases: readonly Release[]): Release[] {
  return [...releases].sort((a, b) => semver.rcompare(a.version, b.version));
}

/** A name that a project may have, of one in a client's file. */
export function aliasFrom(word: string): string {
  const plain = word.toLowerCase().replace(/[^a-z0-9_-]+/g, '-');
  return plain.replace(/^[^a-z0-9]+/, '').slice(0, 64) || 'server';
}

/** Secrets that stand in the file are not said again. */
function shown(word: string): string {
  return secretsIn(word).length > 0 ? '(a secret)' : word;
}

/** What asks for the package as the client starts it, with any folder in the place of its own, read-only until somebody says otherwise. */
function publishing(source: string, { spec, args }: Meant, { env }: Entry): string {
  const version = spec === '' ? '' : `@${spec}`;
  const { args: inside, targets } = placed(args);
  const words = [
    ...inside.flatMap((word) => ['--arg', secretsIn(word).length > 0 ? 'SECRET' : quoted(word)]),
    ...targets.flatMap((target) => ['--mount', `${target}:ro`]),
  ];
  const names = Object.keys(env).flatMap((name) => ['--env', quoted(name)]);
  return ['lk publish', quoted(`${source}${version}`), ...words, ...names].join(' ');
}

/** One word of a shell's line. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export interface ClientFile {
  readonly mcpServers: Readonly<
    Record<string, { readonly command: string; readonly args: readonly string[] }>
  >;
}

/** What stands in the client's file then. */
export function clientFile(wishes: readonly Wish[], dir: string): ClientFile {
  const servers = wishes.map(({ alias }) => [
    alias,
    { command: 'lk', args: ['run', alias, '--project', dir] },
  ]);
  return { mcpServers: Object.fromEntries(servers) };
}
