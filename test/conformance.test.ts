/** The conformance suite through every way; npm run conformance prints the same. Comparing is proved by what loses. */
import { beforeAll, describe, expect, it } from 'vitest';
import { baseline, takeAll, type Way } from './conformance/command.ts';
import { type Loss, openPassthrough } from './conformance/hops.ts';
import { DIRECT, differences, judge, type Known, readBaseline, type Taken } from './conformance/judge.ts';
import { type Check, REVISIONS, runSuite } from './conformance/suite.ts';
import { ways } from './conformance/ways.ts';

/** Loses a header, an HTTP status, a keyword of a schema and every word about progress. */
const LOSS: Loss = {
  headers: (headers) => void delete headers['mcp-param-region'],
  status: (status) => (status === 404 ? 200 : status),
  text: (text) =>
    text
      .replaceAll('"$anchor":"addressDef",', '')
      .split('\n\n')
      .filter((event) => !event.includes('notifications/progress'))
      .join('\n\n'),
};
/** A hop that loses nothing is what the lossy one is but for its losses, which are told one by one. */
const tested = ways.filter(({ name }) => name !== 'passthrough');
const lossy: Way = { name: 'lossy', open: (direct) => openPassthrough(direct, { loss: LOSS }) };

describe('the conformance suite', () => {
  let taken: Taken[];
  beforeAll(async () => {
    taken = await takeAll([...tested, lossy], REVISIONS, () => undefined);
  });
  const of = (way: string): Taken[] => taken.filter((one) => one.way === way);
  const countsOf = (way: string): number[][] =>
    of(way).map(({ run }) =>
      (['SUCCESS', 'FAILURE'] as const).map(
        (word) => run.checks.filter(({ status }) => status === word).length,
      ),
    );

  it('passes directly, but for the extension that the server does not offer', () => {
    expect(of(DIRECT).map(({ run }) => run.conforms)).toEqual([true, true]);
    expect(countsOf(DIRECT)).toEqual([
      [84, 0],
      [164, 30],
    ]);
    const failed = of(DIRECT).flatMap(({ run }) => run.checks.filter(({ status }) => status === 'FAILURE'));
    expect(failed.filter(({ scenario }) => !scenario.startsWith('tasks-'))).toEqual([]);
  });

  it.each(tested.map(({ name }) => name))('comes to the same checks by %s', async (name) => {
    const judged = judge([...of(DIRECT), ...of(name)], await baseline());
    expect(judged.verdicts.flatMap((one) => one.differences.filter(({ why }) => !why))).toEqual([]);
    expect(judged.stale).toEqual([]);
    expect(judged.ok).toBe(true);
  });

  it('sees what a hop loses, each by the checks that are about it', () => {
    const judged = judge([...of(DIRECT), ...of('lossy')], []);
    expect(judged.ok).toBe(false);
    const lost = judged.verdicts.filter(({ way }) => way === 'lossy').map((one) => one.differences);
    expect(lost.map((all) => [...new Set(all.map(({ check }) => check.split('/')[0]))])).toEqual([
      [
        'json-schema-2020-12:sep-2106-anchor-keyword-preserved',
        'server-session-lifecycle:server-session-terminated-returns-404',
        'tools-call-with-progress:tools-call-with-progress',
      ],
      [
        'http-custom-header-server-validation:sep-2243-server-decode-base64',
        'http-custom-header-server-validation:sep-2243-server-validate-param-match',
        'json-schema-2020-12:sep-2106-anchor-keyword-preserved',
        ...[
          '-initialize',
          '-logging-setlevel',
          '-ping',
          '-resources-subscribe',
          '-resources-unsubscribe',
          '',
        ].map((method) => `server-stateless:sep-2575-http-server-method-not-found-404${method}`),
        'tools-call-with-progress:tools-call-with-progress',
      ],
    ]);
  });
});

describe('the judgement', () => {
  const check = (id: string, status: Check['status']): Check => ({ scenario: 's', id, status, said: 'why' });
  const run = (way: string, ...checks: Check[]): Taken => ({
    way,
    revision: '2026-07-28',
    run: { checks, conforms: true },
  });
  const known = (id: string): Known => ({
    way: 'hop',
    revision: '2026-07-28',
    check: `s:${id}`,
    through: 'FAILURE',
    why: 'the server sends this check something it cannot know',
  });

  it('knows a check that turned, one that is gone and one that is new', () => {
    expect(
      differences(
        [check('a/A', 'SUCCESS'), check('b/B', 'SUCCESS'), check('d/D', 'SKIPPED')],
        [check('a/A', 'WARNING'), check('c/C', 'SUCCESS'), check('d/D', 'SKIPPED')],
      ).map(({ check: id, direct, through }) => [id, direct, through]),
    ).toEqual([
      ['s:a/A', 'SUCCESS', 'WARNING'],
      ['s:b/B', 'SUCCESS', 'absent'],
      ['s:c/C', 'absent', 'SUCCESS'],
    ]);
  });

  it('takes a difference that the baseline names, and no other', () => {
    const taken = [run(DIRECT, check('a/A', 'SUCCESS')), run('hop', check('a/A', 'FAILURE'))];
    expect(judge(taken, [])).toMatchObject({ ok: false, verdicts: [{}, { verdict: 'DIFFERENT' }] });
    expect(judge(taken, [known('b/B')])).toMatchObject({ ok: false, stale: [known('b/B')] });
    expect(judge(taken, [{ ...known('a/A'), through: 'absent' }])).toMatchObject({ ok: false });
    expect(judge(taken, [known('a/A')])).toMatchObject({
      ok: true,
      verdicts: [{}, { verdict: 'explained' }],
    });
  });

  it('fails a baseline that nothing needs any more, but not one of a way that was not taken', () => {
    const same = [run(DIRECT, check('a/A', 'SUCCESS')), run('hop', check('a/A', 'SUCCESS'))];
    expect(judge(same, [known('a/A')])).toMatchObject({ ok: false, stale: [known('a/A')] });
    expect(judge(same, [{ ...known('a/A'), way: 'another' }]).ok).toBe(true);
  });

  it('does not call it well that a server fails alike on both ways, or that nothing was run', () => {
    const broken = { ...run(DIRECT, check('a/A', 'FAILURE')), run: { checks: [], conforms: false } };
    expect(judge([broken, { ...broken, way: 'hop' }], [])).toMatchObject({
      ok: false,
      verdicts: [{ verdict: 'DOES NOT CONFORM' }, {}],
    });
    expect(judge([], []).ok).toBe(false);
  });

  it('refuses a baseline without a reason, or with a key that it does not know', () => {
    const entry = known('a/A');
    expect(readBaseline(JSON.stringify([entry]))).toEqual([entry]);
    for (const bad of [
      { ...entry, why: '' },
      { ...entry, note: 'x' },
      { ...entry, check: 'all' },
    ])
      expect(() => readBaseline(JSON.stringify([bad]))).toThrow('the baseline of conformance');
  });
});

describe('the command', () => {
  it('ends where the suite reaches nobody: what was not checked has not passed', async () => {
    const { conforms, checks } = await runSuite('http://127.0.0.1:9/mcp', '2026-07-28');
    expect(conforms).toBe(false);
    // Only what is about things not said passes: nothing invalid came, and nothing empty.
    const passed = checks.filter(({ status }) => status === 'SUCCESS').map(({ id }) => id.split('/')[0]);
    expect([...new Set(passed)].sort()).toEqual(['sep-2164-no-empty-contents', 'wire-schema-valid']);
  });
});
