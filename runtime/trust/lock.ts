/** Verifying mcp.lock: what the runtime and the CI gate believe without asking the registry. */
import type { KeyObject } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { envelopeDigest } from '../../schemas/approval.ts';
import { signBytes, verifyBytes } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { digestOf } from '../../schemas/json.ts';
import {
  LOCK_TYPE,
  type Lock,
  type LockEntry,
  type LockFile,
  lockDigest,
  lockPayload,
  parseLockFile,
} from '../../schemas/lock.ts';
import { assertRequest } from './answers.ts';
import { type ApprovedFacts, assertApproved } from './approval.ts';
import { CLOCK_SKEW_MS, openRoot, type RootPin, short, type TrustedRoot } from './root.ts';

/** The newest lock this machine accepted for an audience. */
export interface SeenLock {
  readonly version: number;
  readonly digest: string;
}

export interface LockContext {
  readonly pin: RootPin;
  readonly audience: string;
  readonly environment: string;
  readonly now: Date;
  /** Null on first contact. */
  readonly seen: SeenLock | null;
}

export interface VerifiedEntry {
  readonly entry: LockEntry;
  readonly approvedBy: readonly string[];
}

export interface VerifiedLock {
  readonly file: LockFile;
  readonly lock: Lock;
  readonly digest: string;
  readonly trusted: TrustedRoot;
  readonly entries: ReadonlyMap<string, VerifiedEntry>;
}

const DAY_MS = 86_400_000;
/** The longest that a lock may live, whoever signs it: what an air-gapped site needs. */
const MAX_LIFE_MS = 14 * DAY_MS;

export function signLockFile(lock: Lock, evidence: LockFile['evidence'], key: KeyObject): LockFile {
  return {
    lockkeeper: 'mcp.lock/v1',
    lock,
    evidence,
    signatures: [signBytes(LOCK_TYPE, lockPayload(lock), key)],
  };
}

/**
 * 1 read the file whole -> 2 root -> 3 lock signature -> 4 audience and environment -> 5 dates -> 6 rollback ->
 * 7 each entry's approvals. Throws the refusal of the first step that fails; has no effect.
 */
export function verifyLock(bytes: Uint8Array, context: LockContext): VerifiedLock {
  const file = parseLockFile(bytes);
  const { lock } = file;
  const trusted = openRoot(file.evidence.root, context.pin, context.now);
  assertSignature(file, trusted);
  assertAudience(lock, context);
  assertSameRoot(lock, trusted);
  assertFresh(lock, context.now);
  const digest = lockDigest(lock);
  assertNotOlder(lock, digest, context.seen);
  const entries = new Map<string, VerifiedEntry>();
  for (const alias of Object.keys(lock.servers)) {
    const entry = lock.servers[alias];
    if (entry) entries.set(alias, verifyEntry(entry, file, { trusted, context }));
  }
  assertNothingBeside(file);
  return { file, lock, digest, trusted, entries };
}

