/** What the registry says today of a lock that verifies by itself. */
import { assertApproved, opened } from '../runtime/trust/approval.ts';
import { assertGrew, openCheckpoint } from '../runtime/trust/checkpoint.ts';
import { factsOf } from '../runtime/trust/entry.ts';
import type { VerifiedLock } from '../runtime/trust/lock.ts';
import type { TrustedRoot } from '../runtime/trust/root.ts';
import { LockCheckView } from '../schemas/api.ts';
import { asLockkeeperError, CODES, type Code, LockkeeperError } from '../schemas/errors.ts';
import type { Intent } from '../schemas/intent.ts';
import { LogProof, LogView } from '../schemas/log.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';
import { keepingProof } from './misbehaviour.ts';
import { rootOfToday } from './roots.ts';

/** Whom the registry does not know was told nothing about the lock. */
const NO_VERDICT: ReadonlySet<Code> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED']);

/** Does this refusal say no to the lock, or only that nothing could be learnt about it? */
export function isVerdict(code: Code): boolean {
  return CODES[code].exit === 3 && !NO_VERDICT.has(code);
}

/** What the registry says today, by `server@version`. */
export type States = ReadonlyMap<string, string>;

export interface Asked {
  readonly intent: Intent;
  readonly verified: VerifiedLock;
  readonly told?: (states: States) => void;
  /** Hears of an entry that is refused, each as soon as it is known; without it, the first one is thrown. */
  readonly refused?: (alias: string, error: LockkeeperError) => void;
}

/** Asks the registry what it says of these releases today; `told` hears it before anything is refused. Throws RELEASE_REVOKED, LOCK_EQUIVOCATION and the like. */
export async function assertCurrent(context: Context, api: Api, asked: Asked): Promise<States> {
  const { intent, verified, told } = asked;
  const refused = asked.refused ?? thrown;
  const now = context.now();
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
  told?.(states);
  for (const [alias, { server, version }] of Object.entries(verified.lock.servers)) {
    const state = states.get(`${server}@${version}`) ?? 'unknown';
    if (state === 'approved' || state === 'deprecated') continue;
    const error = new LockkeeperError('RELEASE_REVOKED', {
      expected: `${server} ${version} approved`,
      found: `it is ${state} at ${intent.registry}`,
      next: `Why: lk review ${server}@${version}. Run: lk lock (it takes the newest approved version that fits), or take it out: lk remove ${alias}`,
    });
    refused(alias, error);
  }
  const today = (await rootOfToday(context, api, intent.trust)).trusted;
  assertStillApproved(verified, { intent, today, now, refused });
  await assertKnown(context, { intent, verified }, check);
  await assertLogGrew(context, api, { intent, verified, today });
  return states;
}

/** The registry knows the lock it signed; what it says instead is kept beside the lock. */
async function assertKnown(
  context: Context,
  { intent, verified }: { intent: Intent; verified: VerifiedLock },
  check: LockCheckView,
): Promise<void> {
  const { latest } = check;
  const { registry, project } = intent;
  const contradiction = { registry, project, earlier: verified.file, later: check };
  const lost =
    !check.known ||
    latest === null ||
    latest.version < verified.lock.version ||
    (latest.version === verified.lock.version && latest.digest !== verified.digest);
  if (!lost) return;
  await keepingProof(
    context,
    () => contradiction,
    async () => {
      throw new LockkeeperError('LOCK_EQUIVOCATION', {
        expected: `the registry to know lock version ${verified.lock.version} of ${intent.project} with this digest`,
        found:
          latest === null || !check.known
            ? 'no such lock of this project'
            : `version ${latest.version}, digest ${latest.digest}`,
        next: 'The registry lost or replaced a lock it signed: report this, then run lk lock',
      });
    },
  );
}

/** What the registry shows today continues the log that the lock was made from. Throws LOG_FORK and the like. */
async function assertLogGrew(
  context: Context,
  api: Api,
  of: { intent: Intent; verified: VerifiedLock; today: TrustedRoot },
): Promise<void> {
  const { verified, intent } = of;
  const { checkpoint } = await api.call('log', LogView);
  // The newest entries may still be on their way to the witnesses; those of the lock were counted.
  const today = openCheckpoint(checkpoint, { ...of.today.root.log, threshold: 0 });
  const then = readCheckpoint(parseNote(verified.file.evidence.log.checkpoint).text);
  const query = { from: `${then.size}`, to: `${today.size}` };
  const grown = today.size > then.size;
  const proof = grown ? (await api.call('logConsistency', LogProof, { query })).proof : [];
  const { registry, project } = intent;
  const earlier = verified.file.evidence.log.checkpoint;
  await keepingProof(
    context,
    () => ({ registry, project, earlier, later: { checkpoint, proof } }),
    async () =>
      assertGrew(
        then,
        today,
        proof.map((hash) => Buffer.from(hash, 'base64')),
      ),
  );
}

/** The approvals once more, against the root of today: who left since the lock was signed no longer counts. */
function assertStillApproved(
  verified: VerifiedLock,
  of: { intent: Intent; today: TrustedRoot; now: Date; refused: NonNullable<Asked['refused']> },
): void {
  const { intent, today, now, refused } = of;
  const { evidence } = verified.file;
  for (const [alias, { entry }] of verified.entries) {
    const given = entry.approvals
      .map((digest) => evidence.approvals[digest])
      .filter((one) => one !== undefined);
    const counting = given.filter((envelope) => opened(envelope, today) !== null);
    try {
      assertApproved(counting, today, { facts: factsOf(entry), environment: intent.environment, now });
    } catch (thrown) {
      refused(alias, asLockkeeperError(thrown));
    }
  }
}

function thrown(_alias: string, error: LockkeeperError): never {
  throw error;
}
