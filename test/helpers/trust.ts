/** A small company with really signed objects: root, reviewers, one release, its approvals and its lock. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  APPROVAL_PREDICATE,
  type Approval,
  envelopeDigest,
  STATEMENT_TYPE,
  subjectsOf,
} from '../../schemas/approval.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { type Envelope, keyIdOf, seal, signBytes } from '../../schemas/dsse.ts';
import { canonical, digestOf, sha256 } from '../../schemas/json.ts';
import {
  LOCK_TYPE,
  type Lock,
  type LockEntry,
  type LockFile,
  lockDigest,
  lockPayload,
  lockSubject,
} from '../../schemas/lock.ts';
import { type Logged, releaseSubject } from '../../schemas/log.ts';
import { noteKeyOf, type Signer } from '../../schemas/note.ts';
import { type Artifact, closureDigest, DEFAULT_LIMITS, isLocal, type Launch } from '../../schemas/release.ts';
import { ROOT_TYPE, type Root } from '../../schemas/root.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { type MemoryLog, memoryLog } from './log.ts';

export const NOW = new Date('2026-11-24T12:00:00.000Z');
export const at = (hours: number): string => new Date(NOW.getTime() + hours * 3_600_000).toISOString();

export interface Key {
  readonly person: string;
  readonly key: KeyObject;
  readonly keyid: string;
  readonly pem: string;
}

export function makeKey(person: string, type: 'ed25519' | 'p256' = 'ed25519'): Key {
  const pair =
    type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    person,
    key: pair.privateKey,
    keyid: keyIdOf(pair.publicKey),
    pem: pair.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

export const people = {
  root: makeKey('root-holder'),
  lock: makeKey('registry'),
  alice: makeKey('alice'),
  bob: makeKey('bob', 'p256'),
  carol: makeKey('carol'),
  mallory: makeKey('mallory'),
};

export const logSigner: Signer = { name: 'log.acme.test', privateKey: makeKey('log').key };

export const pin = { rootKeys: [people.root.keyid], threshold: 1 };

export function makeRoot(change: (root: Root) => void = () => undefined, signer = people.root): Envelope {
  const { root, lock, alice, bob, carol } = people;
  const document: Root = {
    lockkeeper: 'root/v1',
    version: 3,
    issuedAt: at(-24),
    expires: at(24 * 300),
    trial: false,
    keys: [root, lock, alice, bob, carol].map(({ keyid, pem, person }) => ({
      keyid,
      publicKey: pem,
      person,
      notBefore: at(-24),
      notAfter: at(24 * 300),
    })),
    roles: {
      root: { keyids: [root.keyid], threshold: 1 },
      approver: { keyids: [alice.keyid, bob.keyid, carol.keyid], threshold: 2 },
      lock: { keyids: [lock.keyid], threshold: 1 },
      scanner: { keyids: [], threshold: 1 },
      revoker: { keyids: [alice.keyid, bob.keyid, carol.keyid], threshold: 1 },
    },
    log: { origin: logSigner.name, keys: [noteKeyOf(logSigner, 'log')], witnesses: [], threshold: 0 },
    lifetimes: { lockHours: 72, approvalDays: 180, graceHours: {} },
    minLockVersions: {},
    trustRoots: {},
  };
  change(document);
  return seal(ROOT_TYPE, Buffer.from(canonical(document)), [signer.key]);
}

const artifact = (location: string, purl: string): Artifact => ({
  location,
  purl,
  sha256: sha256(purl),
  sha512: Buffer.from(sha256(purl) + sha256(location))
    .toString('hex')
    .slice(0, 128),
  size: 1000,
  optional: false,
});

export const surface: Surface = {
  capture: { protocolVersion: '2025-11-25', eras: ['session'], clientCapabilities: {} },
  serverInfo: { name: 'weather', version: '1.2.3' },
  capabilities: { tools: {} },
  instructions: null,
  tools: {
    forecast: {
      name: 'forecast',
      description: 'Forecast for a city',
      inputSchema: {
        type: 'object',
        properties: { city: { type: 'string' } },
        required: ['city'],
      } as JsonObject,
    },
  },
  prompts: {},
  resources: {},
  resourceTemplates: {},
  volatile: [],
};

export function makeEntry(): Omit<LockEntry, 'approvals' | 'approvedBy'> {
  const artifacts = [
    artifact('node_modules/weather', 'pkg:npm/weather@1.2.3'),
    artifact('node_modules/zod', 'pkg:npm/zod@4.0.0'),
  ];
  return {
    server: 'acme.tools/weather',
    version: '1.2.3',
    purl: 'pkg:npm/weather@1.2.3',
    source: 'npm:weather@1.2.3',
    request: { server: 'acme.tools/weather', range: '^1.2.0' },
    requestedBy: 'dave',
    closure: { digest: closureDigest(artifacts), artifacts },
    surface: pinSurface(surface),
    surfaceText: digestOf(surface),
    report: sha256('report'),
    permissions: { egress: [], mounts: [], env: [], limits: DEFAULT_LIMITS },
    launch: {
      transport: 'stdio',
      command: ['node', '/app/node_modules/weather/index.js'],
      projectArgs: false,
    },
  };
}

/** The words of a server that is started here. */
export function commandOf(launch: Launch): string[] {
  if (isLocal(launch)) return launch.command;
  throw new Error('a remote server');
}

