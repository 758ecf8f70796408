/** People through an identity provider: what is not exactly its word for this sign-in gives nobody a token. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../registry/config.ts';
import { addNewcomer, endUnvouched, linkAccount, takeTurn } from '../../registry/db/identities.ts';
import { newCode, newToken, putPerson } from '../../registry/db/people.ts';
import { openPool, withTransaction } from '../../registry/db/pool.ts';
import { type Oidc, openOidc, openOidcFile } from '../../registry/oidc/open.ts';
import { type Registry, startRegistry } from '../../registry/start.ts';
import type { TokenView } from '../../schemas/api.ts';
import { seal } from '../../schemas/dsse.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import { KEY_PROOF_TYPE } from '../../schemas/keys.ts';
import { SignInConfig } from '../../schemas/sign-in.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type OwnKey, ownKey, signed } from '../helpers/issuer.ts';
import {
  type FreeProvider,
  type OidcRegistry,
  startFreeProvider,
  startOidcRegistry,
} from '../helpers/oidc.ts';
import { type Answer, databaseUrl, servers } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import { makeKey } from '../helpers/trust.ts';
import { until } from '../helpers/wait.ts';

const CLIENT = 'lockkeeper';
const REDIRECT = 'http://127.0.0.1:7/back';
const KIB = 1024;

let provider: FreeProvider;
let registry: OidcRegistry;
let stranger: OwnKey;
let seconds: number;
let addresses = 0;

beforeAll(async () => {
  provider = await startFreeProvider();
  stranger = await ownKey('k1');
  const [server] = servers();
  if (!server) throw new Error('no database');
  registry = await startOidcRegistry(server, configOf({}));
  await registry.person('root', 'admin');
});
afterAll(async () => {
  await registry.close();
  await provider.close();
});
beforeEach(() => {
  provider.reset();
  seconds = Math.floor(Date.now() / 1000);
});

function configOf(change: Partial<SignInConfig>): SignInConfig {
  return {
    issuer: provider.url,
    clientId: CLIENT,
    person: { claim: 'email', domains: ['acme.test'] },
    groups: ['groups'],
    roles: { admins: ['admin'], reviewers: ['reviewer', 'developer'], developers: ['developer'] },
    device: true,
    ...change,
  };
}

const fresh = (): string => `10.0.${Math.floor(++addresses / 250)}.${addresses % 250}`;
const challengeOf = (verifier: string): string => createHash('sha256').update(verifier).digest('base64url');

interface Wanted {
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
  readonly key?: OwnKey;
  /** In the place of the token. */
  readonly token?: (right: string) => string | Promise<string>;
  readonly end?: Record<string, unknown>;
  readonly address?: string;
  readonly at?: Pick<OidcRegistry, 'from'>;
}

const claimsOf = (user: string, ...groups: string[]): JWTPayload => ({
  sub: `sub-${user}`,
  email: `${user}@acme.test`,
  email_verified: true,
  groups,
});

/** One sign-in from its beginning, with the token that the provider then gives. */
async function signInWith(wanted: Wanted): Promise<Answer<TokenView & { code?: string; next?: string }>> {
  const { from } = wanted.at ?? registry;
  const address = wanted.address ?? fresh();
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(32).toString('base64url');
  const body = { redirect: REDIRECT, challenge: challengeOf(verifier), state };
  const begun = await from<{ id: string; url: string }>(address, '/v1/sign-in/begin', body);
  if (begun.status !== 200) throw new Error(JSON.stringify(begun.body));
  const asked = new URL(begun.body.url).searchParams;
  expect([asked.get('state'), asked.get('code_challenge')]).toEqual([state, body.challenge]);
  provider.answers['/token'] = async (_response, form) => {
    expect(challengeOf(form.get('code_verifier') ?? '')).toBe(asked.get('code_challenge'));
    const times = { iat: seconds, exp: seconds + 300 };
    const claims = {
      iss: provider.url,
      aud: CLIENT,
      ...times,
      nonce: asked.get('nonce') ?? '',
      ...wanted.claims,
    };
    const right = await signed(wanted.key ?? provider.key, claims, { typ: 'JWT', ...wanted.header });
    return {
      id_token: wanted.token ? await wanted.token(right) : right,
      token_type: 'Bearer',
      access_token: 'x',
    };
  };
  const said = { id: begun.body.id, code: 'a-code', verifier, ...wanted.end };
  return from(address, '/v1/sign-in/end', said);
}

