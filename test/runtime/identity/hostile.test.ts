/** Tokens that should not hold. Each is one change away from one that does; each row says which words refuse it. */
import { createHmac, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { JWTPayload } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import { teamsOf } from '../../../runtime/identity/claims.ts';
import {
  accepted,
  bearer,
  RESOURCE,
  refused,
  requestWith,
  type TestIdentity,
  testIdentity,
} from '../../helpers/identity.ts';
import { type OwnKey, ownKey, signed } from '../../helpers/issuer.ts';
import { tempDir } from '../../helpers/session.ts';

const ISSUER = 'https://issuer.acme.test';
const seconds = (ahead: number): number => Math.floor(Date.now() / 1000) + ahead;
const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

let key: OwnKey;
let stranger: OwnKey;
let identity: TestIdentity;
let claims: JWTPayload;

beforeAll(async () => {
  key = await ownKey('key-1');
  stranger = await ownKey('key-1');
  const dir = tempDir();
  writeFileSync(
    join(dir, 'keys.json'),
    JSON.stringify({ keys: [key.jwk, { kty: 'oct', k: 'AAAA', kid: 'oct' }] }),
  );
  identity = await testIdentity(
    {
      jwt: [
        {
          issuer: ISSUER,
          keys: { file: 'keys.json' },
          user: { claim: 'email', domains: ['acme.test'] },
          teams: { path: ['groups'] },
        },
      ],
    },
    dir,
  );
  claims = {
    iss: ISSUER,
    aud: RESOURCE,
    sub: 'u-1',
    exp: seconds(300),
    email: 'ada@acme.test',
    email_verified: true,
    groups: ['devs'],
  };
});

const changed = (change: Record<string, unknown>, header = {}): Promise<string> =>
  signed(key, JSON.parse(JSON.stringify({ ...claims, ...change })) as JWTPayload, header);
const without = (name: string): Promise<string> => changed({ [name]: undefined });
/** A header and claims as text, signed properly by the right key, so that only the text is wrong. */
async function written(header: string, body: string): Promise<string> {
  const input = `${encode(header)}.${encode(body)}`;
  const mac = sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${mac.toString('base64url')}`;
}
const HEADER = '{"alg":"ES256","kid":"key-1","typ":"at+jwt"}';
const bodyWith = (extra: string): string => `${JSON.stringify(claims).slice(0, -1)},${extra}}`;

function confused(): string {
  const pem = key.publicKey.export({ type: 'spki', format: 'pem' });
  const input = `${encode({ alg: 'HS256', kid: 'key-1', typ: 'at+jwt' })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`;
}

type Row = readonly [name: string, token: () => Promise<string> | string, words: RegExp, code?: string];

const ROWS: readonly Row[] = [
  ['alg none', () => `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode(claims)}.AA`, /found "none"/],
  ['alg none without a signature', () => `${encode({ alg: 'none' })}.${encode(claims)}.`, /something else/],
  ['alg nOnE', () => `${encode({ alg: 'nOnE', typ: 'at+jwt' })}.${encode(claims)}.AA`, /found "nOnE"/],
  ['HS256 with the public key as its secret', confused, /found "HS256"/],
  [
    'an algorithm that is not configured',
    () =>
      changed({}, { alg: 'ES256', typ: 'at+jwt' }).then((t) =>
        t.replace(/^[^.]+/, encode({ alg: 'ES512', kid: 'key-1', typ: 'at+jwt' })),
      ),
    /found "ES512"/,
  ],
  [
    'a key of somebody else under the same kid',
    () => signed(stranger, claims),
    /signature verification failed/,
  ],
  [
    'a key in its own header',
    () => signed(stranger, claims, { jwk: stranger.jwk }),
    /signature verification failed/,
  ],
  [
    'a critical extension',
    () => written('{"alg":"ES256","kid":"key-1","typ":"at+jwt","crit":["exp"]}', JSON.stringify(claims)),
    /crit in the header/,
  ],
  ['a kid that is a path', () => changed({}, { kid: '../../../../dev/null' }), /\.\.\/dev\/null/],
  ['a kid that is a query', () => changed({}, { kid: "' OR 1=1 --" }), /OR 1=1/],
  [
    'a kid that is no text',
    () => written('{"alg":"ES256","kid":{"$ne":""},"typ":"at+jwt"}', JSON.stringify(claims)),
    /found/,
  ],
  ['the kid of a shared secret', () => changed({}, { kid: 'oct' }), /"oct", which is not one of them/],
  ['an ID token', () => changed({}, { typ: 'id+jwt' }), /typ "id\+jwt"/],
  ['a logout token', () => changed({}, { typ: 'logout+jwt' }), /typ "logout\+jwt"/],
  ['no typ', () => changed({}, { typ: undefined }), /typ nothing/],
  [
    'a typ that is no text',
    () => written('{"alg":"ES256","kid":"key-1","typ":{"toString":1}}', JSON.stringify(claims)),
    /typ "\{/,
  ],
  ['the typ "none"', () => changed({}, { typ: 'none' }), /typ "none"/],
  ['another audience', () => changed({ aud: 'https://other.acme.test' }), /for "https:\/\/other/],
  ['the audience with a slash more', () => changed({ aud: `${RESOURCE}/` }), /mcp\/"/],
  ['the audience in capitals', () => changed({ aud: RESOURCE.toUpperCase() }), /HTTPS/],
  ['an audience that begins with ours', () => changed({ aud: `${RESOURCE}.evil.test` }), /evil/],
  ['others among the audience', () => changed({ aud: [RESOURCE, 'https://other.acme.test'] }), /nobody else/],
  ['an empty audience', () => changed({ aud: [] }), /nobody else/],
  ['an audience in a list in a list', () => changed({ aud: [[RESOURCE]] }), /nobody else/],
  ['no audience', () => without('aud'), /nobody else|aud\\" claim/],
  ['an issuer with a slash more', () => changed({ iss: `${ISSUER}/` }), /acme\.test\/"/],
  ['an issuer in a list', () => changed({ iss: [ISSUER] }), /one of "\[/],
  ['no issuer', () => without('iss'), /one of nothing/],
  ['no exp', () => without('exp'), /exp\\" claim/],
  ['an exp of the past', () => changed({ exp: seconds(-31) }), /one that has ended/, 'TOKEN_EXPIRED'],
  ['an exp that is a text', () => changed({ exp: `${seconds(300)}` }), /exp\\" claim/],
  [
    'an exp that is no number',
    () => written(HEADER, JSON.stringify(claims).replace(/"exp":\d+/, '"exp":1e999')),
    /1e999/,
  ],
  ['an nbf of the future', () => changed({ nbf: seconds(60) }), /nbf\\" claim/],
  ['no sub', () => without('sub'), /a sub/],
  ['claims twice', () => written(HEADER, bodyWith('"sub":"u-2"')), /key \\?"sub\\?" twice/],
  ['claims twice by an escape', () => written(HEADER, bodyWith('"\\u0073ub":"u-2"')), /twice/],
  [
    'a header twice',
    () => written('{"alg":"ES256","alg":"none","kid":"key-1"}', JSON.stringify(claims)),
    /twice/,
  ],
  ['claims that are a list', () => written(HEADER, '[]'), /as objects/],
  [
    'claims that are nested',
    () => written(HEADER, bodyWith(`"x":${'['.repeat(100)}${']'.repeat(100)}`)),
    /nesting/,
  ],
  [
    'claims that are not UTF-8',
    () => `${encode(HEADER)}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.AA`,
    /strict JSON/,
  ],
  ['17 KiB', () => changed({ x: 'x'.repeat(13_000) }), /at most 16384 characters/],
  ['a megabyte', () => 'a'.repeat(1_000_000), /at most 16384 characters/],
  ['ten thousand dots', () => `a${'.a'.repeat(8000)}`, /something else/],
  ['one that is bound to a key', () => changed({ cnf: { jkt: 'x' } }), /\(cnf\)/],
  ['an encrypted token', () => `${encode({ alg: 'dir', enc: 'A256GCM' })}..a.a.a`, /something else/],
  [
    'a letter that is somebody else’s once it is small',
    () => changed({ email: '\u212aate@acme.test' }),
    /ASCII/,
    'IDENTITY_UNNAMED',
  ],
  ['a look-alike of a user', () => changed({ email: 'аda@acme.test' }), /email/, 'IDENTITY_UNNAMED'],
  ['a user with a line break', () => changed({ email: 'ada\n@acme.test' }), /ada\\n/, 'IDENTITY_UNNAMED'],
  ['a user with a NUL', () => changed({ email: 'ada\u0000@acme.test' }), /u0000/, 'IDENTITY_UNNAMED'],
  [
    'a user with a text direction',
    () => changed({ email: 'ada\u202e@acme.test' }),
    /u202e/,
    'IDENTITY_UNNAMED',
  ],
  [
    'an address of two parts more',
    () => changed({ email: 'ada@acme.test@evil.test' }),
    /one address/,
    'IDENTITY_UNNAMED',
  ],
  [
    'an address that is not verified',
    () => changed({ email_verified: false }),
    /email_verified/,
    'IDENTITY_UNNAMED',
  ],
  [
    'an address that a text verifies',
    () => changed({ email_verified: 'true' }),
    /email_verified/,
    'IDENTITY_UNNAMED',
  ],
  [
    'an address of another domain',
    () => changed({ email: 'ada@evil.test' }),
    /acme\.test/,
    'IDENTITY_UNNAMED',
  ],
  [
    'a user that a prototype has',
    () => changed({ email: undefined, __proto__: { email: 'x@acme.test' } }),
    /email/,
    'IDENTITY_UNNAMED',
  ],
  ['no teams', () => without('groups'), /list of teams/, 'IDENTITY_UNNAMED'],
  ['teams that are a text', () => changed({ groups: 'devs admins' }), /list of teams/, 'IDENTITY_UNNAMED'],
  [
    'a team with a prefix of others',
    () => changed({ groups: ['partner:admins'] }),
    /partner/,
    'IDENTITY_UNNAMED',
  ],
  ['a team with a blank', () => changed({ groups: ['devs', 'a b'] }), /"a b"/, 'IDENTITY_UNNAMED'],
  [
    '501 teams',
    () => changed({ groups: Array.from({ length: 501 }, (_, i) => `t${i}`) }),
    /at most 500/,
    'IDENTITY_UNNAMED',
  ],
  ['actors without a name', () => changed({ act: { iss: 'x' } }), /actors/],
  ['actors that are a text', () => changed({ act: 'agent' }), /actors/],
  [
    'eleven actors',
    () =>
      changed({ act: Array.from({ length: 11 }).reduce((act: unknown) => ({ sub: 'a', act }), undefined) }),
    /at most 10 actors/,
  ],
];

describe('a token that should not hold', () => {
  it('is one change away from one that does', async () => {
    const { caller } = await accepted(identity, bearer(await changed({})));
    expect(caller).toEqual({ user: 'ada@acme.test', teams: ['devs'], via: 'jwt', actors: [] });
  });

  it.each(ROWS.map(([name, ...row]) => ({ name, row })))(
    '$name',
    async ({ row: [token, words, code = 'TOKEN_INVALID'] }) => {
      const text = await token();
      const { status, error, headers } = await refused(identity, bearer(text));
      expect(error.code, error.message).toBe(code);
      expect(error.message).toMatch(words);
      expect(status).toBe(code === 'IDENTITY_UNNAMED' ? 403 : 401);
      if (status === 401) expect(headers['www-authenticate']).toContain('error="invalid_token"');
      // What was shown is told to nobody, not even in part.
      const signature = text.split('.').at(-1) ?? '';
      if (signature.length > 20)
        expect(`${error.stack} ${JSON.stringify(headers)}`).not.toContain(signature.slice(0, 20));
      expect(identity.troubles).toEqual([]);
    },
  );

  it('has no say where its keys are: nothing is asked of the places that it names', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify({ keys: [stranger.jwk] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/keys`;
      const token = await signed(stranger, claims, { jku: url, x5u: url, x5c: ['AAAA'] });
      expect((await refused(identity, bearer(token))).error.code).toBe('TOKEN_INVALID');
      expect(asked).toEqual([]);
    } finally {
      server.close();
    }
  });

  it('does not spoil the one that holds, with the same places named', async () => {
    const token = await changed({}, { jku: 'https://evil.test', x5u: 'https://evil.test' });
    expect((await accepted(identity, bearer(token))).caller.user).toBe('ada@acme.test');
  });

  it('has a session with its own kind alone: same issuer, user, client and scopes', async () => {
    const principalWith = async (change: Record<string, unknown>): Promise<string> =>
      (await accepted(identity, bearer(await changed(change)))).principal;
    const one = await principalWith({ client_id: 'editor', scope: 'read write' });
    expect(await principalWith({ client_id: 'editor', scope: 'write read', jti: 'another' })).toBe(one);
    expect(await principalWith({ client_id: 'editor', scope: 'read' })).not.toBe(one);
    expect(await principalWith({ client_id: 'other', scope: 'read write' })).not.toBe(one);
    expect(await principalWith({ client_id: 'editor', scope: 'read write', sub: 'u-2' })).not.toBe(one);
  });

  it('tells the actors of one that holds, outermost first', async () => {
    const token = await changed({
      act: { sub: 'agent-2', act: { sub: 'agent-1' } },
      may_act: { sub: 'evil' },
    });
    expect((await accepted(identity, bearer(token))).caller.actors).toEqual(['agent-2', 'agent-1']);
  });
});

