/** Approving, rejecting, deprecating. */

import { assertCovers, assertNotRequester, openApproval } from '../../runtime/trust/approval.ts';
import { ApprovalBody, NothingBody, ReasonBody } from '../../schemas/api.ts';
import { APPROVAL_PREDICATE, type Approval, subjectsOf } from '../../schemas/approval.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import type { ReleaseState } from '../../schemas/release.ts';
import { StatementQuery } from '../../schemas/review.ts';
import { assertValid } from '../../schemas/validate.ts';
import { alarmsOf } from '../alarms.ts';
import type { Call, Handlers } from '../app.ts';
import { countFor, dropWorn } from '../approvals.ts';
import { listAlarms } from '../db/alarms.ts';
import { dropFailed } from '../db/failed-looks.ts';
import { isDuplicate, withTransaction } from '../db/pool.ts';
import { findRelease, insertApproval, moveState, type ReleaseRow } from '../db/releases.ts';
import { listServers } from '../db/servers.ts';
import { assertDelta, chainOf, deltaOf } from '../deltas.ts';
import type { Deps } from '../deps.ts';
import { factsOfRow } from '../facts.ts';
import { MOVES, wrongState } from '../lifecycle.ts';
import { recordEvent } from '../log.ts';
import { queueRescan } from '../queue.ts';
import { sinceApproval } from '../rescan.ts';
import { isReliedOn } from '../standard.ts';
import { viewOf } from '../view.ts';
import { releaseOf } from './releases.ts';

const DAY_MS = 86_400_000;

export function reviewRoutes(deps: Deps): Handlers {
  return {
    review: (call) => review(call, deps),
    statement: (call) => statement(call, deps),
    approve: (call) => approve(call, deps),
    reject: (call) => move(call, deps, 'reject'),
    deprecate: (call) => move(call, deps, 'deprecate'),
    rescan: (call) => rescan(call, deps),
  };
}

/** An approved release is reviewed again when its approvals end or a reviewer's key was replaced. */
function assertReviewable(state: ReleaseState): void {
  if (state !== 'in_review' && state !== 'approved') throw wrongState('approve', state);
}

/** Gating checks that fired or are unknown, in the report or as judged since: an approval has to accept each by name. */
async function checksOf(row: ReleaseRow, { pool, blobs }: Deps): Promise<{ open: string[]; all: string[] }> {
  const report = assertValid(
    Report,
    parseStrict(await blobs.get(row.report_digest ?? '')),
    'a stored report',
  );
  const alarms = await listAlarms(pool, [row.id]);
  const open = [
    ...report.checks.filter((check) => check.gates && check.outcome !== 'ok'),
    ...alarms.filter(({ gates }) => gates),
  ];
  return {
    open: [...new Set(open.map(({ id }) => id))],
    all: [...new Set([...report.checks, ...alarms].map(({ id }) => id))],
  };
}

async function statement(call: Call, deps: Deps): Promise<unknown> {
  const row = await releaseOf(call, deps.pool);
  assertReviewable(row.state);
  assertNotRequester(call.actor.person, row.requested_by);
  const { delta } = call.query(StatementQuery);
  const { trusted } = await deps.trust.current();
  const deltaFrom = delta === undefined ? null : await deltaOf(deps.pool, row, { version: delta, trusted });
  const facts = factsOfRow(row);
  const now = new Date();
  const statement: Approval = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectsOf({ closure: facts.closure }),
    predicateType: APPROVAL_PREDICATE,
    predicate: {
      decision: 'approved',
      server: { name: facts.name, version: facts.version, purl: facts.purl },
      closureDigest: facts.closure.digest,
      surfaceDigest: facts.surfaceDigest,
      reportDigest: facts.reportDigest,
      permissions: facts.permissions,
      launch: facts.launch,
      ...(facts.provenance ? { provenance: facts.provenance } : {}),
      environments: [],
      accepts: {},
      ...(deltaFrom ? { deltaFrom } : {}),
      requestedBy: facts.requestedBy,
      approvedBy: call.actor.person,
      notBefore: now.toISOString(),
      expires: new Date(now.getTime() + deps.policy.approvals.maxAgeDays * DAY_MS).toISOString(),
    },
  };
  return { statement, missing: (await checksOf(row, deps)).open };
}

/** What a reviewer is told besides report and difference. */
async function review(call: Call, deps: Deps): Promise<unknown> {
  const row = await releaseOf(call, deps.pool);
  const { trusted } = await deps.trust.current();
  const { threshold } = trusted.root.roles.approver;
  const [owner = null] = await listServers(deps.pool, { name: row.name });
  const given = row.approvals.filter(({ deltaFrom }) => deltaFrom !== null);
  const { full } = given.length > 0 ? await chainOf(deps.pool, row, { threshold }) : { full: null };
  const deltas = given.map(({ person, deltaFrom }) => ({ person, from: deltaFrom?.version, full }));
  const alarms = isReliedOn(row) ? await alarmsOf(deps.pool, row, trusted) : [];
  return { owner, since: await sinceApproval(row, deps), alarms, deltas };
}

