/** Every way that a message comes to the gate, as one thing that can be talked to. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CallApprovals, NOBODY_TO_ASK } from '../../runtime/gate/people.ts';
import type { GatewayOptions } from '../../runtime/gateway/ports.ts';
import { type Journal, openJournal } from '../../runtime/journal/journal.ts';
import { readJournal } from '../../runtime/journal/read.ts';
import { FlowState } from '../../runtime/policy/flows.ts';
import { type Decision, type JudgedCall, openPolicy, type Policy } from '../../runtime/policy/open.ts';
import type { SessionOptions } from '../../runtime/session/options.ts';
import type { AuditBody } from '../../schemas/audit.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { ContentControls } from '../../schemas/content.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import type { Surface } from '../../schemas/surface.ts';
import { inBothEras } from '../helpers/eras.ts';
import { httpClient, messagesOf, post, startGateway, stateless } from '../helpers/gateway.ts';
import { INITIALIZE, startSession, tempDir } from '../helpers/session.ts';
import { until } from '../helpers/wait.ts';

export const FACES = ['stdio', 'http session', 'http stateless', 'all, session', 'all, stateless'] as const;
export type FaceName = (typeof FACES)[number];

/** What a row needs of its runtime; the same for every face. */
export interface Setup {
  /** Script of the server. */
  readonly how?: string;
  /** As it is locked, with its eras; absent: what the good one shows, in both. */
  readonly surface?: Surface;
  readonly policy?: string;
  readonly approvals?: CallApprovals;
  /** Decides before the policy does; null: the policy decides. */
  readonly judged?: (call: JudgedCall) => Decision | null;
  readonly content?: ContentControls;
  /** The lock has ended. */
  readonly stale?: boolean;
  readonly watch?: SessionOptions['watch'];
  readonly onRevoke?: SessionOptions['onRevoke'];
  readonly journal?: (journal: Journal) => Journal;
  readonly capabilities?: JsonObject;
}

export interface Asked {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: JsonObject;
  /** Over HTTP, with these headers as well. */
  readonly headers?: Record<string, string>;
}

export interface Talk {
  readonly face: FaceName;
  /** What the longest message of this face has, bytes. */
  readonly limit: number;
  /** What each request has beside its parameters. */
  readonly meta: JsonObject;
  /** How a tool is called here. */
  tool(name: string): string;
  /** Everything that came for a request; empty when nothing comes for long. */
  ask(asked: Asked): Promise<JsonObject[]>;
  /** Sends this text as it is, which begins as a call of `echo` with the id 1 does. */
  raw(text: string): Promise<JsonObject[]>;
  tell(message: JsonObject): Promise<void>;
  /** What reached the server, from its own log. */
  reached(): string;
  /** The records of which this holds, once there is one. */
  records(holds: (body: AuditBody) => boolean): Promise<AuditBody[]>;
  close(): Promise<void>;
}

/** Nothing that comes later is waited for, on a machine that may be busy, ms. */
const PATIENCE_MS = 30_000;
const SMALL = 64 * 1024;
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
/** With what a request of the stateless era says once its client knows tasks. */
export const DECLARED = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const STDIO_LIMIT = 8 * 1024 * 1024;

export const openFace = (face: FaceName, setup: Setup): Promise<Talk> =>
  face === 'stdio' ? stdio(setup) : overHttp(face, setup);

/** A policy that is another one once something happened. */
const wrapped =
  ({ judged }: Setup) =>
  (policy: Policy): Policy => ({
    digest: policy.digest,
    remembers: policy.remembers,
    judge: (call) => judged?.(call) ?? policy.judge(call),
    bounded: (...asked) => policy.bounded(...asked),
    canSee: (...asked) => policy.canSee(...asked),
    reads: (item) => policy.reads(item),
    sends: (...asked) => policy.sends(...asked),
  });

function policyOf(
  setup: Setup,
  text = setup.policy ?? 'anyone: all locked tools\n',
): NonNullable<Parameters<typeof startSession>[0]>['policy'] {
  return ({ entry, surface }) => ({
    policy: wrapped(setup)(
      openPolicy({
        text,
        digest: sha256(text),
        environment: 'development',
        entries: new Map([['weather', entry]]),
        surfaces: new Map([['weather', surface]]),
      }),
    ),
    server: 'weather',
    flow: new FlowState(),
    approvals: setup.approvals ?? NOBODY_TO_ASK,
  });
}

