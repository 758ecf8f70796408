import { Instances } from '../../runtime/gateway/instances.ts';
import { plainPages } from '../../runtime/gateway/plain.ts';
import type { Door, GatewayOptions } from '../../runtime/gateway/ports.ts';
import { refusalRecords } from '../../runtime/gateway/records.ts';
import { type Gateway, openGateway } from '../../runtime/gateway/server.ts';
import { openIdentity } from '../../runtime/identity/identity.ts';
import { openUpstream } from '../../runtime/identity/upstream.ts';
import { type Health, health } from '../../runtime/telemetry/health.ts';
import type { VerifiedEntry } from '../../runtime/trust/entry.ts';
import { sharedSource } from '../../runtime/trust/shared-source.ts';
import { Me } from '../../schemas/api.ts';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import type { GatewayConfig } from '../../schemas/gateway.ts';
import { type Command, type Context, option, text } from '../command.ts';
import { assertLocked, type OpenedConfig, readGatewayConfig, tlsOf } from '../gateway/config.ts';
import { Doors } from '../gateway/doors.ts';
import { watchLock } from '../gateway/reload.ts';
import { removeGateway, writeGateway } from '../gateways.ts';
import { remembering } from '../heard.ts';
import { listenAt } from '../listen.ts';
import { type OpenedProject, openProject, projectOf, remember } from '../project.ts';
import { type Refused, refusedToday } from '../refused.ts';
import { revocationsOf } from '../revocations.ts';
import { openRuntime, RUNTIME_OPTIONS, type Runtime } from '../runtime.ts';

export const gateway: Command = {
  summary: 'serve all locked servers over HTTP to many clients, isolated and recorded',
  words: '',
  options: {
    ...RUNTIME_OPTIONS,
    config: option.text(
      'its configuration (default: lockkeeper.gateway.json beside lockkeeper.json, if it is there)',
    ),
    listen: option.text('address and port (default 127.0.0.1:7413); port 0 takes a free one'),
  },
  examples: [
    'lk gateway',
    'lk gateway --project /srv/docs --listen 127.0.0.1:9000',
    'claude mcp add --transport http docs http://127.0.0.1:7413/servers/docs/mcp',
  ],
  arity: [0, 0],
  async run(context, _words, values) {
    const { dir } = projectOf(context, values);
    const given = text(values, 'listen');
    const config = await readGatewayConfig(
      dir,
      text(values, 'config'),
      given === undefined ? null : listenAt(given, 'gateway'),
    );
    const runtime = await openRuntime(context, values, assertServes);
    try {
      await serve(context, runtime, config);
    } finally {
      await runtime.close();
    }
    process.exitCode = 0;
    return null;
  },
};

async function serve(context: Context, runtime: Runtime, config: OpenedConfig): Promise<void> {
  const { opened, refused, api, say, stop } = runtime;
  const place = { home: context.home, registry: opened.intent.registry, say };
  const aliases = Object.keys(opened.verified.lock.servers);
  assertLocked(config, aliases);
  const instances = new Instances(config.instances);
  const doors = new Doors({
    runtime,
    content: config.config.content,
    instances,
    restMs: config.restMs,
    callMs: config.callMs,
    upstream: await openUpstream(config.config.upstream ?? {}, {
      aliases,
      dir: config.dir,
      environment: context.config.environment,
      now: context.now,
      onTrouble: (error) => say(error.message),
    }),
    revocations: api && sharedSource(remembering(revocationsOf(api, { say }), place), stop),
  });
  const first = await doors.of(opened, refused);
  const running = await listen(runtime, config, {
    doors: first,
    health: health({ journal: runtime.journal, lockExpires: () => doors.expires }),
  });
  runtime.telemetry.metrics.gauge(
    'gateway_sessions',
    'Sessions and stateless callers.',
    () => running.sessions,
  );
  runtime.telemetry.metrics.gauge('gateway_servers', 'Servers that run.', () => instances.running);
  try {
    await remember(context, opened.intent, opened.verified);
    const shown = { home: context.home.dir, say, url: running.url, since: context.now().toISOString() };
    await show(shown, opened, refused);
    welcome(context, running, first);
    await warnOfRole(runtime, config.config.identity);
    const reload = async (): Promise<string> => {
      const newer = await openProject(context, runtime.project, { ask: true, apart: true });
      if (newer.verified.refused.size === 0) assertServes(newer);
      const refusedNow = await refusedToday(context, api, newer);
      const next = await doors.of(newer, refusedNow);
      await running.replace(next);
      await remember(context, newer.intent, newer.verified);
      const served = await show(shown, newer, refusedNow);
      return `lock ${newer.verified.lock.version} is taken over: ${served.join(', ') || '(none is served)'}`;
    };
    await watchLock({ project: runtime.project, reload, say, stop });
  } finally {
    await running.close();
    await removeGateway(context.home.dir).catch(() => undefined);
  }
}

