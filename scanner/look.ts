/** One start of a server in the runtime's sandbox, its surface taken, the process gone again. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEgressProxy } from '../runtime/egress/proxy.ts';
import { CAPABILITY_OF, STALE_BY } from '../runtime/gate/methods.ts';
import type { EgressEvent, LaunchPlan, RunningServer } from '../runtime/ports.ts';
import { openRemote } from '../runtime/remote/open.ts';
import { secretFileNames } from '../runtime/secrets.ts';
import {
  type Captured,
  type CaptureOptions,
  CLIENT_CAPABILITIES,
  captureSurface,
  listAll,
  SESSION_VERSION,
  STATELESS_VERSION,
} from '../runtime/session/capture.ts';
import { openPeer, type Peer } from '../runtime/session/peer.ts';
import { encode, type Message } from '../runtime/wire/message.ts';
import type { JsonObject } from '../schemas/common.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import type { LocalLaunch, Permissions } from '../schemas/release.ts';
import type { RemoteLaunch } from '../schemas/remote.ts';
import { type Era, SECTIONS, type Section, type Surface } from '../schemas/surface.ts';
import type { ScanPorts } from './ports.ts';

/** A package that is laid out, or a server that runs elsewhere. */
export type Subject = LocalSubject | RemoteSubject;

export interface LocalSubject {
  readonly appDir: string;
  readonly launch: LocalLaunch;
  readonly permissions: Permissions;
}

interface RemoteSubject {
  readonly remote: RemoteLaunch;
  readonly permissions: Permissions;
}

export interface Look extends Captured {
  readonly isolation: string;
  readonly stderr: string;
}

export interface Start {
  readonly era: Era;
  readonly timezone: string;
  /** Names of variables that get a placeholder. */
  readonly environment: readonly string[];
  /** Connections asked for are added here. */
  readonly events: EgressEvent[];
  readonly answerMs: number;
  /** What the client calls itself; the product's own name unless told. */
  readonly clientInfo?: JsonObject;
}

const STOP_MS = 1500;
const MAX_EVENTS = 1000;
const STDERR_BYTES = 16_384;
/** A server is settled when it has told of no change for this long. */
const QUIET_MS = 250;
const MAX_ROUNDS = 8;
const PLACEHOLDER = 'lockkeeper-placeholder';

/** Throws SURFACE_UNREADABLE, SERVER_SILENT, SERVER_DIED, FRAME_TOO_LARGE and what a sandbox or a connection throws. */
export async function lookAt(subject: Subject, ports: ScanPorts, start: Start): Promise<Look> {
  if (!('remote' in subject)) return lookInside(subject, ports, start);
  // That it is connected to is no finding; that it was refused to be, is one.
  const record = async (event: EgressEvent): Promise<void> => {
    if (event.outcome === 'refused' && start.events.length < MAX_EVENTS) start.events.push(event);
  };
  const credentials = await ports.credentials?.(subject.remote);
  const shown = credentials === undefined ? {} : { credentials };
  return lookThrough(await openRemote({ launch: subject.remote, record, ...shown }), start);
}

