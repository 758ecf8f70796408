/** What a person signed in for: shown to that server alone, renewed once, and asked for in words when it is not enough. */
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signedInCredentials } from '../../../runtime/consent/credentials.ts';
import { signInTo } from '../../../runtime/consent/flow.ts';
import { type Grants, openGrants, whereOf } from '../../../runtime/consent/grants.ts';
import type { Credentials } from '../../../runtime/remote/requests.ts';
import type { RemoteLaunch } from '../../../schemas/remote.ts';
import { openStage, REGISTRY, type Stage } from '../../helpers/consent.ts';
import { connectTo, newAuthority } from '../../helpers/remote.ts';
import { tempDir } from '../../helpers/session.ts';

interface Kept extends Stage {
  readonly path: string;
  readonly grants: Grants;
  /** As another process would have them. */
  show(registry?: string, launch?: RemoteLaunch): Credentials;
  later(seconds: number): void;
}

async function signedIn(life?: number): Promise<Kept> {
  const stage = await openStage();
  const path = join(tempDir(), 'server-sign-ins.json');
  const grants = openGrants(path);
  let ahead = 0;
  let count = 0;
  stage.says.tokens = () => {
    const token = { access_token: `t${++count}`, token_type: 'Bearer' };
    stage.good.clear();
    stage.good.add(token.access_token);
    return [200, life === undefined ? token : { ...token, expires_in: life, refresh_token: `r${count}` }];
  };
  await grants.keep(await signInTo(stage.wish()));
  const now = (): Date => new Date(Date.now() + ahead);
  const show = (registry = REGISTRY, launch = stage.launch): Credentials =>
    signedInCredentials({ grants: openGrants(path), registry, launch, alias: 'tickets', now });
  return { ...stage, path, grants, show, later: (seconds) => void (ahead += seconds * 1000) };
}

