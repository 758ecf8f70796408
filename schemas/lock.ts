/**
 * mcp.lock. One file with two parts: `lock`, which people read and the lock key signs, and `evidence`, which carries
 * the root and the approvals that `lock` names by digest. The file has exactly one written form; the signed bytes are
 * the deterministic text of `lock`, and a file in any other form is refused before a signature is looked at.
 */
import {
  Closed,
  Digest,
  Environment,
  Instant,
  isObject,
  type Json,
  type JsonObject,
  Person,
  Purl,
  ServerName,
  Version,
} from './common.ts';
import { Envelope, Signature } from './dsse.ts';
import { LockkeeperError, quote } from './errors.ts';
import { Alias, IntentServer } from './intent.ts';
import { parseStrict, pretty, sha256 } from './json.ts';
import { LogEvidence } from './log.ts';
import { Provenance } from './origin.ts';
import { Closure, Launch, Permissions } from './release.ts';
import { SurfacePins } from './surface.ts';
import { type Static, Type } from './type.ts';
import { assertValid } from './validate.ts';

export const LOCK_TYPE = 'application/vnd.lockkeeper.lock+json';
export const LOCK_FILE = 'mcp.lock';
/** About 2,000 servers of 100 packages each. */
export const MAX_LOCK_BYTES = 256 * 1024 * 1024;

export const LockEntry = Closed({
  server: ServerName,
  version: Version,
  purl: Purl,
  source: Type.String(),
  /** The request this entry answers, so that gate and runtime need no second file to know it. */
  request: IntentServer,
  requestedBy: Type.String(),
  closure: Closure,
  surface: SurfacePins,
  /** Digest of the stored surface texts, so that a person can read what the pins stand for. */
  surfaceText: Digest,
  report: Digest,
  permissions: Permissions,
  launch: Launch,
  /** As in the approvals. Absent: nothing is known to be signed. */
  provenance: Type.Optional(Provenance),
  /** Whom the approvals are of, for people to read; a verifier counts the approvals themselves and compares. */
  approvedBy: Type.Array(Person, { minItems: 1, maxItems: 100, uniqueItems: true }),
  approvals: Type.Array(Digest, { minItems: 1, maxItems: 100, uniqueItems: true }),
});
export type LockEntry = Static<typeof LockEntry>;

/** UTF-8 bytes of a whole policy. */
export const MAX_POLICY_BYTES = 64 * 1024;

/** Who may do what: the text of lockkeeper.policy as it was when the lock was made. */
export const LockPolicy = Closed({ digest: Digest, text: Type.String({ maxLength: MAX_POLICY_BYTES }) });
export type LockPolicy = Static<typeof LockPolicy>;

export const Lock = Closed({
  lockkeeper: Type.Literal('mcp.lock/v1'),
  /** Present only under a trial root: one approval was enough for these releases. */
  warning: Type.Optional(Type.String()),
  audience: Type.String(),
  environment: Environment,
  registry: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  issuedAt: Instant,
  expires: Instant,
  previous: Type.Union([Type.Null(), Digest]),
  rootVersion: Type.Integer({ minimum: 1 }),
  revoked: Type.Array(Closed({ server: ServerName, version: Version, reason: Type.String(), at: Instant })),
  /** Absent: whoever runs a locked server may call every locked tool of it. */
  policy: Type.Optional(LockPolicy),
  /** That it carries none on purpose, though one before did: stays until a lock carries one again. */
  policyDropped: Type.Optional(Closed({ digest: Digest, by: Person, at: Instant })),
  servers: Type.Record(Alias, LockEntry, { additionalProperties: false }),
});
export type Lock = Static<typeof Lock>;

export const LockFile = Closed({
  lockkeeper: Type.Literal('mcp.lock/v1'),
  lock: Lock,
  evidence: Closed({
    root: Envelope,
    /** The roots before it, oldest first, when the root keys changed since the project pinned them. */
    rootChain: Type.Array(Envelope, { maxItems: 1000 }),
    approvals: Type.Record(Digest, Envelope, { additionalProperties: false }),
    /** That this lock, its root and these approvals are in the registry's log. */
    log: LogEvidence,
  }),
  signatures: Type.Array(Signature, { minItems: 1, maxItems: 32 }),
});
export type LockFile = Static<typeof LockFile>;

export const TRIAL_WARNING =
  'TRIAL: this registry takes one approval. One person alone can approve a release. Do not use this lock outside a trial.';

export function lockPolicyOf(text: string): LockPolicy {
  return { digest: sha256(text), text };
}

/** The exact bytes the lock key signs. */
export function lockPayload(lock: Lock): Buffer {
  return Buffer.from(pretty(lock as unknown as Json), 'utf8');
}

/** What the log's entry of a lock is about. */
export function lockSubject({ audience, version }: Pick<Lock, 'audience' | 'version'>): string {
  return `${audience}#${version}`;
}

export function lockDigest(lock: Lock): string {
  return sha256(lockPayload(lock));
}

/** The one written form of a lock file. */
export function renderLockFile(file: LockFile): string {
  const { lockkeeper, lock, evidence, signatures } = file as unknown as JsonObject & LockFile;
  const part = (value: unknown): string =>
    pretty(value as Json)
      .trimEnd()
      .replaceAll('\n', '\n  ');
  return [
    '{',
    `  "lockkeeper": ${JSON.stringify(lockkeeper)},`,
    `  "lock": ${part(lock)},`,
    `  "evidence": ${part(evidence)},`,
    `  "signatures": ${part(signatures)}`,
    '}',
    '',
  ].join('\n');
}

/**
 * Reads a lock file whole or not at all. Throws JSON_INVALID (duplicate keys and the like), DOCUMENT_FOREIGN for
 * another tool's mcp.lock, DOCUMENT_INVALID for unknown or missing fields, LOCK_FORM for any other written form.
 */
export function parseLockFile(bytes: Uint8Array): LockFile {
  const value = parseStrict(bytes, { maxBytes: MAX_LOCK_BYTES });
  const kind = isObject(value) ? value.lockkeeper : undefined;
  if (kind !== 'mcp.lock/v1') {
    throw new LockkeeperError('DOCUMENT_FOREIGN', {
      expected: 'a first key "lockkeeper" with the value "mcp.lock/v1"',
      found: kind === undefined ? 'no such key' : quote(JSON.stringify(kind)),
      next: 'Move the other file away and run: lk lock',
    });
  }
  const file = assertValid(LockFile, value, LOCK_FILE);
  const written = Buffer.from(bytes);
  if (!written.equals(Buffer.from(renderLockFile(file), 'utf8'))) {
    throw new LockkeeperError('LOCK_FORM', {
      expected: 'the text that lk lock writes, byte for byte',
      found: 'the same data written differently (order, spaces or escapes)',
      next: 'Restore the file from version control or run: lk lock',
    });
  }
  return file;
}