interface Shown {
  readonly home: string;
  readonly say: (line: string) => void;
  readonly url: string;
  readonly since: string;
}

/** What it serves now, as lk ps shows it. */
async function show(
  { home, say, ...shown }: Shown,
  { verified, intent }: OpenedProject,
  refused: Refused,
): Promise<string[]> {
  const serves = [...verified.entries.keys()].filter((alias) => !refused.has(alias));
  const lock = { lockVersion: verified.lock.version, lock: verified.digest };
  // A view of it: what it serves, it serves also where this cannot be written.
  await writeGateway(home, { ...shown, ...lock, project: intent.project, serves }).catch((error: unknown) =>
    say(`lk ps does not show this gateway as it is: ${asLockkeeperError(error).message}`),
  );
  return serves;
}

/** Who serves others speaks for them at the registry, which takes that of a runtime alone. Told at once, not with the first call. */
async function warnOfRole({ api, say }: Runtime, identity: GatewayConfig['identity']): Promise<void> {
  if (identity === undefined || identity.nobody !== undefined) return;
  // What cannot be reached now is told by whoever needs it.
  const me = await api?.call('me', Me).catch(() => null);
  if (!me || me.roles.includes('runtime')) return;
  say(
    `the registry takes no records of callers from ${me.person}, and asks nobody about their calls: expected an account with the role runtime; found ${me.roles.join(', ')}. Run: lk people add gateway --roles runtime, sign in with its code, then lk gateway --as gateway.`,
  );
}

/** A trace that a request’s headers began is gone on with. */
function tracing({ tracer }: Runtime['telemetry']): Pick<GatewayOptions, 'trace'> {
  if (!tracer) return {};
  const one = (value: string | string[] | undefined): string | undefined =>
    typeof value === 'string' ? value : undefined;
  return { trace: ({ traceparent, tracestate }) => tracer.headers(one(traceparent), one(tracestate)) };
}

async function listen(
  { journal, person, say, telemetry }: Runtime,
  config: OpenedConfig,
  { doors, health }: { readonly doors: ReadonlyMap<string, Door>; readonly health: Health },
): Promise<Gateway> {
  const { dir, limits } = config;
  const { hosts = [], origins = [], identity: named, metrics } = config.config;
  const { host, port } = config.listen;
  const alone = { resource: `http://127.0.0.1:${port}/`, nobody: 'loopback' };
  const identity = await openIdentity(named ?? alone, {
    dir,
    person,
    now: () => new Date(),
    onTrouble: (error) => say(error.message),
  });
  const tls = await tlsOf(config);
  return openGateway({
    host,
    port,
    ...(tls ? { tls: { ...tls, ...(identity.tls ? { client: identity.tls } : {}) } } : {}),
    hosts,
    origins,
    doors,
    identify: (request) => identity.identify(request),
    plain: plainPages({
      metadata: identity.metadata,
      health,
      metrics: telemetry.metrics,
      metricsFor: metrics ?? 'this machine',
    }),
    limits,
    ...tracing(telemetry),
    refused: refusalRecords(journal),
    say,
  });
}

/** Throws NOT_LOCKED for a lock without servers, or why the first of them is refused. */
function assertServes({ verified }: OpenedProject): VerifiedEntry[] {
  if (verified.entries.size > 0) return [...verified.entries.values()];
  for (const refused of verified.refused.values()) throw refused;
  throw new LockkeeperError('NOT_LOCKED', {
    expected: 'a lock with at least one server',
    found: 'none in it',
    next: 'Ask for one with: lk add NAME, then lk lock',
  });
}

function welcome(context: Context, { url }: Gateway, doors: ReadonlyMap<string, Door>): void {
  const open = [...doors].filter(([, { closed }]) => closed === undefined).map(([path]) => path);
  const urls = open.map((path) => `${url}${path}`);
  if (context.json) return void process.stdout.write(`${JSON.stringify({ url, servers: urls })}\n`);
  context.say(`The gateway listens on ${url}`);
  for (const each of urls) context.say(`  ${each}`);
  const [, , alias = 'all'] = open[0]?.split('/') ?? [];
  context.say(`A client is given one of them, such as: claude mcp add --transport http ${alias} ${urls[0]}`);
  context.say('Each call is judged by the lock and written down before it is made. Ctrl-C ends it.');
}
