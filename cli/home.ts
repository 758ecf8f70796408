/** The folder of one person on one machine: sign-ins, private keys, the newest locks seen. Secrets are 0600. */
import { join } from 'node:path';
import { alone } from '../runtime/store/alone.ts';
import { writeAtomic } from '../runtime/store/atomic.ts';
import { readIfThere } from '../runtime/store/there.ts';
import type { SeenLock } from '../runtime/trust/freshness.ts';
import { assertRemembered, type RootMemory, remembering, type Shown } from '../runtime/trust/memory.ts';
import { Closed, Digest, Instant, KeyId, Person, ServerName, Version } from '../schemas/common.ts';
import { Envelope } from '../schemas/dsse.ts';
import { LockkeeperError } from '../schemas/errors.ts';
import { parseFile, sha256 } from '../schemas/json.ts';
import { parseNote, readCheckpoint } from '../schemas/note.ts';
import { type Static, type TSchema, Type } from '../schemas/type.ts';
import { assertValid } from '../schemas/validate.ts';
import { type KeyFiles, openKeyFiles } from './key-files.ts';

const SignIn = Closed({
  registry: Type.String(),
  person: Person,
  token: Type.String(),
  expires: Instant,
  rootKeys: Type.Array(KeyId),
  threshold: Type.Integer({ minimum: 1 }),
});
export type SignIn = Static<typeof SignIn>;

/** A root brought to this machine by hand, where there is no registry to sign in to. */
const Pin = Closed({
  registry: Type.String(),
  rootKeys: Type.Array(KeyId),
  threshold: Type.Integer({ minimum: 1 }),
});
type Pin = Static<typeof Pin>;
const Pins = Closed({ lockkeeper: Type.Literal('pins/v1'), pins: Type.Array(Pin) });

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

const Roots = Closed({
  newest: Envelope,
  digests: Type.Record(Type.String({ pattern: '^[1-9][0-9]{0,15}$' }), Digest, {
    additionalProperties: false,
  }),
  since: Type.Optional(Instant),
  began: Type.Optional(Instant),
});

/** Digests of the roots that somebody signed here. */
const SignedRoots = Closed({ digests: Type.Array(Digest, { maxItems: 1000 }) });

/** The newest checkpoint that lay at a place. */
const SeenPublished = Closed({ place: Type.String(), note: Type.String({ maxLength: 65_536 }) });

/** A release that was revoked, as it was told here. */
const HeardRevoked = Closed({ server: ServerName, version: Version, said: Type.String({ maxLength: 1000 }) });
type HeardRevoked = Static<typeof HeardRevoked>;

export interface Home extends KeyFiles {
  readonly dir: string;
  readonly storeDir: string;
  readonly journalDir: string;
  signIns(): Promise<SignIn[]>;
  /** Puts a sign-in first; it replaces the same person's at the same registry. */
  remember(signIn: SignIn): Promise<void>;
  pins(): Promise<Pin[]>;
  /** Replaces what was pinned for the registry. */
  pin(pin: Pin): Promise<void>;
  seen(audience: string): Promise<SeenLock | null>;
  saw(audience: string, lock: SeenLock): Promise<void>;
  /** The roots of a registry that this machine believed, whatever the project. */
  roots(registry: string): Promise<RootMemory | null>;
  /** Adds to them what goes with them. Throws as `assertRemembered`: another process may have seen more since. */
  sawRoots(registry: string, shown: Shown, now: Date): Promise<void>;
  /** Digests of the roots of a registry that somebody signed here, and one more of them. */
  signedRoots(registry: string): Promise<string[]>;
  signedRoot(registry: string, digest: string): Promise<void>;
  /** The newest note that this machine saw at a place where checkpoints are published. */
  published(place: string): Promise<string | null>;
  sawPublished(place: string, note: string): Promise<void>;
  /** Kept for good: what is revoked stays revoked. */
  heardRevoked(registry: string, heard: HeardRevoked): Promise<void>;
  /** What was heard of the release; null where nothing was. */
  revokedBefore(registry: string, release: Omit<HeardRevoked, 'said'>): Promise<string | null>;
  /** In the place of all of them, for a registry that was rebuilt on purpose. */
  beganRoots(registry: string, shown: Shown, now: Date): Promise<void>;
}

/** What people have read, for toxic flows: a folder for each registry. */
export function flowsDirOf({ dir }: Pick<Home, 'dir'>): string {
  return join(dir, 'flows');
}

