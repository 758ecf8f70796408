/** What a server shows and tries when it is started as the runtime would start it, without a network. */
import type { EgressEvent } from '../runtime/ports.ts';
import { SESSION_VERSION, STATELESS_VERSION } from '../runtime/session/capture.ts';
import { asLockkeeperError, type LockkeeperError } from '../schemas/errors.ts';
import { type Era, pinSurface, type Surface } from '../schemas/surface.ts';
import { type ByClient, byClient, OTHER_CLIENT } from './by-client.ts';
import { type Look, lookAt, type Start, type Subject } from './look.ts';
import type { ScanPorts } from './ports.ts';
import { volatileBetween } from './volatile.ts';

export interface Observed {
  readonly surface: Surface;
  /** The same server's second start, where a text may read otherwise. */
  readonly other: Surface;
  /** Connections asked for in all starts, each once, in name order. */
  readonly egress: readonly EgressEvent[];
  readonly isolation: string;
  /** Why the two eras are not both locked, when a server speaks both but shows different things. */
  readonly eraNote: string | null;
  /** What a client of another name was shown. */
  readonly byClient: ByClient;
  /** Names of the variables that held a placeholder while the surface was taken. */
  readonly environment: readonly string[];
  /** The last bytes of stderr of each start. */
  readonly stderr: readonly string[];
}

const ANSWER_MS = 30_000;
/** Two places of the world on different days. */
const ZONES = ['UTC', 'Pacific/Apia'] as const;

/**
 * Two starts in the server's era, one after the other, whose differences are volatile; one more beside the second, for a
 * client of another name; and one look at the other era. Variables that the
 * release may be given hold a placeholder; a server that cannot start so is tried without them. Throws
 * SURFACE_UNREADABLE, SERVER_SILENT, SERVER_DIED, FRAME_TOO_LARGE and what a sandbox throws. Leaves no process.
 */
export async function observe(subject: Subject, ports: ScanPorts): Promise<Observed> {
  const { env, secrets = [] } = subject.permissions;
  const names = [...env, ...secrets];
  const events: EgressEvent[] = [];
  if (names.length === 0) return observeWith([], subject, { ports, events });
  const given = await settled(observeWith(names, subject, { ports, events }));
  return given instanceof Error ? observeWith([], subject, { ports, events }) : given;
}

function settled<T>(promise: Promise<T>): Promise<T | LockkeeperError> {
  return promise.catch((error: unknown) => asLockkeeperError(error));
}

async function observeWith(
  environment: readonly string[],
  subject: Subject,
  { ports, events }: { ports: ScanPorts; events: EgressEvent[] },
): Promise<Observed> {
  const answerMs = ports.answerMs ?? ANSWER_MS;
  const look = (era: Era, timezone: string, change: Partial<Start> = {}): Promise<Look> =>
    lookAt(subject, ports, { era, timezone, environment, events, answerMs, ...change });
  const named = (era: Era): Promise<Look | LockkeeperError> =>
    settled(look(era, ZONES[0], { clientInfo: OTHER_CLIENT }));
  const done = (first: Look, second: Look, also: Also): Observed => {
    const surface = merged(first.surface, second.surface, also.eras);
    return {
      ...{ surface, other: second.surface, environment, eraNote: also.eraNote },
      egress: distinct(events),
      isolation: first.isolation,
      byClient: byClient(surface, also.named instanceof Error ? also.named : also.named.surface),
      stderr: [first.stderr, second.stderr],
    };
  };
  const begun = performance.now();
  const first = await settled(look('session', ZONES[0]));
  const tookMs = performance.now() - begun;
  if (first instanceof Error) {
    const stateless = await settled(look('stateless', ZONES[0]));
    if (stateless instanceof Error || !speaksStateless(stateless)) throw first;
    const [second, there] = await Promise.all([settled(look('stateless', ZONES[1])), named('stateless')]);
    if (second instanceof Error) throw second;
    return done(stateless, second, { eras: ['stateless'], eraNote: null, named: there });
  }
  // After the first, so that their clocks differ; beside each other, because neither is about the other.
  const [second, other, stateless] = await Promise.all([
    settled(look('session', ZONES[1])),
    named('session'),
    settled(look('stateless', ZONES[0], { answerMs: otherMs(subject, { answerMs, tookMs }) })),
  ]);
  if (second instanceof Error) throw second;
  return done(first, second, { ...erasOf(first, stateless), named: other });
}

interface Also {
  readonly eras: Era[];
  readonly eraNote: string | null;
  /** What a client of another name was shown, or why nothing was. */
  readonly named: Look | LockkeeperError;
}

/** How long the other era is waited for. Python compiles all of a closure at each start, a busy machine lets all take long. */
function otherMs(subject: Subject, { answerMs, tookMs }: { answerMs: number; tookMs: number }): number {
  if ('launch' in subject && subject.launch.python) return answerMs;
  return Math.min(answerMs, Math.max(answerMs / 6, 4 * tookMs));
}

/** Some servers of the session era answer anything; only one that names the version speaks it. */
function speaksStateless({ hello }: Look): boolean {
  return Array.isArray(hello.supportedVersions) && hello.supportedVersions.includes(STATELESS_VERSION);
}

function erasOf(session: Look, stateless: Look | LockkeeperError): { eras: Era[]; eraNote: string | null } {
  if (stateless instanceof Error || !speaksStateless(stateless)) return { eras: ['session'], eraNote: null };
  if (sameItems(session.surface, stateless.surface)) return { eras: ['session', 'stateless'], eraNote: null };
  const note = `it also speaks ${STATELESS_VERSION}, where it shows another surface than in ${SESSION_VERSION}; only the session era is locked`;
  return { eras: ['session'], eraNote: note };
}

function merged(first: Surface, second: Surface, eras: Era[]): Surface {
  return { ...first, capture: { ...first.capture, eras }, volatile: volatileBetween(first, second) };
}

function sameItems(a: Surface, b: Surface): boolean {
  const items = (surface: Surface): string => {
    const { tools, prompts, resources, resourceTemplates, server } = pinSurface({ ...surface, volatile: [] });
    const { capabilities: _, ...said } = server;
    return JSON.stringify([tools, prompts, resources, resourceTemplates, said]);
  };
  return items(a) === items(b);
}

function distinct(events: readonly EgressEvent[]): EgressEvent[] {
  const byTarget = new Map(events.map((event) => [`${event.host}:${event.port}`, event]));
  return [...byTarget.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, event]) => event);
}
