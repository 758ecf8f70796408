/** A registry in memory but for its database: the app that production builds, on a database of its own. */
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { inject } from 'vitest';
import { buildApp } from '../../registry/app.ts';
import { openCheckpoints } from '../../registry/checkpoints/checkpoints.ts';
import { type PublishSetting, publisherOf } from '../../registry/checkpoints/publish.ts';
import type { Witness } from '../../registry/checkpoints/witness-client.ts';
import { newToken, putPerson } from '../../registry/db/people.ts';
import { openPool, type Pool, withTransaction } from '../../registry/db/pool.ts';
import type { Deps, RunDeps, ScanDeps } from '../../registry/deps.ts';
import { loadKeys, type RegistryKeys } from '../../registry/keys.ts';
import type { Oidc } from '../../registry/oidc/open.ts';
import { openTrust } from '../../registry/trust.ts';
import { scanJob } from '../../registry/worker.ts';
import { type Blobs, type FolderBlobs, openBlobs } from '../../runtime/store/blobs.ts';
import type { RootEvidence, RootPin } from '../../runtime/trust/root.ts';
import type { ScanRequest, ScanResult } from '../../scanner/ports.ts';
import type { PersonView, RoleName } from '../../schemas/api.ts';
import { type Approval, STATEMENT_TYPE } from '../../schemas/approval.ts';
import { type Envelope, seal } from '../../schemas/dsse.ts';
import type { CheckResult, Report } from '../../schemas/finding.ts';
import type { FleetItem } from '../../schemas/fleet.ts';
import { canonical, sha256 } from '../../schemas/json.ts';
import { KEY_PROOF_TYPE } from '../../schemas/keys.ts';
import type { LockFile } from '../../schemas/lock.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import {
  type Closure,
  closureDigest,
  DEFAULT_LIMITS,
  type Release,
  type Submission,
} from '../../schemas/release.ts';
import type { RevocationEvent } from '../../schemas/revocation.ts';
import { pinSurface, type Surface } from '../../schemas/surface.ts';
import type { TestServer } from '../setup/postgres.ts';
import { surface as baseSurface, type Key, makeKey } from './trust.ts';

export const servers = (): TestServer[] => inject('servers');

export async function freshDatabase(server: TestServer): Promise<{ pool: Pool; drop: () => Promise<void> }> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = openPool({ host: server.host, user: server.user, database: 'postgres' }, 1);
  await admin.query(`create database ${name} template lockkeeper_template`);
  const pool = openPool({ host: server.host, user: server.user, database: name }, 12);
  return {
    pool,
    drop: async () => {
      await pool.end();
      await admin.query(`drop database ${name}`);
      await admin.end();
    },
  };
}

/** Address of a database for a registry that is a process of its own; it goes with the server that it is in. */
export async function databaseUrl(): Promise<string> {
  const [{ host, user } = { host: '', user: '' }] = servers();
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = openPool({ host, user, database: 'postgres' }, 1);
  await admin.query(`create database ${name} template lockkeeper_template`);
  await admin.end();
  return `postgres://${user}@/${name}?host=${encodeURIComponent(host)}`;
}

/** A release once it was scanned. */
type Scanned = Release & { readonly closure: Closure };

/**
 * What routes say, in the types of their schemas. A member that several of them have is told apart by whoever calls;
 * of one that is not named here, tests look at the whole alone.
 */
export interface Body extends Scanned, RootEvidence, RootPin {
  readonly [member: string]: unknown;
  readonly releases: Release[];
  readonly statement: Approval;
  readonly file: LockFile;
  readonly digest: string;
  readonly checks: CheckResult[];
  readonly instances: FleetItem[];
  readonly unlisted: number;
  readonly revocations: RevocationEvent[];
  readonly people: PersonView[];
  readonly proof: string[];
  readonly rootKeys: string[];
  readonly key: string;
  readonly checkpoint: string;
}

export interface Answer<Said = Body> {
  readonly status: number;
  readonly body: Said;
  readonly headers: Record<string, unknown>;
}

export interface TestRegistry {
  readonly pool: Pool;
  readonly app: FastifyInstance;
  readonly deps: RunDeps;
  /** Folder of its keys and, where no other store was given, its blobs. */
  readonly dir: string;
  readonly folder: FolderBlobs;
  readonly keys: RegistryKeys;
  call<Said = Body>(
    as: string | null,
    method: 'GET' | 'POST',
    url: string,
    body?: unknown,
  ): Promise<Answer<Said>>;
  /** The same of another app over the same database. */
  callOf(app: FastifyInstance): TestRegistry['call'];
  person(name: string, ...roles: RoleName[]): Promise<string>;
  reviewer(name: string): Promise<Key>;
  submit(as: string, change?: Partial<Submission>): Promise<Answer>;
  /** Submits and scans; returns the id. */
  scanned(as: string, change?: Partial<Submission>): Promise<number>;
  statement(as: string, id: number): Promise<Approval>;
  approve(key: Key, id: number, change?: (approval: Approval) => void): Promise<Answer>;
  approved(as: string, reviewers: readonly Key[], change?: Partial<Submission>): Promise<number>;
  close(): Promise<void>;
}

