/** The HTTP face: strict bodies, one error mapper, and one place where every route of the table is registered. */
import type { IncomingMessage } from 'node:http';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { ROUTES, type RouteName } from '../schemas/api.ts';
import { asLockkeeperError, CODES, LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { problemOf } from '../schemas/problem.ts';
import type { Static, TSchema } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import { authorise, NOBODY } from './auth.ts';
import { BUNDLE_LIMITS } from './bundles.ts';
import type { Actor } from './db/people.ts';
import type { Deps } from './deps.ts';
import { accessRoutes } from './routes/access.ts';
import { advisoryRoutes } from './routes/advisories.ts';
import { auditRoutes } from './routes/audit.ts';
import { bundleRoutes } from './routes/bundles.ts';
import { callRoutes } from './routes/calls.ts';
import { dashboardRoutes } from './routes/dashboard.ts';
import { evidenceRoutes } from './routes/evidence.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { lockRoutes } from './routes/locks.ts';
import { logRoutes } from './routes/log.ts';
import { CORS, mcpRegistryRoutes } from './routes/mcp-registry.ts';
import { peopleRoutes } from './routes/people.ts';
import { releaseRoutes } from './routes/releases.ts';
import { reviewRoutes } from './routes/reviews.ts';
import { revocationRoutes } from './routes/revocations.ts';
import { serverRoutes } from './routes/servers.ts';
import { tileRoutes } from './routes/tiles.ts';
import { trustFileRoutes } from './routes/trust-files.ts';

export interface Call {
  readonly actor: Actor;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  body<S extends TSchema>(schema: S): Static<S>;
  query<S extends TSchema>(schema: S): Static<S>;
  param(name: string): string;
}

export type Handler = (call: Call) => Promise<unknown>;
export type Handlers = Readonly<Partial<Record<RouteName, Handler>>>;

/** Bodies are small but for audit batches, locks and approvals of large closures. */
const BODY_BYTES = 64 * 1024;
/** Milliseconds in which a request has arrived, but for a bundle's. */
const BODY_MS = 60_000;
const BYTES = 'application/octet-stream';
const LARGE_BODIES: Readonly<Partial<Record<RouteName, number>>> = {
  advisoryImport: 32 * 1024 * 1024,
  advisoryCheck: 16 * 1024 * 1024,
  auditWrite: 16 * 1024 * 1024,
  lock: 4 * 1024 * 1024,
  lockCheck: 16 * 1024 * 1024,
  approve: 16 * 1024 * 1024,
  fleetReport: 1024 * 1024,
  publish: 1024 * 1024,
  rootAccept: 4 * 1024 * 1024,
};

/** Whom `authorise` let in, by request. */
const callers = new WeakMap<FastifyRequest, Actor>();

/** Builds the app that production and tests share. Throws when a row of the table has no handler, or two. */
export async function buildApp(deps: Deps): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: deps.log as FastifyBaseLogger,
    bodyLimit: BODY_BYTES,
    requestTimeout: BUNDLE_LIMITS.uploadMs + BODY_MS,
    routerOptions: { maxParamLength: 400, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    logController: new LogController({ disableRequestLogging: true }),
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, bytes: Buffer) =>
      parseStrict(bodyFor(request, bytes, 'application/json')),
  );
  // As a stream: nobody holds a bundle in memory, and its route bounds what it reads.
  app.addContentTypeParser(BYTES, async (request: FastifyRequest, stream: IncomingMessage) =>
    bodyFor(request, stream, BYTES),
  );
  app.addHook('onRequest', async ({ raw, routeOptions }) => {
    if (routeOptions.url === ROUTES.bundle.path) return;
    const timer = setTimeout(() => raw.destroy(), BODY_MS).unref();
    raw.once('close', () => clearTimeout(timer));
  });
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      new LockkeeperError('NOT_FOUND', {
        expected: 'a route of this registry',
        found: `${request.method} ${quote(request.url, 100)}`,
        next: 'Check the address',
      }),
      request,
      reply,
    ),
  );
  const handlers: Handlers = {
    ...accessRoutes(deps),
    ...peopleRoutes(deps),
    ...releaseRoutes(deps),
    ...bundleRoutes(deps),
    ...serverRoutes(deps),
    ...reviewRoutes(deps),
    ...revocationRoutes(app, deps),
    ...lockRoutes(deps),
    ...auditRoutes(deps),
    ...callRoutes(app, deps),
    ...fleetRoutes(deps),
    ...evidenceRoutes(deps),
    ...advisoryRoutes(deps),
    ...trustFileRoutes(deps),
    ...logRoutes(deps),
    ...tileRoutes(deps),
    ...mcpRegistryRoutes(deps),
    ...dashboardRoutes(app),
  };
  app.options('/v0.1/*', (_request, reply) => reply.code(204).headers(CORS).send());
  for (const name of Object.keys(ROUTES) as RouteName[])
    register(app, name, { handler: handlers[name], deps });
  return app;
}

