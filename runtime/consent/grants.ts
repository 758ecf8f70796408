/** What a person signed in for: a file of their own (0600), one entry to a server as a registry locked it. */
import { statSync } from 'node:fs';
import { Closed, Digest, Instant } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { SecureUrl } from '../../schemas/identity.ts';
import { parseFile, sha256 } from '../../schemas/json.ts';
import { type RemoteLaunch, RemoteUrl, type TlsPins } from '../../schemas/remote.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { ClientId } from '../../schemas/upstream.ts';
import { assertValid } from '../../schemas/validate.ts';
import { alone } from '../store/alone.ts';
import { writeAtomic } from '../store/atomic.ts';
import { readIfThere } from '../store/there.ts';

const Text = Type.String({ minLength: 1, maxLength: 16_400 });

/** A client at one authorization server. What it shows is never shown to another. */
export const Client = Closed({
  id: ClientId,
  method: Type.Union([Type.Literal('none'), Type.Literal('basic'), Type.Literal('post')]),
  secret: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
});
export type Client = Static<typeof Client>;

export const Grant = Closed({
  /** The registry whose lock named the server, and its address there. */
  registry: Type.String({ minLength: 1, maxLength: 500 }),
  url: RemoteUrl,
  /** Who could answer there: the authorities that a certificate had to verify by (null: the public ones), and the pinned keys. */
  answers: Closed({
    ca: Type.Union([Type.Null(), Digest]),
    keys: Type.Array(Digest, { maxItems: 16 }),
  }),
  /** Whom the person allowed, letter by letter. */
  issuer: SecureUrl,
  resource: SecureUrl,
  /** Where the issuer said, at the sign-in, that tokens are renewed. */
  tokenUrl: SecureUrl,
  ca: Type.Optional(Type.String({ minLength: 1, maxLength: 1_048_576 })),
  client: Client,
  scopes: Type.Array(Type.String({ minLength: 1, maxLength: 1000 }), { maxItems: 100 }),
  access: Text,
  refresh: Type.Optional(Text),
  /** When the access token was given. */
  since: Instant,
  /** When it ends; null where the issuer does not say. */
  until: Type.Union([Type.Null(), Instant]),
});
export type Grant = Static<typeof Grant>;

const Grants = Closed({ lockkeeper: Type.Literal('server-sign-ins/v1'), grants: Type.Array(Grant) });

/** Which server, and by whose lock. */
export type Where = Pick<Grant, 'registry' | 'url' | 'answers'>;

/** Nothing is pinned for scans, which see a server first. */
export function whereOf(
  registry: string,
  { url, tls }: Pick<RemoteLaunch, 'url'> & { readonly tls: TlsPins | Unpinned },
): Where {
  const keys = tls.leaf === null ? [] : [...tls.leaf, ...tls.issuer];
  return { registry, url, answers: { ca: tls.ca === null ? null : sha256(tls.ca), keys } };
}

interface Unpinned {
  readonly ca: string | null;
  readonly leaf: null;
}

export interface Grants {
  /** Null where nobody signed in. Throws SECRET_UNUSABLE for a file that others may read. */
  of(where: Where): Promise<Grant | null>;
  /** Takes the place of what there was. */
  keep(grant: Grant): Promise<void>;
  /** All at this address, whoever answers there. Whether there was one. */
  forget(where: Pick<Where, 'registry' | 'url'>): Promise<boolean>;
  /**
   * What `work` makes of the newest one, by one process at a time. Nothing changes where it throws, nor where what it
   * makes cannot be kept: METADATA_INVALID.
   */
  renew(where: Where, work: (grant: Grant | null) => Promise<Grant>): Promise<Grant>;
}

export function openGrants(path: string): Grants {
  let kept: { readonly version: string; readonly grants: readonly Grant[] } | null = null;
  // Asked before each request of a server: a look at the file, which is written anew as a whole, and no more.
  const all = async (): Promise<readonly Grant[]> => {
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (!found) return [];
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    if ((Number(found.mode) & 0o077) !== 0) throw readable(path, Number(found.mode));
    const version = [dev, ino, size, mtimeNs, ctimeNs].join();
    if (kept?.version === version) return kept.grants;
    const bytes = await readIfThere(path);
    const grants = bytes ? assertValid(Grants, parseFile(bytes, path), path).grants : [];
    kept = { version, grants };
    return grants;
  };
  const write = (grants: readonly Grant[]): Promise<void> =>
    writeAtomic(path, `${JSON.stringify({ lockkeeper: 'server-sign-ins/v1', grants }, null, 2)}\n`, 0o600);
  const renew: Grants['renew'] = (where, work) =>
    alone(path, async () => {
      const before = await all();
      const made = await work(before.find((one) => isAt(one, where)) ?? null);
      // What could not be read again would take all other sign-ins with it.
      const grant = assertValid(Grant, made, 'what is kept of a sign-in', 'METADATA_INVALID');
      await write([grant, ...before.filter((one) => !isAt(one, where))]);
      return grant;
    });
  return {
    of: async (where) => (await all()).find((one) => isAt(one, where)) ?? null,
    keep: async (grant) => void (await renew(grant, async () => grant)),
    forget: (where) =>
      alone(path, async () => {
        const before = await all();
        const after = before.filter(({ registry, url }) => registry !== where.registry || url !== where.url);
        if (after.length < before.length) await write(after);
        return after.length < before.length;
      }),
    renew,
  };
}

/** As a connection has it: another authority is another server, and so is one whose pinned keys are all new. */
function isAt(grant: Where, { registry, url, answers: { ca, keys } }: Where): boolean {
  if (grant.registry !== registry || grant.url !== url || grant.answers.ca !== ca) return false;
  const before = grant.answers.keys;
  return before.length === 0 ? keys.length === 0 : keys.some((key) => before.includes(key));
}

function readable(path: string, mode: number): LockkeeperError {
  return new LockkeeperError('SECRET_UNUSABLE', {
    expected: `${path} to be readable by you alone (0600)`,
    found: `mode 0${(mode & 0o777).toString(8)}`,
    next: `Others may have read what is in it: take it away, and sign in again with lk login --server NAME`,
  });
}
