/** Signing in through a real OpenID provider: lk login at a browser and at another machine, and the dashboard. */
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Provider } from 'oidc-provider';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Context, Values } from '../../cli/command.ts';
import { login } from '../../cli/commands/login.ts';
import { people } from '../../cli/commands/people.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { type Home, openHome } from '../../cli/home.ts';
import { openLoopback } from '../../cli/loopback.ts';
import { makePaint } from '../../cli/output.ts';
import { signInByProvider } from '../../cli/sign-in.ts';
import { buildApp } from '../../registry/app.ts';
import { ownKey } from '../helpers/issuer.ts';
import { statusFor } from '../helpers/loopback.ts';
import { type OidcRegistry, startOidcRegistry } from '../helpers/oidc.ts';
import { answerDevice, signIn } from '../helpers/people.ts';
import { portToKeep } from '../helpers/ports.ts';
import { servers } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import { PATIENCE_MS, until } from '../helpers/wait.ts';

let issuer: string;
let registry: OidcRegistry;
let url: string;
let home: Home;
const groups: Record<string, string[]> = {};
const stop: (() => Promise<unknown>)[] = [];

/** Claims stand at the userinfo endpoint alone, as the standard has it; the client has a secret. */
async function startProvider(): Promise<void> {
  const port = await portToKeep();
  issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = await ownKey('p1');
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'p1', alg: 'ES256', use: 'sig' }] },
    clients: [
      {
        client_id: 'lockkeeper',
        client_secret: 'a secret of the client',
        application_type: 'native',
        redirect_uris: ['http://127.0.0.1/back', 'http://127.0.0.1/'],
        response_types: ['code'],
        grant_types: ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code'],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    cookies: { keys: ['k'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
    pkce: { required: () => true },
    features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
    findAccount: (_ctx: unknown, id: string) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@acme.test`,
        email_verified: true,
        groups: groups[id] ?? [],
      }),
    }),
  });
  const server = createServer(provider.callback() as RequestListener);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  stop.push(async () => {
    const gone = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await gone;
  });
}

beforeAll(async () => {
  await startProvider();
  const [server] = servers();
  if (!server) throw new Error('no database');
  const secret = join(tempDir(), 'secret');
  writeFileSync(secret, 'a secret of the client\n', { mode: 0o600 });
  registry = await startOidcRegistry(server, {
    issuer,
    clientId: 'lockkeeper',
    clientAuth: { method: 'basic', secret: `file:${secret}` },
    scopes: ['email', 'groups'],
    groups: ['groups'],
    roles: { reviewers: ['reviewer'], engineering: ['developer'] },
    device: true,
  });
  const app = await buildApp({ ...registry.deps, publicUrl: () => url });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
  stop.push(() => app.close());
});
afterAll(async () => {
  for (const step of stop.splice(0).reverse()) await step();
  await registry.close();
});
beforeEach(() => {
  home = openHome(tempDir());
});

function contextOf(said: string[], token = ''): Context {
  return {
    config: { ...loadCliConfig({}, false), home: home.dir },
    home,
    cwd: home.dir,
    paint: makePaint(false),
    say: (line) => void said.push(line),
    progress: () => undefined,
    now: () => new Date(),
    json: true,
    api: async () => openApi(url, token),
  };
}

/** Begins `lk login`; gives what it says once it has said where to go. */
async function begins(values: Values): Promise<{ done: Promise<unknown>; at: URL; line: string }> {
  const said: string[] = [];
  const done = login.run(contextOf(said), [url], values);
  done.catch(() => undefined);
  await until(() => said.some((line) => line.includes('http')));
  const line = said.join('\n');
  return { done, line, at: new URL(/https?:\/\/\S+/.exec(line)?.[0] ?? '') };
}

describe('lk login', () => {
  it('opens a browser, waits for who comes back, and keeps a token of the registry', async () => {
    groups.ada = ['reviewers', 'staff'];
    const bin = tempDir();
    const opened = join(bin, 'opened');
    writeFileSync(
      join(bin, 'xdg-open'),
      `#!/bin/sh\nprintf %s "$1" > '${opened}.new'\nmv '${opened}.new' '${opened}'\n`,
    );
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const path = process.env.PATH;
    process.env.PATH = `${bin}:${path}`;
    const { done, at } = await begins({});
    process.env.PATH = path;
    await until(() => existsSync(opened));
    expect(readFileSync(opened, 'utf8')).toBe(at.href);
    const redirect = at.searchParams.get('redirect_uri') ?? '';
    expect(redirect).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/back$/);
    const back = await signIn(at, { user: 'ada', back: redirect });
    // Somebody else's page, which knows the port and not the state.
    const other = new URL(back);
    other.searchParams.set('state', 'x'.repeat(43));
    expect((await fetch(other)).status).toBe(400);
    const page = await fetch(back);
    expect([page.status, await page.text()]).toEqual([
      200,
      expect.stringContaining('go back to the terminal'),
    ]);
    await expect(done).resolves.toMatchObject({ data: { person: 'ada@acme.test', roles: ['reviewer'] } });
    const [kept] = await home.signIns();
    expect(await openApi(url, kept?.token ?? '').call('me', expect.anything() as never)).toBeDefined();
    await expect(fetch(redirect)).rejects.toThrow();
  });

  it('is done elsewhere by a code, where there is no browser', async () => {
    groups.grace = ['engineering'];
    const { done, at, line } = await begins({ 'no-browser': true });
    const [, code = ''] = /type (\S+) there/.exec(line) ?? [];
    await answerDevice(at, { user: 'grace', code });
    await expect(done).resolves.toMatchObject({ data: { person: 'grace@acme.test', roles: ['developer'] } });
  });

  it('says how a browser of another machine comes back, where no code can be typed', async () => {
    const said: string[] = [];
    const { oidc } = registry.deps;
    if (!oidc) throw new Error('no provider');
    const app = await buildApp({
      ...registry.deps,
      oidc: { ...oidc, config: { ...oidc.config, device: false } },
    });
    stop.push(() => app.close());
    const api = openApi(await app.listen({ port: 0, host: '127.0.0.1' }), null);
    groups.hal = ['engineering'];
    const done = signInByProvider(contextOf(said), api, { browser: false });
    done.catch(() => undefined);
    await until(() => said.some((line) => line.includes('ssh -L')));
    const at = new URL(/https?:\/\/\S+/.exec(said.join('\n'))?.[0] ?? '');
    const redirect = at.searchParams.get('redirect_uri') ?? '';
    const { port } = new URL(redirect);
    expect(said.join('\n')).toContain(`ssh -L ${port}:127.0.0.1:${port}`);
    await fetch(await signIn(at, { user: 'hal', back: redirect }));
    await expect(done).resolves.toMatchObject({ person: 'hal@acme.test' });
  });

  it('keeps nothing of somebody whom no group lets in', async () => {
    const { done, at } = await begins({});
    const back = await signIn(at, { user: 'eve', back: at.searchParams.get('redirect_uri') ?? '' });
    await fetch(back);
    await expect(done).rejects.toMatchObject({ code: 'SIGN_IN_REFUSED' });
    expect(await home.signIns()).toEqual([]);
  });

  it('says what the provider says of a sign-in that was not completed', async () => {
    const { done, at } = await begins({});
    const back = new URL(at.searchParams.get('redirect_uri') ?? '');
    back.search = new URLSearchParams({
      error: 'access_denied',
      state: at.searchParams.get('state') ?? '',
    }).toString();
    await fetch(back);
    await expect(done).rejects.toMatchObject({ code: 'SIGN_IN_REFUSED', found: 'access_denied' });
    expect(await home.signIns()).toEqual([]);
  });

  it('is told of in the list of people', async () => {
    const token = await registry.person('root', 'admin');
    const list = await people.run(contextOf([], token), ['list'], {});
    expect(list?.text).toMatch(/ada@acme\.test +reviewer +by the provider, last 20/);
    expect(list?.text).toMatch(/root +admin +with codes/);
  });
});

