/** `lk login --server`: a person signs in for one locked server that runs elsewhere. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Person, signInTo, type Wish } from '../runtime/consent/flow.ts';
import { whereOf } from '../runtime/consent/grants.ts';
import { readSecret } from '../runtime/identity/secret.ts';
import { assertRemote } from '../runtime/remote/start.ts';
import { SCANS } from '../scanner/credentials.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import { isRemoteSource, type RemoteLaunch, RemoteUrl } from '../schemas/remote.ts';
import { ClientId, SecretSource } from '../schemas/upstream.ts';
import { isValid } from '../schemas/validate.ts';
import { type Context, flag, list, type Options, option, type Result, text, type Values } from './command.ts';
import { openLoopback } from './loopback.ts';
import { minute } from './output.ts';
import { openProject, projectOf } from './project.ts';
import { entryNamed } from './runtime.ts';
import { openBrowser, tunnelTo } from './sign-in.ts';
import { grantsOf } from './signed-in.ts';

export const SERVER_OPTIONS: Options = {
  server: option.text(
    'sign in for this locked server that runs elsewhere, in place of a registry; for an address, as scans of it do',
  ),
  issuer: option.text('with --server: the authorization server that you allow; nobody else is asked'),
  scope: option.list(
    'with --server: ask for this scope in place of those that the server asks for; repeat for each',
  ),
  'client-id': option.text(
    'with --server: a client that is registered there (default: one registers itself)',
  ),
  'client-secret': option.text('with --client-id: where its secret is, file:PATH or env:NAME'),
  port: option.text('with --server: the port of the way back (default: any that is free)'),
  ca: option.text(
    'with --server: file with the authorities of the authorization server, and of an address, in place of the public ones',
  ),
  private: option.flag('with --server and an address: it may lead to this machine and to private networks'),
  forget: option.flag('with --server: forget the sign-in, and show it no more'),
};

/** A person has so long in the browser, ms. */
const PATIENCE_MS = 600_000;

/** Throws what verifying the lock throws, and what `signInTo` throws; then what was kept before is kept. */
export async function signInToServer(context: Context, alias: string, values: Values): Promise<Result> {
  const ca = text(values, 'ca');
  const authorities = ca === undefined ? null : await readFile(resolve(context.cwd, ca), 'utf8');
  const { registry, launch } = isRemoteSource(alias)
    ? { registry: SCANS, launch: launchAt(alias, authorities, flag(values, 'private')) }
    : await lockedAt(context, alias, values);
  const grants = grantsOf(context.home);
  const where = whereOf(registry, launch);
  const { url } = launch;
  if (flag(values, 'forget')) {
    const forgotten = await grants.forget(where);
    return {
      data: { alias, registry, url, forgotten },
      text: forgotten ? `Forgot the sign-in for ${alias}.` : `There was no sign-in for ${alias}.`,
    };
  }
  const grant = await signInTo({
    ...{ registry, launch },
    record: async () => undefined,
    issuer: text(values, 'issuer'),
    scopes: list(values, 'scope'),
    client: await clientOf(context, values),
    ca: authorities ?? undefined,
    held: await grants.of(where),
    now: context.now,
    open: (state) => byBrowser(context, values, state),
  });
  await grants.keep(grant);
  const { issuer, scopes, until, refresh } = grant;
  const renews = refresh !== undefined;
  const end = until === null || renews ? '' : ` until ${minute(until)} UTC`;
  return {
    data: { alias, registry, url, issuer, scopes, until, renews },
    text: `Signed in for ${alias} at ${issuer}${end}.\nScopes: ${scopes.map((scope) => quote(scope)).join(', ') || '(none)'}\n${registry === SCANS ? 'Name this file to the scanner' : 'It is shown by lk run, and by a gateway to you alone'}.`,
  };
}

async function lockedAt(
  context: Context,
  alias: string,
  values: Values,
): Promise<{ registry: string; launch: RemoteLaunch }> {
  const beside = { ask: true, apart: true };
  const { intent, verified } = await openProject(context, projectOf(context, values), beside);
  return { registry: intent.registry, launch: remoteOf(alias, entryNamed(verified, alias).entry) };
}

/** For scans, before anything is pinned: whoever verifies for the name is asked. */
function launchAt(
  url: string,
  ca: string | null,
  isPrivate: boolean,
): Pick<Wish['launch'], 'url' | 'reach' | 'tls'> {
  if (!isValid(RemoteUrl, url))
    throw new LockkeeperError('USAGE', {
      expected: 'an address such as https://mcp.acme.example/mcp, without user, query and fragment',
      found: quote(url),
      next: 'See: lk login --help',
    });
  return { url, reach: isPrivate ? 'private' : 'public', tls: { ca, leaf: null } };
}

function remoteOf(alias: string, entry: LockEntry): RemoteLaunch {
  const { launch } = entry;
  if (isLocal(launch))
    throw new LockkeeperError('USAGE', {
      expected: '--server with a server that runs elsewhere',
      found: `${alias}, which runs here`,
      next: 'What it needs to know is a secret of its own: lk add NAME --secret NAME=file:PATH',
    });
  assertRemote(entry, launch);
  return launch;
}

async function clientOf(
  { config, cwd }: Context,
  values: Values,
): Promise<{ id: string; secret?: string } | undefined> {
  const [id, source] = [text(values, 'client-id'), text(values, 'client-secret')];
  if (id === undefined && source === undefined) return undefined;
  const isClient = isValid(ClientId, id);
  if (!isClient || (source !== undefined && !isValid(SecretSource, source)))
    throw new LockkeeperError('USAGE', {
      expected:
        '--client-id ID of at most 300 visible characters, with --client-secret file:PATH or env:NAME where it has one',
      found: isClient ? 'another place of the secret' : id ? quote(id, 60) : 'a secret of no client',
      next: 'See: lk login --help',
    });
  if (source === undefined) return { id };
  const what = 'the secret of the client';
  return { id, secret: await readSecret(source, { dir: cwd, environment: config.environment, what }) };
}

async function byBrowser(context: Context, values: Values, state: string): Promise<Person> {
  const shown = !flag(values, 'no-browser');
  const loopback = await openLoopback(state, { at: portOf(values), shown });
  return {
    redirect: loopback.redirect,
    close: () => loopback.close(),
    ask: (url) => {
      context.say(`Sign in here, in a browser on this machine:\n\n  ${url}\n`);
      if (shown) openBrowser(url);
      else context.say(tunnelTo(loopback.redirect));
      return loopback.wait(PATIENCE_MS);
    },
  };
}

function portOf(values: Values): number {
  const given = text(values, 'port') ?? '0';
  const port = /^\d{1,5}$/.test(given) ? Number(given) : -1;
  if (port >= 0 && port <= 65_535) return port;
  throw new LockkeeperError('USAGE', {
    expected: '--port with a number up to 65535',
    found: quote(given),
    next: 'See: lk login --help',
  });
}
