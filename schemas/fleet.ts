/** What runs where: as runtimes report it, and as the registry shows it. */
import { Closed, Digest, Instant, Person, ServerName, Version } from './common.ts';
import { ReleaseState } from './release.ts';
import { type Static, Type } from './type.ts';

/** Seconds between reports of a runtime that has something running. */
export const REPORT_S = 15;
/** Seconds after which the state of what is not reported any more is not known. */
export const SILENT_S = 60;
/** Instances that one report lists. */
export const MAX_INSTANCES = 256;

export const ServerState = Type.Union([
  Type.Literal('COLD'),
  Type.Literal('STARTING'),
  Type.Literal('READY'),
  Type.Literal('DEGRADED'),
  Type.Literal('DEAD'),
  Type.Literal('DRAINING'),
  Type.Literal('QUARANTINED'),
]);
export type ServerState = Static<typeof ServerState>;

const Id = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'an id of at most 64 characters' });
const Word = Type.String({ minLength: 1, maxLength: 200 });

/** One server that a runtime keeps. */
export const FleetInstance = Closed({
  /** Of the instance, not of a process: it stays when the server is restarted. */
  id: Id,
  server: ServerName,
  version: Version,
  closureDigest: Digest,
  state: ServerState,
  since: Instant,
  lock: Digest,
  lockVersion: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
  project: Word,
  user: Word,
  driver: Word,
});
export type FleetInstance = Static<typeof FleetInstance>;

/** POST /v1/fleet (runtime): what this runtime keeps now; what is not in it is gone, or one of `more`. */
export const FleetReport = Closed({
  runtime: Id,
  host: Type.String({ minLength: 1, maxLength: 253 }),
  instances: Type.Array(FleetInstance, { maxItems: MAX_INSTANCES }),
  /** How many it keeps beside these. */
  more: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
});
export type FleetReport = Static<typeof FleetReport>;
export const FleetAck = Closed({ kept: Type.Integer({ minimum: 0 }) });

/** One instance as the registry knows it. */
export const FleetItem = Closed({
  ...FleetInstance.properties,
  /** `unknown`: nothing was heard of it for a minute. */
  state: Type.Union([ServerState, Type.Literal('unknown')]),
  runtime: Id,
  host: Type.String(),
  reportedBy: Person,
  lastSeen: Instant,
  /** What this registry says today of those very bytes; null when it does not know them. */
  release: Type.Union([Type.Null(), ReleaseState]),
});
export type FleetItem = Static<typeof FleetItem>;

/** GET /v1/fleet?server=&state= */
export const FleetQuery = Closed({
  server: Type.Optional(Type.String({ maxLength: 200 })),
  state: Type.Optional(FleetItem.properties.state),
});
export const FleetView = Closed({
  instances: Type.Array(FleetItem, { maxItems: 1000 }),
  /** There are others beside these. */
  more: Type.Boolean(),
  /** How many instances, of any server and state, runtimes keep beside those that they list. */
  unlisted: Type.Integer({ minimum: 0 }),
});
export type FleetView = Static<typeof FleetView>;

/** Part of the table in api.ts. Who runs what where is no matter of everybody. */
export const FLEET_ROUTES = {
  fleet: { method: 'GET', path: '/v1/fleet', roles: ['admin', 'reviewer', 'auditor'] },
  fleetReport: { method: 'POST', path: '/v1/fleet', roles: ['runtime', 'developer'] },
} as const;