describe('the dashboard', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    });
  });
  afterAll(() => browser?.close());
  const visit = async (address: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(address);
    return page;
  };

  it('sends people to the provider, and knows them when they are back', async () => {
    groups.linus = ['engineering'];
    const page = await visit(url);
    await page.getByRole('button', { name: `Sign in with ${new URL(issuer).host}` }).click();
    await page.locator('input[name=login]').fill('linus');
    await page.locator('input[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('linus@acme.test (developer)').waitFor();
    expect(page.url()).toBe(`${url}/`);
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual(['lockkeeper-token']);
  });

  it('takes no answer to a sign-in that its tab did not begin', async () => {
    const page = await visit(`${url}/?code=stolen&state=${'s'.repeat(43)}`);
    await page.getByRole('alert').filter({ hasText: 'did not begin' }).waitFor();
    expect(page.url()).toBe(`${url}/`);
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });
});

describe('the port that a browser comes back to', () => {
  const state = 's'.repeat(43);
  const rows: [string, (redirect: string) => [string, RequestInit?]][] = [
    ['another state', (at) => [`${at}?code=c&state=t`]],
    ['no state', (at) => [`${at}?code=c`]],
    ['two codes', (at) => [`${at}?code=c&code=d&state=${state}`]],
    ['a code and an error', (at) => [`${at}?code=c&error=e&state=${state}`]],
    ['another path', (at) => [`${at}/more?code=c&state=${state}`]],
    ['a POST', (at) => [`${at}?code=c&state=${state}`, { method: 'POST' }]],
  ];
  it.each(rows)('turns away %s, and goes on waiting', async (_, of) => {
    const loopback = await openLoopback(state);
    try {
      expect((await fetch(...of(loopback.redirect))).status).toBe(400);
      await fetch(`${loopback.redirect}?code=right&state=${state}&iss=i`);
      expect(await loopback.wait(60_000)).toEqual({ code: 'right', iss: 'i' });
    } finally {
      loopback.close();
    }
  });

  it('takes no answer of another user, who reads the state on the command line of the browser', async () => {
    const isRoot = process.getuid?.() === 0;
    const loopback = await openLoopback(state, { shown: true });
    try {
      const back = `${loopback.redirect}?state=${state}`;
      if (isRoot) expect(await statusFor(65_534, `${back}&error=access_denied`)).toBe(403);
      expect((await fetch(`${back}&code=right`)).status).toBe(200);
      expect(await loopback.wait(60_000)).toMatchObject({ code: 'right' });
    } finally {
      loopback.close();
    }
  });

  it.each(['', 'GET /back HTTP/1.1\r\n'])('is closed though somebody holds it with %j', async (begun) => {
    const loopback = await openLoopback(state);
    const { port } = new URL(loopback.redirect);
    const held = connect(Number(port), '127.0.0.1');
    const closed = new Promise((resolve) => held.on('close', resolve).on('error', resolve));
    await new Promise<void>((resolve) => held.write(begun || '\r\n', () => resolve()));
    // The port has seen the one that came first once it has answered the next one.
    await fetch(loopback.redirect);
    loopback.close();
    await closed;
  });

  it('is waited at for so long and no longer', async () => {
    const loopback = await openLoopback(state);
    await expect(loopback.wait(1)).rejects.toMatchObject({ code: 'SIGN_IN_INVALID' });
    loopback.close();
  });
});
