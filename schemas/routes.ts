/** The one list of routes that the server implements and the command line calls. */
import type { RoleName } from './api.ts';
import { CALL_ROUTES } from './call.ts';
import { FLEET_ROUTES } from './fleet.ts';

export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Roles that may call it; `anonymous` stands for nobody signed in. Empty means nobody. */
  readonly roles: readonly (RoleName | 'anonymous')[];
}

const SIGNED_IN = ['admin', 'reviewer', 'publisher', 'developer', 'auditor', 'runtime'] as const;
const PEOPLE = ['admin', 'reviewer', 'publisher', 'developer', 'auditor'] as const;
const ANYONE = ['anonymous', ...SIGNED_IN] as const;

/** Every route of the registry with the roles that may use it. What is not here does not exist. */
export const ROUTES = {
  health: { method: 'GET', path: '/v1/health', roles: ANYONE },
  metrics: { method: 'GET', path: '/metrics', roles: ['admin', 'auditor'] },
  trust: { method: 'GET', path: '/v1/trust', roles: ANYONE },
  trustFiles: { method: 'GET', path: '/v1/trust/files', roles: PEOPLE },
  signIn: { method: 'POST', path: '/v1/sign-in', roles: ANYONE },
  signInWays: { method: 'GET', path: '/v1/sign-in', roles: ANYONE },
  signInBegin: { method: 'POST', path: '/v1/sign-in/begin', roles: ANYONE },
  signInDevice: { method: 'POST', path: '/v1/sign-in/device', roles: ANYONE },
  signInEnd: { method: 'POST', path: '/v1/sign-in/end', roles: ANYONE },
  me: { method: 'GET', path: '/v1/me', roles: SIGNED_IN },
  people: { method: 'POST', path: '/v1/people', roles: ['admin'] },
  peopleList: { method: 'GET', path: '/v1/people', roles: ['admin'] },
  personCode: { method: 'POST', path: '/v1/people/:person/code', roles: ['admin'] },
  personRemove: { method: 'POST', path: '/v1/people/:person/remove', roles: ['admin'] },
  personLink: { method: 'POST', path: '/v1/people/:person/link', roles: ['admin'] },
  tokens: { method: 'POST', path: '/v1/tokens', roles: SIGNED_IN },
  keys: { method: 'POST', path: '/v1/keys', roles: ['reviewer'] },
  keyRotate: { method: 'POST', path: '/v1/keys/rotate', roles: ['admin'] },
  rootAccept: { method: 'POST', path: '/v1/roots', roles: ['admin'] },
  policy: { method: 'GET', path: '/v1/policy', roles: SIGNED_IN },
  publish: { method: 'POST', path: '/v1/releases', roles: ['publisher', 'admin'] },
  bundle: { method: 'POST', path: '/v1/bundles', roles: ['publisher', 'admin'] },
  servers: { method: 'GET', path: '/v1/servers', roles: PEOPLE },
  serverOwner: { method: 'POST', path: '/v1/servers', roles: ['publisher', 'admin'] },
  attention: { method: 'GET', path: '/v1/attention', roles: PEOPLE },
  releases: { method: 'GET', path: '/v1/releases', roles: PEOPLE },
  release: { method: 'GET', path: '/v1/releases/:id', roles: PEOPLE },
  review: { method: 'GET', path: '/v1/releases/:id/review', roles: PEOPLE },
  report: { method: 'GET', path: '/v1/releases/:id/report', roles: PEOPLE },
  verdict: { method: 'GET', path: '/v1/releases/:id/verdict', roles: PEOPLE },
  surface: { method: 'GET', path: '/v1/releases/:id/surface', roles: PEOPLE },
  sbom: { method: 'GET', path: '/v1/releases/:id/sbom', roles: PEOPLE },
  diff: { method: 'GET', path: '/v1/releases/:id/diff', roles: PEOPLE },
  statement: { method: 'GET', path: '/v1/releases/:id/statement', roles: ['reviewer'] },
  approve: { method: 'POST', path: '/v1/releases/:id/approvals', roles: ['reviewer'] },
  reject: { method: 'POST', path: '/v1/releases/:id/reject', roles: ['reviewer'] },
  deprecate: { method: 'POST', path: '/v1/releases/:id/deprecate', roles: ['admin', 'reviewer'] },
  rescan: { method: 'POST', path: '/v1/releases/:id/rescan', roles: ['admin', 'reviewer'] },
  revoke: { method: 'POST', path: '/v1/releases/:id/revoke', roles: ['admin', 'reviewer'] },
  revocations: { method: 'GET', path: '/v1/revocations', roles: SIGNED_IN },
  revocationStream: { method: 'GET', path: '/v1/revocations/stream', roles: SIGNED_IN },
  blob: { method: 'GET', path: '/v1/blobs/:digest', roles: SIGNED_IN },
  lock: { method: 'POST', path: '/v1/locks', roles: ['developer', 'admin'] },
  lockCheck: { method: 'POST', path: '/v1/locks/check', roles: SIGNED_IN },
  auditWrite: { method: 'POST', path: '/v1/audit', roles: ['runtime', 'developer'] },
  auditRead: { method: 'GET', path: '/v1/audit', roles: ['auditor', 'admin'] },
  ...CALL_ROUTES,
  ...FLEET_ROUTES,
  evidence: { method: 'GET', path: '/v1/evidence', roles: ['auditor', 'admin'] },
  evidenceEntries: { method: 'GET', path: '/v1/evidence/entries', roles: ['auditor', 'admin'] },
  evidenceRecords: { method: 'GET', path: '/v1/evidence/records', roles: ['auditor', 'admin'] },
  advisories: { method: 'GET', path: '/v1/advisories', roles: PEOPLE },
  advisoryImport: { method: 'POST', path: '/v1/advisories', roles: ['admin'] },
  advisoryCheck: { method: 'POST', path: '/v1/advisories/check', roles: SIGNED_IN },
  log: { method: 'GET', path: '/v1/log', roles: ANYONE },
  logEntries: { method: 'GET', path: '/v1/log/entries', roles: SIGNED_IN },
  logInclusion: { method: 'GET', path: '/v1/log/inclusion', roles: ANYONE },
  logConsistency: { method: 'GET', path: '/v1/log/consistency', roles: ANYONE },
  checkpoint: { method: 'GET', path: '/checkpoint', roles: ANYONE },
  tile: { method: 'GET', path: '/tile/*', roles: ANYONE },
  tileEntries: { method: 'GET', path: '/tile/entries/*', roles: SIGNED_IN },
  registryList: { method: 'GET', path: '/v0.1/servers', roles: ANYONE },
  registryVersions: { method: 'GET', path: '/v0.1/servers/:name/versions', roles: ANYONE },
  registryVersion: { method: 'GET', path: '/v0.1/servers/:name/versions/:version', roles: ANYONE },
  dashboard: { method: 'GET', path: '/', roles: ANYONE },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof ROUTES;

/** The path of a route with its parameters filled in, encoded. */
export function pathOf(route: RouteName, parameters: Readonly<Record<string, string | number>> = {}): string {
  return ROUTES[route].path.replace(/:([a-z]+)/g, (_, name: string) =>
    encodeURIComponent(String(parameters[name])),
  );
}
