/** The folder of one person on one machine: sign-ins, private keys, the newest locks seen. Secrets are 0600. */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Type, { type Static } from 'typebox';
import type { SeenLock } from '../runtime/trust/freshness.ts';
import { Closed, Digest, Instant, KeyId, Person } from '../schemas/common.ts';
import { Envelope, readPrivateKey } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseStrict, sha256 } from '../schemas/json.ts';
import { assertValid } from '../schemas/validate.ts';

const SignIn = Closed({
  registry: Type.String(),
  person: Person,
  token: Type.String(),
  expires: Instant,
  rootKeys: Type.Array(KeyId),
  threshold: Type.Integer({ minimum: 1 }),
});
export type SignIn = Static<typeof SignIn>;

const Credentials = Closed({ lockkeeper: Type.Literal('credentials/v1'), signIns: Type.Array(SignIn) });
const Seen = Closed({
  version: Type.Integer({ minimum: 1 }),
  digest: Digest,
  rootVersion: Type.Integer({ minimum: 1 }),
  checkpoint: Type.String({ maxLength: 65_536 }),
  root: Type.Optional(
    Closed({
      root: Envelope,
      pin: Closed({ rootKeys: Type.Array(KeyId), threshold: Type.Integer({ minimum: 1 }) }),
    }),
  ),
});

export interface Home {
  readonly dir: string;
  readonly storeDir: string;
  readonly journalDir: string;
  signIns(): Promise<SignIn[]>;
  /** Puts a sign-in first; it replaces the same person's at the same registry. */
  remember(signIn: SignIn): Promise<void>;
  writeKey(name: string, pem: string): Promise<string>;
  readKey(name: string): Promise<ReturnType<typeof readPrivateKey>>;
  keyNames(): Promise<string[]>;
  seen(audience: string): Promise<SeenLock | null>;
  saw(audience: string, lock: SeenLock): Promise<void>;
}

export function openHome(dir: string): Home {
  const credentials = join(dir, 'credentials.json');
  const keyPath = (name: string): string => join(dir, 'keys', `${checkName(name)}.pem`);
  const seenPath = (audience: string): string => join(dir, 'seen', `${sha256(audience).slice(7, 39)}.json`);
  const signIns = async (): Promise<SignIn[]> => {
    const bytes = await readIfThere(credentials);
    return bytes ? assertValid(Credentials, parseStrict(bytes), credentials).signIns : [];
  };
  return {
    dir,
    storeDir: join(dir, 'store'),
    journalDir: join(dir, 'journal'),
    signIns,
    remember: async (signIn) => {
      const others = (await signIns()).filter(
        (s) => s.registry !== signIn.registry || s.person !== signIn.person,
      );
      const value = { lockkeeper: 'credentials/v1', signIns: [signIn, ...others] };
      await writeAtomic(credentials, `${JSON.stringify(value, null, 2)}\n`, 0o600);
    },
    writeKey: async (name, pem) => {
      const path = keyPath(name);
      await ensureDir(dirname(path), 0o700);
      await writeNew(path, pem);
      return path;
    },
    readKey: async (name) => readKeyFile(keyPath(name), name),
    keyNames: async () =>
      (await readdir(join(dir, 'keys')).catch(() => []))
        .filter((f) => f.endsWith('.pem'))
        .map((f) => f.slice(0, -4)),
    seen: (audience) => readSeen(seenPath(audience)),
    saw: async (audience, lock) => {
      const before = await readSeen(seenPath(audience));
      // Two at once: the newer one stays, whoever writes last.
      if (before === null || before.version < lock.version)
        await writeAtomic(seenPath(audience), `${JSON.stringify(lock)}\n`, 0o600);
    },
  };
}

async function readSeen(path: string): Promise<Static<typeof Seen> | null> {
  const bytes = await readIfThere(path);
  if (bytes === null) return null;
  try {
    return assertValid(Seen, parseStrict(bytes), path);
  } catch (cause) {
    // Taken for first contact, it would let every older lock through.
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `the memory of the newest lock seen in ${path}, as this program wrote it`,
      found: cause instanceof LockkeeperError ? cause.found : String(cause),
      next: 'Restore the file from a backup; who deletes it gives up what protects against older locks',
      cause,
    });
  }
}

function checkName(name: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) return name;
  throw new LockkeeperError('USAGE', {
    expected: 'a key name of a-z, 0-9, dot, dash',
    found: name,
    next: 'Choose another name',
  });
}

async function readKeyFile(path: string, name: string): Promise<ReturnType<typeof readPrivateKey>> {
  const bytes = await readIfThere(path);
  if (!bytes) {
    throw new LockkeeperError('KEY_FILE', {
      expected: `the private key ${name} at ${path}`,
      found: 'no such file',
      next: 'Run: lk keys new',
    });
  }
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) {
    throw new LockkeeperError('KEY_FILE', {
      expected: `${path} readable by its owner alone (0600)`,
      found: `mode 0${(mode & 0o777).toString(8)}`,
      next: `Run: chmod 600 ${path}; if others may have read it, replace the key with: lk keys new`,
    });
  }
  return readPrivateKey(bytes.toString('utf8'));
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function ensureDir(path: string, mode: number): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
}

async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EEXIST') throw cause;
    throw new LockkeeperError('USAGE', {
      expected: `no key yet at ${path}`,
      found: 'one that would be overwritten',
      next: 'Choose another name with --name, or move the old key away',
      cause,
    });
  });
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Temp file, fsync, rename: a reader sees the old text or the new one, never half of it. */
export async function writeAtomic(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}
