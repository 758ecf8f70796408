/** What the registry says today of a lock that verifies by itself. */
import { assertApproved, opened } from '../runtime/trust/approval.ts';
import { factsOf } from '../runtime/trust/lock.ts';
import { openRoot } from '../runtime/trust/root.ts';
import { LockCheckView, TrustView } from '../schemas/api.ts';
import { CODES, type Code, LockkeeperError } from '../schemas/errors.ts';
import type { Api } from './api.ts';
import type { OpenedProject } from './project.ts';

/** Whom the registry does not know was told nothing about the lock. */
const NO_VERDICT: ReadonlySet<Code> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED']);

/** Does this refusal say no to the lock, or only that nothing could be learnt about it? */
export function isVerdict(code: Code): boolean {
  return CODES[code].exit === 3 && !NO_VERDICT.has(code);
}

/** Asks the registry what it says of these releases today. Throws RELEASE_REVOKED, LOCK_EQUIVOCATION and the like. */
export async function assertCurrent(
  api: Api,
  { intent, verified }: OpenedProject,
  now: Date,
): Promise<Map<string, string>> {
  const entries = Object.values(verified.lock.servers);
  const body = {
    audience: intent.project,
    version: verified.lock.version,
    digest: verified.digest,
    releases: entries.map(({ server, version }) => ({ server, version })),
  };
  const check = await api.call('lockCheck', LockCheckView, { body });
  const states = new Map(
    check.states.map((item) => [`${item.server}@${item.version}`, item.state ?? 'unknown']),
  );
  for (const { server, version } of entries) {
    const state = states.get(`${server}@${version}`) ?? 'unknown';
    if (state === 'approved' || state === 'deprecated') continue;
    throw new LockkeeperError('RELEASE_REVOKED', {
      expected: `${server} ${version} approved`,
      found: `it is ${state} at ${intent.registry}`,
      next: 'Run: lk lock (it takes the newest approved version that fits), or change lockkeeper.json',
    });
  }
  await assertStillApproved(api, { intent, verified }, now);
  const { latest } = check;
  if (
    !check.known ||
    latest === null ||
    latest.version < verified.lock.version ||
    (latest.version === verified.lock.version && latest.digest !== verified.digest)
  ) {
    throw new LockkeeperError('LOCK_EQUIVOCATION', {
      expected: `the registry to know lock version ${verified.lock.version} of ${intent.project} with this digest`,
      found:
        latest === null || !check.known
          ? 'no such lock of this project'
          : `version ${latest.version}, digest ${latest.digest}`,
      next: 'The registry lost or replaced a lock it signed: report this, then run lk lock',
    });
  }
  return states;
}

/** The approvals once more, against the root of today: who left since the lock was signed no longer counts. */
async function assertStillApproved(
  api: Api,
  { intent, verified }: Pick<OpenedProject, 'intent' | 'verified'>,
  now: Date,
): Promise<void> {
  const { root } = await api.call('trust', TrustView);
  const today = openRoot(root, intent.trust, now);
  const { evidence } = verified.file;
  for (const { entry } of verified.entries.values()) {
    const given = entry.approvals
      .map((digest) => evidence.approvals[digest])
      .filter((one) => one !== undefined);
    const counting = given.filter((envelope) => opened(envelope, today) !== null);
    assertApproved(counting, today, { facts: factsOf(entry), environment: intent.environment, now });
  }
}
