/** Signing in for a remote server: what it says leads nowhere that nobody allowed, and no code to anybody else. */
import { createHash } from 'node:crypto';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { authorizationOf } from '../../../runtime/consent/authorization.ts';
import { challengeIn } from '../../../runtime/consent/challenge.ts';
import { signInTo } from '../../../runtime/consent/flow.ts';
import { whereOf } from '../../../runtime/consent/grants.ts';
import { optionOf } from '../../../runtime/consent/words.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';
import { openStage, REGISTRY, type Stage } from '../../helpers/consent.ts';

const PATH = '/.well-known/oauth-protected-resource/mcp';
const META = '/.well-known/oauth-authorization-server';

describe('a sign-in', () => {
  it('asks for what the server wants, at the one that was allowed, with PKCE, for this resource', async () => {
    const { wish, shown, forms, issuer, served, launch, asked, says } = await openStage();
    says.challenge = 'Basic realm="a, Bearer", Bearer scope="read write"';
    says.metadata.scopes_supported = ['read', 'offline_access'];
    says.tokens = () => [
      200,
      { access_token: 'A', token_type: 'bearer', expires_in: 60, refresh_token: 'R' },
    ];
    const grant = await signInTo(wish({ now: () => new Date(0) }));
    expect(grant).toEqual({
      ...whereOf(REGISTRY, launch),
      ...{ resource: served.url, issuer, tokenUrl: `${issuer}/token` },
      ...{ client: { id: 'made-here', method: 'none' }, scopes: ['read', 'write', 'offline_access'] },
      ...{
        access: 'A',
        refresh: 'R',
        since: new Date(0).toISOString(),
        until: new Date(60_000).toISOString(),
      },
    });
    const [url] = shown;
    const words = Object.fromEntries(url?.searchParams ?? []);
    expect(words).toMatchObject({
      ...{ response_type: 'code', client_id: 'made-here', resource: served.url, prompt: 'consent' },
      ...{ scope: 'read write offline_access', redirect_uri: 'http://127.0.0.1:7/back' },
    });
    const [form] = forms;
    expect(Object.fromEntries(form ?? [])).toMatchObject({
      ...{ grant_type: 'authorization_code', code: 'the-code', resource: served.url, client_id: 'made-here' },
    });
    const verifier = form?.get('code_verifier') ?? '';
    expect(createHash('sha256').update(verifier).digest('base64url')).toBe(words.code_challenge);
    // Not even the first question goes anywhere but to the server itself and the one that was allowed.
    expect(asked.filter((path) => !path.startsWith('/.well-known/'))).toEqual(['/register', '/token']);
    expect(served.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('keeps the scopes that it had, and takes those that a person names in place of the server’s', async () => {
    const { wish, shown, says } = await openStage();
    says.challenge = 'Bearer scope="read"';
    const held = await signInTo(wish());
    await signInTo(wish({ held, scopes: ['write'] }));
    await signInTo(wish({ held: { ...held, issuer: 'https://other.acme.test' }, scopes: ['write'] }));
    expect(shown.map((url) => url.searchParams.get('scope'))).toEqual(['read', 'read write', 'write']);
  });

  type Hostile = readonly [string, string, (stage: Stage) => void];
  const hostile: readonly Hostile[] = [
    [
      'names a resource of another server',
      'METADATA_INVALID',
      ({ says, issuer }) => {
        says.resource[PATH] = { resource: 'https://other.acme.test/mcp', authorization_servers: [issuer] };
      },
    ],
    [
      'names a path below, or beside, as the resource',
      'METADATA_INVALID',
      ({ says, issuer, served }) => {
        says.resource[PATH] = { resource: `${served.url}2`, authorization_servers: [issuer] };
      },
    ],
    [
      'has its metadata at another origin',
      'METADATA_INVALID',
      ({ says, issuer }) => {
        says.challenge = `Bearer resource_metadata="${issuer}${META}"`;
      },
    ],
    [
      'has its metadata inside a cloud',
      'METADATA_INVALID',
      ({ says }) => {
        says.challenge = 'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"';
      },
    ],
    ...[{ toString: 1, valueOf: 1 }, 'HTTPS://127.0.0.1/mcp'].map(
      (resource): Hostile => [
        `is ${JSON.stringify(resource)}`,
        'METADATA_INVALID',
        ({ says, issuer }) => {
          says.resource[PATH] = { resource, authorization_servers: [issuer] };
        },
      ],
    ),
    ...[(url: string) => url.replace('https:', 'HTTPS:'), (url: string) => `${url}\t`].map(
      (spelt, at): Hostile => [
        `has another spelling of its own address (${at})`,
        'METADATA_INVALID',
        ({ says, served, issuer }) => {
          says.resource[PATH] = { resource: spelt(served.url), authorization_servers: [issuer] };
        },
      ],
    ),
    [
      'sends on to elsewhere',
      'REMOTE_INVALID',
      ({ says, issuer }) => {
        says.resource[PATH] = `${issuer}${META}`;
      },
    ],
    [
      'says nothing',
      'METADATA_INVALID',
      ({ says }) => {
        says.resource = {};
      },
    ],
    [
      'names nobody',
      'METADATA_INVALID',
      ({ says, served }) => {
        says.resource[PATH] = { resource: served.url, authorization_servers: [] };
      },
    ],
    [
      'names one that nobody allowed',
      'ISSUER_UNNAMED',
      ({ says, served }) => {
        says.resource[PATH] = { resource: served.url, authorization_servers: ['https://evil.acme.test'] };
      },
    ],
    [
      'names the allowed one in another spelling',
      'ISSUER_UNNAMED',
      ({ says, served, issuer }) => {
        says.resource[PATH] = { resource: served.url, authorization_servers: [`${issuer}/`] };
      },
    ],
  ];
  it.each(hostile)(
    'before a server that %s is refused (%s), and nobody else was asked',
    async (_name, code, make) => {
      const stage = await openStage();
      make(stage);
      await expect(signInTo(stage.wish())).rejects.toMatchObject({ code });
      expect([stage.asked, stage.shown, stage.forms]).toEqual([[], [], []]);
      // Of what is elsewhere not even the path is asked for here.
      if (stage.says.challenge?.includes('metadata'))
        expect(stage.served.seen.map(({ method }) => method)).toEqual(['POST']);
    },
  );

  it('without an authorization server that somebody allowed tells whom the server names, and asks nobody', async () => {
    const { wish, asked, shown, issuer } = await openStage();
    const error = await signInTo(wish({ issuer: undefined })).catch((thrown: LockkeeperError) => thrown);
    expect(error).toMatchObject({
      code: 'ISSUER_UNNAMED',
      next: expect.stringContaining(`--issuer ${issuer};`),
    });
    expect([asked, shown]).toEqual([[], []]);
  });

  const false_: readonly (readonly [string, string, (stage: Stage) => void])[] = [
    [
      'speaks of another issuer',
      'METADATA_INVALID',
      ({ says }) => {
        says.metadata.issuer = 'https://evil.acme.test';
      },
    ],
    [
      'knows no PKCE',
      'METADATA_INVALID',
      ({ says }) => {
        says.metadata.code_challenge_methods_supported = ['plain'];
      },
    ],
    ...[
      'javascript:alert(1)',
      'file:///etc/passwd',
      'http://evil.acme.test/a',
      'https://u:p@evil.acme.test/',
      7,
    ].map((url): (typeof hostile)[number] => [
      `sends people to ${url}`,
      'METADATA_INVALID',
      ({ says }) => {
        says.metadata.authorization_endpoint = url;
      },
    ]),
    [
      'has an endless place of tokens',
      'METADATA_INVALID',
      ({ says }) => {
        says.metadata.token_endpoint = `https://as.acme.test/${'a'.repeat(600)}`;
      },
    ],
    [
      'takes tokens’ requests in the clear',
      'METADATA_INVALID',
      ({ says }) => {
        says.metadata.token_endpoint = 'http://evil.acme.test/token';
      },
    ],
    [
      'registers nobody',
      'SIGN_IN_REFUSED',
      ({ says }) => {
        delete says.metadata.registration_endpoint;
      },
    ],
    [
      'gives a client with a line break',
      'METADATA_INVALID',
      ({ says }) => {
        says.client = { client_id: 'a\r\nb' };
      },
    ],
    [
      'gives a client without its secret',
      'METADATA_INVALID',
      ({ says }) => {
        says.client = { client_id: 'a', token_endpoint_auth_method: 'client_secret_basic' };
      },
    ],
  ];
  it.each(false_)(
    'at an authorization server that %s is refused (%s): no person is sent there',
    async (_n, code, make) => {
      const stage = await openStage();
      make(stage);
      await expect(signInTo(stage.wish())).rejects.toMatchObject({ code });
      expect([stage.shown, stage.forms]).toEqual([[], []]);
    },
  );

  it.each([
    ['of another issuer', 'https://evil.acme.test'],
    ['in another spelling', 'http://127.0.0.1/'],
    ['of nobody', undefined],
  ])('whose answer is %s ends there: the code goes to nobody', async (_name, iss) => {
    const { wish, says, forms } = await openStage();
    says.iss = iss;
    await expect(signInTo(wish())).rejects.toMatchObject({ code: 'SIGN_IN_INVALID' });
    expect(forms).toEqual([]);
  });

  it.each([
    ['an error', 400, { error: 'invalid_grant' }, 'SIGN_IN_INVALID'],
    ['no token', 200, { token_type: 'Bearer' }, 'UPSTREAM_CREDENTIAL'],
    [
      'a token with a line break',
      200,
      { access_token: 'a\r\nb', token_type: 'Bearer' },
      'UPSTREAM_CREDENTIAL',
    ],
    ['a token bound to a key', 200, { access_token: 'a', token_type: 'DPoP' }, 'UPSTREAM_CREDENTIAL'],
    ['no JSON', 200, '<html>', 'UPSTREAM_CREDENTIAL'],
  ] as const)('that is answered with %s is none', async (_name, status, said, code) => {
    const { wish, says } = await openStage();
    says.tokens = () => [status, said];
    await expect(signInTo(wish())).rejects.toMatchObject({ code });
  });

  it('shows a client of its own as the server takes it, and none that it does not', async () => {
    const { wish, says, forms } = await openStage();
    says.metadata.token_endpoint_auth_methods_supported = ['client_secret_post'];
    const client = { id: 'desk', secret: 'the-secret' };
    await signInTo(wish({ client }));
    expect(Object.fromEntries(forms[0] ?? [])).toMatchObject({
      client_id: 'desk',
      client_secret: 'the-secret',
    });
    const document = { id: 'https://acme.test/client.json' };
    await expect(signInTo(wish({ client: document }))).rejects.toMatchObject({ code: 'METADATA_INVALID' });
    says.metadata.client_id_metadata_document_supported = true;
    expect((await signInTo(wish({ client: document }))).client).toEqual({ ...document, method: 'none' });
  });
});

describe('an authorization server that changes to another protocol', () => {
  it('does not answer, and is not waited for', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(authorizationOf(issuer, {})).rejects.toMatchObject({
      code: 'UPSTREAM_CREDENTIAL',
      found: expect.stringContaining('another protocol'),
    });
  });
});

describe('an authorization server of the outside', () => {
  it.each(['http://127.0.0.1:1', 'https://169.254.169.254', 'https://[::1]'])(
    'is not at %s',
    async (issuer) => {
      const error = await authorizationOf(issuer, { reach: 'public' }).catch(
        (thrown: LockkeeperError) => thrown,
      );
      expect(error).toMatchObject({
        code: 'UPSTREAM_CREDENTIAL',
        found: expect.stringContaining('no place to go to'),
      });
    },
  );

  it('is not at a name that leads inside', async () => {
    await expect(authorizationOf('https://localhost:1', { reach: 'public' })).rejects.toThrow(
      /EGRESS|outside/,
    );
  });
});

describe('a challenge', () => {
  const bearer = (scopes: string[], metadata: string | null = null) => ({ scopes, metadata });
  it.each([
    ['Bearer', bearer([])],
    ['bearer scope="a b a", error="insufficient_scope"', bearer(['a', 'b'])],
    ['Basic realm="Bearer scope=x", Bearer scope=a', bearer(['a'])],
    ['Negotiate abc==, Bearer resource_metadata="https://a/\\"b"', bearer([], 'https://a/"b')],
    ['Bearer scope = "a" , error = x', bearer(['a'])],
    [undefined, null],
    ['Basic realm="x"', null],
    ['Bearer scope="a", scope="b"', null],
    ['Bearer scope="a", Bearer scope="b"', null],
    ['Bearer scope="a', null],
    ['Bearer scope="a\u0007b"', null],
    [`Bearer scope="${'a '.repeat(600)}a"`, null],
    ['Bearer \u0000', null],
  ])('%s is read in one way', (header, challenge) => {
    expect(challengeIn(header)).toEqual(challenge);
  });

  it('of many parts is read in one pass', () => {
    const began = process.cpuUsage().user;
    challengeIn(`Bearer ${'a="\\'.repeat(4000)}`);
    challengeIn(`Bearer ${', '.repeat(8000)}=`);
    expect(process.cpuUsage().user - began).toBeLessThan(500_000);
  });

  it.each(['$(reboot)', '`id`', 'a;b', '--client-secret', 'a b', '~', "a'b", ''])(
    '%s is no word of a command',
    (word) => {
      expect(optionOf('scope', word)).toBe('');
    },
  );
});
