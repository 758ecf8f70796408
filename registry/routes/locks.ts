/** Resolving an intent to a signed lock, and telling what became of a lock's releases. */

import { assertApproved, opened } from '../../runtime/trust/approval.ts';
import type { TrustedRoot } from '../../runtime/trust/root.ts';
import { LockBody, LockCheckBody } from '../../schemas/api.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import type { Intent } from '../../schemas/intent.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import {
  LOCK_TYPE,
  type Lock,
  type LockEntry,
  type LockFile,
  lockDigest,
  lockPayload,
  lockSubject,
  TRIAL_WARNING,
} from '../../schemas/lock.ts';
import { type LogEvidence, type Logged, releaseSubject } from '../../schemas/log.ts';
import { takesArgs } from '../../schemas/release.ts';
import { assertPermitted } from '../../schemas/request.ts';
import { signWith } from '../../schemas/signer.ts';
import { pinSurface, Surface } from '../../schemas/surface.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Call, Handlers } from '../app.ts';
import { witnessedCheckpoint } from '../checkpoints/checkpoints.ts';
import { logSize } from '../db/log.ts';
import { withTransaction } from '../db/pool.ts';
import { insertLock, insertLockEvidence, isSigned, lockSizes, newestLock } from '../db/records.ts';
import { approvalsOf, type ReleaseRow, releasesNamed } from '../db/releases.ts';
import type { Deps } from '../deps.ts';
import { factsOfRow } from '../facts.ts';
import { evidenceOf, GROWTH_LOCKS } from '../lock-evidence.ts';
import { policyFor } from '../lock-policy.ts';
import { recordEvent } from '../log.ts';
import { pickRelease } from '../resolve.ts';

const HOUR_MS = 3_600_000;

export function lockRoutes(deps: Deps): Handlers {
  return {
    lock: (call) => lock(call, deps),
    lockCheck: async (call) => {
      const body = call.body(LockCheckBody);
      const names = [...new Set(body.releases.map((release) => release.server))];
      const rows = await releasesNamed(deps.pool, names, [
        'submitted',
        'scanning',
        'in_review',
        'approved',
        'deprecated',
        'revoked',
      ]);
      const states = new Map(rows.map((row) => [`${row.name}@${row.version}`, row.state]));
      return {
        known: await isSigned(deps.pool, body),
        latest: await newestLock(deps.pool, body.audience),
        states: body.releases.map(({ server, version }) => ({
          server,
          version,
          state: states.get(`${server}@${version}`) ?? null,
        })),
      };
    },
  };
}

interface Resolved {
  readonly entry: LockEntry;
  readonly envelopes: readonly { digest: string; envelope: Envelope }[];
}

async function lock(call: Call, deps: Deps): Promise<unknown> {
  const { intent, policy, dropPolicy = false } = call.body(LockBody);
  const { root, rootChain, trusted } = await deps.trust.evidence(intent.trust.rootKeys);
  const names = [...new Set(Object.values(intent.servers).map((request) => request.server))];
  const rows = await releasesNamed(deps.pool, names, ['approved', 'revoked']);
  const resolved = new Map<string, Resolved>();
  for (const alias of Object.keys(intent.servers).sort())
    resolved.set(alias, await resolve(alias, intent, { rows, trusted, deps }));
  const now = Date.now();
  const key = await deps.trust.lockKey();
  // The root may allow for longer, as a site without a network needs it: a project that is one says so.
  const hours = Math.min(
    trusted.root.lifetimes.lockHours,
    intent.maxLockHours ?? deps.policy.lock.maxAgeHours,
  );
  const { document, signatures, digest } = await withTransaction(deps.pool, async (client) => {
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 7411003))', [intent.project]);
    const last = await newestLock(client, intent.project);
    const { person } = call.actor;
    const asked = { audience: intent.project, policy, dropPolicy, person, now: new Date(now) };
    const carried = await policyFor(client, asked);
    const document: Lock = {
      lockkeeper: 'mcp.lock/v1',
      ...(trusted.root.trial ? { warning: TRIAL_WARNING } : {}),
      audience: intent.project,
      environment: intent.environment,
      registry: intent.registry,
      version: (last?.version ?? 0) + 1,
      issuedAt: new Date(now).toISOString(),
      expires: new Date(now + hours * HOUR_MS).toISOString(),
      previous: last?.digest ?? null,
      rootVersion: trusted.root.version,
      revoked: revokedOf(rows),
      ...carried,
      servers: Object.fromEntries([...resolved].map(([alias, { entry }]) => [alias, entry])),
    };
    const signatures = [await signWith(key, LOCK_TYPE, lockPayload(document))];
    const digest = lockDigest(document);
    await insertLock(client, {
      audience: intent.project,
      version: document.version,
      digest,
      file: JSON.stringify({ lock: document, signatures }),
    });
    await recordEvent(client, {
      person,
      action: 'lock.signed',
      subject: `${intent.project}#${document.version}`,
      detail: { digest, ...(carried.policyDropped ? { policyDropped: carried.policyDropped } : {}) },
      logged: { kind: 'lock', digest },
    });
    return { document, signatures, digest };
  });
  const log = await logEvidence(document, { root, resolved, deps });
  const approvals = Object.fromEntries(
    [...resolved.values()].flatMap(({ envelopes }) =>
      envelopes.map((one): [string, Envelope] => [one.digest, one.envelope]),
    ),
  );
  const evidence = { root, rootChain: [...rootChain], approvals, log };
  const file: LockFile = { lockkeeper: 'mcp.lock/v1', lock: document, evidence, signatures };
  return { file, digest };
}

