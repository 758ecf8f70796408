/** What the dashboard tells a reviewer besides the report, in a real browser: deltas, re-review, owners. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { putAlarms } from '../../registry/db/alarms.ts';
import { putLook } from '../../registry/db/upstream-looks.ts';
import { expireApprovals } from '../../registry/expiry.ts';
import { rescanJob } from '../../registry/rescan.ts';
import { sha256 } from '../../schemas/json.ts';
import { openPages, type Pages, shot, WAIT } from '../helpers/pages.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';

const DAY_MS = 86_400_000;

describe.each(servers().slice(0, 1))('the dashboard', (server) => {
  let registry: TestRegistry;
  let pages: Pages;
  let visit: Pages['visit'];
  let lapsed: number;
  let moved: number;
  let judged: number;

  beforeAll(async () => {
    registry = await startTestRegistry(server, { upstream: ['1.9.0'] });
    for (const name of ['dave', 'gone']) await registry.person(name, 'publisher');
    await registry.person('root', 'admin');
    const [alice, bob] = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    const carol = await registry.reviewer('carol');
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
    judged = await registry.approved('dave', keys, { name: 'acme.tools/judged', ...submissionOf('1.0.0') });
    await putAlarms(registry.pool, String(judged), [
      {
        ...{ id: 'LK-ADV-02', title: 'Known vulnerabilities', before: 'ok', after: 'fired', gates: true },
        ...{ said: sha256(Buffer.from('x')), message: 'GHSA-made-upup-0001 (high) in weather 1.0.0' },
        because: ['of advisories: GHSA-made-upup-0001'],
      },
    ]);
    await registry.pool.query(
      `select graphile_worker.add_job('rescan', job_key := 'rescan:' || $1::text, max_attempts := 1)`,
      [judged],
    );
    await registry.pool.query(
      `update graphile_worker._private_jobs set attempts = 1, last_error = 'the registry did not answer' where key = 'rescan:' || $1::text`,
      [judged],
    );
    const look = { kept: null, problem: null, state: 'moved' } as const;
    await putLook(registry.pool, String(judged), {
      ...{ ...look, what: 'name', found: 'the tag v1.0.0, approved at 1111111, is at 2222222' },
    });
    await putLook(registry.pool, String(judged), {
      ...{ ...look, what: 'versions', state: null, found: null, problem: 'git.example did not answer' },
    });
    pages = await openPages(registry, carol);
    visit = pages.visit;
  });
  afterAll(async () => {
    await pages?.close();
    await registry?.close();
  });

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

  it('shows above all what stands against a release that runs, and asks for a reason to accept it', async () => {
    const page = await visit('#/');
    const card = page.locator('section').filter({ hasText: 'Against what runs' });
    await card.getByText('would not pass today').waitFor(WAIT);
    const text = (await card.textContent()) ?? '';
    expect(text).toMatch(
      /LK-ADV-02 Known vulnerabilities: ok then, fired now, gates; since 20.*advisories: GHSA/,
    );
    expect(text).toMatch(/once until 20.*the registry did not answer.*lk review [0-9]+ --rescan/);
    expect(text).toMatch(/LK-UPS-01 .*its name there was moved: the tag v1\.0\.0, approved at 1111111/);
    const below = page.locator('section').filter({ hasText: 'To look after' });
    expect(await below.textContent()).toMatch(/not known upstream since 20.*git\.example did not answer/);
    const first = await page.locator('section').first().textContent();
    expect(first).toContain('Against what runs');
    await shot(page, 'alarms');
    await page.goto(page.url().replace(/#.*$/, `#/release/${judged}`));
    await page.getByText('Judged again, against it').waitFor(WAIT);
    await page.getByText('checks fired, 2 since the scan').waitFor(WAIT);
    await page.getByText('Approve it again').click();
    for (const reason of await page.locator('input[name^="accept-"]').all()) await reason.fill('not reached');
    await shot(page, 'alarm-accept');
    await page.getByRole('button', { name: 'Sign the approval' }).click();
    for (const id of ['LK-ADV-02', 'LK-UPS-01'])
      await page
        .locator('p')
        .filter({ hasText: id })
        .filter({ hasText: '(accepted by carol)' })
        .waitFor(WAIT);
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

  it('says of a page that is for others whom it is for, and does not offer it', async () => {
    const page = await visit('#/publish');
    const why =
      'Publish is for a publisher or admin, and carol is reviewer. Ask an administrator for the role.';
    await page.getByRole('alert').filter({ hasText: why }).waitFor(WAIT);
    expect(await page.getByRole('button', { name: 'Submit for scan and review' }).count()).toBe(0);
  });
});
