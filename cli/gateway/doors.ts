/** The doors of a project: one for each locked server, prepared before anything listens. */
import { NOBODY_TO_ASK } from '../../runtime/gate/people.ts';
import { allDoor } from '../../runtime/gateway/all/door.ts';
import { closedDoor, serverDoor } from '../../runtime/gateway/door.ts';
import type { Instances } from '../../runtime/gateway/instances.ts';
import type { Door } from '../../runtime/gateway/ports.ts';
import type { Upstream } from '../../runtime/identity/upstream.ts';
import { startInstance } from '../../runtime/instance.ts';
import { Breakers } from '../../runtime/lifecycle/breakers.ts';
import type { Probes } from '../../runtime/lifecycle/supervisor.ts';
import { requiredPolicy } from '../../runtime/policy/locked.ts';
import type { Policy } from '../../runtime/policy/open.ts';
import { type Prepared, prepare } from '../../runtime/prepare.ts';
import { watching } from '../../runtime/run.ts';
import { runsUntil } from '../../runtime/trust/freshness.ts';
import type { RevocationSource } from '../../runtime/trust/revocations.ts';
import type { Json } from '../../schemas/common.ts';
import type { ContentControls } from '../../schemas/content.ts';
import { digestOf } from '../../schemas/json.ts';
import { callApprovalsOf } from '../call-approvals.ts';
import { tellOf } from '../fleet.ts';
import type { OpenedProject } from '../project.ts';
import type { Refused } from '../refused.ts';
import { entryNamed, instanceOf, type Runtime } from '../runtime.ts';
import { shownFor } from './shown.ts';

const PROBES: Probes = { everyMs: 30_000, timeoutMs: 10_000, failures: 3 };

export interface Kept {
  readonly runtime: Runtime;
  readonly instances: Instances;
  readonly restMs: number;
  readonly callMs: (alias: string) => number;
  readonly upstream: Upstream;
  readonly content: ContentControls | undefined;
  readonly revocations: RevocationSource | null;
}

/** Where all servers are one. */
const ALL = '/mcp';

interface Standing {
  readonly alias: string;
  readonly prepared: Prepared;
  readonly door: Door;
  /** Of everything that decides what it leads to; the lock's own dates are not among it. */
  readonly identity: string;
}

export class Doors {
  readonly #kept: Kept;
  #standing = new Map<string, Standing>();
  #whole: Door | null = null;
  /** End of the lock in force, ms since 1970. */
  expires = 0;

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  /**
   * The doors of this lock by path. One whose release, launch, permissions and policy stay the same stays the same door,
   * so that what goes through it goes on; that of a refused one is closed. Throws POLICY_MISSING and what preparing throws,
   * and then nothing has changed.
   */
  async of(opened: OpenedProject, refused: Refused): Promise<ReadonlyMap<string, Door>> {
    const { lock, digest, entries, trusted } = opened.verified;
    const prepared = new Map<string, Prepared>();
    for (const [alias, verified] of entries) {
      if (refused.has(alias)) continue;
      prepared.set(alias, await prepare(this.#kept.runtime.prepareOptions(verified, digest)));
    }
    const policy = requiredPolicy(
      lock,
      new Map([...prepared].map(([alias, { surface }]) => [alias, surface])),
    );
    const next = new Map<string, Standing>();
    for (const [alias, ready] of prepared) {
      const path = pathOf(alias);
      const above = { root: trusted.root.version, policy: policy.digest, environment: lock.environment };
      const identity = digestOf(identityOf(ready, above));
      const before = this.#standing.get(path);
      const made = (): Standing => ({
        alias,
        prepared: ready,
        identity,
        door: this.#made(opened, { alias, prepared: ready, policy }),
      });
      next.set(path, before?.identity === identity ? before : made());
    }
    const paths = [...new Set([...this.#standing.keys(), ...next.keys()])];
    const same = paths.every((path) => this.#standing.get(path) === next.get(path));
    this.#standing = next;
    this.expires = runsUntil(lock, trusted);
    const each = new Map([...next].map(([path, { door }]) => [path, door]));
    for (const [alias, error] of refused) each.set(pathOf(alias), closedDoor(alias, error));
    return each.set(ALL, same && this.#whole ? this.#whole : this.#all(next, refused));
  }

  /** The door to all: a new one where any server’s is. */
  #all(standing: ReadonlyMap<string, Standing>, refused: Refused): Door {
    const { journal, say } = this.#kept.runtime;
    const parts = [...standing.values()];
    const { door, ambiguous } = allDoor({
      doors: new Map(parts.map((part) => [part.alias, part.door])),
      surfaces: new Map(parts.map((part) => [part.alias, part.prepared.surface])),
      refused,
      journal,
    });
    if (ambiguous.length > 0)
      say(
        `${ambiguous.length} resources are not at ${ALL}, as several servers have them: ${ambiguous.slice(0, 5).join(', ')}`,
      );
    this.#whole = door;
    return door;
  }

  #made(
    opened: OpenedProject,
    { alias, prepared, policy }: { alias: string; prepared: Prepared; policy: Policy },
  ): Door {
    const { runtime, instances, restMs, callMs, revocations, upstream, content } = this.#kept;
    const { around, api, fleet, journal, memories, say, telemetry } = runtime;
    const { trusted } = opened.verified;
    const verified = entryNamed(opened.verified, alias);
    const breakers = new Breakers();
    telemetry.metrics.breaker(`${prepared.entry.server} ${prepared.entry.version}`, breakers);
    return serverDoor({
      alias,
      ...prepared,
      ...watching({ verified, trusted, revocations }),
      policy,
      ...(content === undefined ? {} : { content }),
      telemetry: telemetry.sessions,
      approvals: api ? callApprovalsOf({ api, trusted, say }) : NOBODY_TO_ASK,
      lockExpires: () => this.expires,
      callMs: callMs(alias),
      journal,
      say,
      onRevoke: runtime.onRevoke,
      startFor: (caller) => {
        const hears = runtime.logs.of(
          instanceOf(opened, { alias, user: caller.user, driver: around.driver }),
        );
        const showing = { upstream, person: runtime.person, signedIn: runtime.signedIn };
        return async (record) => {
          const credentials = await shownFor({ alias, launch: prepared.entry.launch }, caller, showing);
          const heard = { ...around, hears };
          return startInstance(prepared, credentials ? { ...heard, credentials } : heard, record);
        };
      },
      breakers,
      memories,
      keeping: { probes: PROBES, idleMs: restMs },
      instances,
      tell: ({ user }) => {
        const told = tellOf(fleet, instanceOf(opened, { alias, user, driver: around.driver }));
        // Thousands of sessions may rest: what is told of is what runs.
        return { ...told, onState: (change) => (change.to === 'COLD' ? told.gone() : told.onState(change)) };
      },
    });
  }
}

function pathOf(alias: string): string {
  return `/servers/${alias}/mcp`;
}

/** Approvals may be renewed and the lock signed anew: what runs is the same. */
export function identityOf(
  { entry }: Pick<Prepared, 'entry'>,
  above: { readonly root: number; readonly policy: string; readonly environment: string },
): Json {
  const { server, version, closure, surface, permissions, launch, request } = entry;
  const what = { server, version, closure: closure.digest, surface: surface.digest };
  return { ...what, permissions, launch, request, above } as unknown as Json;
}
