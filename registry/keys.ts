/** The registry's own key files, and which root keys it trusts itself. Files are 0600 in a folder of 0700. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootPin } from '../runtime/trust/root.ts';
import { keyIdOf, readPrivateKey } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseStrict } from '../schemas/json.ts';
import { RootPinFile } from '../schemas/root.ts';
import { assertValid } from '../schemas/validate.ts';

/** Keys of one role, oldest first. The last one stands by: no root names it until it replaces the one before it. */
export type KeyRing = readonly KeyObject[];

export interface RegistryKeys {
  readonly dir: string;
  /** Null where the root keys are kept offline. */
  readonly root: KeyObject | null;
  readonly lock: KeyRing;
  readonly scanner: KeyRing;
  readonly log: KeyRing;
  /** The root keys of the first root; what came after follows along the chain. */
  readonly pin: RootPin;
}

export type RingName = 'lock' | 'scanner' | 'log';

/** Reads the registry's keys, making them at the first start. Throws CONFIG_INVALID for a file that others can read. */
export async function loadKeys(dir: string): Promise<RegistryKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const pinned = await readIfThere(join(dir, 'pin.json'));
  // Once a pin is there, a missing root key was taken away on purpose.
  const first = pinned === null ? await makeKey(dir, 'root') : null;
  const pin = first
    ? await writePin(dir, first)
    : assertValid(RootPinFile, parseStrict(pinned ?? ''), join(dir, 'pin.json'));
  return {
    dir,
    root: first ?? (await readKey(dir, 'root')),
    lock: await loadRing(dir, 'lock'),
    scanner: await loadRing(dir, 'scanner'),
    log: await loadRing(dir, 'log'),
    pin: { rootKeys: pin.rootKeys, threshold: pin.threshold },
  };
}

async function writePin(dir: string, root: KeyObject): Promise<RootPin & { rootKeys: string[] }> {
  const pin = { rootKeys: [keyIdOf(createPublicKey(root))], threshold: 1 };
  await writeFile(join(dir, 'pin.json'), `${JSON.stringify({ lockkeeper: 'root-pin/v1', ...pin })}\n`, {
    mode: 0o600,
  });
  return pin;
}

/** `lock.pem`, `lock.2.pem`, `lock.3.pem` and so on; at least two, the last one standing by. */
async function loadRing(dir: string, name: RingName): Promise<KeyRing> {
  const ring = [await makeKey(dir, name)];
  for (let at = 2; ; at++) {
    const key = await readKey(dir, `${name}.${at}`);
    if (!key) break;
    ring.push(key);
  }
  if (ring.length < 2) ring.push(await makeKey(dir, `${name}.2`));
  return ring;
}

/** The ring with one more key standing by. */
export async function addStandby(dir: string, name: RingName, ring: KeyRing): Promise<KeyRing> {
  return [...ring, await makeKey(dir, `${name}.${ring.length + 1}`)];
}

/** Replicas on one folder race for the file; all read what the first one wrote. */
async function makeKey(dir: string, name: string): Promise<KeyObject> {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  await writeFile(join(dir, `${name}.pem`), pem, { mode: 0o600, flag: 'wx' }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  const key = await readKey(dir, name);
  if (key) return key;
  throw new LockkeeperError('CONFIG_INVALID', {
    expected: `the key ${name}.pem in ${dir}`,
    found: 'none, though it was just written',
    next: 'Check the folder, then start again',
  });
}

async function readKey(dir: string, name: string): Promise<KeyObject | null> {
  const path = join(dir, `${name}.pem`);
  const pem = await readIfThere(path);
  if (pem === null) return null;
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: `${path} readable by its owner alone`,
      found: `mode 0${(mode & 0o777).toString(8)}`,
      next: `Find out who read it, then run: chmod 600 ${path}`,
    });
  }
  return readPrivateKey(pem).key;
}

async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}
