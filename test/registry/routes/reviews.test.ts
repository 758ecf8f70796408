import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Approval, STATEMENT_TYPE } from '../../../schemas/approval.ts';
import { seal } from '../../../schemas/dsse.ts';
import { canonical } from '../../../schemas/json.ts';
import { DEFAULT_POLICY } from '../../../schemas/policy.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../../helpers/registry.ts';
import { commandOf, type Key } from '../../helpers/trust.ts';
import { until } from '../../helpers/wait.ts';

const OTHER = `sha256:${'4'.repeat(64)}`;

describe.each(servers().slice(0, 1))('an approval at the registry', (server) => {
  let registry: TestRegistry;
  let alice: Key;
  let bob: Key;
  let id: number;
  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    id = await registry.scanned('dave', submissionOf('1.0.0'));
  });
  afterAll(() => registry.close());
  const given = async (): Promise<unknown[]> =>
    (await registry.call('bob', 'GET', `/v1/releases/${id}`)).body.approvals;

  it.each<[string, string, (approval: Approval) => void]>([
    ['another name', 'APPROVAL_SUBJECT', (a) => void (a.predicate.server.name = 'acme.tools/other')],
    ['another version', 'APPROVAL_SUBJECT', (a) => void (a.predicate.server.version = '9.9.9')],
    ['another package', 'APPROVAL_SUBJECT', (a) => void (a.predicate.server.purl = 'pkg:npm/other@1.0.0')],
    ['another closure', 'APPROVAL_SUBJECT', (a) => void (a.predicate.closureDigest = OTHER)],
    ['another surface', 'APPROVAL_SUBJECT', (a) => void (a.predicate.surfaceDigest = OTHER)],
    ['another report', 'APPROVAL_SUBJECT', (a) => void (a.predicate.reportDigest = OTHER)],
    ['another requester', 'APPROVAL_SUBJECT', (a) => void (a.predicate.requestedBy = 'erin')],
    ['other permissions', 'APPROVAL_SUBJECT', (a) => void a.predicate.permissions.env.push('MORE')],
    ['another command', 'APPROVAL_SUBJECT', (a) => void commandOf(a.predicate.launch).push('--more')],
    [
      'more that is signed',
      'APPROVAL_SUBJECT',
      (a) => void (a.predicate.provenance = { rank: 'provenance', builder: null }),
    ],
    ['nothing that is signed', 'APPROVAL_SUBJECT', (a) => void delete a.predicate.provenance],
    ['another artifact', 'APPROVAL_SUBJECT', (a) => void a.subject.push(...a.subject)],
    ['another approver', 'SIGNATURE_INVALID', (a) => void (a.predicate.approvedBy = 'bob')],
    [
      'a life of a day more than the policy gives',
      'APPROVAL_SCOPE',
      ({ predicate }) => {
        const days = DEFAULT_POLICY.approvals.maxAgeDays + 1;
        predicate.expires = new Date(Date.parse(predicate.notBefore) + days * 86_400_000).toISOString();
      },
    ],
    ['a longer life', 'APPROVAL_SCOPE', (a) => void (a.predicate.expires = '2099-01-01T00:00:00.000Z')],
    ['a life that is over', 'APPROVAL_SCOPE', (a) => void (a.predicate.expires = '2020-01-01T00:00:00.000Z')],
    [
      'no reason for what fired',
      'APPROVAL_CHECKS',
      (a) => void (a.predicate.accepts = { 'LK-NOPE-99': 'read the change' }),
    ],
    [
      'a beginning far ahead',
      'APPROVAL_NOT_YET',
      (a) => {
        const from = Date.now() + 3_600_000;
        a.predicate.notBefore = new Date(from).toISOString();
        a.predicate.expires = new Date(from + 86_400_000).toISOString();
      },
    ],
  ])('of %s is refused (%s) and not kept', async (_, code, change) => {
    expect((await registry.approve(alice, id, change)).body.code).toBe(code);
    expect(await given()).toEqual([]);
  });

  it('is taken from the one who signed it alone', async () => {
    const approval = await registry.statement('bob', id);
    approval.predicate.environments = ['development'];
    const envelope = seal(STATEMENT_TYPE, Buffer.from(canonical(approval)), [bob.key]);
    const answer = await registry.call('alice', 'POST', `/v1/releases/${id}/approvals`, { envelope });
    expect(answer.body.code).toBe('FORBIDDEN');
    expect(await given()).toEqual([]);
  });

  it('is not kept for a release that was turned down while it was on its way', async () => {
    const client = await registry.pool.connect();
    await client.query('begin');
    await client.query(`update releases set state = 'rejected', reason = 'not this one' where id = $1`, [id]);
    const answer = registry.approve(alice, id);
    const waits = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until(async () => (await registry.pool.query(waits)).rowCount !== 0);
    await client.query('commit');
    client.release();
    expect((await answer).body.code).toBe('STATE_CONFLICT');
    expect(await given()).toEqual([]);
  });

  it('is asked for and taken only while a release is reviewed', async () => {
    expect((await registry.call('alice', 'GET', `/v1/releases/${id}/statement`)).body.code).toBe(
      'STATE_CONFLICT',
    );
  });
});
