/** A real OpenID issuer on loopback, whose keys can be rotated and whose line can be cut; and tokens by keys of our own. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { exportJWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type GrantContext, Provider } from 'oidc-provider';
import type { Certified } from './certificates.ts';
import { letIn } from './people.ts';
import { portToKeep } from './ports.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

export interface TestIssuer {
  readonly url: string;
  /** Paths that were asked for, oldest first. */
  readonly asked: string[];
  /** A client-credentials token for a resource, with the claims of `claims`. */
  token(resource: string, scope?: string): Promise<string>;
  /** Claims that tokens carry from now on. */
  claims: Record<string, unknown>;
  /** How long access tokens live from now on, seconds. */
  life: number;
  /** Replaces the signing key. */
  rotate(): Promise<void>;
  /** From now on nobody answers, until `listen`. */
  silence(): Promise<void>;
  listen(): Promise<void>;
  close(): Promise<void>;
}

export interface IssuerSetting {
  readonly tls?: Certified;
  /** JWK of the client that signs its assertions. */
  readonly clientKey?: object;
  /** Lets people sign in, with clients of each kind; `ca` signed whoever answers for a client's own document. */
  readonly people?: { readonly redirect: string; readonly ca?: string };
}

async function signingKey(kid: string): Promise<{ jwk: object; publicKey: KeyObject }> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { jwk: { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' }, publicKey };
}

export async function startIssuer({ tls, clientKey, people }: IssuerSetting = {}): Promise<TestIssuer> {
  let answer: RequestListener = () => undefined;
  const asked: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    asked.push(new URL(request.url ?? '', 'http://x').pathname);
    answer(request, response);
  };
  const open = () =>
    tls ? createTlsServer({ key: tls.key, cert: tls.cert }, listener) : createServer(listener);
  let server = open();
  const port = await portToKeep();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  let version = 0;

  const issuer: TestIssuer = {
    url,
    asked,
    claims: {},
    life: 300,
    token: async (resource, scope = 'mcp') => {
      const form = new URLSearchParams({ grant_type: 'client_credentials', resource, scope });
      const headers = { authorization: `Basic ${btoa('ada:ada-secret')}` };
      const response = await fetch(`${url}/token`, { method: 'POST', body: form, headers });
      const { access_token: token, ...rest } = (await response.json()) as { access_token?: string };
      if (token === undefined) throw new Error(JSON.stringify(rest));
      return token;
    },
    rotate: async () => {
      const key = await signingKey(`key-${++version}`);
      answer = providerOf({ url, key, clientKey, people, said: issuer });
    },
    silence: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
    listen: async () => {
      server = open();
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    close: async () => {
      if (server.listening) await issuer.silence();
    },
  };
  await issuer.rotate();
  return issuer;
}

function providerOf(from: {
  readonly url: string;
  readonly key: { readonly jwk: object; readonly publicKey: KeyObject };
  readonly clientKey: object | undefined;
  readonly people: IssuerSetting['people'];
  readonly said: Pick<TestIssuer, 'claims' | 'life'>;
}): RequestListener {
  const common = { redirect_uris: [], response_types: [], scope: 'mcp mcp:write' };
  const grants = ['client_credentials', EXCHANGE];
  const server = (audience: string): object => ({
    audience,
    scope: 'mcp mcp:write',
    accessTokenFormat: 'jwt',
    accessTokenTTL: from.said.life,
  });
  const people = from.people ? letIn(from.people) : null;
  const provider = new Provider(from.url, {
    jwks: { keys: [from.key.jwk] },
    clients: [
      { ...common, client_id: 'ada', client_secret: 'ada-secret', grant_types: grants },
      { ...common, client_id: 'gateway', client_secret: 'gw secret/+:', grant_types: grants },
      ...(from.clientKey
        ? [
            {
              ...common,
              client_id: 'signer',
              grant_types: grants,
              token_endpoint_auth_method: 'private_key_jwt',
              jwks: { keys: [from.clientKey] },
            },
          ]
        : []),
      ...(people?.clients ?? []),
    ],
    ...people?.configuration,
    scopes: ['mcp', 'mcp:write'],
    ttl: { ClientCredentials: () => from.said.life },
    extraTokenClaims: (_ctx: unknown, token: { extra?: object }) => ({ ...from.said.claims, ...token.extra }),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: people !== null },
      ...people?.features,
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async (_ctx: unknown, resource: string) => server(resource),
      },
    },
  });
  const exchange = async (ctx: GrantContext): Promise<void> => {
    const { subject_token: subject = '', audience = 'nobody' } = ctx.oidc.params;
    const { payload } = await jwtVerify(subject, from.key.publicKey, { issuer: from.url });
    const claims = { email: payload.email, act: { sub: ctx.oidc.client.clientId } };
    const token = new provider.ClientCredentials({ client: ctx.oidc.client, scope: 'mcp', extra: claims });
    token.resourceServer = new (ResourceServerOf(provider))(audience, server(audience));
    ctx.oidc.entity('ClientCredentials', token);
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: token.expiration,
    };
  };
  provider.registerGrantType(EXCHANGE, exchange, [
    'subject_token',
    'subject_token_type',
    'requested_token_type',
    'audience',
    'scope',
  ]);
  return provider.callback();
}

function ResourceServerOf(provider: Provider): new (audience: string, info: object) => unknown {
  return (provider as unknown as { ResourceServer: new (audience: string, info: object) => unknown })
    .ResourceServer;
}

export interface OwnKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: object;
}

export async function ownKey(kid: string): Promise<OwnKey> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' },
  };
}

/** A token as an issuer would sign it with this key. */
export function signed(
  key: OwnKey,
  claims: JWTPayload,
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey);
}