describe('what a person signed in for', () => {
  it('is in a file of their own, and shown to the server that it is for', async () => {
    const { path, show, launch } = await signedIn();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const { peer } = await connectTo(launch.url, { credentials: show() });
    expect(await peer.ask('tools/list', {}, 5000)).toMatchObject({ tools: [] });
  });

  it('is not shown where another registry’s lock names the same address', async () => {
    const { show } = await signedIn();
    expect(await show('https://other.acme.test').headers()).toEqual({});
  });

  const [old, new1, new2] = ['a', 'b', 'c'].map((one) => `sha256:${one.repeat(64)}`) as [
    string,
    string,
    string,
  ];
  it.each([
    ['verifies by another authority', { ca: newAuthority().cert }, {}],
    ['verifies by the public ones', { ca: null }, {}],
    ['has to have other keys, all of them new', { leaf: [new1], issuer: [new2] }, {}],
    ['has no pinned key', { leaf: [], issuer: [] }, {}],
    ['has a new key of the same issuer', { leaf: [new1] }, { authorization: 'Bearer t1' }],
    ['has a new issuer and the same key', { issuer: [new2] }, { authorization: 'Bearer t1' }],
  ])('where a lock has the same address, and who answers there %s', async (_name, tls, shown) => {
    const { show, launch, grants, path } = await signedIn();
    const pinned = { ...launch, tls: { ...launch.tls, leaf: [old], issuer: [old] } };
    const kept = await grants.of(whereOf(REGISTRY, launch));
    if (kept === null) throw new Error('nothing is kept');
    await grants.keep({ ...kept, ...whereOf(REGISTRY, pinned) });
    expect(await show(REGISTRY, { ...pinned, tls: { ...pinned.tls, ...tls } }).headers()).toEqual(shown);
    await grants.forget({ registry: REGISTRY, url: launch.url });
    expect(readFileSync(path, 'utf8')).not.toContain('t1');
  });

  it('is not read where others may read it', async () => {
    const { path, show } = await signedIn();
    chmodSync(path, 0o640);
    await expect(show().headers()).rejects.toMatchObject({ code: 'SECRET_UNUSABLE' });
  });

  it('is renewed once, whoever asks, and what it is renewed with next is kept', async () => {
    const { show, later, forms, path } = await signedIn(300);
    later(280);
    const shown = await Promise.all([show().headers(), show().headers(), show().headers()]);
    expect(shown).toEqual(Array.from({ length: 3 }, () => ({ authorization: 'Bearer t2' })));
    expect(forms.map((form) => form.get('grant_type'))).toEqual(['authorization_code', 'refresh_token']);
    expect(forms[1]?.get('refresh_token')).toBe('r1');
    expect(readFileSync(path, 'utf8')).toContain('"r2"');
  });

  it('is renewed where the server turned it down, and shown once more', async () => {
    const { show, good, forms, launch, later } = await signedIn(300);
    later(61);
    good.clear();
    const { peer } = await connectTo(launch.url, { credentials: show() });
    await peer.ask('tools/list', {}, 5000);
    expect(forms).toHaveLength(2);
  });

  it('is renewed once a minute where the server turns all of them down, whoever calls, and says what to do', async () => {
    const { show, good, forms, launch, later, says, served } = await signedIn(3000);
    const { tokens } = says;
    says.tokens = (form) => {
      const given = tokens(form);
      good.clear();
      return given;
    };
    const call = async (credentials: Credentials): Promise<string> => {
      const { peer } = await connectTo(launch.url, { credentials });
      return String(await peer.ask('tools/list', {}, 5000).catch((thrown: unknown) => thrown));
    };
    good.clear();
    const before = served.seen.length;
    // Just given, then a minute old: renewed and shown once more; new again.
    for (const seconds of [0, 61, 0, 20]) {
      later(seconds);
      expect(await call(show())).toContain('If the server turns that down as well, ask its operator');
    }
    expect([forms.length, served.seen.length - before]).toEqual([2, 5]);
    later(41);
    await call(show());
    expect(forms).toHaveLength(3);
  });

  it('that ended is asked for in words: nothing else is shown, and what is kept stays', async () => {
    const { show, later, says, path } = await signedIn(300);
    const before = readFileSync(path, 'utf8');
    later(400);
    says.tokens = () => [400, { error: 'invalid_grant', error_description: 'r1' }];
    const error = await show()
      .headers()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SIGN_IN_NEEDED', next: 'Run: lk login --server tickets' });
    expect(String(error)).not.toContain('r1');
    says.tokens = () => [503, {}];
    await expect(show().headers()).rejects.toMatchObject({ code: 'UPSTREAM_CREDENTIAL' });
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it.each([
    ['a resource in another spelling', { resource: 'HTTPS://tickets.acme.test/mcp' }],
    ['a token without an end', { access: `a${'='.repeat(20_000)}` }],
    ['an endless place of tokens', { tokenUrl: `https://as.acme.test/${'a'.repeat(600)}` }],
    ['a client with a blank', { client: { id: 'my client', method: 'none' } as const }],
    ['scopes without an end', { scopes: Array.from({ length: 101 }, (_, at) => `s${at}`) }],
  ])('is still there when a sign-in for another server comes with %s', async (_name, odd) => {
    const { show, grants, launch, path } = await signedIn();
    const before = readFileSync(path, 'utf8');
    const kept = await grants.of(whereOf(REGISTRY, launch));
    if (kept === null) throw new Error('nothing is kept');
    const other = { ...kept, url: 'https://tickets.acme.test/mcp', ...odd };
    await expect(grants.keep(other)).rejects.toMatchObject({ code: 'METADATA_INVALID' });
    expect(readFileSync(path, 'utf8')).toBe(before);
    expect(await show().headers()).toEqual({ authorization: 'Bearer t1' });
  });

  it('is renewed with nothing that cannot be kept', async () => {
    const { show, later, says, path } = await signedIn(300);
    const before = readFileSync(path, 'utf8');
    later(280);
    says.tokens = () => [200, { access_token: `a${'='.repeat(20_000)}`, token_type: 'Bearer' }];
    await expect(show().headers()).rejects.toMatchObject({ code: 'UPSTREAM_CREDENTIAL' });
    expect(readFileSync(path, 'utf8')).toBe(before);
  });

  it('is forgotten for good', async () => {
    const { show, grants, launch } = await signedIn();
    const where = { registry: REGISTRY, url: launch.url };
    expect([await grants.forget(where), await grants.forget(where)]).toEqual([true, false]);
    expect(await show().headers()).toEqual({});
  });
});

describe('a server that turns a person down', () => {
  const ask = async (credentials: Credentials, url: string): Promise<unknown> => {
    const { peer } = await connectTo(url, { credentials });
    return peer.ask('tools/list', {}, 5000).catch((thrown: unknown) => thrown);
  };

  it.each([
    [401, 'Bearer', 'SIGN_IN_NEEDED', ''],
    [403, 'Bearer error="insufficient_scope", scope="mcp:write"', 'SIGN_IN_NEEDED', '--scope mcp:write'],
    [
      403,
      'Bearer error="insufficient_scope", scope="$(reboot)"',
      'SIGN_IN_NEEDED',
      'asking for "$(reboot)".',
    ],
    [403, 'Bearer error="insufficient_scope"', 'REMOTE_REFUSED', 'signing in again changes nothing'],
    [403, undefined, 'REMOTE_REFUSED', ''],
  ])('with %s and %s is told as %s', async (status, challenge, code, words) => {
    const { show, says, good, launch, served } = await signedIn();
    good.clear();
    const before = served.seen.length;
    Object.assign(says, { status, challenge });
    const credentials = show();
    let told = '';
    const telling: Credentials = {
      ...credentials,
      refusal: (reply) => {
        const error = credentials.refusal?.(reply);
        told = `${error?.code} ${error?.message}`;
        if (!error) throw new Error('no refusal');
        // What a model is told holds no word of the server.
        expect(error.told).not.toMatch(/mcp:write|reboot/);
        return error;
      },
    };
    expect(JSON.stringify(await ask(telling, launch.url))).toContain(code);
    expect(told).toContain(code);
    expect(told).toContain(words);
    // Without anything else to show it is not asked again.
    expect(served.seen).toHaveLength(before + 1);
  });

  it('that nobody signed in for says how to', async () => {
    const { says, launch } = await openStage();
    says.challenge = 'Bearer';
    const grants = openGrants(join(tempDir(), 'none.json'));
    const credentials = signedInCredentials({
      grants,
      registry: REGISTRY,
      launch,
      alias: 'tickets',
      now: () => new Date(),
    });
    expect(JSON.stringify(await ask(credentials, launch.url))).toContain('lk login --server tickets');
  });
});