function register(
  app: FastifyInstance,
  name: RouteName,
  { handler, deps }: { handler: Handler | undefined; deps: Deps },
): void {
  if (!handler) throw new Error(`no handler for the route ${name}`);
  const { method, path } = ROUTES[name];
  // Proxies decode %2F: the two parts of a server's name may arrive as two.
  const urls =
    path.startsWith('/v0.1/') && path.includes(':name')
      ? [path, path.replace(':name', ':namespace/:base')]
      : [path];
  for (const url of urls)
    app.route({
      method,
      url,
      bodyLimit: LARGE_BODIES[name] ?? BODY_BYTES,
      // Who calls is settled before a byte of the body is read.
      onRequest: async (request) => {
        if (/%00/.test(request.url)) throw nulInAddress();
        callers.set(request, await authorise(request, name, deps.pool));
      },
      handler: async (request, reply) => {
        const actor = callers.get(request) ?? NOBODY;
        return handler({
          actor,
          request,
          reply,
          body: (schema) =>
            assertValid(schema, request.body, `the body of ${method} ${path}`, 'REQUEST_INVALID'),
          query: (schema) =>
            assertValid(
              schema,
              { ...(request.query as object) },
              `the query of ${method} ${path}`,
              'REQUEST_INVALID',
            ),
          param: (param) => paramOf(request, param),
        });
      },
    });
}

/** One route takes bytes; every other one takes JSON. */
function bodyFor<T>({ routeOptions }: FastifyRequest, bytes: T, type: string): T {
  const wanted = routeOptions.url === ROUTES.bundle.path ? BYTES : 'application/json';
  if (type === wanted) return bytes;
  throw new LockkeeperError('REQUEST_INVALID', {
    expected: `a body of the type ${wanted}`,
    found: type,
    next: 'Correct the request',
  });
}

function paramOf(request: FastifyRequest, name: string): string {
  const params = request.params as Record<string, string>;
  return params[name] ?? (name === 'name' ? `${params.namespace}/${params.base}` : '');
}

function nulInAddress(): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', {
    expected: 'an address without NUL',
    found: 'one',
    next: 'Correct the request',
  });
}

/** One mapper for everything that is thrown. What is not ours is 500 without its inside; the log has the rest. */
function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = known4xx(error) ?? asLockkeeperError(error);
  if (known.status >= 500) request.log.error({ err: error }, 'request failed');
  // Paths, and what programs said, stay on this machine.
  const shown =
    known.code === 'INTERNAL' || known.code === 'SIGNER_FAILED'
      ? new LockkeeperError(known.code, {
          expected: 'no failure',
          found: `one with the request id ${request.id}`,
          next: 'Report it with that id; the registry’s log has more',
        })
      : known;
  return reply
    .code(shown.status)
    .header('cache-control', 'no-store')
    .header('access-control-allow-origin', '*')
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(shown, CODES[shown.code].title)));
}

function badValue(): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', {
    expected: 'values that can be stored: dates that exist, texts without NUL',
    found: 'one that cannot',
    next: 'Correct the request',
  });
}

/** Fastify's own refusals of a request, in our words. */
function known4xx(error: unknown): LockkeeperError | null {
  if (error instanceof LockkeeperError) return error;
  const {
    statusCode,
    message,
    code: cause,
  } = error as { statusCode?: number; message?: string; code?: string };
  // What PostgreSQL says of values, not of itself: class 22 is data, 54000 a text too long for an index.
  if (typeof cause === 'string' && /^(?:22...|54000)$/.test(cause)) return badValue();
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return null;
  const code = statusCode === 413 ? 'FRAME_TOO_LARGE' : 'REQUEST_INVALID';
  return new LockkeeperError(code, {
    expected: 'a request this registry reads: JSON within this route’s limit',
    found: quote(message ?? '', 200),
    next: 'Correct the request',
  });
}
