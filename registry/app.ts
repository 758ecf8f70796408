/** The HTTP face: strict bodies, and one place where every route of the table is registered. */
import type { IncomingMessage } from 'node:http';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { ROUTES, type RouteName } from '../schemas/api.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import type { Static, TSchema } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import { authorise, NOBODY } from './auth.ts';
import type { Actor } from './db/people.ts';
import type { Deps } from './deps.ts';
import { BUNDLE_LIMITS } from './mcp-bundles.ts';
import { type RegistryMetrics, registryMetrics } from './metrics.ts';
import { sendProblem } from './problems.ts';
import { accessRoutes } from './routes/access.ts';
import { advisoryRoutes } from './routes/advisories.ts';
import { auditRoutes } from './routes/audit.ts';
import { callRoutes } from './routes/calls.ts';
import { dashboardRoutes } from './routes/dashboard.ts';
import { evidenceRoutes } from './routes/evidence.ts';
import { fleetRoutes } from './routes/fleet.ts';
import { lockRoutes } from './routes/locks.ts';
import { logRoutes } from './routes/log.ts';
import { bundleRoutes } from './routes/mcp-bundles.ts';
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
  const metrics = registryMetrics(deps.pool);
  const handlers: Handlers = {
    metrics: async ({ reply }) => reply.type('text/plain; version=0.0.4').send(await metrics.text()),
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
    register(app, name, { handler: handlers[name], deps, metrics });
  return app;
}

function register(
  app: FastifyInstance,
  name: RouteName,
  { handler, deps, metrics }: { handler: Handler | undefined; deps: Deps; metrics: RegistryMetrics },
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
      onRequest: async (request, reply) => {
        metrics.watch(name, reply.raw);
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
