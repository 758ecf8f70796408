/** A remote server that wants a sign-in, the authorization server that it names, and a person; every answer can be changed. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Person, Wish } from '../../runtime/consent/flow.ts';
import type { RemoteLaunch } from '../../schemas/remote.ts';
import { pinsOf, type Served, serveTls, sharedTls } from './remote.ts';

export const REGISTRY = 'https://lockkeeper.acme.test';

type Said = Record<string, unknown>;

/** What each place answers; a test changes what it is about. Undefined: 404. */
export interface Answers {
  /** The header that comes with 401. */
  challenge: string | undefined;
  status: number;
  /** By path. */
  resource: Record<string, Said | string | undefined>;
  metadata: Said;
  client: Said;
  tokens: (form: URLSearchParams) => readonly [number, Said | string];
  /** What comes back to the person beside the code and the state. */
  iss: string | undefined;
}

export interface Stage {
  readonly served: Served;
  readonly launch: RemoteLaunch;
  readonly issuer: string;
  readonly says: Answers;
  /** Paths that the authorization server was asked for. */
  readonly asked: string[];
  /** Forms that came to the token endpoint. */
  readonly forms: URLSearchParams[];
  /** Addresses that the person was shown. */
  readonly shown: URL[];
  /** Tokens that the server lets in. */
  readonly good: Set<string>;
  wish(more?: Partial<Wish>): Wish;
}

/** An authorization server on loopback, closed with the test; a person's browser is sent back from it at once. */
export async function serveIssuer(
  says: () => Pick<Answers, 'metadata' | 'client' | 'tokens' | 'iss'>,
): Promise<{
  readonly issuer: string;
  readonly asked: string[];
  readonly forms: URLSearchParams[];
}> {
  const [asked, forms]: [string[], URLSearchParams[]] = [[], []];
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', issuer);
    asked.push(pathname);
    const body = await text(request);
    if (pathname === '/authorize')
      return void response.writeHead(302, { location: back(searchParams) }).end();
    let answer: readonly [number, Said | string] = [404, {}];
    if (pathname === '/.well-known/oauth-authorization-server') answer = [200, says().metadata];
    if (pathname === '/register') answer = [201, says().client];
    if (pathname === '/token') {
      const form = new URLSearchParams(body);
      forms.push(form);
      answer = says().tokens(form);
    }
    const [status, said] = answer;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(typeof said === 'string' ? said : JSON.stringify(said));
  });
  const back = (asks: URLSearchParams): string => {
    const to = new URL(asks.get('redirect_uri') ?? '');
    const { iss } = says();
    to.search = `${new URLSearchParams({ code: 'the-code', state: asks.get('state') ?? '', ...(iss ? { iss } : {}) })}`;
    return to.href;
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { issuer, asked, forms };
}

/** What an authorization server says of itself that lets clients register and has PKCE. */
export function metadataOf(issuer: string): Said {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  };
}

export async function openStage(): Promise<Stage> {
  const [shown, good] = [[], new Set()] as [URL[], Set<string>];
  const { issuer, asked, forms } = await serveIssuer(() => says);
  const served = await serveTls((request, response, body) => {
    if (request.method === 'GET') {
      const said = says.resource[request.url ?? ''];
      if (said === undefined) return void response.writeHead(404).end();
      if (typeof said === 'string') return void response.writeHead(307, { location: said }).end();
      return void response.writeHead(200).end(JSON.stringify(said));
    }
    if (!good.has(request.headers.authorization?.replace('Bearer ', '') ?? ''))
      return void response
        .writeHead(says.status, says.challenge === undefined ? {} : { 'www-authenticate': says.challenge })
        .end();
    const { id } = JSON.parse(body) as { id: string };
    const result = { protocolVersion: '2025-11-25', tools: [] };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  const says: Answers = {
    challenge: 'Bearer realm="x"',
    status: 401,
    resource: {
      '/.well-known/oauth-protected-resource/mcp': { resource: served.url, authorization_servers: [issuer] },
    },
    metadata: metadataOf(issuer),
    client: { client_id: 'made-here' },
    tokens: () => [200, { access_token: 'first', token_type: 'Bearer' }],
    iss: issuer,
  };
  const launch: RemoteLaunch = {
    transport: 'streamable-http',
    url: served.url,
    reach: 'private',
    tls: pinsOf(sharedTls().pair),
  };
  const open = async (): Promise<Person> => ({
    redirect: 'http://127.0.0.1:7/back',
    close: () => undefined,
    ask: async (url) => {
      shown.push(new URL(url));
      return { code: 'the-code', iss: says.iss };
    },
  });
  const nothing = { scopes: [], client: undefined, ca: undefined, held: null };
  const wish = (more: Partial<Wish> = {}): Wish => ({
    ...{ registry: REGISTRY, launch, issuer, ...nothing, open },
    ...{ record: async () => undefined, now: () => new Date() },
    ...more,
  });
  return { served, launch, issuer, says, asked, forms, shown, good, wish };
}