async function lookInside(subject: LocalSubject, ports: ScanPorts, start: Start): Promise<Look> {
  const scratch = await mkdtemp(join(ports.workDir, 'observe-'));
  await chmod(scratch, 0o755);
  const socketPath = join(scratch, 'egress.sock');
  const { events } = start;
  const onEvent = async (event: EgressEvent): Promise<void> => {
    if (events.length < MAX_EVENTS) events.push(event);
  };
  const { serverUid } = ports.driver;
  const owner = serverUid === undefined ? {} : { owner: serverUid };
  const proxy = await startEgressProxy({ socketPath, allow: [], onEvent, ...owner });
  try {
    const plan = await planOf(subject, start, { scratch, socketPath });
    return await lookThrough(await ports.driver.start(plan), start);
  } finally {
    await proxy.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function lookThrough(server: RunningServer, start: Start): Promise<Look> {
  const stderr = tailOf(server);
  try {
    const { hello, surface } = await talkWith(server, start);
    return { hello, surface, isolation: server.driver, stderr: stderr() };
  } finally {
    await server.stop(STOP_MS);
  }
}

/** A conversation in which the surface was taken, and can be taken again. */
export interface Talk extends Captured {
  readonly peer: Peer;
  /** What its lists show now, once they have come to rest. */
  again(): Promise<Surface>;
}

/** Throws SURFACE_UNREADABLE, SERVER_SILENT or SERVER_DIED. */
export async function talkWith(
  process: RunningServer,
  { era, answerMs, clientInfo }: Pick<Start, 'era' | 'answerMs' | 'clientInfo'>,
): Promise<Talk> {
  const stale = new Set<Section>();
  let bad: LockkeeperError | null = null;
  const peer: Peer = openPeer(process, {
    message: (message) => answer(peer, message, stale),
    badLine: (error) => {
      bad ??= error;
    },
    gone: () => undefined,
  });
  const protocolVersion = era === 'session' ? SESSION_VERSION : STATELESS_VERSION;
  const options = {
    ...{ era, protocolVersion, clientCapabilities: CLIENT_CAPABILITIES, timeoutMs: answerMs },
    ...(clientInfo && { clientInfo }),
  };
  try {
    const captured = await captureSurface(peer, options);
    const surface = await atRest(peer, captured.surface, { stale, options });
    const again = (): Promise<Surface> => {
      for (const section of SECTIONS)
        if (captured.surface.capabilities[CAPABILITY_OF[section]] !== undefined) stale.add(section);
      return atRest(peer, surface, { stale, options });
    };
    return { ...captured, surface, peer, again };
  } catch (error) {
    throw explained(error, bad);
  }
}

/** The surface with what is stale read again, until nothing is. */
async function atRest(
  peer: Peer,
  surface: Surface,
  { stale, options }: { stale: Set<Section>; options: CaptureOptions },
): Promise<Surface> {
  const settledSurface = { ...surface };
  for (let round = 0; await stirred(stale); round++) {
    if (round === MAX_ROUNDS) throw restless();
    const sections = [...stale];
    stale.clear();
    for (const section of sections) {
      if (section === 'resourceTemplates' && Object.keys(surface[section]).length === 0) continue;
      settledSurface[section] = await listAll(peer, section, options);
    }
  }
  return settledSurface;
}

/** Nobody is there to answer a server's own requests; what it says of its lists is remembered. */
function answer(peer: Peer, message: Message, stale: Set<Section>): void {
  if (message.kind === 'notification')
    for (const section of STALE_BY[message.method] ?? []) stale.add(section);
  if (message.kind !== 'request') return;
  const reply =
    message.method === 'ping'
      ? { result: {} }
      : { error: { code: -32601, message: 'nobody is here to answer' } };
  peer.send(encode({ jsonrpc: '2.0', id: message.id, ...reply }));
}

async function stirred(stale: ReadonlySet<Section>): Promise<boolean> {
  await sleep(QUIET_MS);
  return stale.size > 0;
}

function restless(): LockkeeperError {
  return new LockkeeperError('SURFACE_UNREADABLE', {
    expected: 'lists that come to rest',
    found: `a notice of change after each of ${MAX_ROUNDS} readings`,
    next: 'A surface that changes by itself cannot be locked; ask its maintainers for one that does not',
  });
}

/** Silence after a line that could not be read is that line's fault. */
function explained(error: unknown, bad: LockkeeperError | null): unknown {
  if (bad === null || !(error instanceof LockkeeperError) || error.code !== 'SERVER_SILENT') return error;
  return new LockkeeperError('SURFACE_UNREADABLE', {
    expected: `${error.expected}, as ${bad.expected}`,
    found: bad.found,
    next: 'The server breaks the protocol; use another release',
    cause: error,
  });
}

function tailOf(process: RunningServer): () => string {
  let tail = Buffer.alloc(0);
  process.stderr.on('data', (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_BYTES);
  });
  return () => tail.toString('utf8');
}

/** Mounts are empty folders that the server may use as it was permitted. */
export async function planOf(
  { appDir, launch, permissions }: LocalSubject,
  { timezone, environment }: Pick<Start, 'timezone' | 'environment'>,
  at: { scratch: string; socketPath: string },
): Promise<LaunchPlan> {
  const mounts = [];
  for (const [index, { target, mode }] of permissions.mounts.entries()) {
    const source = join(at.scratch, `mount-${index}`);
    await mkdir(source);
    await chmod(source, 0o777);
    mounts.push({ source, target, mode });
  }
  const [first = 'node', ...rest] = launch.command;
  const secrets = environment
    .filter((name) => permissions.secrets?.includes(name))
    .map((name) => ({ name, value: PLACEHOLDER }));
  const placeholders = Object.fromEntries(
    environment.filter((name) => permissions.env.includes(name)).map((name) => [name, PLACEHOLDER]),
  );
  return {
    id: `scan-${randomBytes(6).toString('hex')}`,
    appDir,
    command: [first, ...rest],
    ...(launch.python ? { python: launch.python } : {}),
    ...(launch.image ? { image: launch.image } : {}),
    ...(launch.image && permissions.egress.length > 0 ? { reaches: true as const } : {}),
    env: { ...launch.env, ...placeholders, ...secretFileNames(secrets), TZ: timezone },
    ...(secrets.length > 0 ? { secrets } : {}),
    mounts,
    limits: permissions.limits,
    egressSocket: at.socketPath,
  };
}
