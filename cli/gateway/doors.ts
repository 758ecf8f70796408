/** The doors of a project: one for each locked server, prepared before anything listens. */
import { serverDoor } from '../../runtime/gateway/door.ts';
import type { Instances } from '../../runtime/gateway/instances.ts';
import type { Door } from '../../runtime/gateway/ports.ts';
import type { Upstream } from '../../runtime/identity/upstream.ts';
import { startInstance } from '../../runtime/instance.ts';
import { Breaker } from '../../runtime/lifecycle/breaker.ts';
import type { Probes } from '../../runtime/lifecycle/supervisor.ts';
import { type Prepared, prepare } from '../../runtime/prepare.ts';
import { watching } from '../../runtime/run.ts';
import type { VerifiedEntry } from '../../runtime/trust/entry.ts';
import { runsUntil } from '../../runtime/trust/freshness.ts';
import type { RevocationSource } from '../../runtime/trust/revocations.ts';
import type { Json } from '../../schemas/common.ts';
import { digestOf } from '../../schemas/json.ts';
import { tellOf } from '../fleet.ts';
import type { OpenedProject } from '../project.ts';
import { instanceOf, type Runtime } from '../runtime.ts';

const PROBES: Probes = { everyMs: 30_000, timeoutMs: 10_000, failures: 3 };

export interface Kept {
  readonly runtime: Runtime;
  readonly instances: Instances;
  readonly restMs: number;
  readonly upstream: Upstream;
  readonly revocations: RevocationSource | null;
}

interface Standing {
  readonly door: Door;
  /** Of everything that decides what it leads to; the lock's own dates are not among it. */
  readonly identity: string;
}

export class Doors {
  readonly #kept: Kept;
  #standing = new Map<string, Standing>();
  #expires = 0;

  constructor(kept: Kept) {
    this.#kept = kept;
  }

  /**
   * The doors of this lock by path. One whose release, launch and permissions stay the same stays the same door, so that
   * what goes through it goes on. Throws what preparing throws, and then nothing has changed.
   */
  async of(opened: OpenedProject): Promise<ReadonlyMap<string, Door>> {
    const { verified } = opened;
    const next = new Map<string, Standing>();
    for (const [alias, entry] of verified.entries) {
      const path = `/servers/${alias}/mcp`;
      const identity = digestOf(identityOf(entry, verified.trusted.root.version));
      const before = this.#standing.get(path);
      next.set(
        path,
        before?.identity === identity
          ? before
          : { door: await this.#made(opened, { alias, entry }), identity },
      );
    }
    this.#standing = next;
    this.#expires = runsUntil(verified.lock, verified.trusted);
    return new Map([...next].map(([path, { door }]) => [path, door]));
  }

  async #made(
    opened: OpenedProject,
    { alias, entry: verified }: { alias: string; entry: VerifiedEntry },
  ): Promise<Door> {
    const { runtime, instances, restMs, revocations, upstream } = this.#kept;
    const { around, fleet, journal, say } = runtime;
    const { trusted, digest } = opened.verified;
    const prepared: Prepared = await prepare(runtime.prepareOptions(verified, digest));
    return serverDoor({
      alias,
      ...prepared,
      ...watching({ verified, trusted, revocations }),
      lockExpires: () => this.#expires,
      journal,
      say,
      onRevoke: runtime.onRevoke,
      startFor: (caller) => {
        const credentials = {
          headers: () => upstream.headersFor(alias, caller),
          forget: () => upstream.forget(alias),
        };
        return (record) => startInstance(prepared, { ...around, credentials }, record);
      },
      breaker: new Breaker(),
      keeping: { probes: PROBES, idleMs: restMs },
      instances,
      tell: ({ user }) => tellOf(fleet, instanceOf(opened, { alias, user, driver: around.driver })),
    });
  }
}

/** Approvals may be renewed and the lock signed anew: what runs is the same. */
function identityOf({ entry }: VerifiedEntry, root: number): Json {
  const { server, version, closure, surface, permissions, launch, request } = entry;
  return {
    server,
    version,
    closure: closure.digest,
    surface: surface.digest,
    permissions,
    launch,
    request,
    root,
  } as Json;
}
