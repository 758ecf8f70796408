/** The lock key behind a program: openssl stands for the HSM, as one process for each signature. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadKeys } from '../../registry/keys.ts';
import { openTrust } from '../../registry/trust.ts';
import { readPublicKey, verifyBytes } from '../../schemas/dsse.ts';
import { LOCK_TYPE, lockPayload } from '../../schemas/lock.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { freshDatabase, servers, startTestRegistry } from '../helpers/registry.ts';
import { tempDir } from '../helpers/session.ts';

const environment = { PATH: process.env.PATH };

/** A device with one P-256 key, and the reference that `lk keys new --command` would write. */
function device(): { path: string; program: string; keyid: string; publicKey: string } {
  const dir = tempDir();
  const openssl = (...words: string[]): void =>
    void execFileSync('openssl', words, { cwd: dir, stdio: 'pipe' });
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'key.pem');
  openssl('pkey', '-in', 'key.pem', '-pubout', '-out', 'key.pub');
  const program = join(dir, 'sign');
  const script = `#!/bin/sh\nopenssl pkeyutl -sign -inkey ${dir}/key.pem | openssl base64\n`;
  writeFileSync(program, script, { mode: 0o755 });
  const publicKey = readFileSync(join(dir, 'key.pub'), 'utf8');
  const path = join(dir, 'lock.json');
  const reference = { lockkeeper: 'key/v1', kind: 'command', publicKey, command: [program] };
  writeFileSync(path, JSON.stringify(reference), { mode: 0o600 });
  return { path, program, publicKey, keyid: readPublicKey(publicKey).keyid };
}

const files = (dir: string): string[] => readdirSync(dir).filter((name) => name.startsWith('lock'));

