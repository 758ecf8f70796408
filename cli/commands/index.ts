/** The explicit list of verbs. Each is loaded when it is used: `lk run` should not wait for what only `lk serve` needs. */
import type { Command } from '../command.ts';

export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serve,
  login: async () => (await import('./login.ts')).login,
  people: async () => (await import('./people.ts')).people,
  token: async () => (await import('./token.ts')).token,
  keys: async () => (await import('./keys.ts')).keys,
  'keys root': async () => (await import('./root.ts')).root,
  witness: async () => (await import('./witness.ts')).witness,
  publish: async () => (await import('./publish.ts')).publish,
  review: async () => (await import('./review.ts')).review,
  diff: async () => (await import('./diff.ts')).diff,
  approve: async () => (await import('./approve.ts')).approve,
  dashboard: async () => (await import('./dashboard.ts')).dashboard,
  advisories: async () => (await import('./advisories.ts')).advisories,
  reject: async () => (await import('./reject.ts')).reject,
  revoke: async () => (await import('./revoke.ts')).revoke,
  add: async () => (await import('./add.ts')).add,
  lock: async () => (await import('./lock.ts')).lock,
  ci: async () => (await import('./ci.ts')).ci,
  verify: async () => (await import('./verify.ts')).verify,
  run: async () => (await import('./run.ts')).run,
  audit: async () => (await import('./audit.ts')).audit,
  log: async () => (await import('./log.ts')).log,
  drill: async () => (await import('./drill.ts')).drill,
  doctor: async () => (await import('./doctor.ts')).doctor,
};
