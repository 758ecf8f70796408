import { resolve } from 'node:path';
import semver from 'semver';
import { entriesOf, MAX_CLIENT_FILE_BYTES } from '../../scanner/targets/client-file.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { aliasOf, Intent, type IntentServer } from '../../schemas/intent.ts';
import { type Release, takesArgs } from '../../schemas/release.ts';
import { assertPermitted, inRange } from '../../schemas/request.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, list, option, type Result, text, type Values } from '../command.ts';
import { type ClientFile, clientFile, fromClient } from '../from-client.ts';
import { plain } from '../output.ts';
import { newIntent, type Project, projectOf, readIntent, readOr, writeIntent } from '../project.ts';
import { answersTo, listReleases, parseSpec, type Spec } from '../releases.ts';

export const add: Command = {
  summary: 'ask for a server in lockkeeper.json',
  words: 'NAME[@RANGE]|FILE',
  options: {
    alias: option.text('what this project calls it (default: the last part of its name)'),
    mount: option.list('/sandbox/path=./folder of this project; repeat'),
    arg: option.list('argument to append, where the release permits it; repeat'),
    env: option.list('name of a variable to pass from your environment; repeat'),
    secret: option.list(
      'NAME=file:PATH, or NAME=env for the variable of that name: given to the server as a file; repeat',
    ),
  },
  examples: [
    'lk add filesystem --mount /data=./docs',
    'lk add npm.modelcontextprotocol/server-memory@^2026.8.31 --alias notes',
    'lk add .mcp.json',
  ],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    if (CLIENT_FILE.test(spec)) return addAll(context, spec, values);
    const { name, version } = specOf(spec);
    const range = version ?? '*';
    const { project, before, api } = await asking(context, values);
    const approved = await listReleases(api, { state: 'approved' });
    const server = serverNamed(approved, name) ?? (await notApproved(api, approved, name));
    const alias = text(values, 'alias') ?? aliasOf(server);
    const known = before.servers[alias];
    const kept = known?.server === server ? known : undefined;
    const wanted = version === null && kept ? kept.range : range;
    const request = requestOf(server, wanted, { values, kept });
    const release = newestIn(approved, request);
    // The registry would refuse it at lk lock; here the file is still as it was.
    const { permissions, launch } = release;
    assertPermitted(alias, request, { permissions, projectArgs: launch !== null && takesArgs(launch) });
    const servers = { ...before.servers, [alias]: request };
    const intent = assertValid(Intent, { ...before, servers }, 'lockkeeper.json');
    await writeIntent(project, intent);
    return {
      data: { alias, request: intent.servers[alias] },
      text: [
        `${project.intentPath} now asks for ${alias}: ${server}@${wanted}.`,
        ...unmapped(request, release).map(unmappedText),
        'Next: lk lock',
      ].join('\n'),
    };
  },
};

/** The file of an MCP client, by its name: no server is called so. */
const CLIENT_FILE = /\.(?:json|jsonc|toml)$/;

/** Throws USAGE where no range stands behind the @; a package is told from a server. */
function specOf(spec: string): Spec {
  const found = parseSpec(spec);
  const source = /^(?:npm|pypi|oci|git|mcpb):|^https?:/.test(spec);
  if (!source && (found.version === null || semver.validRange(found.version) !== null)) return found;
  throw new LockkeeperError('USAGE', {
    expected: source ? 'the name of a server that was published' : 'a semver range behind the @',
    found: quote(source ? spec : (found.version ?? '')),
    next: source ? `Ask for a review with: lk publish ${spec}` : 'Such as: lk add filesystem@^2025.8.0',
  });
}

interface Asking {
  readonly project: Project;
  readonly before: Intent;
  readonly api: Api;
}

/** What the project asks for now, or a new file, and the registry that it names. */
async function asking(context: Context, values: Values): Promise<Asking> {
  const project = projectOf(context, values);
  const before = await readIntent(project).catch((error: unknown) => {
    if (error instanceof LockkeeperError && error.code === 'INTENT_MISSING')
      return newIntent(context, project, values);
    throw error;
  });
  return { project, before, api: await context.api(before.registry) };
}

/** All servers of a client's file that are approved; for the others, what asks for them. Ends with 3 where one is missing. */
async function addAll(context: Context, file: string, values: Values): Promise<Result> {
  const given = Object.keys(add.options).filter((name) => values[name] !== undefined);
  const next = 'See: lk add --help';
  if (given.length > 0)
    throw new LockkeeperError('USAGE', {
      expected: `${file} alone: what is set of one server is set by its name`,
      found: `--${given[0]}`,
      next,
    });
  const missing = (): LockkeeperError =>
    new LockkeeperError('USAGE', { expected: 'the file of an MCP client', found: `no ${file}`, next });
  const bytes = await readOr(resolve(context.cwd, file), missing, MAX_CLIENT_FILE_BYTES);
  const entries = entriesOf(file, bytes.toString('utf8'));
  const { project, before, api } = await asking(context, values);
  const approved = await listReleases(api, { state: 'approved' });
  const found = fromClient(entries, approved, before.servers);
  const requests = found.wishes.map(({ alias, request }) => [alias, request]);
  const servers = { ...before.servers, ...Object.fromEntries(requests) };
  const client = clientFile(found.wishes, project.dir);
  if (found.wishes.length > 0)
    await writeIntent(project, assertValid(Intent, { ...before, servers }, 'lockkeeper.json'));
  return {
    data: { servers: Object.fromEntries(requests), missing: found.missing, client },
    text: adoptionText(found, { file, project, client }),
    exit: found.missing.length > 0 || found.wishes.length === 0 ? 3 : 0,
  };
}