function assertSignature(file: LockFile, trusted: TrustedRoot): void {
  const payload = lockPayload(file.lock);
  const keys = trusted.keys('lock');
  const good = new Set(
    file.signatures
      .filter((signature) => {
        const key = keys.get(signature.keyid);
        return key !== undefined && verifyBytes(LOCK_TYPE, payload, signature, key);
      })
      .map((signature) => signature.keyid),
  );
  const { threshold } = trusted.root.roles.lock;
  if (good.size >= threshold) return;
  throw new LockkeeperError('SIGNATURE_INVALID', {
    expected: `mcp.lock signed by ${threshold} of the lock keys ${[...keys.keys()].map(short).join(', ') || '(none in the root)'}`,
    found: `${good.size} good signatures of ${file.signatures.map((signature) => short(signature.keyid)).join(', ')}`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

/** The lock names the root it was made under; a root of other days under it is somebody's choice. */
function assertSameRoot({ rootVersion, warning }: Lock, { root }: TrustedRoot): void {
  const refuse = (expected: string, found: string): LockkeeperError =>
    new LockkeeperError('ROOT_UNTRUSTED', {
      expected,
      found,
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  if (root.version !== rootVersion)
    throw refuse(`root version ${rootVersion}, as the lock says`, `version ${root.version}`);
  if (root.trial !== (warning !== undefined))
    throw refuse(
      root.trial ? 'a lock that says it is a trial' : 'a lock without a trial’s warning',
      root.trial ? 'one that does not' : 'one with it',
    );
}

/** Evidence is not signed: what no entry names has no business in it. */
function assertNothingBeside({ lock, evidence }: LockFile): void {
  const named = new Set(Object.values(lock.servers).flatMap(({ approvals }) => approvals));
  const beside = Object.keys(evidence.approvals).find((digest) => !named.has(digest));
  if (beside === undefined) return;
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: 'evidence that an entry of the lock names',
    found: `the approval ${short(beside)}, which none names`,
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}

function assertAudience(lock: Lock, context: LockContext): void {
  if (lock.audience === context.audience && lock.environment === context.environment) return;
  throw new LockkeeperError('LOCK_AUDIENCE', {
    expected: `a lock for ${context.audience} in ${context.environment}`,
    found: `one for ${lock.audience} in ${lock.environment}`,
    next: 'Run lk lock in this project',
  });
}

function assertFresh(lock: Lock, now: Date): void {
  const time = now.getTime();
  if (!(Date.parse(lock.issuedAt) <= time + CLOCK_SKEW_MS)) {
    throw new LockkeeperError('LOCK_FUTURE', {
      expected: `a lock issued before ${now.toISOString()}`,
      found: `one issued at ${lock.issuedAt}`,
      next: 'Check this machine’s clock',
    });
  }
  const life = Date.parse(lock.expires) - Date.parse(lock.issuedAt);
  if (!(life > 0 && life <= MAX_LIFE_MS)) {
    throw new LockkeeperError('LOCK_LIFE', {
      expected: `a lock that lives at most ${MAX_LIFE_MS / DAY_MS} days`,
      found: `one from ${lock.issuedAt} to ${lock.expires}`,
      next: 'Run: lk lock; a lock that long could hide a revocation',
    });
  }
  if (!(time < Date.parse(lock.expires))) {
    throw new LockkeeperError('LOCK_EXPIRED', {
      expected: `a lock valid at ${now.toISOString()}`,
      found: `one that ended at ${lock.expires}`,
      next: 'Run: lk lock',
    });
  }
}

function assertNotOlder(lock: Lock, digest: string, seen: SeenLock | null): void {
  if (seen === null || lock.version > seen.version) return;
  if (lock.version === seen.version && digest === seen.digest) return;
  if (lock.version === seen.version) {
    throw new LockkeeperError('LOCK_EQUIVOCATION', {
      expected: `lock version ${lock.version} with digest ${short(seen.digest)}, as seen before`,
      found: `digest ${short(digest)}`,
      next: 'Two different locks were signed under one version: report both files to your security team',
    });
  }
  throw new LockkeeperError('LOCK_ROLLBACK', {
    expected: `lock version ${seen.version} or newer`,
    found: `version ${lock.version}`,
    next: 'Update mcp.lock from version control, or run: lk lock',
  });
}

/** The facts an entry claims, in the words approvals use. */
export function factsOf(entry: LockEntry): ApprovedFacts {
  const { server: name, version, purl, closure, permissions, launch, requestedBy } = entry;
  return {
    name,
    version,
    purl,
    closure,
    surfaceDigest: entry.surface.digest,
    reportDigest: entry.report,
    permissions,
    launch,
    requestedBy,
  };
}

function verifyEntry(
  entry: LockEntry,
  file: LockFile,
  at: { trusted: TrustedRoot; context: LockContext },
): VerifiedEntry {
  const { lock, evidence } = file;
  const revoked = lock.revoked.find((item) => item.server === entry.server && item.version === entry.version);
  if (revoked) {
    throw new LockkeeperError('RELEASE_REVOKED', {
      expected: `${entry.server} ${entry.version} not to be revoked`,
      found: `revoked at ${revoked.at}: ${revoked.reason}`,
      next: 'Choose another version in lockkeeper.json and run: lk lock',
    });
  }
  assertRequest(entry);
  const { digest: claimed, ...pins } = entry.surface;
  if (digestOf(pins) !== claimed) {
    throw new LockkeeperError('APPROVAL_SUBJECT', {
      expected: `pins of ${entry.server} with digest ${short(claimed)}`,
      found: `pins with digest ${short(digestOf(pins))}`,
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  }
  const envelopes = entry.approvals.map((digest) => {
    const envelope = evidence.approvals[digest];
    if (envelope && envelopeDigest(envelope) === digest) return envelope;
    throw new LockkeeperError('APPROVAL_SUBJECT', {
      expected: `the approval ${short(digest)} of ${entry.server} in the lock's evidence`,
      found: envelope ? 'another envelope under that digest' : 'nothing under that digest',
      next: 'Restore mcp.lock from version control, or run: lk lock',
    });
  });
  const { environment, now } = at.context;
  const approvedBy = assertApproved(envelopes, at.trusted, { facts: factsOf(entry), environment, now });
  if (isDeepStrictEqual([...entry.approvedBy], approvedBy)) return { entry, approvedBy };
  throw new LockkeeperError('APPROVAL_SUBJECT', {
    expected: `${entry.server} to say that it was approved by ${approvedBy.join(', ')}`,
    found: entry.approvedBy.join(', '),
    next: 'Restore mcp.lock from version control, or run: lk lock',
  });
}