function revokedOf(rows: readonly ReleaseRow[]): Lock['revoked'] {
  return rows
    .filter((row) => row.state === 'revoked')
    .map(({ name, version, reason, changed_at }) => ({
      ...{ server: name, version, reason: reason ?? '' },
      at: changed_at.toISOString(),
    }));
}

/** The lock is signed and logged; what is missing is a checkpoint that holds it, and what else it rests on. */
async function logEvidence(
  lock: Lock,
  { root, resolved, deps }: { root: Envelope; resolved: ReadonlyMap<string, Resolved>; deps: Deps },
): Promise<LogEvidence> {
  const { pool } = deps;
  const entries: Logged[] = [
    { kind: 'lock', subject: lockSubject(lock), digest: lockDigest(lock) },
    { kind: 'root', subject: `root#${lock.rootVersion}`, digest: digestOf(root) },
    ...[...resolved.values()].flatMap(({ entry, envelopes }) =>
      envelopes.map(({ digest }): Logged => ({ kind: 'approval', subject: releaseSubject(entry), digest })),
    ),
  ];
  const earlier = await lockSizes(pool, lock.audience, GROWTH_LOCKS);
  const made = await witnessedCheckpoint(deps, await logSize(pool));
  const evidence = await evidenceOf(pool, made, { entries, earlier });
  const { audience, version } = lock;
  await insertLockEvidence(pool, { audience, version, size: made.size, evidence });
  return evidence;
}

/** One request to one entry, proved as the runtime will prove it. */
async function resolve(
  alias: string,
  intent: Intent,
  at: { rows: readonly ReleaseRow[]; trusted: TrustedRoot; deps: Deps },
): Promise<Resolved> {
  const request = intent.servers[alias];
  if (!request)
    throw new LockkeeperError('INTERNAL', {
      expected: `a request ${alias}`,
      found: 'none',
      next: 'Report this',
    });
  const { rows, trusted, deps } = at;
  const row = pickRelease(alias, request, rows);
  const facts = factsOfRow(row);
  const { permissions, launch } = facts;
  assertPermitted(alias, request, { permissions, projectArgs: takesArgs(launch) });
  const given = await approvalsOf(deps.pool, row.id);
  const scoped = given.filter(({ envelope }) =>
    opened(envelope, trusted)?.approval.predicate.environments.includes(intent.environment),
  );
  const approvedBy = assertApproved(
    scoped.map(({ envelope }) => envelope),
    trusted,
    { facts, environment: intent.environment, now: new Date() },
  );
  const surface = assertValid(
    Surface,
    parseStrict(await deps.blobs.get(row.surface_text ?? '')),
    'a stored surface',
  );
  const entry: LockEntry = {
    server: row.name,
    version: row.version,
    purl: row.purl,
    source: row.source,
    request,
    requestedBy: facts.requestedBy,
    closure: facts.closure,
    surface: pinSurface(surface),
    surfaceText: row.surface_text ?? '',
    report: facts.reportDigest,
    permissions: facts.permissions,
    launch: facts.launch,
    ...(facts.provenance ? { provenance: facts.provenance } : {}),
    approvedBy,
    approvals: scoped.map(({ digest }) => digest),
  };
  return { entry, envelopes: scoped };
}