export function openHome(dir: string): Home {
  const credentials = join(dir, 'credentials.json');
  const seenPath = (audience: string): string => join(dir, 'seen', `${sha256(audience).slice(7, 39)}.json`);
  const about = (what: string, registry: string): string =>
    join(dir, 'seen', `${what}-${sha256(registryKey(registry)).slice(7, 39)}.json`);
  const rootsPath = (registry: string): string => about('roots', registry);
  const signedRoots = async (registry: string): Promise<string[]> =>
    (await readMemory(about('signed', registry), SignedRoots))?.digests ?? [];
  const publishedPath = (place: string): string =>
    join(dir, 'seen', `published-${sha256(place).slice(7, 39)}.json`);
  const signIns = async (): Promise<SignIn[]> => {
    const bytes = await readIfThere(credentials);
    return bytes ? assertValid(Credentials, parseFile(bytes, credentials), credentials).signIns : [];
  };
  const pinPath = join(dir, 'pins.json');
  const pins = async (): Promise<Pin[]> => {
    const bytes = await readIfThere(pinPath);
    return bytes ? assertValid(Pins, parseFile(bytes, pinPath), pinPath).pins : [];
  };
  return {
    ...openKeyFiles(join(dir, 'keys')),
    dir,
    storeDir: join(dir, 'store'),
    journalDir: join(dir, 'journal'),
    signIns,
    remember: (signIn) =>
      alone(credentials, async () => {
        const others = (await signIns()).filter(
          (s) => s.registry !== signIn.registry || s.person !== signIn.person,
        );
        const value = { lockkeeper: 'credentials/v1', signIns: [signIn, ...others] };
        await writeAtomic(credentials, `${JSON.stringify(value, null, 2)}\n`, 0o600);
      }),
    pins,
    pin: (pin) =>
      alone(pinPath, async () => {
        const others = (await pins()).filter(({ registry }) => registry !== pin.registry);
        const value = { lockkeeper: 'pins/v1', pins: [pin, ...others] };
        await writeAtomic(pinPath, `${JSON.stringify(value, null, 2)}\n`, 0o600);
      }),
    seen: (audience) => readSeen(seenPath(audience)),
    saw: async (audience, lock) => {
      // Two at once: the newer one stays, whoever writes last.
      await alone(seenPath(audience), async () => {
        const before = await readSeen(seenPath(audience));
        if (before === null || before.version < lock.version)
          await writeAtomic(seenPath(audience), `${JSON.stringify(lock)}\n`, 0o600);
      });
    },
    roots: (registry) => readRoots(rootsPath(registry)),
    sawRoots: (registry, shown, now) =>
      alone(rootsPath(registry), async () => {
        const before = await readRoots(rootsPath(registry));
        if (before) assertRemembered(shown, before);
        const after = remembering(shown.trusted, before, now);
        if (after !== before) await writeRoots(rootsPath(registry), after);
      }),
    signedRoots,
    signedRoot: (registry, digest) =>
      alone(about('signed', registry), async () => {
        const digests = [...new Set([...(await signedRoots(registry)), digest])].slice(-1000);
        await writeAtomic(about('signed', registry), `${JSON.stringify({ digests })}\n`, 0o600);
      }),
    published: async (place) => (await readMemory(publishedPath(place), SeenPublished))?.note ?? null,
    sawPublished: (place, note) => keepLarger(publishedPath(place), { place, note }),
    ...revocations(about),
    beganRoots: (registry, { trusted }, now) =>
      alone(rootsPath(registry), () =>
        writeRoots(rootsPath(registry), { ...remembering(trusted, null, now), began: now.toISOString() }),
      ),
  };
}

function revocations(
  about: (what: string, registry: string) => string,
): Pick<Home, 'heardRevoked' | 'revokedBefore'> {
  const pathOf = (registry: string, { server, version }: Omit<HeardRevoked, 'said'>): string =>
    about(`revoked-${sha256(`${server}@${version}`).slice(7, 39)}`, registry);
  return {
    heardRevoked: async (registry, heard) => {
      const path = pathOf(registry, heard);
      if ((await readIfThere(path)) === null) await writeAtomic(path, `${JSON.stringify(heard)}\n`, 0o600);
    },
    revokedBefore: async (registry, release) =>
      (await readMemory(pathOf(registry, release), HeardRevoked))?.said ?? null,
  };
}

/** Of two processes that read a place at once the one that saw more is remembered, whoever writes last. */
function keepLarger(path: string, seen: Static<typeof SeenPublished>): Promise<void> {
  const sizeOf = ({ note }: typeof seen): number => readCheckpoint(parseNote(note).text).size;
  return alone(path, async () => {
    const before = await readMemory(path, SeenPublished);
    if (before === null || sizeOf(before) <= sizeOf(seen))
      await writeAtomic(path, `${JSON.stringify(seen)}\n`, 0o600);
  });
}

async function writeRoots(path: string, memory: RootMemory): Promise<void> {
  await writeAtomic(path, `${JSON.stringify(memory)}\n`, 0o600);
}

function readRoots(path: string): Promise<RootMemory | null> {
  return readMemory(path, Roots);
}

/** One registry is one, however its address is written. */
function registryKey(registry: string): string {
  return URL.canParse(registry) ? new URL(registry).href.replace(/\/+$/, '') : registry;
}

function readSeen(path: string): Promise<SeenLock | null> {
  return readMemory(path, Seen);
}

async function readMemory<S extends TSchema>(path: string, schema: S): Promise<Static<S> | null> {
  const bytes = await readIfThere(path);
  if (bytes === null) return null;
  try {
    return assertValid(schema, parseFile(bytes, path), path);
  } catch (cause) {
    // Taken for first contact, it would let everything older through.
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `the memory of what was seen in ${path}, as this program wrote it`,
      found: cause instanceof LockkeeperError ? cause.found : String(cause),
      next: 'Restore the file from a backup; who deletes it gives up what protects against older locks and roots',
      cause,
    });
  }
}
