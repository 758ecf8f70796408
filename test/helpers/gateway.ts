/** A gateway on loopback before scripted servers, and a client that speaks plain HTTP to it. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallApprovals, NOBODY_TO_ASK } from '../../runtime/gate/people.ts';
import { allDoor } from '../../runtime/gateway/all/door.ts';
import { type DoorOptions, serverDoor } from '../../runtime/gateway/door.ts';
import { type InstanceLimits, Instances } from '../../runtime/gateway/instances.ts';
import { type Door, type GatewayLimits, type GatewayOptions, LIMITS } from '../../runtime/gateway/ports.ts';
import { type Gateway, openGateway } from '../../runtime/gateway/server.ts';
import { type Journal, openJournal } from '../../runtime/journal/journal.ts';
import { Breakers } from '../../runtime/lifecycle/breakers.ts';
import { openPolicy, type Policy } from '../../runtime/policy/open.ts';
import { FlowMemories } from '../../runtime/policy/remembered.ts';
import type { RunningServer } from '../../runtime/ports.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { sha256 } from '../../schemas/json.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { recordsAtRest } from './journals.ts';
import { capture, INITIALIZE, plainProcess, SCRIPTED, tempDir } from './session.ts';
import { makeEntry } from './trust.ts';
import { PATIENCE_MS } from './wait.ts';

const digest = `sha256:${'a'.repeat(64)}` as const;

export interface GatewaySetup {
  /** Script of the server behind each alias. */
  readonly servers?: Readonly<Record<string, string>>;
  readonly surface?: (surface: Surface) => Surface;
  readonly limits?: Partial<GatewayLimits>;
  /** Lines of the lock's policy. Default: everything to everyone. */
  readonly policy?: string;
  /** What is judged by in its place. */
  readonly wrapped?: (policy: Policy) => Policy;
  readonly approvals?: CallApprovals;
  readonly instances?: InstanceLimits;
  readonly idleMs?: number;
  readonly handshakeMs?: number;
  readonly options?: Partial<GatewayOptions>;
  readonly start?: (alias: string, log: string) => Promise<RunningServer>;
  /** Of every server's door. */
  readonly door?: Partial<DoorOptions>;
  readonly doors?: (doors: Map<string, Door>) => void;
  /** How long one server may take for what all are asked, ms. */
  readonly askMs?: number;
  /** Where it keeps its journal. Default: a new folder. */
  readonly dir?: string;
  /** Of another server than the scripted one. */
  readonly captured?: Surface;
  /** By alias, of servers that are not like the others. */
  readonly each?: Readonly<Record<string, Surface>>;
  /** What it writes to in place of its journal. */
  readonly journal?: (journal: Journal) => Journal;
}

export interface RunningGateway extends Gateway {
  readonly dir: string;
  readonly doors: ReadonlyMap<string, Door>;
  readonly journal: Journal;
  readonly processes: RunningServer[];
  readonly refusals: string[];
  readonly said: string[];
  log(alias: string): string;
  records(): Promise<AuditBody[]>;
}

