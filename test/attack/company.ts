/** A registry on a database of its own, with a witness and people; and what a superuser of that database can do. */
import type { AddressInfo } from 'node:net';
import { openApi } from '../../cli/api.ts';
import { witnessedCheckpoint } from '../../registry/checkpoints/checkpoints.ts';
import { appendEntries, leafIndexes, logSize } from '../../registry/db/log.ts';
import { type Client, withTransaction } from '../../registry/db/pool.ts';
import { insertLock, lockSizes, newestLock, rootsAfter } from '../../registry/db/records.ts';
import { approvalsOf, releasesNamed } from '../../registry/db/releases.ts';
import { factsOfRow } from '../../registry/facts.ts';
import { evidenceOf, GROWTH_LOCKS, type Witnessed } from '../../registry/lock-evidence.ts';
import { logKey, logThat } from '../../registry/log.ts';
import { LockView } from '../../schemas/api.ts';
import { envelopeDigest } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { digestOf, parseStrict } from '../../schemas/json.ts';
import { LOCK_TYPE, type Lock, type LockEntry, type LockFile, lockPayload } from '../../schemas/lock.ts';
import { type Logged, logLeaf } from '../../schemas/log.ts';
import type { Root } from '../../schemas/root.ts';
import { signWith } from '../../schemas/signer.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import { readLogKey } from '../../schemas/witness.ts';
import { SUBMISSION, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { type Key, loggedOf } from '../helpers/trust.ts';
import { makeSigner, makeWitness, type TestWitness } from '../helpers/witness.ts';
import { type Machine, makeMachine } from './machine.ts';
import type { World } from './world.ts';

export interface Company {
  readonly registry: TestRegistry;
  readonly url: string;
  readonly witness: TestWitness;
  readonly alice: Key;
  readonly bob: Key;
  /** Of the release that both of them approved, or Alice alone. */
  readonly release: number;
  /** A developer's machine that pins this registry's root and asks it. */
  machine(): Promise<Machine>;
  /** What the registry answers to that machine's lockkeeper.json, by its own checks. */
  lock(machine: Machine): Promise<LockFile>;
}

export interface CompanyOptions {
  readonly approvers?: 1 | 2;
  /** False: the root asks for no witness. */
  readonly witnessed?: boolean;
}

export async function makeCompany(
  world: World,
  { approvers = 2, witnessed = true }: CompanyOptions = {},
): Promise<Company> {
  const signer = makeSigner('witness.test/one');
  const witness = await makeWitness(await world.folder(), { signer, logs: [] });
  world.atEnd(() => witness.close());
  const { key, url: address } = witness;
  const witnesses = witnessed ? { list: [{ key, url: address }], threshold: 1 } : { list: [], threshold: 0 };
  const registry = await startTestRegistry(world.database, { witnesses });
  world.atEnd(() => registry.close());
  witness.logs.push(readLogKey(logKey(registry.deps.trust.logSigner)));
  await registry.app.listen({ host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(registry.app.server.address() as AddressInfo).port}`;
  const token = await registry.person('dave', 'publisher', 'developer', 'runtime', 'admin');
  const [alice, bob] = [await registry.reviewer('alice'), await registry.reviewer('bob')];
  const release = await registry.approved('dave', [alice, bob].slice(0, approvers));
  const machine = async (): Promise<Machine> => {
    const { root } = (await registry.deps.trust.current()).trusted;
    const { keyids: rootKeys, threshold } = root.roles.root;
    const request = { server: SUBMISSION.name, range: '^1.2.0' };
    const now = (): Date => new Date();
    return makeMachine(world, {
      registry: url,
      pin: { rootKeys, threshold },
      token,
      servers: { weather: request },
      now,
    });
  };
  const lock = async ({ intent }: Machine): Promise<LockFile> =>
    (await openApi(url, token).call('lock', LockView, { body: { intent, previous: null } })).file;
  return { registry, url, witness, alice, bob, release, machine, lock };
}

/** What the owner of the database does: no trigger holds, and nothing is recorded. */
export async function asSuperuser(
  company: Company,
  run: (client: Client) => Promise<unknown>,
): Promise<void> {
  await withTransaction(company.registry.pool, async (client) => {
    await client.query('set local session_replication_role = replica');
    await run(client);
  });
}

/** The log anew from other entries: tree, leaves and all; checkpoints of the old one are gone. */
export async function rewriteLog(client: Client, forge: (entries: Buffer[]) => Buffer[]): Promise<void> {
  const { rows } = await client.query<{ entry: Buffer }>('select entry from log_entries order by index');
  for (const table of ['log_cosignatures', 'log_checkpoints', 'log_nodes', 'log_entries'])
    await client.query(`delete from ${table}`);
  await appendEntries(client, forge(rows.map(({ entry }) => entry)));
}

/**
 * The lock that this registry would hand out if it believed its database and checked nothing: rows as they are, signed
 * with its lock key, logged with whatever it rests on, in a checkpoint that the witness was asked to cosign.
 */
export async function carelessLock(
  { registry }: Company,
  { intent }: Machine,
  made: (size: number) => Promise<Witnessed> = (size) => witnessedCheckpoint(registry.deps, size),
): Promise<LockFile> {
  const { pool } = registry;
  const [newest, ...older] = (await rootsAfter(pool, 0)).reverse();
  if (!newest) throw new Error('no root');
  const { entry, envelopes } = await carelessEntry(registry, intent.servers.weather?.server ?? '');
  const last = await newestLock(pool, intent.project);
  const now = Date.now();
  const document: Lock = {
    lockkeeper: 'mcp.lock/v1',
    audience: intent.project,
    environment: intent.environment,
    registry: intent.registry,
    version: (last?.version ?? 0) + 1,
    issuedAt: new Date(now).toISOString(),
    expires: new Date(now + 3_600_000).toISOString(),
    previous: last?.digest ?? null,
    rootVersion: (JSON.parse(Buffer.from(newest.payload, 'base64').toString()) as Root).version,
    revoked: [],
    servers: { weather: { ...entry, request: intent.servers.weather ?? entry.request } },
  };
  const entries = loggedOf(document, newest);
  await logMissing(registry, entries);
  const [lock] = entries;
  if (lock)
    await insertLock(pool, {
      audience: document.audience,
      version: document.version,
      digest: lock.digest,
      file: '{}',
    });
  const earlier = await lockSizes(pool, intent.project, GROWTH_LOCKS);
  const log = await evidenceOf(pool, await made(await logSize(pool)), {
    entries,
    earlier,
  });
  const approvals = Object.fromEntries(envelopes.map((envelope) => [envelopeDigest(envelope), envelope]));
  const evidence: LockFile['evidence'] = { root: newest, rootChain: older.reverse(), approvals, log };
  const signature = await signWith(await keyOf(registry), LOCK_TYPE, lockPayload(document));
  return { lockkeeper: 'mcp.lock/v1', lock: document, evidence, signatures: [signature] };
}

/** The row of the release, whatever its state, and its approvals as they are stored. */
async function carelessEntry(
  registry: TestRegistry,
  name: string,
): Promise<{ entry: LockEntry; envelopes: Envelope[] }> {
  const { pool, deps } = registry;
  const [row] = await releasesNamed(pool, [name], ['in_review', 'approved', 'deprecated', 'revoked']);
  if (!row) throw new Error(`no release of ${name}`);
  const { name: server, surfaceDigest, reportDigest: report, ...facts } = factsOfRow(row);
  const surface = parseStrict(await deps.blobs.get(row.surface_text ?? '')) as unknown as Surface;
  const given = await approvalsOf(pool, row.id, true);
  const envelopes = given.map(({ envelope }) => envelope);
  const entry: LockEntry = {
    ...facts,
    server,
    report,
    source: row.source,
    request: { server, range: '*' },
    surface: pinSurface(surface),
    surfaceText: row.surface_text ?? surfaceDigest,
    approvedBy: given.map(({ person }) => person).sort(),
    approvals: envelopes.map(envelopeDigest),
  };
  return { entry, envelopes };
}

async function logMissing({ pool }: TestRegistry, entries: readonly Logged[]): Promise<void> {
  const known = await leafIndexes(pool, entries.map(logLeaf));
  await withTransaction(pool, async (client) => {
    for (const entry of entries) if (!known.has(logLeaf(entry).toString('hex'))) await logThat(client, entry);
  });
}

/** The key on the registry's disk: there whatever became of its roots. */
async function keyOf({ keys }: TestRegistry): ReturnType<TestRegistry['deps']['trust']['lockKey']> {
  const [key] = keys.lock;
  if (!key) throw new Error('no lock key');
  return key;
}

/** The digest of a value that an attacker puts in the store. */
export async function stored({ registry }: Company, value: unknown): Promise<string> {
  const { digest } = await registry.deps.blobs.put(Buffer.from(JSON.stringify(value)));
  return digest ?? digestOf(value);
}