async function approve(call: Call, deps: Deps): Promise<unknown> {
  const { envelope } = call.body(ApprovalBody);
  const row = await releaseOf(call, deps.pool);
  const { trusted } = await deps.trust.current();
  const mine = openApproval(envelope, trusted);
  if (mine.person !== call.actor.person) {
    throw new LockkeeperError('FORBIDDEN', {
      expected: `an approval signed by ${call.actor.person}, who sends it`,
      found: `one of ${mine.person}`,
      next: 'Each reviewer sends their own: lk approve',
    });
  }
  // The clock of a reviewer's machine may be a little ahead of this one.
  assertCovers(
    mine,
    factsOfRow(row),
    new Date(
      Math.max(Date.now(), Math.min(Date.parse(mine.approval.predicate.notBefore), Date.now() + 300_000)),
    ),
  );
  await assertWithinPolicy(mine.approval, row, deps);
  const { threshold } = trusted.root.roles.approver;
  const given = await withTransaction(deps.pool, async (client) => {
    await client.query('select 1 from releases where id = $1 for update', [row.id]);
    const now = await findRelease(client, row.id);
    assertReviewable(now?.state ?? 'rejected');
    const { maxDeltas } = deps.policy.approvals;
    await assertDelta(client, row, { approval: mine.approval, trusted, maxDeltas });
    await dropWorn(client, row.id, mine, trusted);
    await insertApproval(client, {
      digest: mine.digest,
      releaseId: Number(row.id),
      person: mine.person,
      envelope,
      expires: mine.approval.predicate.expires,
    });
    const { environments } = mine.approval.predicate;
    const count = await countFor(client, row.id, { environments, trusted });
    await recordEvent(client, {
      person: mine.person,
      action: 'release.approved-by',
      subject: `${row.name}@${row.version}`,
      detail: { approval: mine.digest },
      logged: { kind: 'approval', digest: mine.digest },
    });
    if (count >= threshold && now?.state === 'in_review') await moveState(client, row.id, MOVES.approve);
    return count;
  }).catch((error: unknown) => {
    if (!isDuplicate(error)) throw error;
    throw new LockkeeperError('APPROVAL_GIVEN', {
      expected: `approvals of ${threshold} distinct people`,
      found: `a second one of ${mine.person} for the same environments`,
      next: 'Ask another reviewer',
    });
  });
  const after = await findRelease(deps.pool, row.id);
  return { approval: mine.digest, state: after?.state, given, needed: threshold };
}

async function assertWithinPolicy(approval: Approval, row: ReleaseRow, deps: Deps): Promise<void> {
  const { accepts, notBefore, expires } = approval.predicate;
  const checks = await checksOf(row, deps);
  const open = checks.open.filter((check) => !Object.hasOwn(accepts, check));
  if (open.length > 0) {
    throw new LockkeeperError('APPROVAL_CHECKS', {
      expected: 'a reason for each gating check that fired or is unknown',
      found: `none for ${open.join(', ')}`,
      next: `Add ${open.map((check) => `--accept "${check}=REASON"`).join(' ')}`,
    });
  }
  const strange = Object.keys(accepts).filter((check) => !checks.all.includes(check));
  if (strange.length > 0) {
    throw new LockkeeperError('APPROVAL_CHECKS', {
      expected: `checks of this report: ${checks.all.join(', ')}`,
      found: strange.join(', '),
      next: 'Correct the name of the check',
    });
  }
  const days = (Date.parse(expires) - Date.parse(notBefore)) / DAY_MS;
  const { maxAgeDays } = deps.policy.approvals;
  if (days > maxAgeDays + 0.01) {
    throw new LockkeeperError('APPROVAL_SCOPE', {
      expected: `an approval for at most ${maxAgeDays} days`,
      found: `${days.toFixed(1)} days`,
      next: 'Approve it for less with: --days',
    });
  }
}

async function move(call: Call, deps: Deps, name: 'reject' | 'deprecate'): Promise<unknown> {
  const { reason } = call.body(ReasonBody);
  const row = await releaseOf(call, deps.pool);
  await withTransaction(deps.pool, async (client) => {
    if (!(await moveState(client, row.id, { ...MOVES[name], reason }))) {
      const now = await findRelease(client, row.id);
      throw wrongState(name, now?.state ?? row.state);
    }
    await recordEvent(client, {
      person: call.actor.person,
      action: `release.${name}`,
      subject: `${row.name}@${row.version}`,
      detail: { reason },
      ...(name === 'reject'
        ? { logged: { kind: 'rejection', digest: digestOf({ reason, person: call.actor.person }) } }
        : {}),
    });
  });
  const after = await findRelease(deps.pool, row.id);
  return after ? viewOf(after, (await deps.trust.current()).trusted) : null;
}

/** By the queue, from the beginning: what it gave up is tried again. */
async function rescan(call: Call, deps: Deps): Promise<unknown> {
  call.body(NothingBody);
  const row = await releaseOf(call, deps.pool);
  if (!isReliedOn(row)) {
    throw new LockkeeperError('STATE_CONFLICT', {
      expected: 'a release that is approved, or whose approvals ended',
      found: `one that is ${row.state}`,
      next: 'Look at it with: lk review',
    });
  }
  await withTransaction(deps.pool, async (client) => {
    await dropFailed(client, row.id);
    await queueRescan(client, row.id);
    await recordEvent(client, {
      person: call.actor.person,
      action: 'release.rescan-asked',
      subject: `${row.name}@${row.version}`,
      detail: {},
    });
  });
  void call.reply.code(202);
  return viewOf(row, (await deps.trust.current()).trusted);
}
