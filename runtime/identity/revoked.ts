/** Which client certificates their authority took back, by lists that are taken over while they change. */
import type { X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { listsIn, type RevocationList, serialOf, unusable } from './crl.ts';
import { type Looked, watched } from './watched.ts';

const MAX_FILE = 16 * 1024 * 1024;

export interface Revoked {
  /** Throws CERTIFICATE_REVOKED; and REVOCATIONS_UNKNOWN or CONFIG_INVALID where that cannot be told. */
  assertStands(certificate: X509Certificate, authority: X509Certificate): Promise<void>;
}

interface Lists {
  readonly lists: readonly RevocationList[];
}

/** Throws CONFIG_INVALID for a file that is not there, or holds no list of these authorities. */
export async function openRevoked(
  files: readonly string[],
  authorities: readonly X509Certificate[],
  now: () => number,
): Promise<Revoked> {
  const all = files.map((file) => watched<Lists>((before) => read(file, authorities, before), now));
  const current = async (): Promise<RevocationList[]> =>
    (await Promise.all(all.map((one) => one()))).flatMap(({ lists }) => lists);
  await current();
  return {
    assertStands: async (certificate, authority) => {
      const lists = await current();
      const above = authorities.find((one) => one !== authority && authority.checkIssued(one));
      assertUnlisted(certificate, newest(lists, authority, now()));
      const higher = above && lists.some((list) => list.authority === above);
      if (higher) assertUnlisted(authority, newest(lists, above, now()));
    },
  };
}

async function read(
  file: string,
  authorities: readonly X509Certificate[],
  before: Looked<Lists> | null,
): Promise<Looked<Lists>> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw unusable(file, cause.code === 'ENOENT' ? 'no such file' : cause.message);
  });
  try {
    const info = await handle.stat({ bigint: true });
    const version = `${info.ino} ${info.size} ${info.mtimeNs}`;
    if (before?.version === version) return before;
    if (!info.isFile() || info.size > MAX_FILE) throw unusable(file, `no file of at most ${MAX_FILE} bytes`);
    return { version, value: { lists: await listsIn(await handle.readFile(), { file, authorities }) } };
  } finally {
    await handle.close();
  }
}

/** Throws REVOCATIONS_UNKNOWN: an authority without a list that holds now may have taken anything back. */
function newest(lists: readonly RevocationList[], authority: X509Certificate, now: number): RevocationList {
  const own = lists.filter((list) => list.authority === authority && list.from <= now);
  const [last] = own.sort((a, b) => b.from - a.from || b.until - a.until);
  if (last && now < last.until) return last;
  throw new LockkeeperError('REVOCATIONS_UNKNOWN', {
    expected: `a revocation list of ${quote(authority.subject, 200)} that holds now`,
    found: last
      ? `one in ${quote(last.file, 300)} that ended at ${new Date(last.until).toISOString()}`
      : 'none',
    next: 'Put a newer one in its place (certificates.crl): it counts within a second; until then these certificates are refused',
  });
}

function assertUnlisted({ serialNumber, subject }: X509Certificate, { serials, from }: RevocationList): void {
  if (!serials.has(serialOf(serialNumber))) return;
  throw new LockkeeperError('CERTIFICATE_REVOKED', {
    expected: 'a client certificate that its authority stands by',
    found: `${quote(subject, 200)}, serial ${serialNumber}, revoked by the list of ${new Date(from).toISOString()}`,
    next: 'Ask whoever keeps the authority for another one',
  });
}
