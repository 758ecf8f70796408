/** A reviewer's dashboard in a real browser, against a test's registry. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { openApi } from '../../cli/api.ts';
import { giveApproval } from '../../cli/approval.ts';
import { giveCallApproval } from '../../cli/calls.ts';
import { startDashboard } from '../../cli/dashboard.ts';
import { Release } from '../../schemas/release.ts';
import { keySigner } from '../../schemas/signer.ts';
import type { TestRegistry } from './registry.ts';
import type { Key } from './trust.ts';
import { PATIENCE_MS } from './wait.ts';

const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
export const WAIT = { timeout: PATIENCE_MS };

export interface Pages {
  /** The registry itself, and the reviewer's own server before it. */
  readonly registry: string;
  readonly dashboard: string;
  /** Of a browser that was nowhere yet. */
  blank(): Promise<Page>;
  visit(hash: string, width?: number): Promise<Page>;
  close(): Promise<void>;
}

/** Of a reviewer who is there. */
export async function openPages(registry: TestRegistry, { person, key, keyid }: Key): Promise<Pages> {
  const url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
  const token = await registry.person(person, 'reviewer');
  const api = openApi(url, token);
  const dashboard = await startDashboard({
    port: 0,
    registry: url,
    token,
    view: { registry: url, person, keyid },
    approveCall: (shown) => giveCallApproval(shown, { api, signer: keySigner(key), now: new Date() }),
    approve: async (id, wish) =>
      giveApproval(await api.call('release', Release, { parameters: { id } }), wish, {
        api,
        signer: keySigner(key),
        now: new Date(),
        root: async () => (await registry.deps.trust.current()).trusted,
      }),
  });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
  const blank = async (width = 1280): Promise<Page> =>
    (await browser.newContext({ viewport: { width, height: 900 } })).newPage();
  return {
    registry: url,
    dashboard: dashboard.url,
    blank,
    visit: async (hash, width) => {
      const page = await blank(width);
      page.setDefaultTimeout(PATIENCE_MS);
      await page.goto(dashboard.url);
      await page.getByText('signs here').waitFor(WAIT);
      await page.evaluate(`location.hash = '${hash}'`);
      return page;
    },
    close: async () => {
      await browser.close();
      await dashboard.close();
    },
  };
}

/** For people to look at, where SCREENSHOTS names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
