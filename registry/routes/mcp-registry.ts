/**
 * The MCP registry API v0.1, read-only: what VS Code, Copilot and others read without an account. Only approved releases
 * exist here; anything else is 404, because clients take 401 and 403 for a reason to block every server.
 */
import semver from 'semver';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Call, Handler, Handlers } from '../app.ts';
import { listPublic, versionsOf } from '../db/public.ts';
import type { ReleaseRow } from '../db/releases.ts';
import type { Deps } from '../deps.ts';
import { isStanding } from '../standing.ts';
import { whereItIs } from '../whereabouts.ts';

const SCHEMA = 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json';
const DEFAULT_LIMIT = 30;
const MAX_LIMIT = 100;

/** Editors read from web pages too; nothing here needs an account. */
export const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, OPTIONS',
  'access-control-allow-headers': 'Authorization, Content-Type',
};

export function mcpRegistryRoutes(deps: Deps): Handlers {
  const open =
    (handler: Handler): Handler =>
    async (call) => {
      void call.reply.headers(CORS).header('cache-control', 'public, max-age=60');
      return handler(call);
    };
  return {
    registryList: open((call) => list(call, deps)),
    registryVersions: open(async (call) => {
      const rows = await known(call, deps);
      const servers = rows.map((row) => serverResponse(row, rows));
      return { servers, metadata: { count: servers.length } };
    }),
    registryVersion: open(async (call) => {
      const rows = await known(call, deps);
      const wanted = call.param('version');
      const row =
        wanted === 'latest' ? latestOf(rows) : rows.find((candidate) => candidate.version === wanted);
      if (row) return serverResponse(row, rows);
      throw notFound(`version ${quote(wanted, 80)} of ${call.param('name')}`);
    }),
  };
}

function notFound(found: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', {
    expected: 'a server that this registry approved',
    found,
    next: 'See what is approved: GET /v0.1/servers',
  });
}

function bad(message: string): LockkeeperError {
  return new LockkeeperError('REQUEST_INVALID', {
    expected: 'parameters of the MCP registry API v0.1',
    found: message,
    next: 'Correct the request',
  });
}

/** All public versions of the named server, newest first. 404 when none is approved. */
async function known(call: Call, deps: Deps): Promise<ReleaseRow[]> {
  const name = call.param('name');
  const { include_deleted: deleted } = call.request.query as { include_deleted?: string };
  const rows = await publicVersions(deps, name, deleted === 'true');
  if (rows.length === 0) throw notFound(quote(name, 200));
  return rows.sort((a, b) => compare(b, a));
}

/** But for those whose approvals ended: their state is moved within the hour, and is not believed until then. */
async function publicVersions({ pool, trust }: Deps, name: string, deleted: boolean): Promise<ReleaseRow[]> {
  const { trusted } = await trust.current();
  const now = new Date();
  return (await versionsOf(pool, name, deleted)).filter((row) => isStanding(row, trusted, now));
}

function compare(a: ReleaseRow, b: ReleaseRow): number {
  const [x, y] = [semver.parse(a.version), semver.parse(b.version)];
  if (x && y) return semver.compare(x, y);
  return a.submitted_at.getTime() - b.submitted_at.getTime();
}

/** Highest approved version; a pre-release only where there is nothing else. */
function latestOf(rows: readonly ReleaseRow[]): ReleaseRow | undefined {
  const live = rows
    .filter((row) => row.state === 'approved' || row.state === 'deprecated')
    .sort((a, b) => compare(b, a));
  const stable = (row: ReleaseRow): boolean => (semver.prerelease(row.version) ?? []).length === 0;
  const approved = live.filter((row) => row.state === 'approved');
  return approved.find(stable) ?? approved[0] ?? live.find(stable) ?? live[0];
}

interface Cursor {
  readonly search: string | null;
  readonly version: string | null;
  readonly updatedSince: string | null;
  readonly deleted: boolean;
  readonly last: readonly [string, string];
}

