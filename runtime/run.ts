/** One locked server for one client: artifacts, folder tree, sandbox, session. */
import type { Readable, Writable } from 'node:stream';
import type { Lock } from '../schemas/lock.ts';
import type { Surface } from '../schemas/surface.ts';
import type { Caller } from './gate/caller.ts';
import type { CallApprovals } from './gate/people.ts';
import { type Around, startInstance } from './instance.ts';
import type { Journal } from './journal/journal.ts';
import { FlowState } from './policy/flows.ts';
import type { FlowMemories } from './policy/remembered.ts';
import { type PrepareOptions, prepare } from './prepare.ts';
import type { SessionEnd, SessionOptions } from './session/options.ts';
import type { OnRevoke } from './session/quarantine.ts';
import { serveSession } from './session/serve.ts';
import { type RevocationSource, watchRevocations } from './trust/revocations.ts';
import type { TrustedRoot } from './trust/root.ts';

export interface RunOptions
  extends PrepareOptions,
    Around,
    Pick<SessionOptions, 'content' | 'callMs' | 'telemetry' | 'onState' | 'onCall'> {
  /** The root that the lock carries. */
  readonly trusted: TrustedRoot;
  /** Where revocations are heard of; null when there is no registry to ask. */
  readonly revocations: RevocationSource | null;
  readonly onRevoke: OnRevoke;
  readonly lockExpires: () => number;
  readonly caller: Caller;
  readonly journal: Journal;
  /** Whose policy is judged by, as which of its servers; without it a lock's policy would not count. */
  readonly lock: Lock;
  readonly alias: string;
  /** What this person has read in other sessions; without it, of this one alone is known. */
  readonly memories?: FlowMemories;
  /** Where people are asked about calls. */
  readonly approvals: CallApprovals;
  readonly client: { readonly input: Readable; readonly output: Writable };
  readonly say: (line: string) => void;
  readonly stop?: AbortSignal;
}

/** Pulls, lays out, starts, serves. What it throws happened before anything was started. */
export async function runLocked(options: RunOptions): Promise<SessionEnd> {
  const prepared = await prepare(options);
  return serveSession({
    ...options,
    ...prepared,
    ...watching(options),
    ...(await governing(options, prepared.surface)),
    start: (record) => startInstance(prepared, options, record),
  });
}

/** The lock's policy for a session of its own. Cedar is loaded where there is one. */
async function governing(
  { lock, alias, approvals, caller, memories }: RunOptions,
  surface: Surface,
): Promise<Pick<SessionOptions, 'policy'>> {
  if (lock.policy === undefined) return {};
  const { lockedPolicy } = await import('./policy/locked.ts');
  const policy = lockedPolicy(lock, new Map([[alias, surface]]));
  if (!policy) return {};
  const whose = { user: caller.user, principal: caller.via };
  const flow = new FlowState(memories?.of(whose, policy.remembers));
  return { policy: { policy, server: alias, flow, approvals } };
}

/** What tells a session that its release is revoked. */
export function watching({
  verified,
  trusted,
  revocations,
}: Pick<RunOptions, 'verified' | 'trusted' | 'revocations'>): Pick<SessionOptions, 'watch'> {
  const { server, version, closure } = verified.entry;
  const release = { server, version, closureDigest: closure.digest };
  return revocations
    ? { watch: (revoked) => watchRevocations({ release, trusted, source: revocations }, revoked) }
    : {};
}
