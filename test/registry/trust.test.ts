import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadKeys } from '../../registry/keys.ts';
import { openTrust } from '../../registry/trust.ts';
import { openRoot } from '../../runtime/trust/root.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { freshDatabase, servers } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';

describe.each(servers().slice(0, 1))('a registry’s trust', (server) => {
  it.each([true, false])('stays what it was made as: trial %s', async (trial) => {
    const { pool, drop } = await freshDatabase(server);
    const keys = await loadKeys(join(tempDir(), 'keys'));
    const made = await openTrust(pool, keys, { trial, policy: DEFAULT_POLICY });
    const before = (await made.current()).trusted.root;
    expect(before.roles.approver.threshold).toBe(trial ? 1 : 2);
    await expect(openTrust(pool, keys, { trial: !trial, policy: DEFAULT_POLICY })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      found: expect.stringContaining(trial ? 'full' : 'trial'),
    });
    const again = await openTrust(pool, keys, { trial, policy: DEFAULT_POLICY });
    expect((await again.current()).trusted.root).toEqual(before);
    await drop();
  });

  it('shows a new root at once, with what leads to it, also after one that was refused', async () => {
    const { pool, drop } = await freshDatabase(server);
    const keys = await loadKeys(join(tempDir(), 'keys'));
    const trust = await openTrust(pool, keys, { trial: true, policy: DEFAULT_POLICY });
    const { envelope: first } = await trust.current();
    expect(await trust.renew()).toBe(2);
    await expect(trust.accept(first, 'root')).rejects.toMatchObject({ code: 'ROOT_UNTRUSTED' });
    const { trusted, ...evidence } = await trust.evidence(keys.pin.rootKeys);
    expect(trusted.root.version).toBe(2);
    expect(openRoot(evidence, keys.pin, new Date()).root).toEqual(trusted.root);
    await drop();
  });
});

describe('the keys of a registry', () => {
  it('are its own alone, and not read once somebody else may read them', async () => {
    const dir = join(tempDir(), 'keys');
    await loadKeys(dir);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of ['root', 'lock', 'lock.2', 'scanner', 'log', 'log.2']) {
      const path = join(dir, `${name}.pem`);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      chmodSync(path, 0o640);
      await expect(loadKeys(dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
      chmodSync(path, 0o600);
    }
    await expect(loadKeys(dir)).resolves.toBeDefined();
  });
});
