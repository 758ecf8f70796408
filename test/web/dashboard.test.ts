/** The dashboard as people use it: a real browser, a real registry, a real server from a loopback package registry. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Company, foundCompany } from '../../cli/drill/company.ts';
import { here } from '../helpers/here.ts';
import { type NpmRegistry, startNpmRegistry } from '../helpers/npm-registry.ts';
import { databaseUrl } from '../helpers/registry.ts';
import { PATIENCE_MS } from '../helpers/wait.ts';
import { behaving } from '../scanner/harness.ts';

const MAIN = join(dirname(dirname(import.meta.dirname)), 'cli/main.ts');
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Text that would act, if it were ever more than text; and one that hides. */
const HOSTILE = '<img src=x onerror="document.title=1"> Adds\u200b a note.';
const WAIT = { timeout: PATIENCE_MS };

describe('the dashboard', () => {
  let dir: string;
  let npm: NpmRegistry;
  let company: Company;
  let browser: Browser;
  let alice: string;
  const codes: Record<string, string> = {};
  const running: ChildProcess[] = [];

  const open = async (person: string): Promise<string> => {
    const child = spawn(process.execPath, [MAIN, 'dashboard', '--json'], {
      env: { ...process.env, LOCKKEEPER_HOME: join(dir, 'machines', person) },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    return (JSON.parse(line.toString()) as { url: string }).url;
  };
  const visit = async (url: string, width = 1280): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width, height: 900 } });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(url);
    return page;
  };
  const shot = async (page: Page, name: string): Promise<void> => {
    const folder = process.env.SCREENSHOTS;
    if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-page-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'machines'));
    const tools = {
      add_note: { description: HOSTILE },
      list_notes: { description: 'Lists the notes.', annotations: { readOnlyHint: true } },
    };
    const acts = { list_notes: [['asks', 'https://notes.acme.example/all']] };
    npm = await startNpmRegistry([behaving({ tools, acts, instructions: 'Notes of a team.' })]);
    company = await foundCompany({
      dir,
      npmRegistry: npm.url,
      environment: process.env,
      database: await databaseUrl(),
      speaks: here,
    });
    for (const [person, roles] of Object.entries({
      dave: 'publisher',
      alice: 'reviewer,auditor',
      bob: 'reviewer',
    })) {
      const add = ['people', 'add', person, '--roles', roles] as const;
      const { code } = (await company.must('admin', ...add)) as { code: string };
      await company.must(person, 'login', company.url, '--code', code);
      // For the browser, a code of its own.
      codes[person] = ((await company.must('admin', ...add)) as { code: string }).code;
      if (roles.includes('reviewer'))
        for (const verb of ['new', 'enrol']) await company.must(person, 'keys', verb);
    }
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
    alice = await open('alice');
  });
  afterAll(async () => {
    await browser?.close();
    for (const child of running) child.kill('SIGINT');
    await company?.close();
    await npm?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  it('signs in with a code, and says why when the code is wrong', async () => {
    const page = await visit(company.url);
    await page.getByLabel('One-time code').fill('aaaa-bbbb-cccc');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'The sign-in code is not valid' }).waitFor(WAIT);
    expect(await page.getByRole('heading', { level: 1 }).allTextContents()).toEqual(['Sign in']);
    await shot(page, 'sign-in');
    await page.getByLabel('One-time code').fill(codes.dave ?? '');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('dave (publisher)').waitFor(WAIT);
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual([
      'Review',
      'Releases',
      'Publish',
      'Trust',
    ]);
    await shot(page, 'empty');
  });

  it('publishes, watches the scan, and shows hostile text as text', async () => {
    const page = await visit(company.url);
    codes.dave = (
      (await company.must('admin', 'people', 'add', 'dave', '--roles', 'publisher')) as { code: string }
    ).code;
    await page.getByLabel('One-time code').fill(codes.dave);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'Publish' }).click();
    await page.getByLabel('Package', { exact: true }).fill('npm:@acme/server@latest');
    await page.getByRole('button', { name: 'Submit for scan and review' }).click();
    await page.getByRole('alert').filter({ hasText: 'latest' }).waitFor(WAIT);
    expect(await page.getByLabel('It came from another package before').count()).toBe(1);
    await shot(page, 'publish');
    await page.getByLabel('Package', { exact: true }).fill('npm:@acme/server@1.0.0');
    await page.getByRole('button', { name: 'Submit for scan and review' }).click();
    await page.getByRole('heading', { name: 'What a model sees' }).waitFor(WAIT);
    await page.getByText('add_note tool').click();
    await page
      .getByText('<img src=x onerror="document.title=1"> Adds\\u{200b} a note.', { exact: true })
      .waitFor(WAIT);
    expect(await page.title()).toContain('Lockkeeper');
    await shot(page, 'release-publisher');
    const made = page.locator('section', { hasText: 'What it is made of' });
    expect(await made.textContent()).toMatch(
      /Packages\s*1\s*Size\s*[0-9.]+ KiB, [0-9.]+ KiB in 3 files unpacked\s*Licences\s*MIT 1/,
    );
    const coming = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Bill of materials' }).click();
    const saved = JSON.parse(readFileSync(await (await coming).path(), 'utf8'));
    expect((await coming).suggestedFilename()).toBe('npm.acme-server-1.0.0.cdx.json');
    expect(saved).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'server' } } });
  });

  it('never asks for a key on the page that the registry serves', async () => {
    const page = await visit(company.url);
    await page.getByLabel('One-time code').fill(codes.bob ?? '');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'npm.acme/server' }).click();
    await page.getByText('lk approve 1').waitFor(WAIT);
    expect(await page.getByRole('button', { name: 'Sign the approval' }).count()).toBe(0);
  });

  it('signs on the reviewer’s own machine, with a reason for each open check', async () => {
    const page = await visit(alice);
    await page.getByText('signs here').waitFor(WAIT);
    await page.getByRole('cell', { name: '0 of 2' }).waitFor(WAIT);
    await page
      .getByRole('cell', {
        name: /^critical @acme\/server: the whole environment .*\d+ fired, \d+ unknown; 2 need a reason$/,
      })
      .waitFor(WAIT);
    await shot(page, 'queue');
    await page.getByRole('link', { name: 'npm.acme/server' }).click();
    await page.getByRole('button', { name: 'Sign the approval' }).waitFor(WAIT);
    await shot(page, 'release-reviewer');
    const reasons = page.locator('input[name^="accept-"]');
    expect(await reasons.count()).toBeGreaterThan(0);
    for (const reason of await reasons.all()) await reason.fill('looked at it by hand');
    await page.getByLabel('For how many days').fill('100000');
    await page.getByRole('button', { name: 'Sign the approval' }).click();
    await page.getByRole('alert').filter({ hasText: 'days' }).waitFor(WAIT);
    await page.getByLabel('For how many days').fill('30');
    await page.getByRole('button', { name: 'Sign the approval' }).click();
    await page.locator('dd li').filter({ hasText: 'alice for development' }).waitFor(WAIT);
    await page.getByText('You approved this release. It waits for somebody else.').waitFor(WAIT);
    const second = await visit(await open('bob'));
    await second.getByRole('link', { name: 'npm.acme/server' }).click();
    await second.getByRole('button', { name: 'Sign the approval' }).waitFor(WAIT);
    for (const reason of await second.locator('input[name^="accept-"]').all())
      await reason.fill('seen as well');
    await second.getByRole('button', { name: 'Sign the approval' }).click();
    await second.locator('h1 .tag:text-is("approved")').waitFor(WAIT);
    await shot(second, 'approved');
  });

  it('lists what happened, and fits a narrow screen', async () => {
    for (const [name, hash] of Object.entries({
      audit: '#/audit',
      releases: '#/releases',
      release: '#/release/1',
    })) {
      const page = await visit(alice, 400);
      await page.getByText('signs here').waitFor(WAIT);
      await page.evaluate(`location.hash = '${hash}'`);
      await page.locator('h1').filter({ hasNotText: 'Waiting' }).waitFor(WAIT);
      expect(await page.evaluate('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(400);
      await shot(page, `narrow-${name}`);
      await page.setViewportSize({ width: 320, height: 800 });
      expect(await page.evaluate('document.documentElement.scrollWidth'), name).toBeLessThanOrEqual(320);
    }
  });

  it('asks the audit for the days that were named, and says why when they are none', async () => {
    const page = await visit(alice);
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByText('No record fits').waitFor(WAIT);
    await page.getByLabel('From (UTC)').fill('2026-11-24');
    await page.getByLabel('Before (UTC)').fill('2026-11-25');
    const asked = page.waitForRequest(/v1\/audit/, WAIT);
    await page.getByRole('button', { name: 'Search' }).click();
    const { searchParams } = new URL((await asked).url());
    expect(Object.fromEntries(searchParams)).toEqual({
      limit: '200',
      since: '2026-11-24T00:00:00.000Z',
      until: '2026-11-25T00:00:00.000Z',
    });
  });

  it('breaks the name of a server behind a slash, not in a word', async () => {
    const page = await visit(alice, 260);
    await page.getByRole('link', { name: 'Releases' }).click();
    const name = page.getByRole('link', { name: 'npm.acme/server' });
    await name.waitFor(WAIT);
    const lines = await page.evaluate(`(() => {
      const range = document.createRange();
      const texts = [...document.querySelector('td a span').childNodes].filter(({ nodeType }) => nodeType === 3);
      return texts.map((text) => {
        range.selectNodeContents(text);
        return [text.textContent, range.getClientRects().length];
      });
    })()`);
    expect(lines).toEqual([
      ['npm.', 1],
      ['acme/', 1],
      ['server', 1],
    ]);
    expect((await name.boundingBox())?.height).toBeGreaterThan(30);
  });

  it('shows what everything rests on: who holds the root, who may what, and who watches the log', async () => {
    const page = await visit(alice);
    await page.getByRole('link', { name: 'Trust' }).click();
    await page.getByText('kept by the registry').waitFor(WAIT);
    const approve = page.getByRole('row').filter({ hasText: 'Approve releases' });
    expect(await approve.textContent()).toMatch(/2alice [0-9a-f]{12}bob [0-9a-f]{12}/);
    await page.getByText('No witness watches this log').waitFor(WAIT);
    await shot(page, 'trust');
    await page.setViewportSize({ width: 400, height: 800 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(400);
    await shot(page, 'trust-narrow');
  });

  it('revokes with a reason', async () => {
    const page = await visit(alice);
    await page.getByRole('link', { name: 'Releases' }).click();
    await page.getByRole('link', { name: 'npm.acme/server' }).click();
    await page.getByLabel('Why nobody may run it any more').fill('found a hole');
    await page.getByRole('button', { name: 'Revoke' }).click();
    await page.locator('h1 .tag:text-is("revoked")').waitFor(WAIT);
  });

  describe('on the reviewer’s machine', () => {
    const statusOf = (
      path: string,
      headers: Record<string, string>,
      method = 'GET',
    ): Promise<number | undefined> => {
      const url = new URL(alice);
      return new Promise((resolve, reject) => {
        const call = request({ host: url.hostname, port: url.port, path, method, headers }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        call.on('error', reject);
        call.end();
      });
    };
    const bearer = (): Record<string, string> => ({ authorization: `Bearer ${alice.split('/').at(-1)}` });

    it('lets in whoever has the secret, and nobody else', async () => {
      const { host } = new URL(alice);
      expect(await statusOf('/local', bearer())).toBe(200);
      expect(await statusOf('/v1/me', bearer())).toBe(200);
      expect(await statusOf('/local', {})).toBe(401);
      expect(await statusOf('/v1/me', { authorization: 'Bearer guess' })).toBe(401);
      expect(await statusOf('/local/approvals/1', { origin: `http://${host}` }, 'POST')).toBe(401);
    });

    it.each([
      ['another name that points here', { host: 'evil.example' }],
      ['a page of another site', { origin: 'https://evil.example' }],
      ['a page without an origin of its own', { origin: 'null' }],
    ])('refuses %s, secret or not', async (_, headers) => {
      expect(await statusOf('/', headers)).toBe(403);
      expect(await statusOf('/v1/me', { ...bearer(), ...headers })).toBe(403);
    });

    it('hands on the registry’s API and nothing else of it', async () => {
      for (const path of [
        '/v1/../assets/main.js',
        '/v0.1/servers',
        '//evil.example/v1/',
        '/local/approvals/x',
      ])
        expect(await statusOf(path, bearer()), path).toBe(404);
    });
  });
});
