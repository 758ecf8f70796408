/** A job of a CI system approves and revokes without a key: named in the root by its holders, certified for each signature. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newCode } from '../../registry/db/people.ts';
import type { JsonObject } from '../../schemas/common.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { identityKeyId } from '../../schemas/root.ts';
import { BARE } from '../helpers/bare.ts';
import { here } from '../helpers/here.ts';
import { servers, startTestRegistry, submissionOf, type TestRegistry } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';
import { identityToken, type Sigstore, startSigstore } from '../helpers/sigstore.ts';
import type { Key } from '../helpers/trust.ts';

const ISSUER = 'https://ci.example.test';
const SAN = 'https://git.example.test/acme/weather/.ci/release.yml@refs/heads/main';

describe.each(servers().slice(0, 1))('an approval by a CI job', (server) => {
  let registry: TestRegistry;
  let sigstore: Sigstore;
  let alice: Key;
  let url: string;
  let trustedRoot: string;
  const homes = { admin: tempDir(), ci: tempDir(), erin: tempDir() };
  const project = tempDir();

  interface Said {
    readonly exit: number;
    readonly data: JsonObject;
  }
  const lk = (as: keyof typeof homes, words: string[], more: Record<string, string> = {}): Promise<Said> =>
    here([...words, '--json'], { cwd: project, env: { ...BARE, LOCKKEEPER_HOME: homes[as], ...more } });
  const must = async (...[as, words, more]: Parameters<typeof lk>): Promise<Said['data']> => {
    const { exit, data } = await lk(as, words, more);
    expect(exit, JSON.stringify(data)).toBe(0);
    return data;
  };
  const identity = ['--issuer', ISSUER, '--san', SAN, '--trusted-root', 'trusted_root.json'];
  const job = (sub = SAN): Record<string, string> => ({
    SIGSTORE_ID_TOKEN: identityToken({ iss: ISSUER, sub }),
  });

  beforeAll(async () => {
    sigstore = await startSigstore();
    registry = await startTestRegistry(server);
    url = await registry.app.listen({ host: '127.0.0.1', port: 0 });
    trustedRoot = join(project, 'trusted_root.json');
    writeFileSync(trustedRoot, sigstore.trustedRoot);
    await registry.person('dave', 'publisher');
    alice = await registry.reviewer('alice');
    await registry.person('ci', 'reviewer');
    await registry.person('erin', 'developer');
    await registry.person('admin', 'admin');
    for (const as of ['admin', 'ci', 'erin'] as const)
      await must(as, ['login', url, '--code', (await newCode(registry.pool, as, 1)).code]);
    mkdirSync(join(homes.admin, 'keys'), { recursive: true, mode: 0o700 });
    const holder = join(homes.admin, 'keys/holder.pem');
    writeFileSync(holder, registry.keys.root?.export({ type: 'pkcs8', format: 'pem' }) ?? '');
    chmodSync(holder, 0o600);
  });
  afterAll(async () => {
    await registry.close();
    await sigstore.close();
  });

  it('is named in the root by its holders, who read exactly whom they let in', async () => {
    const add = ['keys', 'root', 'add', 'next.json', '--person', 'ci', ...identity];
    await must('admin', ['keys', 'root', 'init', 'next.json']);
    const locks = await lk('admin', [...add, '--role', 'lock']);
    expect(locks).toMatchObject({ exit: 2, data: { error: { code: 'USAGE' } } });
    const logless = { ...JSON.parse(sigstore.trustedRoot.toString()), tlogs: [] };
    for (const text of [
      'no json',
      '{}',
      '{"tlogs":[{}],"certificateAuthorities":[1]}',
      JSON.stringify(logless),
    ]) {
      writeFileSync(join(project, 'other.json'), text);
      const other = [...add.slice(0, -1), 'other.json', '--role', 'revoker'];
      expect(await lk('admin', other)).toMatchObject({ exit: 2, data: { error: { code: 'USAGE' } } });
    }
    const { changes } = await must('admin', [...add, '--role', 'approver', '--role', 'revoker']);
    const id = identityKeyId({ issuer: ISSUER, san: SAN }).slice(7);
    expect(changes).toEqual([
      `+ approver ci (${SAN} by ${ISSUER}, ${id})`,
      `+ revoker ci (${SAN} by ${ISSUER}, ${id})`,
      expect.stringMatching(/^~ sigstore root of identities: none -> sha256:[0-9a-f]{64}$/),
    ]);
    await must('admin', ['keys', 'root', 'sign', 'next.json', '--key', 'holder']);
    await must('admin', ['keys', 'root', 'submit', 'next.json']);
  });

  it('approves as one of two, under its own name, and the lock is verified with no key of it anywhere', async () => {
    const made = ['keys', 'new', '--sigstore', ...identity, '--name', 'ci'];
    const places = ['--fulcio', sigstore.url, '--rekor', sigstore.url, '--tsa', sigstore.url];
    expect(await must('ci', [...made, ...places])).toMatchObject({ kind: 'sigstore', type: 'identity' });
    const id = await registry.scanned('dave', submissionOf('1.2.3'));
    expect((await registry.approve(alice, id)).status).toBe(200);
    const words = ['approve', String(id), '--accept', 'LK-SRF-01=read the change'];
    // Another branch of the same repository: nothing leaves.
    const neighbour = await lk('ci', words, job(SAN.replace('main', 'other')));
    expect(neighbour).toMatchObject({ exit: 4, data: { error: { code: 'SIGNER_FAILED' } } });
    expect((await registry.pool.query('select 1 from approvals')).rows).toHaveLength(1);
    expect(await must('ci', words, job())).toMatchObject({ state: 'approved', given: 2 });
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: url,
      trust: { rootKeys: registry.keys.pin.rootKeys, threshold: 1 },
      servers: { weather: { server: 'acme.tools/weather', range: '1.2.3' } },
    };
    writeFileSync(join(project, 'lockkeeper.json'), JSON.stringify(intent));
    const locked = await lk('erin', ['lock']);
    expect(locked.exit, JSON.stringify(locked.data)).toBe(0);
    const before = sigstore.asked.length;
    await must('erin', ['ci', '--offline']);
    expect(sigstore.asked).toHaveLength(before);
    const lock = JSON.parse(readFileSync(join(project, 'mcp.lock'), 'utf8'));
    expect(lock.lock.servers.weather.approvedBy).toEqual(['alice', 'ci']);
  });

  it('is not taken from the wire with another’s certificate, nor without one', async () => {
    const lock = JSON.parse(readFileSync(join(project, 'mcp.lock'), 'utf8'));
    const keyid = identityKeyId({ issuer: ISSUER, san: SAN });
    const envelopes: Envelope[] = Object.values(lock.evidence.approvals);
    const mine = envelopes.find(({ signatures }) => signatures[0]?.keyid === keyid);
    const id = await registry.scanned('dave', submissionOf('1.2.4'));
    const statement = await registry.statement('ci', id);
    const payload = Buffer.from(JSON.stringify(statement)).toString('base64');
    for (const signature of [mine?.signatures[0], { keyid, sig: mine?.signatures[0]?.sig }]) {
      const envelope = { payloadType: mine?.payloadType, payload, signatures: [signature] };
      const answer = await registry.call('ci', 'POST', `/v1/releases/${id}/approvals`, { envelope });
      expect(answer).toMatchObject({ status: 422, body: { code: 'SIGNATURE_INVALID' } });
    }
    expect((await registry.pool.query('select 1 from approvals where release_id = $1', [id])).rows).toEqual(
      [],
    );
  });

  it('revokes at once, signed as itself', async () => {
    const words = ['revoke', 'weather@1.2.3', '--reason', 'found in a nightly run', '--key', 'ci'];
    expect(await must('ci', words, job())).toMatchObject({ signed: true });
    expect((await lk('erin', ['ci'])).exit).toBe(3);
  });

  it('signs nothing that takes a key', async () => {
    const sign = await lk('ci', ['keys', 'root', 'sign', 'next.json', '--key', 'ci'], job());
    expect(sign).toMatchObject({ exit: 3, data: { error: { code: 'KEY_FILE' } } });
    const enrol = await lk('ci', ['keys', 'enrol', '--name', 'ci'], job());
    expect(enrol).toMatchObject({ exit: 3, data: { error: { code: 'KEY_FILE' } } });
  });
});
