/** What the dashboard tells of known malware and vulnerabilities, in a real browser. Every record is made up. */
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ghsa, mal } from '../helpers/advisories.ts';
import { openPages, type Pages, shot, WAIT } from '../helpers/pages.ts';
import { servers, startStaffed, submissionOf, type TestRegistry } from '../helpers/registry.ts';

/** Text that would act, if it were ever more than text; and a character that hides, which is not taken in. */
const HOSTILE = '<img src=x onerror="document.title=1"> reads\u200b elsewhere';

describe.each(servers().slice(0, 1))('the dashboard', (server) => {
  let registry: TestRegistry;
  let pages: Pages;
  let clean: number;
  let weak: number;
  /** All of one malware: what a day may bring is revoked, and the last one is held. */
  const infected: number[] = [];
  const cardOf = (page: Page): Locator => page.locator('section').filter({ hasText: 'Known against it' });

  beforeAll(async () => {
    const { alice, bob, ...staffed } = await startStaffed(server);
    registry = staffed.registry;
    const reviewers = [alice, bob];
    const carol = await registry.reviewer('carol');
    clean = await registry.approved('dave', reviewers, submissionOf('1.9.0'));
    weak = await registry.approved('dave', reviewers, submissionOf('1.2.0'));
    for (let i = 1; i <= 6; i++)
      infected.push(await registry.approved('dave', reviewers, submissionOf(`2.0.${i}`)));
    const { body: trust } = await registry.call('erin', 'GET', '/v1/trust');
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      registry: 'http://127.0.0.1:7411',
      environment: 'development',
      trust: { rootKeys: trust.rootKeys, threshold: 1 },
      servers: { weather: { server: 'acme.tools/weather', range: '1.2.0' } },
    };
    const locked = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    expect(locked.body.code).toBeUndefined();
    const versions = infected.map((_, i) => `2.0.${i + 1}`);
    const records = [
      ghsa('GHSA-made-upup-0070', 'weather', { summary: HOSTILE }),
      ghsa('GHSA-made-upup-0071', 'weather', { severity: [], database_specific: {} }),
      mal('MAL-2026-900070', 'weather', versions),
    ].map((record) => JSON.stringify({ ...record, modified: new Date().toISOString() }));
    const { body } = await registry.call('root', 'POST', '/v1/advisories', { records });
    expect(body).toMatchObject({ stored: 3, held: ['acme.tools/weather@2.0.6'] });
    pages = await openPages(registry, carol);
  });
  afterAll(async () => {
    await pages?.close();
    await registry?.close();
  });

  it('has no card where nothing is known', async () => {
    const page = await pages.visit(`#/release/${clean}`);
    await page.getByRole('heading', { name: 'What it may touch' }).waitFor(WAIT);
    expect(await cardOf(page).count()).toBe(0);
  });

  it('tells each advisory with its packages and the locks that name the release, as text', async () => {
    const page = await pages.visit(`#/release/${weak}`);
    const card = cardOf(page);
    await card.waitFor(WAIT);
    const items = await card.getByRole('listitem').allTextContents();
    expect(items).toHaveLength(2);
    expect(items[0]).toContain(
      'high GHSA-made-upup-0070 <img src=x onerror="document.title=1"> reads elsewhere',
    );
    expect(items[0]).toContain('pkg:npm/weather@1.2.0');
    expect(items[0]).toMatch(/modified 20\d\d-\d\d-\d\d \d\d:\d\d UTC/);
    expect(items[1]).toContain('unrated GHSA-made-upup-0071');
    await card.getByText('Named by locks of acme/app.').waitFor(WAIT);
    expect(await card.locator('img').count()).toBe(0);
    expect(await page.title()).toContain('Lockkeeper');
    expect(await card.getByText('held', { exact: true }).count()).toBe(0);
    await shot(page, 'advisories');
    const narrow = await pages.visit(`#/release/${weak}`, 400);
    await cardOf(narrow).waitFor(WAIT);
    expect(await narrow.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
  });

  it('tells malware of what it revoked', async () => {
    const page = await pages.visit(`#/release/${infected[0]}`);
    const card = cardOf(page);
    await card.getByText('MAL-2026-900070').waitFor(WAIT);
    await card.locator('.tag:text-is("malware")').waitFor(WAIT);
    await card.getByText('No lock that counts names this release.').waitFor(WAIT);
    await page.locator('h1 .tag:text-is("revoked")').waitFor(WAIT);
    expect(await card.getByText('held', { exact: true }).count()).toBe(0);
  });

  it('says first that a release is held, on its page why, and no more once a person revoked it', async () => {
    const page = await pages.visit('#/');
    const row = page.getByRole('row').filter({ hasText: 'known malware, held for you to decide' });
    await row.waitFor(WAIT);
    await shot(page, 'held-attention');
    await row.getByRole('link', { name: 'acme.tools/weather 2.0.6' }).click();
    const card = cardOf(page);
    await card.getByText('the registry revokes at most 5 releases in a day by itself').waitFor(WAIT);
    await card.locator('.tag:text-is("held")').waitFor(WAIT);
    await page.locator('h1 .tag:text-is("approved")').waitFor(WAIT);
    await shot(page, 'held');
    await page.getByLabel('Why nobody may run it any more').fill('looked at, it is true');
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.locator('h1 .tag:text-is("revoked")').waitFor(WAIT);
    expect(await cardOf(page).locator('.tag:text-is("held")').count()).toBe(0);
  });
});