describe('a lock key behind a program', () => {
  it('is the first one of a new registry, with no key in a file behind it', async () => {
    const dir = join(tempDir(), 'keys');
    const { path: lockSigner, keyid } = device();
    const keys = await loadKeys(dir, { lockSigner, environment });
    expect(keys.lock.map((key) => [key.keyid, key.inFile])).toEqual([[keyid, false]]);
    expect(files(dir)).toEqual(['lock.json']);
    expect(statSync(join(dir, 'lock.json')).mode & 0o777).toBe(0o600);
    for (const setting of [{ lockSigner, environment }, { environment }])
      expect((await loadKeys(dir, setting)).lock.map((key) => key.keyid)).toEqual([keyid]);
    expect(files(dir)).toEqual(['lock.json']);
  });

  it('stands by in a registry that has keys in files, once, however many start together', async () => {
    const dir = join(tempDir(), 'keys');
    await loadKeys(dir);
    const { path: lockSigner, keyid } = device();
    const all = await Promise.all([1, 2, 3].map(() => loadKeys(dir, { lockSigner, environment })));
    for (const { lock } of all) expect(lock.map((key) => key.inFile)).toEqual([true, true, false]);
    expect(all[0]?.lock[2]?.keyid).toBe(keyid);
    expect(files(dir).sort()).toEqual(['lock.2.pem', 'lock.3.json', 'lock.pem']);
  });

  it('follows its program to another place, after that signed too', async () => {
    const dir = join(tempDir(), 'keys');
    const { path: lockSigner, program } = device();
    await loadKeys(dir, { lockSigner, environment });
    const moved = `${program}-moved`;
    const reference = JSON.parse(readFileSync(lockSigner, 'utf8'));
    writeFileSync(lockSigner, JSON.stringify({ ...reference, command: [moved] }));
    await expect(loadKeys(dir, { lockSigner, environment })).rejects.toMatchObject({ code: 'SIGNER_FAILED' });
    writeFileSync(moved, readFileSync(program), { mode: 0o755 });
    await loadKeys(dir, { lockSigner, environment });
    expect(JSON.parse(readFileSync(join(dir, 'lock.json'), 'utf8')).command).toEqual([moved]);
    expect(files(dir)).toEqual(['lock.json']);
  });

  it.each<[string, (at: { dir: string; path: string; program: string }) => void, string]>([
    ['without a reference', ({ path }) => rmSync(path), 'CONFIG_INVALID'],
    [
      'with a reference that is none',
      ({ path }) => writeFileSync(path, '{"kind":"command"}'),
      'CONFIG_INVALID',
    ],
    ['with a program that is gone', ({ program }) => rmSync(program), 'SIGNER_FAILED'],
    [
      'with a key of an SSH agent',
      ({ path }) => {
        const { command: _, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
        writeFileSync(path, JSON.stringify({ ...rest, kind: 'ssh-agent', comment: '' }));
      },
      'CONFIG_INVALID',
    ],
    [
      'that others may read',
      ({ path }) => {
        const text = readFileSync(path);
        rmSync(path);
        writeFileSync(path, text, { mode: 0o644 });
      },
      'CONFIG_INVALID',
    ],
    [
      'whose key is in a file as well',
      ({ dir, program }) => {
        mkdirSync(dir, { mode: 0o700 });
        const pem = readFileSync(join(program, '../key.pem'));
        writeFileSync(join(dir, 'lock.pem'), pem, { mode: 0o600 });
      },
      'CONFIG_INVALID',
    ],
  ])('%s: the registry does not start', async (_what, spoil, code) => {
    const dir = join(tempDir(), 'keys');
    const { path: lockSigner, program } = device();
    spoil({ dir, path: lockSigner, program });
    await expect(loadKeys(dir, { lockSigner, environment })).rejects.toMatchObject({ code });
    expect(existsSync(join(dir, 'lock.json'))).toBe(false);
  });

  it('is no key of the log, whose notes are signed in the process itself', async () => {
    const dir = join(tempDir(), 'keys');
    await loadKeys(dir);
    writeFileSync(join(dir, 'log.json'), readFileSync(device().path), { mode: 0o600 });
    await expect(loadKeys(dir)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe.each(servers().slice(0, 1))('locks of a registry whose key is behind a program', (server) => {
  it('verify, and there is nothing to rotate to until another key stands by', async () => {
    const first = device();
    const registry = await startTestRegistry(server, { lockSigner: first.path });
    await registry.person('erin', 'developer');
    await registry.person('root', 'admin');
    const { trusted } = await registry.deps.trust.current();
    expect(trusted.root.roles.lock.keyids).toEqual([first.keyid]);
    const intent = {
      lockkeeper: 'intent/v1',
      project: 'acme/app',
      environment: 'development',
      registry: 'http://127.0.0.1:7411',
      trust: { rootKeys: trusted.root.roles.root.keyids, threshold: 1 },
      servers: {},
    };
    const { status, body } = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    expect(status).toBe(200);
    const { lock, signatures } = body.file;
    const [signature = { keyid: '', sig: '' }] = signatures;
    expect(signature.keyid).toBe(first.keyid);
    const { key } = readPublicKey(first.publicKey);
    expect(verifyBytes(LOCK_TYPE, lockPayload(lock), signature, key)).toBe(true);
    const rotated = await registry.call('root', 'POST', '/v1/keys/rotate', { role: 'lock' });
    expect([rotated.status, rotated.body.code]).toEqual([422, 'KEY_UNKNOWN']);
    // The device is switched off: a sentence, and no lock.
    writeFileSync(first.program, '#!/bin/sh\necho "no device" >&2\nexit 1\n');
    const off = await registry.call('erin', 'POST', '/v1/locks', { intent, previous: null });
    expect([off.status, off.body.code]).toEqual([502, 'SIGNER_FAILED']);
    expect(JSON.stringify(off.body)).not.toMatch(/no device|tmp/);
    const { rows } = await registry.pool.query('select count(*)::int as n from locks');
    expect(rows).toEqual([{ n: 1 }]);
    await registry.close();
  });

  it('come from a file before the rotation and from the program after it', async () => {
    const { pool, drop } = await freshDatabase(server);
    const dir = join(tempDir(), 'keys');
    const trial = { trial: true, policy: DEFAULT_POLICY };
    await openTrust(pool, await loadKeys(dir), trial);
    const { path: lockSigner, keyid } = device();
    const trust = await openTrust(pool, await loadKeys(dir, { lockSigner, environment }), trial);
    const before = await trust.lockKey();
    expect(before.keyid).not.toBe(keyid);
    expect(readPublicKey(trust.standby().lock).keyid).toBe(keyid);
    await trust.renew({ rotate: 'lock', person: 'root' });
    expect((await trust.lockKey()).keyid).toBe(keyid);
    const { roles } = (await trust.current()).trusted.root;
    expect(roles.lock.keyids).toEqual([before.keyid, keyid]);
    expect(files(dir).sort()).toEqual(['lock.2.pem', 'lock.3.json', 'lock.pem']);
    await expect(trust.renew({ rotate: 'lock', person: 'root' })).rejects.toMatchObject({
      code: 'KEY_UNKNOWN',
    });
    await drop();
  });
});
