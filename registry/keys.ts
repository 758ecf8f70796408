/**
 * The registry's own keys, and which root keys it trusts itself. Files are 0600 in a folder of 0700; the lock and the
 * scanner key may be references to keys behind a program.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { textIfThere } from '../runtime/store/there.ts';
import type { RootPin } from '../runtime/trust/root.ts';
import { keyIdOf, readPrivateKey } from '../schemas/dsse.ts';
import { canonical, parseStrict } from '../schemas/json.ts';
import { RootPinFile } from '../schemas/root.ts';
import { keySigner, type Signer, signWith, TRIAL_TYPE } from '../schemas/signer.ts';
import { assertValid } from '../schemas/validate.ts';
import {
  behindProgram,
  invalid,
  type KeySetting,
  readReference,
  readSecret,
  writeReference,
} from './key-files.ts';

/** A key that locks are signed with; `inFile` is false for one behind a program. */
interface OwnKey extends Signer {
  readonly inFile: boolean;
}

/** Keys of one role, oldest first. The last one stands by: no root names it until it replaces the one before it. */
export type KeyRing = readonly OwnKey[];

export interface RegistryKeys {
  readonly dir: string;
  /** Null where the root keys are kept offline. */
  readonly root: KeyObject | null;
  readonly lock: KeyRing;
  readonly scanner: KeyRing;
  /** Notes are signed with Ed25519 keys in files. */
  readonly log: readonly KeyObject[];
  /** The root keys of the first root; what came after follows along the chain. */
  readonly pin: RootPin;
}

export type RingName = 'lock' | 'scanner' | 'log';

interface Place {
  readonly dir: string;
  readonly name: 'lock' | 'scanner';
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Reads the registry's keys, making them at the first start. Throws CONFIG_INVALID for a file that others can read. */
export async function loadKeys(
  dir: string,
  { lockSigner = null, environment = {} }: KeySetting = {},
): Promise<RegistryKeys> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const pinned = await textIfThere(join(dir, 'pin.json'));
  // Once a pin is there, a missing root key was taken away on purpose.
  const first = pinned === null ? await makeKey(dir, 'root') : null;
  const pin = first
    ? await writePin(dir, first)
    : assertValid(RootPinFile, parseStrict(pinned ?? ''), join(dir, 'pin.json'));
  const place: Place = { dir, name: 'lock', environment };
  if (lockSigner !== null) await adopt(lockSigner, place);
  const lock = await loadRing(place);
  return {
    dir,
    root: first ?? (await readKey(dir, 'root')),
    lock,
    scanner: await loadRing({ dir, name: 'scanner', environment }),
    log: await loadLogRing(dir),
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

/** `lock.pem`, `lock.2.pem`, `lock.3.pem` and so on, or `.json`; at least two, the last one standing by. */
async function loadRing(place: Place): Promise<KeyRing> {
  const { dir, name } = place;
  if ((await storedKey(place, name)) === null) await makeKey(dir, name);
  const ring = await storedRing(place);
  // Behind a key that cannot be taken away, none stands by that can.
  if (ring.length < 2 && ring[0]?.inFile) ring.push(own(await makeKey(dir, `${name}.2`)));
  return ring;
}

async function storedRing(place: Place): Promise<OwnKey[]> {
  const ring: OwnKey[] = [];
  for (;;) {
    const key = await storedKey(place, fileName(place.name, ring.length + 1));
    if (!key) return ring;
    ring.push(key);
  }
}

async function storedKey(place: Place, file: string): Promise<OwnKey | null> {
  const key = await readKey(place.dir, file);
  const path = join(place.dir, `${file}.json`);
  const text = await readSecret(path);
  if (key !== null && text !== null)
    throw invalid(`${file}.pem or ${file}.json in ${place.dir}`, 'both', 'Move one of them away');
  if (key !== null) return own(key);
  return text === null
    ? null
    : { ...behindProgram(readReference(text, path), place.environment), inFile: false };
}

/**
 * The lock key behind a program becomes the newest of its ring: the first one where there is none yet, else it stands by.
 * It signs a trial first. Throws CONFIG_INVALID and SIGNER_FAILED.
 */
async function adopt(from: string, place: Place): Promise<void> {
  const text = await readSecret(from);
  if (text === null)
    throw invalid(
      `LOCKKEEPER_LOCK_SIGNER as the path of a key reference`,
      'no such file',
      'Make one with: lk keys new --command --public-key, which says where it is',
    );
  const reference = readReference(text, from);
  const signer = behindProgram(reference, place.environment);
  const ring = await storedRing(place);
  const known = ring.findIndex(({ keyid }) => keyid === signer.keyid);
  const file = fileName(place.name, (known < 0 ? ring.length : known) + 1);
  const path = join(place.dir, `${file}.json`);
  if (ring[known]?.inFile)
    throw invalid(
      'the lock key of LOCKKEEPER_LOCK_SIGNER behind its program alone',
      `the same key in ${file}.pem`,
      `Move ${file}.pem away from this machine, then start again`,
    );
  const before = known < 0 ? null : readReference((await readSecret(path)) ?? '', path);
  if (before && canonical(before) === canonical(reference)) return;
  await signWith(signer, TRIAL_TYPE, Buffer.from(new Date().toISOString()));
  // Replicas on one folder race for the file; whoever comes second finds the key there.
  if (!(await writeReference(path, reference, { replace: known >= 0 }))) await adopt(from, place);
}

async function loadLogRing(dir: string): Promise<KeyObject[]> {
  const ring = [await makeKey(dir, 'log')];
  if ((await textIfThere(join(dir, 'log.json'))) !== null)
    throw invalid('the log key as log.pem: notes are signed in this process', 'log.json', 'Take it away');
  for (let key = await readKey(dir, 'log.2'); key; key = await readKey(dir, fileName('log', ring.length + 1)))
    ring.push(key);
  if (ring.length < 2) ring.push(await makeKey(dir, 'log.2'));
  return ring;
}

function fileName(name: RingName, at: number): string {
  return at === 1 ? name : `${name}.${at}`;
}

function own(key: KeyObject): OwnKey {
  return { ...keySigner(key), inFile: true };
}

/** The keys with one more standing by; none behind a key of a program, which a file must not replace. */
export async function addStandby(keys: RegistryKeys, name: RingName): Promise<RegistryKeys> {
  const made = (): Promise<KeyObject> => makeKey(keys.dir, fileName(name, keys[name].length + 1));
  if (name === 'log') return { ...keys, log: [...keys.log, await made()] };
  const ring = keys[name];
  return ring.at(-1)?.inFile ? { ...keys, [name]: [...ring, own(await made())] } : keys;
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
  const expected = `the key ${name}.pem in ${dir}`;
  throw invalid(expected, 'none, though it was just written', 'Check the folder, then start again');
}

async function readKey(dir: string, name: string): Promise<KeyObject | null> {
  const pem = await readSecret(join(dir, `${name}.pem`));
  return pem === null ? null : readPrivateKey(pem).key;
}
