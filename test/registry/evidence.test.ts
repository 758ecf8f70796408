/** Evidence from a witnessed registry, with a superuser at its database, keys that changed, and many records. */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { exportEvidence } from '../../cli/evidence/export.ts';
import { type Verdict, verifyEvidence } from '../../cli/evidence/verify.ts';
import { logKey } from '../../registry/log.ts';
import { readArchive, writeArchive } from '../../runtime/store/archive.ts';
import { type AuditBody, type AuditRecord, link } from '../../schemas/audit.ts';
import { sha256 } from '../../schemas/json.ts';
import { readLogKey } from '../../schemas/witness.ts';
import { BARE } from '../helpers/bare.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import type { Key } from '../helpers/trust.ts';
import { makeSigner, makeWitness, type TestWitness } from '../helpers/witness.ts';

const MAIN = join(import.meta.dirname, '../../cli/main.ts');
const now = (): string => new Date().toISOString();

describe.each(servers().slice(0, 1))('evidence of a witnessed registry on $name', (server) => {
  let registry: TestRegistry;
  let witness: TestWitness;
  let url: string;
  let token: string;
  let reviewers: Key[];
  let dir: string;
  const start = now();
  /** Before the many records. */
  let small = start;
  const chains = new Map<string, AuditRecord>();

  const body = (runtime: string, change: Partial<AuditBody> = {}): AuditBody => ({
    kind: 'request.forwarded',
    at: now(),
    runtime,
    session: 's1',
    user: 'erin',
    subject: {
      server: 'acme.tools/weather',
      version: '1.2.3',
      lock: sha256('lock'),
      closure: sha256('closure'),
      surface: sha256('surface'),
      approvedBy: ['alice', 'bob'],
    },
    method: 'tools/call',
    target: 'forecast',
    arguments: { city: 'a city with a name that is not short at all '.repeat(6) },
    ...change,
  });
  const ship = async (runtime: string, count: number): Promise<void> => {
    const records: AuditRecord[] = [];
    for (let n = 0; n < count; n++) {
      const last = chains.get(runtime);
      const record = link((last?.seq ?? 0) + 1, last?.digest ?? null, body(runtime));
      chains.set(runtime, record);
      records.push(record);
    }
    expect((await registry.call('agent', 'POST', '/v1/audit', { records })).status).toBe(200);
  };
  const lock = async (): Promise<void> => {
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: 'http://127.0.0.1:7411',
      trust: registry.keys.pin,
      servers: { weather: { server: 'acme.tools/weather', range: '*' } },
    };
    const { rootKeys, threshold } = registry.keys.pin;
    const sent = { intent: { ...intent, trust: { rootKeys, threshold } }, previous: null };
    const answer = await registry.call('eve', 'POST', '/v1/locks', sent);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const verify = (path: string): Promise<Verdict> =>
    verifyEvidence(path, {
      pin: async () => registry.keys.pin,
      signedBy: undefined,
      progress: () => undefined,
    });
  const gather = async (
    from: string,
    name: string,
    to = new Date(Date.now() + 60_000).toISOString(),
  ): Promise<Verdict> => {
    const path = join(dir, name);
    let verdict: Verdict | undefined;
    await exportEvidence({
      api: openApi(url, token),
      from,
      to,
      path,
      exportedAt: now(),
      exportedBy: 'olga',
      key: null,
      progress: () => undefined,
      check: async (written) => {
        verdict = await verify(written);
        if (verdict.error) throw verdict.error;
      },
    });
    return verdict as Verdict;
  };
  const step = ({ steps }: Verdict, number: number): string => steps[number - 1]?.found ?? '';

  beforeAll(async () => {
    dir = tempDir();
    witness = await makeWitness(tempDir(), { signer: makeSigner('witness.test/one') });
    registry = await startTestRegistry(server, { witnesses: { list: [witness], threshold: 1 } });
    witness.logs.push(readLogKey(logKey(registry.deps.trust.logSigner)));
    for (const [name, role] of [
      ['dave', 'publisher'],
      ['eve', 'developer'],
      ['agent', 'runtime'],
    ] as const)
      await registry.person(name, role);
    token = await registry.person('olga', 'auditor');
    reviewers = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    await registry.approved('dave', reviewers);
    await lock();
    await ship('j1', 3);
    await ship('j2', 2);
  });
  afterAll(async () => {
    await registry?.close();
    await witness?.close();
  });

  it('says who saw its checkpoints, and when', async () => {
    const verdict = await gather(start, 'first.lke');
    expect(verdict.error).toBeNull();
    expect(step(verdict, 3)).toContain('cosigned by witness.test/one');
    expect(verdict.counts).toMatchObject({ records: 5, journals: 2 });
  });

  it('shows that a period begins where a witness saw it begin, and continues the journals from there', async () => {
    await sleep(1100);
    const middle = now();
    await sleep(1100);
    await ship('j1', 4);
    await lock();
    const verdict = await gather(middle, 'second.lke');
    expect(verdict.counts).toMatchObject({ records: 4, journals: 1 });
    expect(verdict.decisions?.locks).toHaveLength(1);
    expect(step(verdict, 4)).toMatch(/from a checkpoint seen by witness\.test\/one at/);
    // The same cut said to be of a period that began before: what came before the cut would be missing.
    const bad = join(dir, 'bad.lke');
    const archive = await writeArchive(bad);
    for await (const member of readArchive(join(dir, 'second.lke'))) {
      const bytes = await member.read(1 << 28);
      const text =
        member.path === 'evidence.json'
          ? bytes.toString().replace(middle, '2026-01-01T00:00:00.000Z')
          : bytes;
      await archive.put(member.path, Buffer.from(text));
    }
    await archive.close();
    const { error, steps } = await verify(bad);
    expect([error?.code, steps.find(({ ok }) => ok === false)?.step]).toEqual(['EVIDENCE_INCOMPLETE', 4]);
  });

  it('ends where the period ends: what came later is not in it', async () => {
    const [from, to] = [start, now()];
    const before = chains.get('j2')?.seq ?? 0;
    await sleep(1100);
    await ship('j2', 1);
    await lock();
    await ship('j2', 50);
    const verdict = await gather(from, 'ended.lke', to);
    expect(verdict.error).toBeNull();
    expect(verdict.counts.records).toBeLessThanOrEqual((chains.get('j1')?.seq ?? 0) + before + 1);
    expect(step(verdict, 4)).toMatch(/to a checkpoint seen by witness\.test\/one at/);
  });

  it('judges approvals by the keys of their day, and keeps those that others took the place of', async () => {
    const id = await registry.approved('dave', reviewers, { version: '2.0.0', source: 'npm:weather@2.0.0' });
    const [alice] = reviewers as [Key, Key];
    const wider = await registry.approve(alice, id, ({ predicate }) => {
      predicate.environments = ['development', 'production'];
    });
    expect(wider.status).toBe(200);
    await lock();
    await registry.reviewer('bob');
    const verdict = await gather(start, 'keys.lke');
    expect(verdict.error).toBeNull();
    expect(verdict.decisions?.approvals).toHaveLength(5);
  });

  it('streams: fifty thousand records in a small heap', async () => {
    small = now();
    for (let n = 0; n < 50; n++) await ship('big', 1000);
    const verdict = await gather(start, 'big.lke');
    expect(verdict.counts.records).toBeGreaterThan(50_000);
    const pin = join(dir, 'pin.json');
    const { rootKeys, threshold } = registry.keys.pin;
    writeFileSync(pin, JSON.stringify({ lockkeeper: 'root-pin/v1', rootKeys, threshold }));
    const words = [
      '--max-old-space-size=40',
      MAIN,
      'evidence',
      'verify',
      join(dir, 'big.lke'),
      '--pin',
      pin,
      '--json',
    ];
    const env = { ...BARE, LOCKKEEPER_HOME: tempDir() };
    const { status, stdout, stderr } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
    expect(status, stderr.slice(0, 2000)).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      conclusion: 'ok',
      counts: { records: verdict.counts.records },
    });
  });

  describe('with a superuser at the database', () => {
    const edit = async (table: string, sql: string): Promise<void> => {
      await registry.pool.query(`alter table ${table} disable trigger all`);
      await registry.pool.query(sql);
    };
    const refused = async (name: string, code: string): Promise<void> => {
      await expect(gather(start, name, small)).rejects.toMatchObject({ code });
      expect(existsSync(join(dir, name))).toBe(false);
    };

    it('an edited record is refused, and nothing is written', async () => {
      await edit(
        'audit_records',
        `update audit_records set record = convert_to(replace(convert_from(record, 'utf8'), '"user":"erin"', '"user":"anna"'), 'utf8') where runtime = 'j2' and seq = 1`,
      );
      await refused('record.lke', 'JOURNAL_CHAIN');
    });

    it('an approval that is gone is refused by name', async () => {
      await edit(
        'approval_envelopes',
        `delete from approval_envelopes where digest = (select min(digest) from approval_envelopes)`,
      );
      await refused('approval.lke', 'EVIDENCE_INCOMPLETE');
    });

    it('an entry that is gone is refused', async () => {
      await edit(
        'log_entries',
        `update log_entries set entry = (select entry from log_entries where index = 0) where index = 1`,
      );
      await refused('entry.lke', 'EVIDENCE_INCOMPLETE');
    });
  });
});
