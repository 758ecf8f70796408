/** Signing in to a container registry: as it asks for it, once, for reading one repository. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { OciRef } from '../../schemas/oci.ts';
import { type Answer, type Carrier, unreachable, type Want } from './http.ts';
import { isToken, type Login, type OciOptions } from './options.ts';

export interface Session {
  /** As `Carrier.get`, signed in where that is asked for. */
  get(url: string, want: Want): Promise<Answer>;
}

const MAX_TOKEN = 1024 * 1024;

interface World {
  readonly carrier: Carrier;
  readonly options: OciOptions;
}

export function openSession(ref: Pick<OciRef, 'host' | 'repository'>, world: World): Session {
  let authorization: Promise<string | undefined> = Promise.resolve(undefined);
  return {
    get: async (url, want) => {
      const before = authorization;
      const shown = await before;
      const answer = await world.carrier.get(url, want, shown);
      if (answer.status !== 401) return answer;
      // Whoever meets the challenge first signs in; the others wait for the same.
      if (authorization === before) authorization = signIn(answer, ref, world);
      const again = await world.carrier.get(url, want, await authorization);
      if (again.status !== 401) return again;
      throw unreachable(want.what, 'HTTP 401 after signing in');
    },
  };
}

async function signIn(
  { challenge }: Answer,
  { host, repository }: Pick<OciRef, 'host' | 'repository'>,
  { carrier, options }: World,
): Promise<string | undefined> {
  const login = await options.loginFor(host);
  const what = `a token for ${repository}`;
  const [, scheme = '', rest = ''] = /^\s*(\w+)\s+(.*)$/s.exec(challenge ?? '') ?? [];
  if (scheme.toLowerCase() === 'basic') return basic(login) ?? nobody(host);
  if (scheme.toLowerCase() !== 'bearer')
    throw unreachable(what, `the challenge ${quote(challenge ?? 'none', 200)}`);
  const { realm = '', service } = parametersOf(rest);
  const url = realmOf(realm, carrier, what);
  if (service !== undefined) url.searchParams.set('service', service);
  // What the challenge wants besides is not asked for: this reads one repository.
  url.searchParams.set('scope', `repository:${repository}:pull`);
  const shown = login !== null && !isToken(login) ? basic(login) : undefined;
  if (login !== null && isToken(login)) throw identityToken(host);
  const answer = await carrier.get(
    url.href,
    { accept: 'application/json', maxBytes: MAX_TOKEN, what },
    shown,
  );
  if (answer.status !== 200)
    throw unreachable(what, `HTTP ${answer.status}${login ? '' : ', without a login'}`);
  return `Bearer ${tokenIn(answer.body, what)}`;
}

function basic(login: Login | null): string | undefined {
  if (login === null) return undefined;
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
}

function nobody(host: string): never {
  throw unreachable(`a login for ${host}`, 'none in the configuration of Docker');
}

function identityToken(host: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `a user name and a password for ${host}`,
    found: 'an identity token, which takes a form of signing in that is not spoken here',
    next: 'Sign in with an access token as the password: docker login HOST',
  });
}

/** Over TLS, or where the registry itself is on this machine. */
function realmOf(realm: string, { base }: Carrier, what: string): URL {
  const url = URL.canParse(realm) ? new URL(realm) : null;
  const local = base.startsWith('http:');
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && local)) return url;
  throw unreachable(what, `the realm ${quote(realm, 200)}, which is no https address`);
}

/** `name="value"` pairs. */
function parametersOf(text: string): Record<string, string | undefined> {
  const found: Record<string, string> = Object.create(null);
  for (const [, name = '', quoted, plain = ''] of text.matchAll(
    /([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^",\s]+))/g,
  ))
    found[name.toLowerCase()] ??= quoted ?? plain;
  return found;
}

function tokenIn(body: Buffer, what: string): string {
  try {
    const { token, access_token: other } = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    const found = token ?? other;
    if (typeof found === 'string' && /^[\x21-\x7e]{1,100000}$/.test(found)) return found;
  } catch {
    // said below
  }
  throw unreachable(what, 'an answer without one');
}
