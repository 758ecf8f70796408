/** An identity provider that says whatever a test wants, and a registry that asks it. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { buildApp } from '../../registry/app.ts';
import { openOidc } from '../../registry/oidc/open.ts';
import type { SignInConfig } from '../../schemas/sign-in.ts';
import type { TestServer } from '../setup/postgres.ts';
import { type OwnKey, ownKey } from './issuer.ts';
import {
  type Answer,
  type Body,
  startTestRegistry,
  type TestOptions,
  type TestRegistry,
} from './registry.ts';

export interface FreeProvider {
  readonly url: string;
  readonly key: OwnKey;
  /** What each address answers; a test puts its own in the place of one. */
  readonly answers: Record<string, (response: ServerResponse, form: URLSearchParams) => unknown>;
  /** Paths that were asked for, oldest first. */
  readonly asked: string[];
  /** As it was at the beginning. */
  reset(): void;
  close(): Promise<void>;
}

export async function startFreeProvider(): Promise<FreeProvider> {
  const key = await ownKey('k1');
  const asked: string[] = [];
  const answers: FreeProvider['answers'] = {};
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://p');
    asked.push(pathname);
    let body = '';
    for await (const chunk of request) body += chunk;
    const said = await answers[pathname]?.(response, new URLSearchParams(body));
    if (said === undefined && answers[pathname]) return;
    response.writeHead(said === undefined ? 404 : response.statusCode, {
      'content-type': 'application/json',
    });
    response.end(JSON.stringify(said ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const reset = (): void => {
    for (const path of Object.keys(answers)) delete answers[path];
    answers['/.well-known/openid-configuration'] = () => ({
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      device_authorization_endpoint: `${url}/device`,
      jwks_uri: `${url}/jwks`,
    });
    answers['/jwks'] = () => ({ keys: [key.jwk] });
  };
  reset();
  return {
    url,
    key,
    answers,
    asked,
    reset,
    close: async () => {
      const gone = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await gone;
    },
  };
}

export interface OidcRegistry extends TestRegistry {
  /** As `call`, from an address of its own: failures are counted by address. */
  from<Said = Body>(address: string, url: string, body: unknown): Promise<Answer<Said>>;
  /** The same registry, where another file names the provider. */
  configured(config: SignInConfig): Promise<Pick<OidcRegistry, 'from' | 'call'>>;
}

export async function startOidcRegistry(
  server: TestServer,
  config: SignInConfig,
  options: TestOptions = {},
): Promise<OidcRegistry> {
  const setting = { dir: '/', environment: {}, now: Date.now, onTrouble: () => undefined };
  const registry = await startTestRegistry(server, { ...options, oidc: await openOidc(config, setting) });
  const fromOf =
    (app: FastifyInstance): OidcRegistry['from'] =>
    async (remoteAddress, url, payload) => {
      const sent = { method: 'POST', url, remoteAddress, payload: payload as object } as const;
      const response = await app.inject(sent);
      return { status: response.statusCode, body: response.json(), headers: response.headers };
    };
  return {
    ...registry,
    from: fromOf(registry.app),
    configured: async (other) => {
      const app = await buildApp({ ...registry.deps, oidc: await openOidc(other, setting) });
      return { from: fromOf(app), call: registry.callOf(app) };
    },
  };
}