function adoptionText(
  { wishes, missing }: ReturnType<typeof fromClient>,
  { file, project, client }: { file: string; project: Project; client: ClientFile },
): string {
  const added = wishes.flatMap(({ alias, request, release, notes }) => [
    `  ${alias}: ${request.server}@${request.range}`,
    ...[...mappedTexts(request), ...notes, ...unmapped(request, release).map(unmappedText)].map(
      (note) => `    ${plain(note)}`,
    ),
  ]);
  const asked = missing.flatMap(({ alias, why, next }) => [
    `  ${alias}: ${plain(why)}`,
    `    ${plain(next)}`,
  ]);
  return [
    ...(added.length > 0
      ? [`${project.intentPath} now asks for:`, ...added]
      : [missing.length > 0 ? `No server of ${file} is approved.` : `${file} names no server.`]),
    ...(asked.length > 0 ? ['Not asked for:', ...asked] : []),
    ...(added.length > 0
      ? [`Next: lk lock, then lk adopt ${file}: these take the place of theirs in it:`, ...linesOf(client)]
      : []),
  ].join('\n');
}

function linesOf({ mcpServers }: ClientFile): string[] {
  const lines = Object.entries(mcpServers).map(([alias, entry]) => `"${alias}": ${JSON.stringify(entry)}`);
  return ['  "mcpServers": {', lines.map((line) => `    ${line}`).join(',\n'), '  }'];
}

/** What was asked for before stays, but for what is given again. */
function requestOf(
  server: string,
  range: string,
  { values, kept }: { values: Values; kept: IntentServer | undefined },
): IntentServer {
  const request: IntentServer = { server, range };
  const args = values.arg === undefined ? (kept?.args ?? []) : list(values, 'arg');
  const env = [...new Set([...(kept?.env ?? []), ...list(values, 'env')])];
  const mounts = { ...kept?.mounts, ...Object.fromEntries(list(values, 'mount').map(mountOf)) };
  const secrets = { ...kept?.secrets, ...Object.fromEntries(list(values, 'secret').map(secretOf)) };
  if (args.length) request.args = args;
  if (Object.keys(mounts).length) request.mounts = mounts;
  if (env.length) request.env = env;
  if (Object.keys(secrets).length) request.secrets = secrets;
  return request;
}

function secretOf(word: string): [string, string] {
  const at = word.indexOf('=');
  if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
  throw new LockkeeperError('USAGE', {
    expected: '--secret NAME=file:PATH or NAME=env',
    found: quote(word, 40),
    next: 'See: lk add --help',
  });
}

function newestIn(approved: readonly Release[], { server, range }: IntentServer): Release {
  const mine = approved.filter((release) => release.name === server);
  const [best] = mine
    .filter(({ version }) => inRange(version, range))
    .sort((a, b) => semver.rcompare(a.version, b.version));
  if (best) return best;
  throw new LockkeeperError('LOCK_UNRESOLVED', {
    expected: `an approved version of ${server} in ${range}`,
    found: `only ${mine.map(({ version }) => version).join(', ')}`,
    next: 'Ask for one of these, or publish another: lk publish',
  });
}

function mappedTexts({ mounts = {} }: IntentServer): string[] {
  return Object.entries(mounts).map(([target, source]) => `It is given ${source} as ${target}`);
}

function unmapped({ mounts }: IntentServer, { permissions }: Release): string[] {
  return permissions.mounts
    .map(({ target }) => target)
    .filter((target) => !Object.hasOwn(mounts ?? {}, target));
}

function unmappedText(target: string): string {
  return `It may use ${target}, which is mapped to nothing: add --mount ${target}=./FOLDER`;
}

function mountOf(word: string): [string, string] {
  const [, target, source] = /^(\/[^=]+)=(.+)$/s.exec(word) ?? [];
  if (target !== undefined && source !== undefined) return [target, source];
  throw new LockkeeperError('USAGE', {
    expected: '--mount /sandbox/path=./folder',
    found: quote(word),
    next: 'See: lk add --help',
  });
}

/** Null where not exactly one approved server has the name. */
function serverNamed(approved: readonly Release[], name: string): string | null {
  const [found, other] = new Set(
    approved.map((release) => release.name).filter((one) => answersTo({ name: one }, name)),
  );
  return found !== undefined && other === undefined ? found : null;
}

/** Says what there is in its place: several, one that waits for review, or others. */
async function notApproved(api: Api, approved: readonly Release[], name: string): Promise<never> {
  const names = [...new Set(approved.map((release) => release.name))].sort();
  const fitting = names.filter((one) => answersTo({ name: one }, name));
  const [waiting] = fitting.length
    ? []
    : (await listReleases(api, { state: 'in_review' })).filter((one) => answersTo(one, name));
  throw new LockkeeperError('NOT_FOUND', {
    expected: `one approved server called ${quote(name)}`,
    found: fitting.length
      ? `several: ${fitting.join(', ')}`
      : waiting
        ? `${waiting.name} ${waiting.version}, which waits for review`
        : names.length
          ? `approved are ${names.slice(0, 10).join(', ')}`
          : 'no approved server at all',
    next: fitting.length
      ? 'Use the whole name'
      : waiting
        ? `Ask its reviewers: lk review ${waiting.id}`
        : 'Ask for one with: lk publish npm:NAME@VERSION',
  });
}
