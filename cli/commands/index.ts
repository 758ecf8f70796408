/**
 * The explicit list of verbs, as the help groups them. Each is loaded when it is used: `lk run` should not wait for what
 * only `lk serve` needs.
 */
import type { Groups, Load } from '../command.ts';

export const groups: Groups = {
  'Look at a server': {
    scan: async () => (await import('./scan.ts')).scan,
    try: async () => (await import('./try.ts')).trying,
    discover: async () => (await import('./discover.ts')).discover,
  },
  'Run a registry': {
    serve: async () => (await import('./serve.ts')).serve,
    login: async () => (await import('./login.ts')).login,
    people: async () => (await import('./people.ts')).people,
    token: async () => (await import('./token.ts')).token,
    keys: async () => (await import('./keys.ts')).keys,
    'keys root': async () => (await import('./root.ts')).root,
    trust: async () => (await import('./trust.ts')).trust,
    witness: async () => (await import('./witness.ts')).witness,
  },
  'Publish and review': {
    publish: async () => (await import('./publish.ts')).publish,
    review: async () => (await import('./review.ts')).review,
    diff: async () => (await import('./diff.ts')).diff,
    sbom: async () => (await import('./sbom.ts')).sbom,
    approve: async () => (await import('./approve.ts')).approve,
    reject: async () => (await import('./reject.ts')).reject,
    revoke: async () => (await import('./revoke.ts')).revoke,
    dashboard: async () => (await import('./dashboard.ts')).dashboard,
    owner: async () => (await import('./owner.ts')).owner,
    advisories: async () => (await import('./advisories.ts')).advisories,
  },
  'Use in a project': {
    add: async () => (await import('./add.ts')).add,
    adopt: async () => (await import('./adopt.ts')).adopt,
    remove: async () => (await import('./remove.ts')).remove,
    lock: async () => (await import('./lock.ts')).lock,
    ci: async () => (await import('./ci.ts')).ci,
    verify: async () => (await import('./verify.ts')).verify,
    policy: async () => (await import('./policy.ts')).policy,
    run: async () => (await import('./run.ts')).run,
    gateway: async () => (await import('./gateway.ts')).gateway,
    'gateway forget': async () => (await import('./gateway-forget.ts')).gatewayForget,
    'gateway token': async () => (await import('./gateway-token.ts')).gatewayToken,
    calls: async () => (await import('./calls.ts')).calls,
  },
  'See what happened': {
    ps: async () => (await import('./ps.ts')).ps,
    stop: async () => (await import('./stop.ts')).stop,
    logs: async () => (await import('./logs.ts')).logs,
    fleet: async () => (await import('./fleet.ts')).fleet,
    audit: async () => (await import('./audit.ts')).audit,
    'audit verify': async () => (await import('./audit-verify.ts')).auditVerify,
    'audit sinks': async () => (await import('./audit-sinks.ts')).auditSinks,
    evidence: async () => (await import('./evidence.ts')).evidence,
    log: async () => (await import('./log.ts')).log,
  },
  'On a machine without a network': {
    export: async () => (await import('./export.ts')).exporting,
    import: async () => (await import('./import.ts')).importing,
  },
  'Try and check': {
    drill: async () => (await import('./drill.ts')).drill,
    doctor: async () => (await import('./doctor.ts')).doctor,
  },
};

export const commands: Readonly<Record<string, Load>> = Object.assign({}, ...Object.values(groups));
