/** The suite's client scenarios through the gateway, which is a client to its servers: npm run conformance client. */
import { beforeAll, describe, expect, it } from 'vitest';
import { clientWays, commandOf, isOfTheHop, required, takeClients } from './conformance/clients.ts';
import { baseline } from './conformance/command.ts';
import { CLIENT_DIRECT, differences, judge, type Taken } from './conformance/judge.ts';
import { PLAYS } from './conformance/play.ts';
import { REVISIONS, runClient } from './conformance/suite.ts';

describe('the client scenarios of the conformance suite', () => {
  let taken: Taken[];
  beforeAll(async () => {
    taken = await takeClients(clientWays);
  }, 400_000);
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

  it('are all that a revision requires, but those that end at the gateway, which is a resource of its own', async () => {
    for (const revision of REVISIONS) {
      const all = await required(revision);
      expect(all.length).toBeGreaterThan(20);
      const open = all.filter((scenario) => !isOfTheHop(scenario) && !Object.hasOwn(PLAYS, scenario));
      expect(open).toEqual([]);
    }
    expect(isOfTheHop('auth/client-credentials-jwt')).toBe(false);
    expect(isOfTheHop('auth/scope-step-up')).toBe(true);
  });

  it('see a header that a hop loses', async () => {
    const scenarios = ['http-standard-headers'];
    const whole = of(CLIENT_DIRECT)[1]?.run.checks.filter(({ scenario }) => scenario === scenarios[0]) ?? [];
    const { checks, conforms } = await runClient(commandOf('lossy'), scenarios, '2026-07-28');
    expect(conforms).toBe(false);
    expect(differences(whole, checks).map(({ check, through }) => [check.split('/')[1], through])).toEqual(
      ['prompts_get', 'resources_read', 'tools_call'].map((name) => [
        `ClientMcpNameHeader_${name}`,
        'FAILURE',
      ]),
    );
  }, 60_000);

  it('that nobody plays, or that reach nobody, have not passed', async () => {
    const { conforms } = await runClient('false', ['tools_call'], '2026-07-28');
    expect(conforms).toBe(false);
  }, 60_000);
});