export const SUBMISSION: Submission = {
  name: 'acme.tools/weather',
  version: '1.2.3',
  source: 'npm:weather@1.2.3',
  description: 'Weather',
  args: [],
  projectArgs: false,
  permissions: {
    egress: [],
    mounts: [{ target: '/data', mode: 'ro' }],
    env: ['CITY'],
    limits: DEFAULT_LIMITS,
  },
};

export const submissionOf = (version: string): Partial<Submission> => ({
  version,
  source: `npm:weather@${version}`,
});

/** A scan's result of the real shape, whose bytes are in the blob store; what differs between versions is the tool text. */
async function scanResult(
  { submission, baseline }: ScanRequest,
  deps: Pick<ScanDeps, 'blobs'>,
): Promise<ScanResult> {
  const bytes = Buffer.from(`tarball of ${submission.source}`);
  const { digest, size } = await deps.blobs.put(bytes);
  const purl = `pkg:npm/weather@${submission.version}`;
  const artifacts = [
    {
      location: 'node_modules/weather',
      purl,
      sha256: digest,
      sha512: sha256(bytes).slice(7).repeat(2),
      size,
      optional: false,
    },
  ];
  const closure = { digest: closureDigest(artifacts), artifacts };
  const surface: Surface = {
    ...baseSurface,
    tools: { forecast: { ...baseSurface.tools.forecast, description: `Forecast ${submission.version}` } },
  };
  const pins = pinSurface(surface);
  const fired = baseline !== null;
  const head = { id: 'LK-SRF-01', title: 'Surface', owasp: 'MCP03', gates: true };
  const report: Report = {
    lockkeeper: 'report/v1',
    release: { name: submission.name, version: submission.version, purl, source: submission.source },
    scannedAt: '2026-11-24T00:00:00.000Z',
    scanner: { version: '1', node: 'v24', isolation: 'test' },
    closure: { digest: closure.digest, artifacts: 1, bytes: size, verified: 1 },
    surface: {
      digest: pins.digest,
      protocolVersion: '2025-11-25',
      tools: ['forecast'],
      prompts: 0,
      resources: 0,
      volatile: [],
    },
    egressTried: [],
    baseline: baseline ? { name: submission.name, version: baseline.version } : null,
    checks: [
      fired
        ? {
            ...head,
            outcome: 'fired',
            findings: [
              {
                check: 'LK-SRF-01',
                severity: 'medium',
                message: 'text changed',
                evidence: [{ kind: 'fact', source: 't', value: 'v' }],
              },
            ],
          }
        : { ...head, outcome: 'ok', note: 'first' },
    ],
    origin: { provenance: { rank: 'registry-signature', builder: null }, publisher: null, repository: null },
    trial: false,
    evidence: {},
  };
  const store = async (value: unknown): Promise<string> =>
    (await deps.blobs.put(Buffer.from(canonical(value)))).digest;
  return {
    closure,
    launch: {
      transport: 'stdio',
      command: ['node', '/app/node_modules/weather/index.js', ...submission.args],
      projectArgs: submission.projectArgs,
    },
    surface,
    report,
    maintainers: null,
    packages: [{ ecosystem: 'npm', name: 'weather', version: submission.version, purl }],
    licences: new Map(),
    surfaceDigest: pins.digest,
    surfaceText: await store(surface),
    reportDigest: await store(report),
  };
}

export interface TestOptions {
  readonly trial?: boolean;
  readonly upstream?: string[];
  readonly scan?: ScanDeps['scan'];
  readonly witnesses?: { list: readonly Witness[]; threshold: number };
  readonly publish?: PublishSetting;
  readonly streams?: Deps['streams'];
  readonly bundles?: Deps['bundles'];
  readonly lockSigner?: string;
  readonly oidc?: Oidc;
  readonly blobs?: Blobs;
}

/** With its people: dave publishes, root administers, erin develops, alice and bob review. */
export async function startStaffed(
  server: TestServer,
  options: TestOptions = {},
): Promise<{ registry: TestRegistry; alice: Key; bob: Key }> {
  const registry = await startTestRegistry(server, options);
  await registry.person('dave', 'publisher');
  await registry.person('root', 'admin');
  await registry.person('erin', 'developer');
  return { registry, alice: await registry.reviewer('alice'), bob: await registry.reviewer('bob') };
}

