import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LockContext, verifyLock } from '../../runtime/trust/lock.ts';
import { type LockFile, renderLockFile } from '../../schemas/lock.ts';
import { SUBMISSION, servers, startTestRegistry, type TestRegistry } from '../helpers/registry.ts';

describe.each(servers().slice(0, 1))('keys of the registry that are replaced', (server) => {
  let registry: TestRegistry;
  let pin: LockContext['pin'];
  beforeAll(async () => {
    registry = await startTestRegistry(server);
    await registry.person('ada', 'admin');
    await registry.person('dave', 'publisher');
    await registry.person('erin', 'developer');
    const reviewers = [await registry.reviewer('alice'), await registry.reviewer('bob')];
    await registry.approved('dave', reviewers);
    const { body } = await registry.call(null, 'GET', '/v1/trust');
    pin = { rootKeys: body.rootKeys, threshold: body.threshold };
  });
  afterAll(() => registry?.close());

  const lock = async (): Promise<LockFile> => {
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: 'http://127.0.0.1:7411',
      trust: pin,
      servers: { weather: { server: SUBMISSION.name, range: '*', mounts: { '/data': './docs' } } },
    };
    const { body } = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    return body.file;
  };
  const verified = (file: LockFile, now = new Date()): ReturnType<typeof verifyLock> =>
    verifyLock(Buffer.from(renderLockFile(file)), {
      pin,
      audience: 'acme/app',
      environment: 'development',
      now,
      seen: null,
    });
  const rotate = (role: string): ReturnType<TestRegistry['call']> =>
    registry.call('ada', 'POST', '/v1/keys/rotate', { role });
  const keyOf = (file: LockFile): string | undefined => file.signatures[0]?.keyid;
  const lineOf = (file: LockFile): string | undefined => file.evidence.log.checkpoint.split('\n').at(-2);

  it('sign on: what the lock key before it signed holds, and the next one is new', async () => {
    const before = await lock();
    expect((await rotate('lock')).status).toBe(200);
    const after = await lock();
    expect(keyOf(after)).not.toBe(keyOf(before));
    expect(after.evidence.root).not.toEqual(before.evidence.root);
    verified(before);
    verified(after);
    // Under the newer root too, while locks of the older key may live.
    const old = keyOf(before);
    const { trusted } = verified(after);
    expect([...trusted.keys('lock').keys()]).toContain(old);
    const later = new Date(Date.now() + 73 * 3_600_000);
    const key = trusted.root.keys.find(({ keyid }) => keyid === old);
    expect(Date.parse(key?.notAfter ?? '')).toBeLessThan(later.getTime());
  });

  it('go on from the key that stands by, each time another', async () => {
    const keys = new Set<string | undefined>();
    for (let i = 0; i < 3; i++) {
      await rotate('lock');
      keys.add(keyOf(await lock()));
    }
    expect(keys.size).toBe(3);
  });

  it('sign the log on, and what was seen before it still grows into what comes after', async () => {
    const before = await lock();
    expect((await rotate('log')).status).toBe(200);
    const after = await lock();
    expect(lineOf(after)?.split(' ')[1]).toBe(lineOf(before)?.split(' ')[1]);
    expect(lineOf(after)?.slice(0, 30)).not.toBe(lineOf(before)?.slice(0, 30));
    const { seen } = verified(before);
    expect(() =>
      verifyLock(Buffer.from(renderLockFile(after)), {
        pin,
        audience: 'acme/app',
        environment: 'development',
        now: new Date(),
        seen,
      }),
    ).not.toThrow();
  });

  it('are replaced by an administrator alone', async () => {
    for (const person of ['erin', 'alice']) {
      const answer = await registry.call(person, 'POST', '/v1/keys/rotate', { role: 'lock' });
      expect(answer.body.code).toBe('FORBIDDEN');
    }
  });
});