async function list(call: Call, deps: Deps): Promise<unknown> {
  const query = call.request.query as Readonly<Record<string, string | undefined>>;
  const cursor = query.cursor === undefined ? null : readCursor(query.cursor);
  const filter = cursor ?? filterOf(query);
  const limit = limitOf(query.limit);
  const rows = await listPublic(deps.pool, { ...filter, after: cursor?.last ?? null, limit: limit + 1 });
  const fetched = rows.slice(0, limit);
  const { trusted } = await deps.trust.current();
  const now = new Date();
  const page = fetched.filter((row) => isStanding(row, trusted, now));
  const latest = new Map<string, ReleaseRow[]>();
  for (const name of new Set(page.map((row) => row.name)))
    latest.set(name, await publicVersions(deps, name, true));
  const all = page.map((row) => serverResponse(row, latest.get(row.name) ?? [row]));
  const servers =
    filter.version === 'latest'
      ? all.filter((item) => item._meta['io.modelcontextprotocol.registry/official'].isLatest)
      : all;
  const last = fetched.at(-1);
  const more = rows.length > limit && last;
  return {
    servers,
    metadata: {
      count: servers.length,
      ...(more
        ? {
            nextCursor: Buffer.from(JSON.stringify({ ...filter, last: [last.name, last.version] })).toString(
              'base64url',
            ),
          }
        : {}),
    },
  };
}

function filterOf(query: Readonly<Record<string, string | undefined>>): Omit<Cursor, 'last'> {
  const since = query.updated_since;
  if (
    since !== undefined &&
    (!/^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(since) || Number.isNaN(Date.parse(since)))
  ) {
    throw bad('Invalid updated_since format: expected RFC3339 timestamp (e.g., 2025-08-07T13:15:04.280Z)');
  }
  if (since !== undefined && query.include_deleted === 'false') {
    throw bad(
      'Cannot set include_deleted=false when using updated_since (incremental sync requires deleted servers)',
    );
  }
  return {
    search: query.search ?? null,
    version: query.version ?? null,
    updatedSince: since ?? null,
    deleted: since !== undefined || query.include_deleted === 'true',
  };
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  if (!/^[1-9][0-9]{0,6}$/.test(text))
    throw bad(`limit ${quote(text, 20)}, which is not a number from 1 to ${MAX_LIMIT}`);
  return Math.min(Number(text), MAX_LIMIT);
}

function readCursor(text: string): Cursor {
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Cursor;
    const textOrNull = (item: unknown): boolean => item === null || typeof item === 'string';
    const fits =
      Array.isArray(value.last) &&
      value.last.length === 2 &&
      value.last.every((item) => typeof item === 'string') &&
      typeof value.deleted === 'boolean';
    if (
      fits &&
      textOrNull(value.search) &&
      textOrNull(value.version) &&
      (value.updatedSince === null || !Number.isNaN(Date.parse(value.updatedSince)))
    )
      return value;
  } catch {
    // falls through: not one of our cursors
  }
  throw bad('a cursor that this registry did not make');
}

const STATUS: Readonly<Record<string, 'active' | 'deprecated' | 'deleted'>> = {
  approved: 'active',
  deprecated: 'deprecated',
  revoked: 'deleted',
};

interface ServerResponse {
  readonly server: object;
  readonly _meta: {
    'io.modelcontextprotocol.registry/official': { isLatest: boolean };
    [key: string]: object;
  };
}

function serverResponse(row: ReleaseRow, versions: readonly ReleaseRow[]): ServerResponse {
  const changed = row.changed_at.toISOString();
  return {
    server: {
      $schema: SCHEMA,
      name: row.name,
      description: row.description,
      version: row.version,
      ...whereItIs(row),
    },
    _meta: {
      'io.modelcontextprotocol.registry/official': {
        status: STATUS[row.state] ?? 'deleted',
        statusChangedAt: changed,
        publishedAt: row.submitted_at.toISOString(),
        updatedAt: changed,
        isLatest: latestOf(versions)?.id === row.id,
      } as { isLatest: boolean },
      'dev.lockkeeper/approval': {
        closureDigest: row.closure?.digest ?? null,
        surfaceDigest: row.surface_digest,
        approvals: row.approvals.map(({ digest }) => digest),
      },
    },
  };
}
