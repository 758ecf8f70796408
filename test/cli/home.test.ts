import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { openHome } from '../../cli/home.ts';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import type { SeenLock } from '../../runtime/trust/freshness.ts';
import { tempDir } from '../helpers/session.ts';
import { people } from '../helpers/trust.ts';

/** The real call, and what it saw: sizes by path. Nothing is replaced, only watched. */
const synced = vi.hoisted(() => new Map<string, number>());
const PEM = String(people.alice.key.export({ type: 'pkcs8', format: 'pem' }));
const modeOf = (path: string): number => statSync(path).mode & 0o777;

/** Every open file's `sync`, watched through the prototype that all of them share. */
async function watchSyncs(): Promise<void> {
  const { open, readlink } = await import('node:fs/promises');
  const file = await open('/dev/null');
  const shared = Object.getPrototypeOf(file) as { sync: (this: typeof file) => Promise<void> };
  await file.close();
  const { sync } = shared;
  shared.sync = async function (this: typeof file) {
    synced.set(await readlink(`/proc/self/fd/${this.fd}`), (await this.stat()).size);
    return sync.call(this);
  };
}
await watchSyncs();

describe('a private key on this machine', () => {
  it('is for its owner alone, durable, and never written over', async () => {
    const home = openHome(tempDir());
    const path = await home.writeKey('alice', PEM);
    expect([modeOf(path), modeOf(join(home.dir, 'keys'))]).toEqual([0o600, 0o700]);
    expect(synced.get(path)).toBe(PEM.length);
    await expect(home.writeKey('alice', 'other')).rejects.toMatchObject({ code: 'USAGE' });
    expect(readFileSync(path, 'utf8')).toBe(PEM);
    expect((await home.readKey('alice')).keyid).toBe(people.alice.keyid);
  });

  it.each([0o640, 0o604, 0o660, 0o700 | 0o010])('is not read once others may: %o', async (mode) => {
    const home = openHome(tempDir());
    chmodSync(await home.writeKey('alice', PEM), mode);
    await expect(home.readKey('alice')).rejects.toMatchObject({ code: 'KEY_FILE' });
  });

  it.each(['../alice', '/etc/passwd', '', 'A', '.alice'])(
    'has no name that leads elsewhere: %s',
    async (name) => {
      const home = openHome(tempDir());
      await expect(home.readKey(name)).rejects.toMatchObject({ code: 'USAGE' });
    },
  );
});

describe('a file that is written at once', () => {
  it('takes the place of the old one, whose bytes stay as they were for whoever reads them', async () => {
    const dir = tempDir();
    const path = join(dir, 'below/x');
    await writeAtomic(path, 'old');
    linkSync(path, join(dir, 'kept'));
    await writeAtomic(path, 'the new text', 0o600);
    expect([readFileSync(path, 'utf8'), readFileSync(join(dir, 'kept'), 'utf8')]).toEqual([
      'the new text',
      'old',
    ]);
    expect(modeOf(path)).toBe(0o600);
    expect(readdirSync(join(dir, 'below'))).toEqual(['x']);
    const [temporary] = [...synced.keys()].filter((name) => name.startsWith(`${path}.`)).slice(-1);
    expect(synced.get(temporary ?? '')).toBe('the new text'.length);
  });

  it('leaves nothing behind where it cannot be put in its place', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'x'));
    writeFileSync(join(dir, 'x/inside'), '');
    await expect(writeAtomic(join(dir, 'x'), 'text')).rejects.toThrow();
    expect(readdirSync(dir)).toEqual(['x']);
  });
});

describe('what a home remembers', () => {
  const seen = (version: number, digit = version): SeenLock => ({
    version,
    digest: `sha256:${String(digit).repeat(64)}`,
    rootVersion: 1,
    checkpoint: 'a note',
  });

  it('is the newest lock seen of a project, never an older one', async () => {
    const home = openHome(tempDir());
    await home.saw('acme/app', seen(7));
    await home.saw('acme/app', seen(6));
    await home.saw('acme/app', seen(7, 1));
    expect(await home.seen('acme/app')).toEqual(seen(7));
    expect(await home.seen('acme/other')).toBeNull();
    await home.saw('acme/app', seen(8));
    expect(await home.seen('acme/app')).toEqual(seen(8));
  });

  it('is for its owner alone where it holds a token', async () => {
    const home = openHome(tempDir());
    const signIn = {
      registry: 'http://127.0.0.1:1',
      person: 'erin',
      token: 'lk_x',
      expires: '2026-11-24T00:00:00.000Z',
      rootKeys: [people.root.keyid],
      threshold: 1,
    };
    await home.remember(signIn);
    await home.remember({ ...signIn, token: 'lk_y' });
    expect(await home.signIns()).toEqual([{ ...signIn, token: 'lk_y' }]);
    const path = join(home.dir, 'credentials.json');
    expect([existsSync(path), modeOf(path)]).toEqual([true, 0o600]);
  });
});
