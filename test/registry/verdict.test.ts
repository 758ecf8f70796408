/** The scanner signs what it found, and nobody approves a report that it did not sign. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, openApi } from '../../cli/api.ts';
import { giveApproval } from '../../cli/approval.ts';
import { openVerdict } from '../../runtime/trust/verdict.ts';
import { STATEMENT_TYPE, subjectsOf } from '../../schemas/approval.ts';
import { Envelope, seal } from '../../schemas/dsse.ts';
import { Report } from '../../schemas/finding.ts';
import { canonical, digestOf } from '../../schemas/json.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { Release } from '../../schemas/release.ts';
import { keySigner } from '../../schemas/signer.ts';
import { assertValid } from '../../schemas/validate.ts';
import { Verdict, verdictOf } from '../../schemas/verdict.ts';
import { servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

describe.each(servers().slice(0, 1))('a verdict', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let api: Api;
  let patch = 0;
  beforeAll(async () => {
    const staffed = await startStaffed(server);
    ({ registry, alice } = staffed);
    const url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    api = openApi(url, await registry.person('alice', 'reviewer'));
  });
  afterAll(() => registry.close());

  const root = async () => (await registry.deps.trust.current()).trusted;
  const scanned = async (): Promise<Release> => {
    const id = await registry.scanned('dave', submissionOf(`3.0.${patch++}`));
    return api.call('release', Release, { parameters: { id } });
  };
  const verdictOn = ({ id }: Release): Promise<Envelope> =>
    api.call('verdict', Envelope, { parameters: { id } });
  const shown = (release: Release) => ({
    purl: release.purl,
    reportDigest: release.reportDigest ?? '',
    subject: subjectsOf(release),
  });
  const wish = { environments: [], accepts: { 'LK-SRF-01': 'read it' }, days: null, deltaFrom: null };
  const approve = (release: Release) =>
    giveApproval(release, wish, { api, signer: keySigner(alice.key), now: new Date(), root });
  const edit = (release: Release, column: 'verdict' | 'report_digest', value: unknown) =>
    registry.pool.query(`update releases set ${column} = $2 where id = $1`, [release.id, value]);

  it('is a SLSA verification summary over every artifact, the report and its evidence, by the scanner key of the root', async () => {
    const release = await scanned();
    const verdict = openVerdict(await verdictOn(release), await root(), shown(release));
    expect(verdict.predicateType).toBe('https://slsa.dev/verification_summary/v1');
    expect(verdict.predicate.verificationResult).toBe('PASSED');
    expect(verdict.predicate.policy.digest.sha256).toBe(digestOf(registry.deps.policy).slice(7));
    await expect(approve(release)).resolves.toMatchObject({ given: 1 });
  });

  it('keeps a report that somebody put in its place from being approved', async () => {
    const release = await scanned();
    const report = await api.call('report', Report, { parameters: { id: release.id } });
    const clean = { ...report, checks: [{ ...report.checks[0], outcome: 'ok', note: 'all is well' }] };
    const { digest } = await registry.deps.blobs.put(Buffer.from(canonical(clean)));
    await edit(release, 'report_digest', digest);
    await expect(approve(release)).rejects.toMatchObject({ code: 'VERDICT_SUBJECT' });
    expect((await api.call('release', Release, { parameters: { id: release.id } })).approvals).toEqual([]);
  });

  it('is of no use for another release, by another key, or missing', async () => {
    const [release, other] = [await scanned(), await scanned()];
    const stranger = generateKeyPairSync('ed25519').privateKey;
    const { payload } = await verdictOn(release);
    for (const [value, code] of [
      [canonical(await verdictOn(other)), 'VERDICT_SUBJECT'],
      [canonical(seal(STATEMENT_TYPE, Buffer.from(payload, 'base64'), [stranger])), 'KEY_UNKNOWN'],
      [canonical(seal(STATEMENT_TYPE, Buffer.from(payload, 'base64'), [alice.key])), 'KEY_UNKNOWN'],
      [null, 'NOT_FOUND'],
    ] as const) {
      await edit(release, 'verdict', value);
      await expect(approve(release)).rejects.toMatchObject({ code });
    }
  });

  it('of a key that was replaced since still counts, and a later one by that key does not', async () => {
    const release = await scanned();
    const before = await verdictOn(release);
    await registry.deps.trust.renew({ rotate: 'scanner', person: 'admin' });
    const after = await verdictOn(await scanned());
    expect(after.signatures[0]?.keyid).not.toBe(before.signatures[0]?.keyid);
    await expect(approve(release)).resolves.toBeDefined();
  });
});

describe('a statement', () => {
  const result = (report: Partial<Report>) =>
    ({
      report: {
        scannedAt: '2026-11-24T00:00:00.000Z',
        evidence: {},
        release: { purl: 'pkg:npm/a@1.0.0' },
        checks: [],
        ...report,
      },
      reportDigest: `sha256:${'0'.repeat(64)}`,
      closure: {
        artifacts: [{ purl: 'pkg:npm/a@1.0.0', sha256: `sha256:${'1'.repeat(64)}`, sha512: '2'.repeat(128) }],
      },
    }) as unknown as Parameters<typeof verdictOf>[0];
  const check = (gates: boolean, outcome: string) =>
    ({ gates, outcome }) as unknown as Report['checks'][number];

  it.each([
    ['PASSED', [check(true, 'ok'), check(false, 'fired'), check(false, 'unknown')]],
    ['FAILED', [check(true, 'fired')]],
    ['FAILED', [check(true, 'unknown')]],
  ])('says %s', (said, checks) => {
    const verdict = verdictOf(result({ checks }), DEFAULT_POLICY);
    expect(verdict.predicate.verificationResult).toBe(said);
    expect(() => assertValid(Verdict, verdict, 'it')).not.toThrow();
  });
});
