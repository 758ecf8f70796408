/** What the runtime needs from the world, and the shapes that pass between its parts. */
import type { Readable, Writable } from 'node:stream';
import type { Code } from '../schemas/errors.ts';
import type { ImageLaunch } from '../schemas/oci.ts';
import type { PythonTarget } from '../schemas/pypi.ts';

/** Everything a driver needs to start one server. Made from the lock alone by `launch.ts`. */
export interface LaunchPlan {
  /** Unique per start: `[a-z0-9-]{1,64}`. */
  readonly id: string;
  /** Host folder with the materialised closure; seen read-only as `/app`, or as `/` where it is an image. */
  readonly appDir: string;
  /** argv inside the sandbox. `node` as its first word is the runtime's own Node, `python` the machine's own Python. */
  readonly command: readonly [string, ...string[]];
  /** Which Python `python` has to be. */
  readonly python?: PythonTarget;
  /** Of a server that is an image: the sandbox shows it and nothing of this machine. */
  readonly image?: ImageLaunch;
  /** Set for an image that may reach a host: the way out is made for programs of every kind. */
  readonly reaches?: true;
  /** The whole environment of the server; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  /** Each a file of mode 0400 that only the server may read, `/run/secrets/NAME`. */
  readonly secrets?: readonly PlannedSecret[];
  readonly limits: Limits;
  /** Host path of the egress proxy's unix socket; without it the server has no way out at all. */
  readonly egressSocket?: string;
}

export interface PlannedSecret {
  readonly name: string;
  readonly value: string;
}

export interface Mount {
  /** Absolute host path. */
  readonly source: string;
  /** Absolute path inside the sandbox. */
  readonly target: string;
  readonly mode: 'ro' | 'rw';
}

export interface Limits {
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly pids: number;
  readonly tmpMiB: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A server that is spoken to, wherever it runs. Streams are raw bytes, a message a line; framing is the caller's. */
export interface RunningServer {
  /** What keeps it apart: the name of an isolation driver, or `remote`. */
  readonly driver: string;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Is given what it says on stderr, for people. Set by whoever starts it. */
  heard?: (chunk: Buffer) => void;
  readonly exited: Promise<Exit>;
  /** What the driver put in place, for the journal: driver, uid, limits and how each is enforced. */
  readonly isolation: Readonly<Record<string, string | number | boolean>>;
  /** Ends stdin, then TERM, then KILL of everything inside; resolves when nothing is left. */
  stop(graceMs: number): Promise<Exit>;
}

/** One running sandbox. */
export interface SandboxedProcess extends RunningServer {
  readonly pid: number;
  /** The server as this machine's kernel knows it; undefined where it cannot be seen from here. */
  readonly inside?: number;
}

export type DriverStatus =
  | { readonly available: true; readonly version: string }
  | { readonly available: false; readonly reason: string };

export const DRIVER_NAMES = ['bubblewrap', 'podman', 'docker', 'runsc'] as const;
export type DriverName = (typeof DRIVER_NAMES)[number];

export interface IsolationDriver {
  /** User id that servers have outside of the sandbox; undefined where an engine maps it elsewhere. */
  readonly serverUid?: number;
  readonly name: DriverName;
  detect(): Promise<DriverStatus>;
  start(plan: LaunchPlan): Promise<SandboxedProcess>;
}

/** One connection a server asked for, as the egress proxy or the in-sandbox reporter saw it. */
export interface EgressEvent {
  readonly host: string;
  readonly port: number;
  /**
   * `proxy`: asked through the proxy; `report`: a direct attempt the sandbox's own network refused, told from inside;
   * `kernel`: such attempts as the kernel counted them, whatever program made them; `remote`: our own, to a remote server.
   */
  readonly via: 'proxy' | 'report' | 'kernel' | 'remote';
  readonly outcome: 'allowed' | 'refused';
  readonly reason: string;
  /** It happened at some time since then, in ms of the monotonic clock; without it, now. */
  readonly from?: number;
  /** Of a refusal that is more than EGRESS_REFUSED. */
  readonly code?: Code;
}
