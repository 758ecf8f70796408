/** What waits and what runs, as the dashboard shows it in a real browser: calls to decide on, and the fleet. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallFacts, callId } from '../../schemas/call.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { approvalOfCall, callFacts } from '../helpers/calls.ts';
import { fleetInstance } from '../helpers/fleet.ts';
import { openPages, type Pages, shot, WAIT } from '../helpers/pages.ts';
import { servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

/** Text that would act, if it were ever more than text; and one that hides and turns round. */
const HOSTILE = '<img src=x onerror="document.title=1"> a\u200bb \u202egpj.exe';

describe.each(servers().slice(0, 1))('the dashboard', (server) => {
  let registry: TestRegistry;
  let pages: Pages;
  let bob: Key;
  let closureDigest: string;

  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('dave', 'publisher');
    await registry.person('root', 'admin');
    await registry.person('gateway', 'runtime');
    const alice = await registry.reviewer('alice');
    bob = await registry.reviewer('bob');
    const id = await registry.approved('dave', [alice, bob]);
    closureDigest = (await registry.call('alice', 'GET', `/v1/releases/${id}`)).body.closure.digest;
    pages = await openPages(registry, alice);
  });
  afterAll(async () => {
    await pages?.close();
    await registry?.close();
  });

  const visit: Pages['visit'] = (hash, width) => pages.visit(hash, width);
  const asked = async (
    change: Partial<CallFacts> = {},
    args: JsonObject = { path: '/srv' },
  ): Promise<CallFacts> => {
    const facts = callFacts({ closureDigest, ...change }, args);
    const answer = await registry.call('gateway', 'POST', '/v1/calls', { facts, arguments: args });
    expect(answer.status).toBe(200);
    return facts;
  };
  const stateOf = async (facts: CallFacts): Promise<string> =>
    (await registry.call('root', 'GET', `/v1/calls/${callId(facts)}`)).body.state;
  const cardOf = (page: Page, facts: CallFacts) => page.locator('section').filter({ hasText: callId(facts) });

  it('shows calls as they come and go, whatever they say as text, and signs what it shows', async () => {
    const page = await visit('#/calls');
    await page.getByText('No call waits for anybody.').waitFor(WAIT);
    const facts = await asked({ people: 2, tool: 'delete <b>all</b>' }, { note: HOSTILE });
    const card = cardOf(page, facts);
    await card
      .getByText('<img src=x onerror=\\"document.title=1\\"> a\\u{200b}b \\u{202e}gpj.exe')
      .waitFor(WAIT);
    await card.getByRole('heading', { name: 'delete <b>all</b>' }).waitFor(WAIT);
    expect(await page.title()).toContain('Lockkeeper');
    await card.getByLabel('Why it is turned down').fill('half a sen');
    await registry.call('bob', 'POST', `/v1/calls/${callId(facts)}/approvals`, {
      envelope: approvalOfCall(bob, facts),
    });
    await card.getByText('1 of 2 approved').waitFor(WAIT);
    expect(await card.getByLabel('Why it is turned down').inputValue()).toBe('half a sen');
    await shot(page, 'calls');
    await card.getByRole('button', { name: 'Sign the approval' }).click();
    await card.waitFor({ state: 'detached', ...WAIT });
    expect(await stateOf(facts)).toBe('approved');
    await page.getByText('No call waits for anybody.').waitFor(WAIT);
  });

  it('turns a call down with a reason', async () => {
    const [facts, other] = [await asked(), await asked()];
    const page = await visit('#/calls', 400);
    const card = cardOf(page, facts);
    await card.getByRole('button', { name: 'Reject' }).click();
    expect(await stateOf(facts)).toBe('waiting');
    await card.getByLabel('Why it is turned down').fill('not on a Friday');
    await shot(page, 'calls-narrow');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    await card.getByRole('button', { name: 'Reject' }).click();
    await card.waitFor({ state: 'detached', ...WAIT });
    expect([await stateOf(facts), await stateOf(other)]).toEqual(['rejected', 'waiting']);
  });

  it('offers nobody to approve their own call, and no signing on the registry’s own page', async () => {
    const mine = await asked({ user: 'alice' });
    const other = await asked();
    const page = await visit('#/calls');
    await cardOf(page, mine).getByText('You make this call').waitFor(WAIT);
    expect(await cardOf(page, mine).getByRole('button', { name: 'Sign the approval' }).count()).toBe(0);
    const token = await registry.person('bob', 'reviewer');
    const plain = await pages.blank();
    await plain.goto(pages.registry);
    await plain.evaluate(`sessionStorage.setItem('lockkeeper-token', '${token}')`);
    await plain.goto(`${pages.registry}/#/calls`);
    await plain.reload();
    await cardOf(plain, other)
      .getByText(`lk calls approve ${callId(other)}`)
      .waitFor(WAIT);
    expect(await plain.getByRole('button', { name: 'Sign the approval' }).count()).toBe(0);
  });

  it('refuses to sign what is not whole, on this machine', async () => {
    const facts = await asked();
    const secret = pages.dashboard.split('/').at(-1) ?? '';
    const post = async (body: unknown, bearer = secret): Promise<number> => {
      const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
      const { origin } = new URL(pages.dashboard);
      return (await fetch(`${origin}/local/calls`, { method: 'POST', headers, body: JSON.stringify(body) }))
        .status;
    };
    const args = { path: '/srv' };
    expect(await post({ facts, arguments: { path: '/' } })).toBe(422);
    expect(await post({ facts })).toBe(400);
    expect(await post({ facts, arguments: args }, 'guess')).toBe(401);
    expect(await stateOf(facts)).toBe('waiting');
    expect(await post({ facts, arguments: args })).toBe(200);
    expect(await stateOf(facts)).toBe('approved');
  });

  it('shows what runs where; what was revoked and runs still stands out', async () => {
    const instances = [
      fleetInstance({ closureDigest }),
      fleetInstance({ closureDigest, id: 'i-2', server: 'acme.tools/zebra' }),
      fleetInstance({ closureDigest, id: 'i-3', state: 'DEGRADED', user: HOSTILE }),
    ];
    await registry.call('gateway', 'POST', '/v1/fleet', { runtime: 'j-1', host: 'build-7', instances });
    const page = await visit('#/fleet');
    await page
      .getByText('1 instance runs what was revoked, or what this registry does not know.')
      .waitFor(WAIT);
    const rows = page.locator('tbody tr');
    expect(await rows.first().textContent()).toMatch(/acme\.tools\/zebra 1\.2\.3 not known/);
    await page.getByLabel('State').fill('DEGRADED');
    await page.getByRole('button', { name: 'Search' }).click();
    await expect.poll(() => rows.count()).toBe(1);
    expect(await rows.first().textContent()).toContain('\\u{202e}');
    expect(await page.title()).toContain('Lockkeeper');
    await registry.call('root', 'POST', '/v1/releases/1/revoke', { reason: 'found a hole' });
    await page.getByRole('button', { name: 'Search' }).click();
    await rows.first().getByText('revoked', { exact: true }).waitFor(WAIT);
    await shot(page, 'fleet');
    await page.setViewportSize({ width: 400, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    await shot(page, 'fleet-narrow');
  });
});