const counted = async (): Promise<Record<string, number>> => {
  const { rows } = await registry.pool.query(
    `select (select count(*)::int from tokens) as tokens, (select count(*)::int from identities) as identities,
       (select count(*)::int from people) as people`,
  );
  return rows[0];
};
const eventsOf = async (subject: string): Promise<{ person: string; action: string; code?: string }[]> => {
  const { rows } = await registry.pool.query(
    `select person, action, detail->>'code' as code from events where subject = $1 order by id`,
    [subject],
  );
  return rows;
};
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

it('is set as docs/operate.md shows', () => {
  const page = readFileSync(new URL('../../docs/operate.md', import.meta.url), 'utf8');
  const [, block = ''] = /```json\n([\s\S]*?)```/.exec(page) ?? [];
  assertValid(SignInConfig, JSON.parse(block), 'the example');
});

it.each<[string, Partial<SignInConfig>]>([
  ['lets nobody in', { groups: undefined, roles: undefined } as object],
  ['has groups that give nothing', { roles: {} }],
  ['has roles of no claim', { groups: undefined } as object],
  ['is asked over an open line', { issuer: 'http://login.acme.test' }],
])('a provider that %s is refused at the start', async (_, change) => {
  const setting = { dir: '/', environment: {}, now: Date.now, onTrouble: () => undefined };
  await expect(openOidc(configOf(change), setting)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});

describe('a provider that says what does not hold', () => {
  const ada = (): JWTPayload => claimsOf('ada', 'developers');
  const rows: [string, string, () => Wanted][] = [
    [
      'without a signature',
      'TOKEN_INVALID',
      () => ({ token: (t) => `${b64({ alg: 'none' })}.${t.split('.')[1]}.` }),
    ],
    [
      'of the algorithm none, signed',
      'TOKEN_INVALID',
      () => ({ token: (t) => `${b64({ alg: 'none', typ: 'JWT' })}.${t.split('.').slice(1).join('.')}` }),
    ],
    [
      'of a shared secret',
      'TOKEN_INVALID',
      () => ({ token: (t) => `${b64({ alg: 'HS256', kid: 'k1' })}.${t.split('.').slice(1).join('.')}` }),
    ],
    ['by a key of somebody else', 'TOKEN_INVALID', () => ({ key: stranger })],
    [
      'by a key that it shows itself',
      'TOKEN_INVALID',
      () => ({ key: stranger, header: { jwk: stranger.jwk } }),
    ],
    [
      'with another payload',
      'TOKEN_INVALID',
      () => ({ token: (t) => t.replace(/\.[^.]+\./, `.${b64(ada())}.`) }),
    ],
    ['for another client', 'TOKEN_INVALID', () => ({ claims: { aud: 'wiki' } })],
    [
      'for another client as well',
      'TOKEN_INVALID',
      () => ({ claims: { aud: [CLIENT, 'wiki'], azp: CLIENT } }),
    ],
    ['that another client asked for', 'TOKEN_INVALID', () => ({ claims: { azp: 'wiki' } })],
    ['of another issuer', 'TOKEN_INVALID', () => ({ claims: { iss: `${provider.url}/` } })],
    ['that has ended', 'TOKEN_EXPIRED', () => ({ claims: { iat: seconds - 400, exp: seconds - 100 } })],
    ['without an end', 'TOKEN_INVALID', () => ({ claims: { exp: undefined } })],
    ['made an hour ago', 'TOKEN_INVALID', () => ({ claims: { iat: seconds - 3600 } })],
    ['made tomorrow', 'TOKEN_INVALID', () => ({ claims: { iat: seconds + 86_400, exp: seconds + 90_000 } })],
    [
      'of another sign-in',
      'TOKEN_INVALID',
      () => ({ claims: { nonce: randomBytes(32).toString('base64url') } }),
    ],
    ['of no sign-in', 'TOKEN_INVALID', () => ({ claims: { nonce: undefined } })],
    ['that is an access token', 'TOKEN_INVALID', () => ({ header: { typ: 'at+jwt' } })],
    ['with what has to be understood', 'TOKEN_INVALID', () => ({ header: { crit: ['b64'], b64: true } })],
    ['of a megabyte', 'TOKEN_INVALID', () => ({ claims: { rest: 'x'.repeat(20 * KIB) } })],
    ['of nobody', 'TOKEN_INVALID', () => ({ claims: { sub: '' } })],
    ['of somebody with a line of their own', 'TOKEN_INVALID', () => ({ claims: { sub: 'a\nb' } })],
    ['of an address that nobody verified', 'IDENTITY_UNNAMED', () => ({ claims: { email_verified: false } })],
    [
      'of an address that is said to be verified',
      'IDENTITY_UNNAMED',
      () => ({ claims: { email_verified: 'true' } }),
    ],
    ['of another domain', 'IDENTITY_UNNAMED', () => ({ claims: { email: 'ada@evil.test' } })],
    [
      'of a name with letters that look alike',
      'IDENTITY_UNNAMED',
      () => ({ claims: { email: 'аda@acme.test' } }),
    ],
    ['with groups that are a text', 'IDENTITY_UNNAMED', () => ({ claims: { groups: 'admins' } })],
    ['with groups that are an object', 'IDENTITY_UNNAMED', () => ({ claims: { groups: { 0: 'admins' } } })],
    ['with groups of groups', 'IDENTITY_UNNAMED', () => ({ claims: { groups: [['admins']] } })],
    ['without groups', 'IDENTITY_UNNAMED', () => ({ claims: { groups: undefined } })],
    [
      'with groups that give nothing',
      'SIGN_IN_REFUSED',
      () => ({ claims: { groups: ['staff', 'toString'] } }),
    ],
    ['of another who answers', 'SIGN_IN_INVALID', () => ({ end: { iss: 'https://evil.test' } })],
    ['whose code has no verifier', 'SIGN_IN_INVALID', () => ({ end: { verifier: undefined } })],
  ];

  it.each(rows)('%s: %s', async (_, code, wanted) => {
    const before = await counted();
    const { claims, ...rest } = wanted();
    const address = fresh();
    const answer = await signInWith({ claims: { ...ada(), ...claims }, ...rest, address });
    expect(answer.body.code).toBe(code);
    expect(answer.body.token).toBeUndefined();
    expect(await counted()).toEqual(before);
    expect(await eventsOf(address)).toEqual([{ person: 'anonymous', action: 'sign-in.refused', code }]);
  });

  it('lets in who it vouches for in every point, with the roles of their groups', async () => {
    const address = fresh();
    const { status, body } = await signInWith({ claims: claimsOf('good', 'reviewers', 'staff'), address });
    expect(status).toBe(200);
    expect(body).toMatchObject({ person: 'good@acme.test', roles: ['reviewer', 'developer'] });
    const hours = (Date.parse(body.expires) - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(11.9);
    expect(hours).toBeLessThan(12.1);
    expect((await registry.call(body.token, 'GET', '/v1/me')).body).toMatchObject({
      person: 'good@acme.test',
    });
    expect(await eventsOf(address)).toEqual([{ person: 'good@acme.test', action: 'signed-in', code: null }]);
  });

  it.each<[string, string, () => void]>([
    ['/token', 'without an end', () => endless('/token')],
    ['/token', 'that leads elsewhere', () => leads('/token')],
    ['/token', 'that is no object', () => void (provider.answers['/token'] = () => ['id_token'])],
    [
      '/token',
      'without an ID token',
      () => void (provider.answers['/token'] = () => ({ access_token: 'x' })),
    ],
  ])('%s %s is no answer', async (_path, _what, set) => {
    const before = await counted();
    const verifier = randomBytes(32).toString('base64url');
    const { body } = await registry.from<{ id: string }>(fresh(), '/v1/sign-in/begin', {
      redirect: REDIRECT,
      challenge: challengeOf(verifier),
      state: verifier,
    });
    set();
    const answer = await registry.from(fresh(), '/v1/sign-in/end', { id: body.id, code: 'c', verifier });
    expect([answer.status, answer.body.code]).toEqual([503, 'IDENTITY_UNVERIFIED']);
    expect(await counted()).toEqual(before);
  });

  it.each<[string, object, string]>([
    ['of another account', { ...claimsOf('mila', 'admins'), sub: 'sub-root' }, 'TOKEN_INVALID'],
    ['of nobody', { ...claimsOf('mila', 'admins'), sub: undefined }, 'TOKEN_INVALID'],
    [
      'of an address that nobody verified',
      { ...claimsOf('mila', 'developers'), email_verified: 0 },
      'IDENTITY_UNNAMED',
    ],
    ['of the same account', { sub: 'sub-mila', ...claimsOf('mila', 'developers') }, 'mila@acme.test'],
  ])('beside a token that says little, what is said %s', async (_, said, expected) => {
    const metadata = provider.answers['/.well-known/openid-configuration'];
    const whole = metadata?.(undefined as never, new URLSearchParams()) as object;
    provider.answers['/.well-known/openid-configuration'] = () => ({
      ...whole,
      userinfo_endpoint: `${provider.url}/userinfo`,
    });
    provider.answers['/userinfo'] = () => said;
    const at = await registry.configured(configOf({}));
    const before = await counted();
    const { body } = await signInWith({ claims: { sub: 'sub-mila' }, at });
    expect(body.person ?? body.code).toBe(expected);
    if (body.person === undefined) expect(await counted()).toEqual(before);
  });

  const ELSEWHERE: [string, object][] = [
    ['of another issuer', { issuer: 'https://evil.test' }],
    ['that sends people over an open line', { authorization_endpoint: 'http://evil.test/authorize' }],
    ['without a place to sign in', { authorization_endpoint: undefined }],
  ];
  it.each(ELSEWHERE)('metadata %s sends nobody anywhere', async (_, change) => {
    const right = provider.answers['/.well-known/openid-configuration'];
    const own = { ...(right?.(undefined as never, new URLSearchParams()) as object), ...change };
    provider.answers['/.well-known/openid-configuration'] = () => own;
    const setting = { dir: '/', environment: {}, now: Date.now, onTrouble: () => undefined };
    const { provider: asked } = await openOidc(configOf({}), setting);
    const words = { redirect: REDIRECT, challenge: 'c', nonce: 'n', state: 's' };
    await expect(asked.authorizationUrl(words)).rejects.toMatchObject({ code: 'IDENTITY_UNVERIFIED' });
  });

  it('that cannot be had is told when the registry starts, which it keeps from nothing', async () => {
    const path = join(tempDir(), 'oidc.json');
    writeFileSync(path, JSON.stringify(configOf({})));
    const told: LockkeeperError[] = [];
    const opened = (): Promise<Oidc> =>
      openOidcFile(path, { environment: {}, now: Date.now, onTrouble: (error) => void told.push(error) });
    await (await opened()).provider.assertThere();
    expect(told).toEqual([]);
    delete provider.answers['/.well-known/openid-configuration'];
    await opened();
    await until(() => told.length > 0);
    expect(told[0]?.message).toMatch(/an answer of .*where people sign in.*LOCKKEEPER_OIDC/);
  });

  it.each<[string, () => void]>([
    ['without an end', () => endless('/jwks')],
    ['that lead elsewhere', () => leads('/jwks')],
    [
      'that are secrets',
      () => void (provider.answers['/jwks'] = () => ({ keys: [{ kty: 'oct', k: 'AAAA' }] })),
    ],
  ])('keys %s verify nothing', async (_, set) => {
    set();
    const setting = { dir: '/', environment: {}, now: Date.now, onTrouble: () => undefined };
    const { keys } = await openOidc(configOf({}), setting);
    await expect(keys.generation()).rejects.toMatchObject({ code: 'IDENTITY_UNVERIFIED' });
  });

  function endless(path: string): void {
    provider.answers[path] = (response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): boolean => {
        while (!response.destroyed && response.write('x'.repeat(64 * KIB)));
        return response.once('drain', more) !== undefined;
      };
      more();
    };
  }
  function leads(path: string): void {
    provider.answers[path] = (response) => {
      response.writeHead(307, { location: `${provider.url}/other` }).end();
    };
    provider.answers['/other'] = () => ({ keys: [provider.key.jwk], id_token: 'x' });
  }
});

describe('a sign-in', () => {
  it('ends once, of three who end it at the same time', async () => {
    const verifier = randomBytes(32).toString('base64url');
    const { body } = await registry.from<{ id: string; url: string }>(fresh(), '/v1/sign-in/begin', {
      redirect: REDIRECT,
      challenge: challengeOf(verifier),
      state: verifier,
    });
    const nonce = new URL(body.url).searchParams.get('nonce') ?? '';
    const claims = { ...claimsOf('once', 'developers'), iss: provider.url, aud: CLIENT, nonce };
    const times = { iat: seconds, exp: seconds + 300 };
    const token = await signed(provider.key, { ...claims, ...times }, { typ: 'JWT' });
    provider.answers['/token'] = () => ({ id_token: token });
    const said = { id: body.id, code: 'c', verifier };
    const answers = await Promise.all([1, 2, 3].map(() => registry.from(fresh(), '/v1/sign-in/end', said)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
    const stored = await registry.pool.query('select * from sign_ins_begun');
    expect(JSON.stringify(stored.rows)).not.toContain(nonce);
  });

  it('that is over is none', async () => {
    const verifier = randomBytes(32).toString('base64url');
    const words = { redirect: REDIRECT, challenge: challengeOf(verifier), state: verifier };
    const { body } = await registry.from<{ id: string }>(fresh(), '/v1/sign-in/begin', words);
    await registry.pool.query(`update sign_ins_begun set expires_at = now() - interval '1 second'`);
    const asked = provider.asked.length;
    const answer = await registry.from(fresh(), '/v1/sign-in/end', { id: body.id, code: 'c', verifier });
    expect(answer.body.code).toBe('SIGN_IN_INVALID');
    expect(provider.asked).toHaveLength(asked);
  });

  it.each([
    'https://evil.test/back',
    'http://127.0.0.1.evil.test:1/back',
    'http://127.0.0.1:1@evil.test/back',
    'http://localhost:7/back',
    'http://127.0.0.1:7411//evil.test',
    'http://127.0.0.1:7411/?next=x',
  ])('does not come back to %s', async (redirect) => {
    const words = { redirect, challenge: challengeOf('v'), state: randomBytes(32).toString('base64url') };
    const answer = await registry.from(fresh(), '/v1/sign-in/begin', words);
    expect(answer.body.code).toBe('REQUEST_INVALID');
  });

  it('comes back to the page of the registry', async () => {
    const words = { challenge: challengeOf('v'), state: randomBytes(32).toString('base64url') };
    const body = { ...words, redirect: 'http://127.0.0.1:7411/' };
    expect((await registry.from(fresh(), '/v1/sign-in/begin', body)).status).toBe(200);
  });

  it('fails ten times a minute, and begins thirty times', async () => {
    const address = fresh();
    const said = { id: 'x'.repeat(43), code: 'c', verifier: 'v'.repeat(43) };
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++)
      statuses.push((await registry.from(address, '/v1/sign-in/end', said)).status);
    expect([...new Set(statuses.slice(0, 10)), statuses[10]]).toEqual([401, 429]);
    const words = { redirect: REDIRECT, challenge: challengeOf('v'), state: 'v'.repeat(43) };
    const begins: number[] = [];
    for (let i = 0; i < 31; i++)
      begins.push((await registry.from(address, '/v1/sign-in/begin', words)).status);
    expect([...new Set(begins.slice(0, 30)), begins[30]]).toEqual([200, 429]);
  });
});

describe('a person', () => {
  it('is their account, whatever it is called', async () => {
    await signInWith({ claims: claimsOf('maiden', 'developers') });
    const renamed = { ...claimsOf('married', 'developers'), sub: 'sub-maiden' };
    const before = await counted();
    expect((await signInWith({ claims: renamed })).body.person).toBe('maiden@acme.test');
    expect(await counted()).toEqual({ ...before, tokens: (before.tokens ?? 0) + 1 });
  });

  it('does not become somebody else by their name', async () => {
    await signInWith({ claims: claimsOf('owner', 'developers') });
    const taken = { ...claimsOf('owner', 'admins'), sub: 'sub-thief' };
    const before = await counted();
    const answer = await signInWith({ claims: taken });
    expect(answer.body.code).toBe('SIGN_IN_REFUSED');
    expect(await counted()).toEqual(before);
  });

  it('who was added by hand is nobody’s account until an administrator says so, and then has no other way in', async () => {
    const token = await registry.person('hand@acme.test', 'developer');
    const claims = claimsOf('hand', 'reviewers');
    const refused = await signInWith({ claims });
    expect(refused.body.code).toBe('SIGN_IN_REFUSED');
    expect(refused.body.next).toContain('lk people link hand@acme.test sub-hand');
    const link = (person: string): Promise<Answer> =>
      registry.call('root', 'POST', `/v1/people/${person}/link`, { subject: 'sub-hand' });
    expect((await link('hand@acme.test')).status).toBe(200);
    expect((await registry.call(token, 'GET', '/v1/me')).status).toBe(401);
    expect((await signInWith({ claims })).body).toMatchObject({
      person: 'hand@acme.test',
      roles: ['reviewer', 'developer'],
    });
    await registry.person('other', 'developer');
    expect((await link('other')).body.code).toBe('STATE_CONFLICT');
    expect((await signInWith({ claims })).body.person).toBe('hand@acme.test');
  });

  it('of two accounts is one, where an administrator says so, and so one of two who approve', async () => {
    await signInWith({ claims: claimsOf('twice', 'reviewers') });
    await registry.call('root', 'POST', '/v1/people/twice@acme.test/link', { subject: 'sub-second' });
    const second = { ...claimsOf('second', 'reviewers'), sub: 'sub-second' };
    expect((await signInWith({ claims: second })).body.person).toBe('twice@acme.test');
  });

  it('never changes hands, not in the database either', async () => {
    await signInWith({ claims: claimsOf('kept', 'developers') });
    for (const change of [
      `update identities set person = 'root' where subject = 'sub-kept'`,
      `update identities set subject = 'x' where subject = 'sub-kept'`,
      `delete from identities where subject = 'sub-kept'`,
    ])
      await expect(registry.pool.query(change)).rejects.toThrow('append-only');
  });

  it('has the roles of today at each sign-in, and so has what was given before', async () => {
    const first = (await signInWith({ claims: claimsOf('less', 'reviewers') })).body;
    expect((await registry.call(first.token, 'GET', '/v1/me')).body.roles).toEqual(['reviewer', 'developer']);
    await signInWith({ claims: claimsOf('less', 'developers') });
    expect((await registry.call(first.token, 'GET', '/v1/me')).body.roles).toEqual(['developer']);
  });

  it('whom no group lets in any more has no sign-in left', async () => {
    const { token } = (await signInWith({ claims: claimsOf('gone', 'developers') })).body;
    const address = fresh();
    const answer = await signInWith({ claims: claimsOf('gone'), address });
    expect(answer.body.code).toBe('SIGN_IN_REFUSED');
    expect((await registry.call(token, 'GET', '/v1/me')).status).toBe(401);
    expect(await eventsOf(address)).toEqual([
      { person: 'gone@acme.test', action: 'sign-in.refused', code: 'SIGN_IN_REFUSED' },
    ]);
  });

  it('who was let go stays out, whatever the provider says', async () => {
    await signInWith({ claims: claimsOf('left', 'developers') });
    await registry.call('root', 'POST', '/v1/people/left@acme.test/remove', {});
    const before = await counted();
    expect((await signInWith({ claims: claimsOf('left', 'admins') })).body.code).toBe('SIGN_IN_REFUSED');
    const again = { ...claimsOf('left', 'admins'), sub: 'sub-again' };
    expect((await signInWith({ claims: again })).body.code).toBe('SIGN_IN_REFUSED');
    expect(await counted()).toEqual(before);
    await registry.call('root', 'POST', '/v1/people', { person: 'left@acme.test', roles: ['auditor'] });
    const back = await signInWith({ claims: claimsOf('left', 'developers') });
    expect(back.body).toMatchObject({ person: 'left@acme.test', roles: ['developer'] });
  });

  it('makes no token that outlives the sign-in', async () => {
    const { token } = (await signInWith({ claims: claimsOf('brief', 'developers') })).body;
    const make = (hours: number): Promise<Answer> =>
      registry.call(token, 'POST', '/v1/tokens', { roles: ['developer'], hours });
    const before = await counted();
    expect((await make(13)).body.code).toBe('FORBIDDEN');
    expect(await counted()).toEqual(before);
    expect((await make(11)).status).toBe(200);
    await putPerson(registry.pool, 'local', ['developer']);
    const own = await newToken(registry.pool, 'local', { roles: ['developer'], hours: 1 });
    const long = { roles: ['developer'], hours: 2160 };
    expect((await registry.call(own.token, 'POST', '/v1/tokens', long)).status).toBe(200);
  });

  it('who comes first twice at once is one', async () => {
    const subject = { issuer: provider.url, subject: 'sub-twin' };
    const held = (): Promise<boolean> =>
      registry.pool
        .query(
          `select 1 from pg_locks l join pg_stat_activity a using (pid) where not granted and a.datname = current_database()`,
        )
        .then(({ rowCount }) => rowCount !== 0);
    const second = await withTransaction(registry.pool, async (client) => {
      await takeTurn(client);
      await addNewcomer(client, 'twin@acme.test', ['developer']);
      await linkAccount(client, subject, { person: 'twin@acme.test', by: 'lockkeeper' });
      const coming = signInWith({ claims: claimsOf('twin', 'developers') });
      await until(held);
      return { coming };
    });
    expect((await second.coming).body.person).toBe('twin@acme.test');
  });
});

describe('an administrator', () => {
  it('who is the last one is not lost to a group that is missing', async () => {
    const { rows } = await registry.pool.query(
      `select person from people where 'admin' = any(roles) and left_at is null`,
    );
    const admins = rows.map(({ person }) => String(person));
    const first = (await signInWith({ claims: claimsOf('boss', 'admins') })).body;
    for (const person of admins)
      expect((await registry.call(first.token, 'POST', `/v1/people/${person}/remove`, {})).status).toBe(200);
    const answer = await signInWith({ claims: claimsOf('boss', 'developers') });
    expect([answer.status, answer.body.code]).toEqual([409, 'STATE_CONFLICT']);
    expect((await registry.call(first.token, 'GET', '/v1/me')).body.roles).toEqual(['admin']);
    await registry.person('root', 'admin');
    expect((await signInWith({ claims: claimsOf('boss', 'developers') })).body.roles).toEqual(['developer']);
    expect((await registry.call(first.token, 'GET', '/v1/me')).status).not.toBe(200);
  });

  it('is never linked by a name, where those added by hand are', async () => {
    const at = await registry.configured(configOf({ linkExisting: true }));
    await registry.person('easy@acme.test', 'publisher');
    await registry.person('chief@acme.test', 'admin');
    await signInWith({ claims: claimsOf('easy', 'developers'), at });
    expect((await signInWith({ claims: claimsOf('easy', 'developers'), at })).body.person).toBe(
      'easy@acme.test',
    );
    const before = await counted();
    expect((await signInWith({ claims: claimsOf('chief', 'admins'), at })).body.code).toBe('SIGN_IN_REFUSED');
    const second = { ...claimsOf('easy', 'developers'), sub: 'sub-easy-too' };
    expect((await signInWith({ claims: second, at })).body.code).toBe('SIGN_IN_REFUSED');
    expect(await counted()).toEqual(before);
  });
});

describe('a reviewer', () => {
  it('of the provider enrols a key, and approves no more once no group says so', async () => {
    const { token } = (await signInWith({ claims: claimsOf('rhea', 'reviewers') })).body;
    const key = makeKey('rhea@acme.test');
    const said = { person: key.person, publicKey: key.pem, at: new Date().toISOString() };
    const proof = seal(KEY_PROOF_TYPE, Buffer.from(JSON.stringify(said)), [key.key]);
    expect((await registry.call(token, 'POST', '/v1/keys', { proof, replace: false })).status).toBe(200);
    const holds = async (): Promise<boolean> =>
      (await registry.deps.trust.current()).trusted.holds('approver', key.keyid);
    expect(await holds()).toBe(true);
    await signInWith({ claims: claimsOf('rhea', 'developers') });
    expect(await holds()).toBe(false);
  });
});

describe('where only the provider makes reviewers', () => {
  it('no code gives the role, and no administrator', async () => {
    const at = await registry.configured(configOf({ reviewers: 'provider' }));
    const before = await counted();
    for (const roles of [['reviewer'], ['developer', 'reviewer']]) {
      const answer = await at.call('root', 'POST', '/v1/people', { person: 'second', roles });
      expect(answer.body.code).toBe('FORBIDDEN');
    }
    expect(await counted()).toEqual(before);
    expect(
      (await at.call('root', 'POST', '/v1/people', { person: 'second', roles: ['developer'] })).status,
    ).toBe(200);
    await signInWith({ claims: claimsOf('vera', 'reviewers'), at });
    const { code } = (await at.call('root', 'POST', '/v1/people/vera@acme.test/code', {})).body;
    const { body } = await at.from<TokenView>(fresh(), '/v1/sign-in', { code });
    expect(body.roles).toEqual(['developer']);
    const approval = await at.call(body.token, 'POST', '/v1/releases/1/approvals', {});
    expect(approval.status).toBe(403);
    await putPerson(registry.pool, 'only', ['reviewer']);
    const alone = await newCode(registry.pool, 'only', 1);
    expect((await at.from(fresh(), '/v1/sign-in', { code: alone.code })).body.code).toBe('FORBIDDEN');
  });

  it('what others reviewed with before has ended', async () => {
    const [old, other] = [
      await registry.person('old', 'reviewer'),
      await registry.person('dev', 'developer'),
    ];
    const { token } = (await signInWith({ claims: claimsOf('vouched', 'reviewers') })).body;
    await endUnvouched(registry.pool, 'reviewer');
    const statuses = [old, other, token].map(
      async (one) => (await registry.call(one, 'GET', '/v1/me')).status,
    );
    expect(await Promise.all(statuses)).toEqual([401, 200, 200]);
  });
});

describe('a registry that is told of a provider by a file', () => {
  const dir = tempDir();
  const file = join(dir, 'oidc.json');
  const start = async (text: string): Promise<Registry> => {
    writeFileSync(file, text);
    const env = { LOCKKEEPER_DATA: join(dir, 'data'), LOCKKEEPER_PORT: '0', LOCKKEEPER_ROLE: 'registry' };
    const config = loadConfig({ ...env, DATABASE_URL: await url, LOCKKEEPER_OIDC: file });
    return startRegistry(config, { log: () => undefined });
  };
  const url = databaseUrl();

  it.each([
    ['that is none', '{'],
    [
      'with a word that nobody knows',
      JSON.stringify({ issuer: 'https://a.test', clientId: 'c', everyone: 'admin' }),
    ],
    [
      'that makes everybody an administrator',
      '{"issuer":"https://a.test","clientId":"c","everybody":"admin"}',
    ],
  ])('%s does not start', async (_, text) => {
    await expect(start(text)).rejects.toMatchObject({
      code: expect.stringMatching(/^(CONFIG|JSON)_INVALID$/),
    });
  });

  it('starts with it, though the provider is away, and ends what others reviewed with', async () => {
    const pool = openPool({ connectionString: await url }, 1);
    await putPerson(pool, 'before', ['reviewer']);
    const { token } = await newToken(pool, 'before', { roles: ['reviewer'], hours: 1 });
    await pool.end();
    const issuer = 'http://127.0.0.1:9/nobody';
    const running = await start(JSON.stringify(configOf({ issuer, reviewers: 'provider' })));
    try {
      const ways = await fetch(`${running.url}/v1/sign-in`);
      expect(await ways.json()).toEqual({ provider: { issuer, device: true } });
      const me = await fetch(`${running.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } });
      expect(me.status).toBe(401);
    } finally {
      await running.close();
    }
  });
});

describe('everybody', () => {
  it('is a developer only where that is said', async () => {
    const at = await registry.configured(
      configOf({ everybody: 'developer', groups: undefined, roles: undefined } as object),
    );
    expect((await signInWith({ claims: claimsOf('anyone', 'admins'), at })).body.roles).toEqual([
      'developer',
    ]);
  });
});

describe('a machine without a browser', () => {
  const device = (life = 600): void => {
    provider.answers['/device'] = () => ({
      device_code: 'the secret one',
      user_code: 'WDJB-MJHT',
      verification_uri: `${provider.url}/device`,
      expires_in: life,
      interval: 1,
    });
  };
  const begin = (): Promise<Answer<{ id: string; code: string }>> =>
    registry.from(fresh(), '/v1/sign-in/device', {});
  const end = (id: string): Promise<Answer<TokenView & { code: string }>> =>
    registry.from(fresh(), '/v1/sign-in/end', { id });
  const rested = (): Promise<unknown> =>
    registry.pool.query(`update sign_ins_begun set polled_at = now() - interval '1 minute'`);
  const says = (error: string): void => {
    provider.answers['/token'] = (response) => {
      response.statusCode = 400;
      return { error };
    };
  };
  const tokenOf = (claims: Record<string, unknown>): Promise<string> =>
    signed(
      provider.key,
      { iss: provider.url, aud: CLIENT, iat: seconds, exp: seconds + 300, ...claims } as JWTPayload,
      { typ: 'JWT' },
    );

  it('asks until somebody has typed the code, never sooner than it may, and is let in once', async () => {
    device();
    const { body } = await begin();
    expect(body.code).toBe('WDJB-MJHT');
    expect(JSON.stringify(body)).not.toContain('the secret one');
    says('authorization_pending');
    const asked = provider.asked.length;
    expect((await end(body.id)).body.code).toBe('SIGN_IN_PENDING');
    expect(provider.asked).toHaveLength(asked);
    await rested();
    expect((await end(body.id)).body.code).toBe('SIGN_IN_PENDING');
    expect(provider.asked.length).toBeGreaterThan(asked);
    const idToken = await tokenOf(claimsOf('tv', 'developers'));
    provider.answers['/token'] = (_response, form) => (form.get('device_code') ? { id_token: idToken } : {});
    await rested();
    expect((await end(body.id)).body.person).toBe('tv@acme.test');
    await rested();
    expect((await end(body.id)).body.code).toBe('SIGN_IN_INVALID');
  });

  it.each(['access_denied', 'expired_token'])('hears %s', async (error) => {
    device();
    const { body } = await begin();
    says(error);
    await rested();
    expect((await end(body.id)).body.code).toBe('SIGN_IN_INVALID');
  });

  it('is let in by no token for another client', async () => {
    device();
    const { body } = await begin();
    const idToken = await tokenOf({ ...claimsOf('tv', 'developers'), aud: 'wiki' });
    provider.answers['/token'] = () => ({ id_token: idToken });
    await rested();
    const before = await counted();
    expect((await end(body.id)).body.code).toBe('TOKEN_INVALID');
    expect(await counted()).toEqual(before);
  });

  it('is not let in so, unless that is said', async () => {
    const at = await registry.configured(configOf({ device: false }));
    device();
    const asked = provider.asked.length;
    expect((await at.from(fresh(), '/v1/sign-in/device', {})).status).toBe(404);
    expect(provider.asked).toHaveLength(asked);
  });
});