/** The caller is who the test header says: the ways to prove it have tests of their own. */
export async function startGateway(setup: GatewaySetup = {}): Promise<RunningGateway> {
  const captured = setup.captured ?? (await capture([SCRIPTED]));
  const surface = setup.surface?.(structuredClone(captured)) ?? captured;
  const dir = setup.dir ?? tempDir();
  const opened = await openJournal(join(dir, 'journal'));
  const journal = setup.journal?.(opened) ?? opened;
  const processes: RunningServer[] = [];
  const refusals: string[] = [];
  const said: string[] = [];
  const instances = new Instances(setup.instances);
  const memories = new FlowMemories({ dir: join(dir, 'flows'), lookMs: 1000 });
  const doors = new Map<string, Door>();
  const log = (alias: string): string => join(dir, `calls-${alias}`);
  const servers = Object.entries(setup.servers ?? { weather: 'good' });
  const surfaceOf = (alias: string): Surface => setup.each?.[alias] ?? surface;
  const entryOf = (alias: string): LockEntry => ({
    ...makeEntry(),
    surface: pinSurface(surfaceOf(alias)),
    approvedBy: ['alice', 'bob'],
    approvals: [],
  });
  const text = setup.policy ?? 'everyone: all locked tools\n';
  const policy = (setup.wrapped ?? ((made) => made))(
    openPolicy({
      text,
      digest: sha256(text),
      environment: 'development',
      entries: new Map(servers.map(([alias]) => [alias, entryOf(alias)])),
      surfaces: new Map(servers.map(([alias]) => [alias, surfaceOf(alias)])),
    }),
  );
  for (const [alias, how] of servers) {
    const entry = entryOf(alias);
    const { server, version } = entry;
    const start = async (): Promise<RunningServer> => {
      const child = await (setup.start
        ? setup.start(alias, log(alias))
        : plainProcess([SCRIPTED, how, log(alias)]));
      processes.push(child);
      return child;
    };
    const subject = {
      server,
      version,
      lock: digest,
      closure: digest,
      surface: entry.surface.digest as typeof digest,
      approvedBy: ['alice', 'bob'],
    };
    const door = serverDoor({
      alias,
      policy,
      approvals: setup.approvals ?? NOBODY_TO_ASK,
      entry,
      subject,
      surface: surfaceOf(alias),
      lockExpires: () => Number.POSITIVE_INFINITY,
      journal,
      startFor: () => start,
      handshakeMs: setup.handshakeMs ?? PATIENCE_MS,
      say: (line) => void said.push(line),
      breakers: new Breakers(),
      memories,
      keeping: { probes: null, idleMs: setup.idleMs ?? null },
      instances,
      tell: () => ({}),
      ...setup.door,
    });
    doors.set(`/servers/${alias}/mcp`, door);
  }
  const surfaces = new Map(servers.map(([alias]) => [alias, surfaceOf(alias)]));
  const each = new Map(servers.map(([alias]) => [alias, doors.get(`/servers/${alias}/mcp`)]));
  const every = new Map([...each].flatMap(([alias, door]) => (door ? [[alias, door] as const] : [])));
  const asked = setup.askMs === undefined ? {} : { askMs: setup.askMs };
  doors.set('/mcp', allDoor({ doors: every, surfaces, refused: new Map(), journal, ...asked }).door);
  setup.doors?.(doors);
  const gateway = await openGateway({
    host: '127.0.0.1',
    port: 0,
    hosts: [],
    origins: [],
    doors,
    identify: async ({ headers }) => {
      const user = String(headers['x-user'] ?? 'erin');
      const servers = headers['x-servers'] === undefined ? null : String(headers['x-servers']).split(',');
      const teams = headers['x-teams'] === undefined ? [] : String(headers['x-teams']).split(',');
      const caller = { user, teams, via: 'token', actors: [] } as const;
      const principal = String(headers['x-credential'] ?? user);
      return { caller, servers, principal, expires: null };
    },
    plain: (path) => (path === '/healthz' ? { status: 200, type: 'text/plain', body: 'ok\n' } : null),
    limits: { ...LIMITS, ...setup.limits },
    refused: (error) => void refusals.push(error.code),
    say: (line) => void said.push(line),
    ...setup.options,
  });
  return {
    url: gateway.url,
    get sessions() {
      return gateway.sessions;
    },
    replace: (next) => gateway.replace(next),
    close: () => gateway.close(),
    dir,
    doors,
    journal,
    processes,
    refusals,
    said,
    log,
    records: () => recordsAtRest(journal, join(dir, 'journal')),
  };
}

/** The log of calls that these servers keep, as one text. */
export const callsIn = ({ log }: RunningGateway, ...aliases: readonly string[]): string =>
  aliases.map((alias) => (existsSync(log(alias)) ? readFileSync(log(alias), 'utf8') : '')).join('');

export const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

export function post(
  url: string,
  message: JsonObject | string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { ...JSON_HEADERS, ...headers },
    body: typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...message }),
    ...(signal ? { signal } : {}),
  });
}

export interface HttpClient {
  readonly session: string;
  readonly headers: Record<string, string>;
  request(id: number | string, method: string, params?: JsonObject): Promise<JsonObject[]>;
  post(message: JsonObject, signal?: AbortSignal): Promise<Response>;
}

/** A greeted session. `request` gives every message that came for it, the answer last. */
export async function httpClient(
  url: string,
  headers: Record<string, string> = {},
  capabilities: JsonObject = {},
): Promise<HttpClient> {
  const params = { ...INITIALIZE, protocolVersion: '2025-11-25', capabilities };
  const greeted = await post(url, { id: 0, method: 'initialize', params }, headers);
  const session = greeted.headers.get('mcp-session-id') ?? '';
  await greeted.text();
  const own = { ...headers, 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' };
  const client: HttpClient = {
    session,
    headers: own,
    post: (message, signal) => post(url, message, own, signal),
    request: async (id, method, more = {}) => messagesOf(await client.post({ id, method, params: more })),
  };
  await (await client.post({ method: 'notifications/initialized' })).text();
  return client;
}

/** The messages of an answer, whichever form it has. */
export async function messagesOf(response: Response): Promise<JsonObject[]> {
  const text = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream'))
    return text === '' ? [] : [JSON.parse(text) as JsonObject];
  return eventsIn(text);
}

export function eventsIn(text: string): JsonObject[] {
  return text
    .split('\n\n')
    .map((event) => /^data: (.+)$/m.exec(event)?.[1])
    .filter((data) => data !== undefined)
    .map((data) => JSON.parse(data) as JsonObject);
}

const META = 'io.modelcontextprotocol/';

/** A request of the stateless era, with the headers that go with it. */
export function stateless(
  url: string,
  { id, method, params = {} }: { id: number | string; method: string; params?: JsonObject },
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const name = params.name ?? params.uri ?? params.taskId;
  const _meta = {
    [`${META}protocolVersion`]: '2026-07-28',
    [`${META}clientCapabilities`]: {},
    ...(params._meta as JsonObject | undefined),
  };
  return post(
    url,
    { id, method, params: { ...params, _meta } },
    {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
      ...headers,
    },
    signal,
  );
}
