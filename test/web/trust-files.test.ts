/** What the dashboard tells of trust files that their repository has otherwise, in a real browser. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { putRepositoryState, putTrustFiles } from '../../registry/db/trust-files.ts';
import { openPages, type Pages, shot, WAIT } from '../helpers/pages.ts';
import { servers, startStaffed, type TestRegistry } from '../helpers/registry.ts';
import { NPM_KEYS, trustRoots } from '../helpers/signature-bundles.ts';

describe.each(servers().slice(0, 1))('the dashboard', (server) => {
  let registry: TestRegistry;
  let pages: Pages;
  beforeAll(async () => {
    const { alice, ...staffed } = await startStaffed(server);
    registry = staffed.registry;
    pages = await openPages(registry, alice);
  });
  afterAll(async () => {
    await pages?.close();
    await registry?.close();
  });

  it('tells where nobody is asked, and what waits for the root holders, key by key', async () => {
    const quiet = await pages.visit('#/trust');
    await quiet.getByText('No repository is set (LOCKKEEPER_TUF)').waitFor(WAIT);

    await registry.deps.blobs.put(trustRoots.at(-1) ?? Buffer.alloc(0));
    await putTrustFiles(registry.pool, [
      { name: 'npm', target: 'packages.example/keys.json', digest: NPM_KEYS },
    ]);
    const problem = { code: 'TRUST_REFUSED', message: 'It said <b>no</b>.' };
    await putRepositoryState(registry.pool, 'https://tuf.example', problem);
    const page = await pages.visit('#/');
    const line = page.locator('section').filter({ hasText: 'To look after' });
    await line.getByRole('link', { name: 'trust file npm' }).click();
    await page.getByText('It said <b>no</b>.').waitFor(WAIT);
    const card = page.locator('section').filter({ hasText: 'Trust files' });
    await card.getByText('+ registry key "SHA256:jl3bwswu80').first().waitFor(WAIT);
    await card.getByText(`lk keys root set FILE --trust-root npm=${NPM_KEYS}`).waitFor(WAIT);
    expect(await card.locator('b').count()).toBe(0);
    await shot(page, 'trust-files');
  });
});