async function stdio(setup: Setup): Promise<Talk> {
  const dir = tempDir();
  const opened = await openJournal(join(dir, 'journal'));
  const policy = policyOf(setup);
  const session = await startSession({
    journal: setup.journal?.(opened) ?? opened,
    ...(policy ? { policy } : {}),
    ...(setup.how ? { how: setup.how } : {}),
    ...(setup.surface ? { surface: setup.surface } : {}),
    ...(setup.content ? { content: setup.content } : {}),
    ...(setup.stale ? { lockExpires: () => 0 } : {}),
    ...(setup.watch ? { watch: setup.watch } : {}),
    ...(setup.onRevoke ? { onRevoke: setup.onRevoke } : {}),
  });
  await session.request(0, 'initialize', { ...INITIALIZE, capabilities: setup.capabilities ?? {} });
  session.send({ method: 'notifications/initialized' });
  let closed = false;
  const answered = async (id: number | string, from: number): Promise<JsonObject[]> => {
    const isAnswer = (message: JsonObject): boolean => message.id === id && message.method === undefined;
    const came = (): JsonObject[] => session.received.slice(from);
    await until(() => closed || came().some(isAnswer), PATIENCE_MS).catch(() => undefined);
    const end = came().findIndex(isAnswer);
    return end === -1 ? [] : came().slice(0, end + 1);
  };
  return {
    face: 'stdio',
    limit: STDIO_LIMIT,
    meta: {},
    tool: (name) => name,
    ask: ({ id = randomUUID(), method, params = {} }) => {
      const from = session.received.length;
      session.send({ id, method, params });
      return answered(id, from);
    },
    raw: (text) => {
      const from = session.received.length;
      session.send(text);
      return Promise.race([answered(1, from), refusalIn(session.received, from)]);
    },
    tell: async (message) => {
      session.send(message);
      await pause(100);
    },
    reached: () =>
      session
        .calls()
        .map((call) => JSON.stringify(call))
        .join('\n'),
    records: (holds) => recordsIn(dir, holds),
    close: async () => {
      closed = true;
      await session.close();
      await opened.close().catch(() => undefined);
    },
  };
}

/** A refusal of what was no message has no id. */
async function refusalIn(received: readonly JsonObject[], from: number): Promise<JsonObject[]> {
  const found = (): JsonObject[] => received.slice(from).filter(({ id, error }) => id === null && error);
  await until(() => found().length > 0, PATIENCE_MS).catch(() => undefined);
  return found();
}

/** Who comes as mallory is not known. */
const identify: GatewayOptions['identify'] = async ({ headers }) => {
  const user = String(headers['x-user'] ?? 'erin');
  const caller = { user, teams: [], via: 'token', actors: [] } as const;
  if (user !== 'mallory') return { caller, servers: null, principal: user, expires: null };
  const error = new LockkeeperError('UNAUTHENTICATED', {
    expected: 'a token',
    found: 'none',
    next: 'Send one',
  });
  return { refusal: { status: 401, error, headers: {} } };
};

async function overHttp(face: Exclude<FaceName, 'stdio'>, setup: Setup): Promise<Talk> {
  const all = face.startsWith('all');
  const isStateless = face.endsWith('stateless');
  const gateway = await startGateway({
    servers: { weather: setup.how ?? 'good' },
    ...(setup.surface ? { captured: setup.surface } : { surface: inBothEras }),
    policy: setup.policy ?? 'anyone: all locked tools\n',
    wrapped: wrapped(setup),
    ...(setup.approvals ? { approvals: setup.approvals } : {}),
    ...(setup.journal ? { journal: setup.journal } : {}),
    limits: { messageBytes: SMALL, waitingEach: 1000 },
    door: {
      ...(setup.content ? { content: setup.content } : {}),
      ...(setup.stale ? { lockExpires: () => 0 } : {}),
      ...(setup.watch ? { watch: setup.watch } : {}),
      ...(setup.onRevoke ? { onRevoke: setup.onRevoke } : {}),
    },
    options: { identify },
  });
  const url = `${gateway.url}${all ? '/mcp' : '/servers/weather/mcp'}`;
  const client = isStateless ? null : await httpClient(url, {}, setup.capabilities ?? {});
  const tool = (name: string): string => (all ? `weather__${name}` : name);
  const heard = async (asked: Promise<Response>): Promise<JsonObject[]> =>
    Promise.race([asked.then(messagesOf).catch(() => []), pause(PATIENCE_MS).then(() => [])]);
  const own: Record<string, string> = client?.headers ?? {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool('echo'),
  };
  return {
    face,
    limit: SMALL,
    meta: isStateless ? { _meta: ENVELOPE } : {},
    tool,
    ask: ({ id = randomUUID(), method, params = {}, headers = {} }) =>
      heard(
        client
          ? post(url, { id, method, params }, { ...client.headers, ...headers })
          : stateless(url, { id, method, params }, headers),
      ),
    raw: (text) => heard(post(url, text, own)),
    tell: async (message) => {
      await (await post(url, message, client?.headers ?? { 'mcp-protocol-version': '2026-07-28' })).text();
      await pause(100);
    },
    reached: () => (existsSync(gateway.log('weather')) ? readFileSync(gateway.log('weather'), 'utf8') : ''),
    records: (holds) => recordsIn(gateway.dir, holds),
    close: () => gateway.close(),
  };
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What is noted is written a moment later, ms. */
const NOTED_MS = 10_000;

async function recordsIn(dir: string, holds: (body: AuditBody) => boolean): Promise<AuditBody[]> {
  const found = async (): Promise<AuditBody[]> => {
    const bodies: AuditBody[] = [];
    for await (const { body } of readJournal(join(dir, 'journal'))) if (holds(body)) bodies.push(body);
    return bodies;
  };
  const some = (): Promise<boolean> =>
    found().then(
      ({ length }) => length > 0,
      () => false,
    );
  await until(some, NOTED_MS).catch(() => undefined);
  // Nor a second one.
  await pause(50);
  return found();
}
