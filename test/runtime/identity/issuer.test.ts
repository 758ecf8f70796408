/** Tokens of a real issuer: discovery, rotation, silence, and who they are found to be. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { subjectOf } from '../../../runtime/identity/identified.ts';
import type { IdentityConfig } from '../../../schemas/identity.ts';
import { certify, makeAuthority } from '../../helpers/certificates.ts';
import { accepted, bearer, RESOURCE, refused, requestWith, testIdentity } from '../../helpers/identity.ts';
import { ownKey, signed, startIssuer, type TestIssuer } from '../../helpers/issuer.ts';
import { tempDir } from '../../helpers/session.ts';

let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await startIssuer();
});
afterEach(() => issuer.close());

const asksOf = (path: string): number => issuer.asked.filter((asked) => asked === path).length;

describe('a token of a real issuer', () => {
  it('is found to be its subject, and is verified once', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: issuer.url, scopes: ['mcp'] }] });
    expect(issuer.asked).toEqual([]);
    const token = await issuer.token(RESOURCE);
    const who = await accepted(identity, bearer(token));
    expect(who.caller).toEqual({ user: 'ada', teams: [], via: 'jwt', actors: [] });
    expect(who.servers).toBeNull();
    expect(who.expires).toBeGreaterThan(Date.now());
    expect(JSON.stringify(who)).not.toContain(token);
    expect(subjectOf(who.caller)?.token).toBe(token);
    expect((await accepted(identity, bearer(token))).caller).toBe(who.caller);
    expect(asksOf('/jwks')).toBe(1);
  });

  it('names people by a verified e-mail address and their teams by the claim that is configured', async () => {
    const config = {
      issuer: issuer.url,
      user: { claim: 'email' },
      teams: { path: ['realm_access', 'roles'] },
    };
    const identity = await testIdentity({ jwt: [config] });
    const groups = { realm_access: { roles: ['interns', 'docs'] } };
    issuer.claims = { email: 'Ada@Acme.Test', email_verified: true, ...groups };
    const { caller } = await accepted(identity, bearer(await issuer.token(RESOURCE)));
    expect(caller).toMatchObject({ user: 'ada@acme.test', teams: ['interns', 'docs'] });
    issuer.claims = { email: 'ada@acme.test', email_verified: 'true', ...groups };
    expect((await refused(identity, bearer(await issuer.token(RESOURCE)))).error.code).toBe(
      'IDENTITY_UNNAMED',
    );
    issuer.claims = { email: 'ada@acme.test', email_verified: true };
    const { error } = await refused(identity, bearer(await issuer.token(RESOURCE)));
    expect(error.message).toContain('realm_access.roles');
  });

  it('keeps users and teams of two issuers apart', async () => {
    const partner = await startIssuer();
    try {
      const jwt = [
        { issuer: issuer.url },
        { issuer: partner.url, prefix: 'partner', teams: { path: ['groups'] } },
      ];
      const identity = await testIdentity({ jwt });
      partner.claims = { groups: ['admins'] };
      const { caller } = await accepted(identity, bearer(await partner.token(RESOURCE)));
      expect(caller).toMatchObject({ user: 'partner:ada', teams: ['partner:admins'] });
      await expect(
        testIdentity({ jwt: [{ issuer: issuer.url }, { issuer: partner.url }] }),
      ).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      });
    } finally {
      await partner.close();
    }
  });

  it('is not for another resource, and its scopes are asked for by name', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: issuer.url, scopes: ['mcp', 'mcp:write'] }] });
    const elsewhere = await refused(identity, bearer(await issuer.token('https://other.acme.test/mcp')));
    expect(elsewhere).toMatchObject({ status: 401, error: { code: 'TOKEN_INVALID' } });
    const narrow = await refused(identity, bearer(await issuer.token(RESOURCE, 'mcp')));
    expect(narrow).toMatchObject({ status: 403, error: { code: 'SCOPE_MISSING' } });
    expect(narrow.headers['www-authenticate']).toBe(
      'Bearer realm="lockkeeper", resource_metadata="https://gateway.acme.test/.well-known/oauth-protected-resource/mcp", scope="mcp mcp:write", error="insufficient_scope", error_description="SCOPE_MISSING"',
    );
  });

  it('for one door opens that one, and no other; one for all opens each', async () => {
    const resource = 'https://gateway.acme.test/';
    const doors = ['/servers/docs/mcp', '/servers/code/mcp', '/mcp'];
    const at = (url: string, token: string) =>
      requestWith({ url, headers: [['Authorization', `Bearer ${token}`]] });
    const opens = async (config: Partial<IdentityConfig>, token: string): Promise<boolean[]> => {
      const identity = await testIdentity({ resource, jwt: [{ issuer: issuer.url }], ...config });
      // Twice: what is known of a token is not what was asked before.
      const answers = [...doors, ...doors].map((door) => identity.identify(at(door, token)));
      const letIn = (await Promise.all(answers)).map((answer) => !('refusal' in answer));
      expect(letIn.slice(3)).toEqual(letIn.slice(0, 3));
      return letIn.slice(0, 3);
    };
    const docs = await issuer.token(`${resource}servers/docs/mcp`);
    expect(await opens({}, docs)).toEqual([true, false, false]);
    expect(await opens({}, await issuer.token(`${resource}mcp`))).toEqual([false, false, true]);
    expect(await opens({}, await issuer.token(resource))).toEqual([true, true, true]);
    expect(await opens({ doors: false }, docs)).toEqual([false, false, false]);
    const named = [{ issuer: issuer.url, audience: [resource] }];
    expect(await opens({ jwt: named }, docs)).toEqual([false, false, false]);
    for (const other of [
      'servers/docs/mcp/',
      'servers/DOCS/mcp',
      'servers/../mcp',
      'servers/%64ocs/mcp',
      'x',
    ])
      expect(await opens({}, await issuer.token(`${resource}${other}`))).toEqual([false, false, false]);
  });

  it('ends when it says, also when it was verified before', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: issuer.url, skewSeconds: 5 }] });
    const token = await issuer.token(RESOURCE);
    await accepted(identity, bearer(token));
    identity.later(303);
    await accepted(identity, bearer(token));
    identity.later(3);
    expect(await refused(identity, bearer(token))).toMatchObject({
      status: 401,
      error: { code: 'TOKEN_EXPIRED' },
    });
    expect(await refused(identity, bearer(token))).toMatchObject({ error: { code: 'TOKEN_EXPIRED' } });
  });
});

describe('the keys of an issuer', () => {
  const config = (url: string) => ({ issuer: url, freshSeconds: 60, staleSeconds: 60, coolSeconds: 30 });

  it('are asked for again when a token names another, once in the cool-down and once at a time', async () => {
    const identity = await testIdentity({ jwt: [config(issuer.url)] });
    const old = await issuer.token(RESOURCE);
    await accepted(identity, bearer(old));
    await issuer.rotate();
    const fresh = await issuer.token(RESOURCE);
    expect((await refused(identity, bearer(fresh))).error.found).toContain('key-2');
    expect(asksOf('/jwks')).toBe(1);
    identity.later(31);
    const all = await Promise.all([1, 2, 3, 4].map(() => accepted(identity, bearer(fresh))));
    expect(all).toHaveLength(4);
    expect(asksOf('/jwks')).toBe(2);
    // The key that signed it is gone: what was verified under it counts no longer.
    expect(await refused(identity, bearer(old))).toMatchObject({ status: 401 });
  });

  it('are used while nobody answers, and no longer than that', async () => {
    const identity = await testIdentity({ jwt: [config(issuer.url)] });
    const token = await issuer.token(RESOURCE);
    await accepted(identity, bearer(token));
    await issuer.silence();
    identity.later(100);
    await accepted(identity, bearer(token));
    expect(identity.troubles).toHaveLength(1);
    identity.later(30);
    const { status, headers, error } = await refused(identity, bearer(token));
    expect({ status, headers, code: error.code }).toEqual({
      status: 503,
      headers: { 'retry-after': '10' },
      code: 'IDENTITY_UNVERIFIED',
    });
    expect(error.message).toContain('ECONNREFUSED');
    await issuer.listen();
    identity.later(31);
    await accepted(identity, bearer(token));
  });

  it('are not believed of metadata that names another issuer', async () => {
    const identity = await testIdentity({ jwt: [{ issuer: `${issuer.url}/` }] });
    const token = await issuer.token(RESOURCE);
    // The token names the issuer without the slash: another one.
    expect((await refused(identity, bearer(token))).error.code).toBe('TOKEN_INVALID');
    const shouted = issuer.url.replace('127.0.0.1', 'localhost');
    const other = await testIdentity({ jwt: [{ issuer: shouted }] });
    const { error } = await refused(other, bearer(await signedFor(shouted)));
    expect(error.code).toBe('IDENTITY_UNVERIFIED');
    expect(error.message).toContain('metadata of the issuer');
  });

  it('come over TLS that the configured authority vouches for', async () => {
    const dir = tempDir();
    const authority = makeAuthority(dir, 'authority');
    const tls = certify(authority, { name: 'issuer', san: 'IP:127.0.0.1', usage: 'serverAuth' });
    const secure = await startIssuer({ tls });
    try {
      writeFileSync(join(dir, 'ca.pem'), authority.cert);
      const known = await testIdentity({ jwt: [{ issuer: secure.url, ca: 'ca.pem' }] }, dir);
      const unknown = await testIdentity({ jwt: [{ issuer: secure.url }] });
      const { error } = await refused(known, bearer(await signedFor(secure.url)));
      expect(error.code).toBe('TOKEN_INVALID');
      expect(secure.asked).toContain('/jwks');
      const without = await refused(unknown, bearer(await signedFor(secure.url)));
      expect(without.error.code).toBe('IDENTITY_UNVERIFIED');
      expect(without.error.message).toMatch(/SELF_SIGNED|UNABLE_TO|self-signed/);
    } finally {
      await secure.close();
    }
  });
});

async function signedFor(url: string): Promise<string> {
  const exp = Math.floor(Date.now() / 1000) + 60;
  return signed(await ownKey('own'), { iss: url, aud: RESOURCE, sub: 'ada', exp });
}
