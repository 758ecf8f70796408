/** The keys of one person on one machine: private keys, and references to keys that are elsewhere. All are 0600. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { chmod, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIfThere } from '../runtime/store/there.ts';
import { readPrivateKey, readPublicKey } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseFile } from '../schemas/json.ts';
import {
  type AgentReference,
  type CommandReference,
  KeyReference,
  type SigstoreReference,
} from '../schemas/key-reference.ts';
import { identityKeyId } from '../schemas/root.ts';
import { assertValid } from '../schemas/validate.ts';

/** What a key's file says: the key itself, or where it is. */
type StoredKey =
  | ({
      readonly keyid: string;
      readonly publicKey: KeyObject;
    } & ({ readonly kind: 'file'; readonly key: KeyObject } | Kept<AgentReference> | Kept<CommandReference>))
  | ({ readonly keyid: string; readonly publicKey: null } & Kept<SigstoreReference>);
interface Kept<R extends KeyReference> {
  readonly kind: R['kind'];
  readonly reference: R;
}

export interface KeyFiles {
  /** Throws USAGE for a name that is taken. Returns the path. */
  writeKey(name: string, pem: string): Promise<string>;
  /** The same, of a key that is elsewhere. */
  writeReference(name: string, reference: KeyReference): Promise<string>;
  /** A private key in a file; KEY_FILE for one that is elsewhere. */
  readKey(name: string): Promise<ReturnType<typeof readPrivateKey>>;
  storedKey(name: string): Promise<StoredKey>;
  keyNames(): Promise<string[]>;
}

const FILE = /^(.+)\.(pem|json)$/;

export function openKeyFiles(dir: string): KeyFiles {
  const pemPath = (name: string): string => join(dir, `${checkName(name)}.pem`);
  const referencePath = (name: string): string => join(dir, `${checkName(name)}.json`);
  const stored = async (name: string): Promise<StoredKey> => {
    const [pem, reference] = [await readSecret(pemPath(name)), await readSecret(referencePath(name))];
    if (pem !== null && reference !== null) throw twofold(pemPath(name), referencePath(name));
    if (pem !== null) return fromPem(pem);
    if (reference !== null) return fromReference(reference, referencePath(name));
    throw new LockkeeperError('KEY_FILE', {
      expected: `the private key ${name} at ${pemPath(name)}`,
      found: 'no such file',
      next: 'Run: lk keys new',
    });
  };
  return {
    writeKey: (name, pem) => writeNew(pemPath(name), pem, referencePath(name)),
    writeReference: (name, reference) =>
      writeNew(referencePath(name), `${JSON.stringify(reference, null, 2)}\n`, pemPath(name)),
    readKey: async (name) => {
      const key = await stored(name);
      if (key.kind === 'file') return { key: key.key, keyid: key.keyid };
      throw new LockkeeperError('KEY_FILE', {
        expected: `the key ${name} in a file, as ${pemPath(name)}`,
        found: `one that is kept elsewhere (${key.kind})`,
        next: 'Name another key with --key',
      });
    },
    storedKey: stored,
    keyNames: async () => {
      const names = (await readdir(dir).catch(() => [])).map((file) => FILE.exec(file)?.[1]);
      return [...new Set(names.filter((name) => name !== undefined))];
    },
  };
}

function fromPem(pem: string): StoredKey {
  const { key, keyid } = readPrivateKey(pem);
  return { kind: 'file', key, keyid, publicKey: createPublicKey(key) };
}

function fromReference(text: string, path: string): StoredKey {
  const reference = assertValid(KeyReference, parseFile(text, path), path, 'KEY_FILE');
  if (reference.kind === 'sigstore')
    return { kind: reference.kind, keyid: identityKeyId(reference), publicKey: null, reference };
  const { key: publicKey, keyid } = readPublicKey(reference.publicKey);
  const at = { keyid, publicKey };
  return reference.kind === 'command'
    ? { ...at, kind: reference.kind, reference }
    : { ...at, kind: reference.kind, reference };
}

function twofold(pem: string, reference: string): LockkeeperError {
  return new LockkeeperError('KEY_FILE', {
    expected: 'one key of a name',
    found: `both ${pem} and ${reference}`,
    next: 'Move one of them away',
  });
}

function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) return name;
  throw new LockkeeperError('USAGE', {
    expected: 'a key name of a-z, 0-9, dot, dash',
    found: name,
    next: 'Choose another name',
  });
}

/** A reference names a program that is run: it is as private as a key. */
async function readSecret(path: string): Promise<string | null> {
  const bytes = await readIfThere(path);
  if (bytes === null) return null;
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return bytes.toString('utf8');
  throw new LockkeeperError('KEY_FILE', {
    expected: `${path} readable by its owner alone (0600)`,
    found: `mode 0${(mode & 0o777).toString(8)}`,
    next: `Run: chmod 600 ${path}; if others may have read it, replace the key with: lk keys new`,
  });
}

function taken(path: string, cause?: unknown): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `no key yet at ${path}`,
    found: 'one that would be overwritten',
    next: 'Choose another name with --name, or move the old key away',
    cause,
  });
}

/** `other` is where a key of the same name would be in the other form. */
async function writeNew(path: string, text: string, other: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await chmod(dirname(path), 0o700);
  if ((await readIfThere(other)) !== null) throw taken(other);
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'EEXIST' ? taken(path, cause) : cause;
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}
