/** The suite's client scenarios through the gateway, which is a client to its servers: npm run conformance client. */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { clientWays, playable, required, takeClients, unplayed } from './conformance/clients.ts';
import { baseline } from './conformance/command.ts';
import { openHost } from './conformance/host.ts';
import { CLIENT_DIRECT, differences, judge, readUnplayed, type Taken } from './conformance/judge.ts';
import { PLAYS } from './conformance/play.ts';
import { REVISIONS, runClient } from './conformance/suite.ts';

describe('the client scenarios of the conformance suite', () => {
  let taken: Taken[];
  beforeAll(async () => {
    taken = await takeClients(clientWays);
  });
  const of = (way: string): Taken[] => taken.filter((one) => one.way === way);

  it('pass with the client by itself', () => {
    const direct = of(CLIENT_DIRECT);
    expect(direct.map(({ revision }) => revision)).toEqual([...REVISIONS]);
    expect(direct.map(({ run }) => run.conforms)).toEqual([true, true]);
    const played = direct.flatMap(({ run }) => run.checks.map(({ scenario }) => scenario));
    expect([...new Set(played)].sort()).toEqual(Object.keys(PLAYS).sort());
  });

  it.each(clientWays.map(({ name }) => name))('come to the same checks as %s', async (name) => {
    const judged = judge([...of(CLIENT_DIRECT), ...of(name)], await baseline());
    expect(judged.verdicts.flatMap((one) => one.differences.filter(({ why }) => !why))).toEqual([]);
    expect(judged.stale).toEqual([]);
    expect(judged.ok).toBe(true);
  });

  it('are all that a revision requires, but those that are left out by name', async () => {
    for (const revision of REVISIONS) {
      const [all, left] = [await required(revision), await unplayed(revision)];
      expect(all.length).toBeGreaterThan(20);
      const names = left.map(({ scenario }) => scenario);
      expect(new Set(names).size).toBe(names.length);
      expect(all.filter((name) => !names.includes(name) && !Object.hasOwn(PLAYS, name))).toEqual([]);
      expect(await playable(revision)).toEqual(all.filter((name) => Object.hasOwn(PLAYS, name)));
    }
    expect(await unplayed('2025-11-25')).toHaveLength(3);
    expect(await unplayed('2026-07-28')).toHaveLength(3);
    expect(() => readUnplayed('[{"scenario":"auth/x","revisions":["2026-07-28"],"why":""}]')).toThrow('why');
  });

  it('see a header that a hop loses', async () => {
    const scenarios = ['http-standard-headers'];
    const whole = of(CLIENT_DIRECT)[1]?.run.checks.filter(({ scenario }) => scenario === scenarios[0]) ?? [];
    const host = await openHost();
    onTestFinished(() => host.close());
    const { checks, conforms } = await runClient(host.commandOf('lossy'), scenarios, '2026-07-28');
    expect(conforms).toBe(false);
    expect(differences(whole, checks).map(({ check, through }) => [check.split('/')[1], through])).toEqual(
      ['prompts_get', 'resources_read', 'tools_call'].map((name) => [
        `ClientMcpNameHeader_${name}`,
        'FAILURE',
      ]),
    );
  });

  it('that nobody plays, or that reach nobody, have not passed', async () => {
    const { conforms } = await runClient('false', ['tools_call'], '2026-07-28');
    expect(conforms).toBe(false);
  });
});