export async function startTestRegistry(
  server: TestServer,
  options: TestOptions = {},
): Promise<TestRegistry> {
  const { pool, drop } = await freshDatabase(server);
  const dir = join(tmpdir(), `lk-reg-${randomBytes(6).toString('hex')}`);
  const trial = options.trial ?? false;
  const policy = trial
    ? { ...DEFAULT_POLICY, approvals: { ...DEFAULT_POLICY.approvals, threshold: 1 } }
    : DEFAULT_POLICY;
  const { list = [], threshold = 0 } = options.witnesses ?? {};
  const keys = await loadKeys(join(dir, 'keys'), {
    lockSigner: options.lockSigner ?? null,
    environment: process.env,
  });
  const trust = await openTrust(pool, keys, {
    trial,
    policy,
    log: { witnesses: list.map(({ key }) => key), threshold },
  });
  const log = pino({ level: 'silent' });
  const publish = options.publish ? publisherOf(options.publish) : null;
  const folder = await openBlobs(join(dir, 'blobs'));
  const blobs = options.blobs ?? folder;
  const deps: RunDeps = {
    pool,
    blobs,
    trust,
    checkpoints: openCheckpoints({ pool, trust, log, witnesses: list, publish }),
    policy,
    log,
    publicUrl: () => 'http://127.0.0.1:7411',
    ...(options.streams ? { streams: options.streams } : {}),
    ...(options.bundles ? { bundles: options.bundles } : {}),
    ...(options.oidc ? { oidc: options.oidc } : {}),
    workDir: join(dir, 'scan'),
    scan: options.scan ?? ((request) => scanResult(request, { blobs })),
    upstream: async ({ source }) =>
      (options.upstream ?? []).map((version) => ({
        version,
        source: source.replace(/@[^@]+$/, `@${version}`),
      })),
    pointer: async () => ({ state: 'same', found: 'as it was', keep: null }),
    tuf: null,
    trustRoots: join(dir, 'trust-roots'),
    tmp: tmpdir(),
    // Of a run that no queue knows.
    result: (work) => withTransaction(pool, work),
  };
  const app = await buildApp(deps);
  const tokens = new Map<string, string>();
  const callOf =
    (at: FastifyInstance): TestRegistry['call'] =>
    async <Said = Body>(
      ...[as, method, url, body]: Parameters<TestRegistry['call']>
    ): Promise<Answer<Said>> => {
      const headers: Record<string, string> =
        as === null ? {} : { authorization: `Bearer ${tokens.get(as) ?? as}` };
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const response = await at.inject({
        method,
        url,
        headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { payload: text }),
      });
      let parsed: unknown = response.body;
      try {
        parsed = JSON.parse(response.body);
      } catch {
        // not every answer is JSON
      }
      return { status: response.statusCode, body: parsed as Said, headers: response.headers };
    };
  const call = callOf(app);
  const person: TestRegistry['person'] = async (name, ...roles) => {
    await putPerson(pool, name, roles);
    const { token } = await newToken(pool, name, { roles, hours: 1 });
    tokens.set(name, token);
    return token;
  };
  const reviewer: TestRegistry['reviewer'] = async (name) => {
    await person(name, 'reviewer', 'developer', 'auditor');
    const key = makeKey(name);
    const proof: Envelope = seal(
      KEY_PROOF_TYPE,
      Buffer.from(JSON.stringify({ person: name, publicKey: key.pem, at: new Date().toISOString() })),
      [key.key],
    );
    const answer = await call(name, 'POST', '/v1/keys', { proof, replace: true });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    return key;
  };
  const submit: TestRegistry['submit'] = (as, change = {}) =>
    call(as, 'POST', '/v1/releases', { ...SUBMISSION, ...change });
  const scanned: TestRegistry['scanned'] = async (as, change) => {
    const { body } = await submit(as, change);
    await scanJob(String(body.id), { attempts: 1, max_attempts: 1 }, deps);
    return body.id;
  };
  const statement: TestRegistry['statement'] = async (as, id) =>
    (await call(as, 'GET', `/v1/releases/${id}/statement`)).body.statement;
  const approve: TestRegistry['approve'] = async (key, id, change = () => undefined) => {
    const approval = await statement(key.person, id);
    approval.predicate.environments = ['development'];
    approval.predicate.accepts = { 'LK-SRF-01': 'read the change' };
    change(approval);
    return call(key.person, 'POST', `/v1/releases/${id}/approvals`, {
      envelope: seal(STATEMENT_TYPE, Buffer.from(canonical(approval)), [key.key]),
    });
  };
  return {
    pool,
    app,
    deps,
    dir,
    folder,
    keys,
    call,
    callOf,
    person,
    reviewer,
    submit,
    scanned,
    statement,
    approve,
    approved: async (as, reviewers, change) => {
      const id = await scanned(as, change);
      for (const key of reviewers) {
        const answer = await approve(key, id);
        if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
      }
      return id;
    },
    close: async () => {
      await app.close();
      await drop();
    },
  };
}