export function makeApproval(
  by: Key,
  entry: Omit<LockEntry, 'approvals' | 'approvedBy'>,
  change: (approval: Approval) => void = () => undefined,
): Envelope {
  const approval: Approval = {
    _type: 'https://in-toto.io/Statement/v1',
    subject: subjectsOf({ closure: entry.closure }),
    predicateType: APPROVAL_PREDICATE,
    predicate: {
      decision: 'approved',
      server: { name: entry.server, version: entry.version, purl: entry.purl },
      closureDigest: entry.closure.digest,
      surfaceDigest: entry.surface.digest,
      reportDigest: entry.report,
      permissions: entry.permissions,
      launch: entry.launch,
      ...(entry.provenance ? { provenance: entry.provenance } : {}),
      environments: ['development'],
      accepts: {},
      requestedBy: entry.requestedBy,
      approvedBy: by.person,
      notBefore: at(-1),
      expires: at(24 * 100),
    },
  };
  change(approval);
  return seal(STATEMENT_TYPE, Buffer.from(canonical(approval)), [by.key]);
}

export interface LockParts {
  root: Envelope;
  entry: Omit<LockEntry, 'approvals' | 'approvedBy'>;
  approvals: Envelope[];
  approvedBy: string[];
  lock: (lock: Lock) => void;
  signer: Key;
  rootChain: Envelope[];
  /** The log so far; the lock and what it rests on are appended to it. */
  log: MemoryLog;
  /** Makes the log's evidence from the entries that a verifier looks for. */
  evidence: (log: MemoryLog, entries: Logged[]) => LockFile['evidence']['log'];
}

/** What a verifier looks for in the log of such a lock: the lock first, then its root, then approvals. */
export function loggedOf(lock: Lock, root: Envelope): Logged[] {
  return [
    { kind: 'lock', subject: lockSubject(lock), digest: lockDigest(lock) },
    { kind: 'root', subject: `root#${lock.rootVersion}`, digest: digestOf(root) },
    ...Object.values(lock.servers).flatMap((entry) =>
      entry.approvals.map((digest): Logged => ({ kind: 'approval', subject: releaseSubject(entry), digest })),
    ),
  ];
}

/** A lock over the given parts; what is not given is good. */
export function makeLock(parts: Partial<LockParts> = {}): LockFile {
  const entry = parts.entry ?? makeEntry();
  const approvals = parts.approvals ?? [makeApproval(people.alice, entry), makeApproval(people.bob, entry)];
  const lock: Lock = {
    lockkeeper: 'mcp.lock/v1',
    audience: 'acme/app',
    environment: 'development',
    registry: 'http://127.0.0.1:7411',
    version: 7,
    issuedAt: at(-1),
    expires: at(71),
    previous: null,
    rootVersion: 3,
    revoked: [],
    servers: {
      weather: {
        ...entry,
        approvedBy: parts.approvedBy ?? ['alice', 'bob'],
        approvals: approvals.map(envelopeDigest),
      },
    },
  };
  parts.lock?.(lock);
  const root = parts.root ?? makeRoot();
  const log = parts.log ?? memoryLog(logSigner);
  const entries = loggedOf(lock, root);
  // Earlier versions of the lock, each an entry.
  for (let version = log.size; version < 7; version++)
    log.append({ kind: 'lock', subject: `acme/app#${version}`, digest: sha256(`lock ${version}`) });
  for (const logged of entries) log.append(logged);
  const evidence = {
    root,
    rootChain: parts.rootChain ?? [],
    approvals: Object.fromEntries(approvals.map((envelope) => [envelopeDigest(envelope), envelope])),
    log: parts.evidence?.(log, entries) ?? log.evidence(entries),
  };
  const signatures = [signBytes(LOCK_TYPE, lockPayload(lock), (parts.signer ?? people.lock).key)];
  return { lockkeeper: 'mcp.lock/v1', lock, evidence, signatures };
}
