/** What reviewers and owners are told on the command line: the verbs themselves, against a registry that listens. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { type Command, type Context, parseWords, type Result } from '../../cli/command.ts';
import { doctor } from '../../cli/commands/doctor.ts';
import { owner } from '../../cli/commands/owner.ts';
import { people } from '../../cli/commands/people.ts';
import { publish } from '../../cli/commands/publish.ts';
import { review, verdictText } from '../../cli/commands/review.ts';
import { makePaint } from '../../cli/output.ts';
import { putAlarms } from '../../registry/db/alarms.ts';
import { expireApprovals } from '../../registry/expiry.ts';
import { rescanJob } from '../../registry/rescan.ts';
import {
  SUBMISSION,
  servers,
  startTestRegistry,
  submissionOf,
  type TestRegistry,
} from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

const DAY_MS = 86_400_000;

describe.each(servers().slice(0, 1))('the command line', (server) => {
  let registry: TestRegistry;
  let url: string;
  let keys: Key[];
  const tokens: Record<string, string> = {};
  beforeAll(async () => {
    registry = await startTestRegistry(server, { upstream: ['7.0.0'] });
    for (const name of ['dave', 'mallory', 'gone']) tokens[name] = await registry.person(name, 'publisher');
    tokens.root = await registry.person('root', 'admin');
    keys = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    tokens.alice = await registry.person('alice', 'reviewer');
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => registry.close());

  const lk = async (as: string, [verb, command]: [string, Command], ...argv: string[]): Promise<Result> => {
    const context = {
      api: async () => openApi(url, tokens[as] ?? ''),
      config: { environment: {} },
      paint: makePaint(false),
      now: () => new Date(),
      json: false,
      progress: () => undefined,
      home: { signIns: async () => [{ registry: url, person: as, expires: '' }] },
    } as unknown as Context;
    const { words, values } = parseWords(verb, command, argv);
    return (await command.run(context, words, values)) as Result;
  };
  const OWNER: [string, Command] = ['owner', owner];
  const REVIEW: [string, Command] = ['review', review];
  const PUBLISH: [string, Command] = ['publish', publish];
  const found = async (as: string) =>
    (
      (await lk(as, ['doctor', doctor])).data as { checks: { check: string; ok: boolean; found: string }[] }
    ).checks.find(({ check }) => check === 'servers');

  it('publishes with an owner, and says why it does not', async () => {
    const words = ['npm:weather@1.0.0', '--name', 'acme.tools/own', '--no-wait'];
    const wrong = lk('dave', PUBLISH, ...words, '--owner', 'zoe');
    await expect(wrong).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await lk('dave', PUBLISH, ...words, '--owner', 'gone', '--team', 'data');
    expect((await lk('alice', OWNER, 'own')).text).toMatch(/acme\.tools\/own +gone +data +npm:weather/);
    const next = ['npm:elsewhere@2.0.0', '--name', 'acme.tools/own', '--no-wait'];
    await expect(lk('dave', PUBLISH, ...next)).rejects.toMatchObject({ code: 'SERVER_OWNED', exit: 3 });
    await expect(lk('gone', PUBLISH, ...next)).rejects.toMatchObject({ code: 'SOURCE_CHANGED', exit: 3 });
    await lk('gone', PUBLISH, ...next, '--new-source');
  });

  it('tells of servers without an owner, until an administrator names one', async () => {
    expect(await found('root')).toMatchObject({ ok: true, found: 'every server has an owner' });
    const left = await lk('root', ['people', people], 'remove', 'gone');
    expect(left.text).toContain('gone owned acme.tools/own');
    expect(await found('root')).toMatchObject({
      ok: false,
      found: expect.stringContaining('acme.tools/own'),
    });
    expect(await found('alice')).toMatchObject({
      ok: true,
      found: 'without an owner: acme.tools/own (gone left)',
    });
    expect((await lk('alice', REVIEW)).text).toContain('acme.tools/own has no owner: gone left.');
    expect((await lk('alice', OWNER)).text).toContain('nobody (gone left)');
    await expect(lk('mallory', OWNER, 'own', 'mallory')).rejects.toMatchObject({ code: 'SERVER_OWNED' });
    await expect(lk('root', OWNER, 'own', '--team', 'x')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(lk('root', OWNER, 'none', 'dave')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await lk('root', OWNER, 'own', 'dave')).text).toBe('dave answers for acme.tools/own.');
    expect(await found('root')).toMatchObject({ ok: true });
  });

  it('lists what is due and what lapsed, and shows what changed since', async () => {
    const id = await registry.scanned('dave', submissionOf('1.0.0'));
    const expires = new Date(Date.now() + 9 * DAY_MS).toISOString();
    for (const key of keys)
      await registry.approve(key, id, ({ predicate }) => void (predicate.expires = expires));
    const due = expires.slice(0, 10);
    const name = SUBMISSION.name;
    expect((await lk('alice', REVIEW)).text).toContain(`${name} 1.0.0 (release ${id}): re-review due ${due}`);
    expect((await lk('alice', REVIEW, '--state', 'approved')).text).toContain(`re-review due ${due}`);
    await expireApprovals(registry.deps, new Date(Date.now() + 10 * DAY_MS));
    expect((await lk('alice', REVIEW)).text).toMatch(/weather@1\.0\.0 .*lapsed 20.*: review it again/);
    const shown = async (): Promise<string> => (await lk('alice', REVIEW, String(id))).text;
    expect(await shown()).toContain('It was not scanned again yet');
    await rescanJob(String(id), registry.deps);
    expect(await shown()).toMatch(
      /scanned again .*:\n {2}every check ends as it did\n.*\n {2}newer versions: 7\.0\.0\n/,
    );
  });

  it('tells first what stands against what runs, how to answer it, and has it scanned again', async () => {
    const made = { ...submissionOf('1.0.0'), name: 'acme.tools/judged' };
    const id = await registry.approved('dave', keys, made);
    await putAlarms(registry.pool, String(id), [
      {
        ...{ id: 'LK-ADV-02', title: 'Vulnerabilities', before: 'ok', after: 'fired', gates: true },
        ...{
          said: `sha256:${'0'.repeat(64)}`,
          message: 'GHSA-1 in weather',
          because: ['of advisories: GHSA-1'],
        },
      },
    ]);
    const answer = `Revoke it: lk revoke ${id} --reason TEXT; or accept what you read: lk approve ${id} --accept "LK-ADV-02=REASON"`;
    const listed = (await lk('alice', REVIEW)).text;
    expect(listed).toMatch(
      /^acme\.tools\/judged 1\.0\.0 .* is approved, and judged again it would not pass:\n/,
    );
    expect(listed).toContain(answer);
    const shown = (await lk('alice', REVIEW, String(id))).text;
    expect(shown).toContain(
      'Judged again, against it:\n  LK-ADV-02 Vulnerabilities: ok then, fired now, gates',
    );
    expect(shown).toContain(answer);
    expect((await found('alice'))?.found).toContain('something stands against 1 release (lk review)');
    expect((await lk('alice', REVIEW, String(id), '--rescan')).text).toContain('is to be scanned again');
    const { rows } = await registry.pool.query('select 1 from graphile_worker.jobs where key = $1', [
      `rescan:${id}`,
    ]);
    expect(rows).toHaveLength(1);
    await expect(lk('dave', REVIEW, String(id), '--rescan')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('says what a delta rests on, and where a release came from before', async () => {
    await registry.approved('dave', keys, submissionOf('2.0.0'));
    const id = await registry.scanned('dave', submissionOf('2.1.0'));
    const { body } = await registry.call('alice', 'GET', `/v1/releases/${id}/statement?delta=2.0.0`);
    const { deltaFrom } = body.statement.predicate;
    if (!deltaFrom) throw new Error('no delta');
    for (const key of keys)
      await registry.approve(key, id, ({ predicate }) => void (predicate.deltaFrom = deltaFrom));
    const { text } = await lk('alice', REVIEW, String(id));
    expect(text).toMatch(
      /alice's approval is a delta from 2\.0\.0 \(full review of 2\.0\.0: 20.* by alice, bob\)\./,
    );
    expect(text).toContain('Owned by dave.');
    const elsewhere = { version: '2.2.0', source: 'npm:moved@2.2.0', newSource: true };
    const moved = await registry.scanned('dave', elsewhere as object);
    expect((await lk('alice', REVIEW, String(moved))).text).toContain(
      'it comes from npm:moved@2.2.0; what was approved came from npm:weather.',
    );
    const refused = await registry.call('alice', 'GET', `/v1/releases/${moved}/statement?delta=2.1.0`);
    expect(refused.body).toMatchObject({ code: 'APPROVAL_DELTA', found: '2.1.0, of npm:weather' });
  });
});

describe('a verdict in words', () => {
  it('never says that a signature failed because a check is open', () => {
    const head = { title: 't', owasp: 'MCP04' };
    const open = { ...head, id: 'LK-MNT-01', gates: true, outcome: 'unknown' as const, reason: 'r' };
    const quiet = { ...open, id: 'LK-SIG-01', gates: false };
    expect(verdictText([quiet])).toBe("The scanner's signature on this report holds. Its verdict: passed.");
    expect(verdictText([quiet, open])).toContain('verdict: not passed, LK-MNT-01 open.');
  });
});
