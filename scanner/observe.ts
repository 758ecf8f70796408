/** Starting a server as the runtime would, without a network, to see what it shows and what it tries. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startEgressProxy } from '../runtime/egress/proxy.ts';
import type { EgressEvent, LaunchPlan } from '../runtime/ports.ts';
import {
  type Captured,
  CLIENT_CAPABILITIES,
  captureSurface,
  SESSION_VERSION,
  STATELESS_VERSION,
} from '../runtime/session/capture.ts';
import { openPeer, type Peer } from '../runtime/session/peer.ts';
import { encode } from '../runtime/wire/message.ts';
import { asLockkeeperError, type LockkeeperError } from '../schemas/errors.ts';
import type { Launch, Permissions } from '../schemas/release.ts';
import { type Era, pinSurface, type Surface } from '../schemas/surface.ts';
import type { ScanPorts } from './ports.ts';
import { volatileBetween } from './volatile.ts';

export interface Subject {
  readonly appDir: string;
  readonly launch: Launch;
  readonly permissions: Permissions;
}

export interface Observed {
  readonly surface: Surface;
  /** Connections asked for in all starts, each once. */
  readonly egress: readonly EgressEvent[];
  readonly isolation: string;
  /** Why the two eras are not both locked, when a server speaks both but shows different tools. */
  readonly eraNote: string | null;
}

const TIMEOUT_MS = 30_000;
const STOP_MS = 1500;

/**
 * Two starts in the session era, whose differences are volatile, and one in the stateless era. Throws
 * SURFACE_UNREADABLE, SERVER_SILENT, SERVER_DIED and what a sandbox throws; leaves no process.
 */
export async function observe(subject: Subject, ports: ScanPorts): Promise<Observed> {
  const events: EgressEvent[] = [];
  const look = (era: Era, timezone: string): Promise<Captured & { isolation: string }> =>
    observeOnce(subject, ports, { era, timezone, events });
  const stateless = await settled(look('stateless', 'UTC'));
  const first = await settled(look('session', 'UTC'));
  if (first instanceof Error) {
    if (stateless instanceof Error) throw first;
    const second = await look('stateless', 'Pacific/Apia');
    return {
      ...merged(stateless.surface, second.surface, ['stateless']),
      egress: distinct(events),
      isolation: second.isolation,
      eraNote: null,
    };
  }
  const second = await look('session', 'Pacific/Apia');
  const both = !(stateless instanceof Error) && sameItems(first.surface, stateless.surface);
  const eraNote =
    stateless instanceof Error || both
      ? null
      : 'it also speaks 2026-07-28, where it shows another surface; only the session era is locked';
  return {
    ...merged(first.surface, second.surface, both ? ['session', 'stateless'] : ['session']),
    egress: distinct(events),
    isolation: second.isolation,
    eraNote,
  };
}

function settled<T>(promise: Promise<T>): Promise<T | LockkeeperError> {
  return promise.catch((error: unknown) => asLockkeeperError(error));
}

function merged(first: Surface, second: Surface, eras: Era[]): { surface: Surface } {
  const volatile = volatileBetween(first, second);
  return { surface: { ...first, capture: { ...first.capture, eras }, volatile } };
}

function sameItems(a: Surface, b: Surface): boolean {
  const items = (surface: Surface): string => {
    const { tools, prompts, resources, resourceTemplates } = pinSurface({ ...surface, volatile: [] });
    return JSON.stringify([tools, prompts, resources, resourceTemplates]);
  };
  return items(a) === items(b);
}

function distinct(events: readonly EgressEvent[]): EgressEvent[] {
  return [...new Map(events.map((event) => [`${event.host}:${event.port}`, event])).values()];
}

interface Start {
  readonly era: Era;
  readonly timezone: string;
  readonly events: EgressEvent[];
}

async function observeOnce(
  subject: Subject,
  ports: ScanPorts,
  { era, timezone, events }: Start,
): Promise<Captured & { isolation: string }> {
  const scratch = await mkdtemp(join(ports.workDir, 'observe-'));
  await chmod(scratch, 0o755);
  const socketPath = join(scratch, 'egress.sock');
  const proxy = await startEgressProxy({
    socketPath,
    allow: [],
    onEvent: async (event) => void (events.length < 1000 && events.push(event)),
  });
  try {
    const plan = await planOf(subject, { scratch, socketPath, timezone });
    const process = await ports.driver.start(plan);
    try {
      const peer: Peer = openPeer(process, {
        message: (message) => {
          if (message.kind !== 'request') return;
          const answer =
            message.method === 'ping'
              ? { result: {} }
              : { error: { code: -32601, message: 'nobody is here to answer' } };
          peer.send(encode({ jsonrpc: '2.0', id: message.id, ...answer }));
        },
        badLine: () => undefined,
        gone: () => undefined,
      });
      const options = {
        era,
        protocolVersion: era === 'session' ? SESSION_VERSION : STATELESS_VERSION,
        clientCapabilities: CLIENT_CAPABILITIES,
        timeoutMs: era === 'session' ? TIMEOUT_MS : TIMEOUT_MS / 2,
      };
      return { ...(await captureSurface(peer, options)), isolation: `${process.driver}` };
    } finally {
      await process.stop(STOP_MS);
    }
  } finally {
    await proxy.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Mounts are empty folders that the server may use as it was permitted. */
async function planOf(
  { appDir, launch, permissions }: Subject,
  at: { scratch: string; socketPath: string; timezone: string },
): Promise<LaunchPlan> {
  const mounts = [];
  for (const [index, { target, mode }] of permissions.mounts.entries()) {
    const source = join(at.scratch, `mount-${index}`);
    await mkdir(source);
    await chmod(source, 0o777);
    mounts.push({ source, target, mode });
  }
  const [first = 'node', ...rest] = launch.command;
  return {
    id: `scan-${randomBytes(6).toString('hex')}`,
    appDir,
    command: [first, ...rest],
    env: { TZ: at.timezone },
    mounts,
    limits: permissions.limits,
    egressSocket: at.socketPath,
  };
}