describe('a credential that is not shown in its one place', () => {
  const shown: readonly (readonly [string, Parameters<typeof requestWith>[0], string])[] = [
    [
      'twice',
      {
        headers: [
          ['Authorization', 'Bearer A'],
          ['authorization', 'Bearer A'],
        ],
      },
      '2 of them',
    ],
    ['in the query', { url: '/mcp?access_token=A' }, 'one in its query'],
    ['in the query, escaped', { url: '/mcp?acc%65ss_token=A' }, 'one in its query'],
    [
      'in the query as well',
      { url: '/mcp?x=1&access_token=A', headers: [['Authorization', 'Bearer A']] },
      'one in its query',
    ],
    ['as a password', { headers: [['Authorization', 'Basic YTpi']] }, '"Basic"'],
    ['as a bound token', { headers: [['Authorization', 'DPoP A']] }, '"DPoP"'],
    ['with two tokens', { headers: [['Authorization', 'Bearer A, Bearer B']] }, '"Bearer"'],
    ['with two blanks', { headers: [['Authorization', 'Bearer  A']] }, '"Bearer"'],
    ['with a tab', { headers: [['Authorization', 'Bearer\tA']] }, '"Bearer"'],
    ['without a token', { headers: [['Authorization', 'Bearer ']] }, '"Bearer"'],
    ['empty', { headers: [['Authorization', '']] }, '""'],
  ];
  it.each(shown)('%s', async (_name, request, words) => {
    const { status, error, headers } = await refused(identity, requestWith(request));
    expect({ status, code: error.code }).toEqual({ status: 400, code: 'CREDENTIAL_FORM' });
    expect(error.found).toContain(words);
    expect(headers['www-authenticate']).toContain('error="invalid_request"');
  });

  it('is asked for where there is none, without an error word', async () => {
    const { status, error, headers } = await refused(identity, requestWith({ from: '127.0.0.1' }));
    expect({ status, code: error.code }).toEqual({ status: 401, code: 'UNAUTHENTICATED' });
    expect(headers['www-authenticate']).toMatch(/^Bearer realm="lockkeeper", resource_metadata="[^"]+"$/);
  });
});

describe('a list of teams that may be left out', () => {
  const setting = { teams: { path: ['groups'], optional: true } };
  it('is none where the issuer has none, and refused where it was too long for the token', () => {
    expect(teamsOf({}, setting)).toEqual([]);
    for (const cut of [{ hasgroups: true }, { _claim_names: { groups: 'src1' }, _claim_sources: {} }])
      expect(() => teamsOf(cut, setting)).toThrow(expect.objectContaining({ code: 'IDENTITY_UNNAMED' }));
  });
});
