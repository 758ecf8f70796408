/** What the dashboard tells a reviewer besides the report, in a real browser: deltas, re-review, owners. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import { giveApproval } from '../../cli/approval.ts';
import { type Dashboard, startDashboard } from '../../cli/dashboard.ts';
import { expireApprovals } from '../../registry/expiry.ts';
import { rescanJob } from '../../registry/rescan.ts';
import { Release } from '../../schemas/release.ts';
import { keySigner } from '../../schemas/signer.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import type { Key } from '../helpers/trust.ts';

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
const WAIT = { timeout: 20_000 };
const DAY_MS = 86_400_000;

describe.each(servers().slice(0, 1))('the dashboard', (server) => {
  let registry: TestRegistry;
  let browser: Browser;
  let dashboard: Dashboard;
  let carol: Key;
  let lapsed: number;
  let moved: number;

  beforeAll(async () => {
    registry = await startTestRegistry(server, { upstream: ['1.9.0'] });
    for (const name of ['dave', 'gone']) await registry.person(name, 'publisher');
    await registry.person('root', 'admin');
    const [alice, bob] = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    carol = await registry.reviewer('carol');
    const keys = [alice, bob];
    const approvedFor = async (name: string, days: number): Promise<number> => {
      const id = await registry.scanned('dave', { name, ...submissionOf('1.0.0') });
      for (const key of keys)
        await registry.approve(key, id, ({ predicate }) => {
          predicate.expires = new Date(Date.parse(predicate.notBefore) + days * DAY_MS).toISOString();
        });
      return id;
    };
    lapsed = await approvedFor('acme.tools/old', 3);
    await approvedFor('acme.tools/soon', 9);
    await expireApprovals(registry.deps, new Date(Date.now() + 4 * DAY_MS));
    await rescanJob(String(lapsed), registry.deps);
    await registry.approved('gone', keys, { name: 'acme.tools/left', ...submissionOf('1.0.0') });
    await registry.call('root', 'POST', '/v1/people/gone/remove', {});
    await registry.approved('dave', keys, submissionOf('1.0.0'));
    await registry.scanned('dave', submissionOf('1.1.0'));
    const body = { version: '2.0.0', source: 'npm:other@2.0.0', newSource: true };
    moved = await registry.scanned('dave', body as object);
    const url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    const token = await registry.person('carol', 'reviewer');
    const api = openApi(url, token);
    dashboard = await startDashboard({
      port: 0,
      registry: url,
      token,
      view: { registry: url, person: 'carol', keyid: carol.keyid },
      approveCall: () => Promise.reject(new Error('not asked for')),
      approve: async (id, wish) =>
        giveApproval(await api.call('release', Release, { parameters: { id } }), wish, {
          api,
          signer: keySigner(carol.key),
          now: new Date(),
        }),
    });
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
  });
  afterAll(async () => {
    await browser?.close();
    await dashboard?.close();
    await registry?.close();
  });

  const visit = async (hash: string, width = 1280): Promise<Page> => {
    const page = await (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
    page.setDefaultTimeout(15_000);
    await page.goto(dashboard.url);
    await page.getByText('signs here').waitFor(WAIT);
    await page.evaluate(`location.hash = '${hash}'`);
    return page;
  };
  const shot = async (page: Page, name: string): Promise<void> => {
    const folder = process.env.SCREENSHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  };

  it('shows what is to be looked after', async () => {
    const page = await visit('#/');
    const card = page.locator('section').filter({ hasText: 'To look after' });
    await card.getByText('acme.tools/soon 1.0.0').waitFor(WAIT);
    expect(await card.textContent()).toContain('re-review due 20');
    expect(await card.textContent()).toMatch(/acme\.tools\/left.*no owner gone left/s);
    await shot(page, 'attention');
    const narrow = await visit('#/', 400);
    await narrow.getByText('To look after').waitFor(WAIT);
    expect(await narrow.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
  });

  it('shows what changed since a release was approved', async () => {
    const page = await visit(`#/release/${lapsed}`);
    await page.getByText('Every check ends as it did.').waitFor(WAIT);
    await page.locator('h1').filter({ hasText: 'lapsed' }).waitFor(WAIT);
    await page.getByText('1.9.0').waitFor(WAIT);
    expect(await page.getByRole('button', { name: 'Revoke' }).count()).toBe(1);
    await shot(page, 'since');
  });

  it('warns of a release from another package', async () => {
    const page = await visit(`#/release/${moved}`);
    await page.getByText('what was approved came from npm:weather').waitFor(WAIT);
    await shot(page, 'moved');
  });

  it('signs a difference when the reviewer says so, and tells what it rests on', async () => {
    const page = await visit(`#/releases`);
    await page.getByRole('row').filter({ hasText: '1.1.0' }).getByRole('link').click();
    await page.getByLabel('I read the changes since 1.0.0').check();
    for (const reason of await page.locator('input[name^="accept-"]').all()) await reason.fill('read it');
    await shot(page, 'delta-before');
    await page.getByRole('button', { name: 'Sign the approval' }).click();
    await page.getByText(/delta from 1\.0\.0 \(full review of 1\.0\.0: .* by alice, bob\)/).waitFor(WAIT);
    await shot(page, 'delta-after');
  });

  it('offers the fields of owner and package where a server is published', async () => {
    const page = await visit('#/publish');
    await page.getByLabel('It came from another package before').waitFor(WAIT);
    await shot(page, 'publish');
  });
});
