/**
 * Certificate revocation lists (RFC 5280 section 5): whole ones, signed by the authority itself, with an end. Anything else
 * is no list that one could trust, and is said so.
 */
import { type KeyObject, verify, type X509Certificate } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { type Der, derIn, eachOf, need, oidOf, partsOf, TAGS, timeOf } from './der.ts';

/** What it is signed with: the hash, or none where the key's kind has its own. */
const HASHES: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
  '1.3.101.113': null,
};

export interface RevocationList {
  readonly file: string;
  readonly authority: X509Certificate;
  /** ms since 1970. */
  readonly from: number;
  readonly until: number;
  /** As `serialOf` writes them. */
  readonly serials: ReadonlySet<string>;
}

/** Entries that are read in one go: a list may have half a million, and whatever else is served would wait for all. */
const ENTRIES = 1000;

/** The lists in a file, PEM or DER. Rejects with CONFIG_INVALID for what is none, and for one of no such authority. */
export async function listsIn(
  bytes: Buffer,
  { file, authorities }: { readonly file: string; readonly authorities: readonly X509Certificate[] },
): Promise<RevocationList[]> {
  const blocks = bytes.toString('latin1').match(/-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g);
  const ders = blocks?.map((block) => Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64')) ?? [
    bytes,
  ];
  const lists: RevocationList[] = [];
  for (const der of ders)
    try {
      await turn();
      lists.push(await listOf(der, { file, authorities }));
    } catch (cause) {
      if (cause instanceof LockkeeperError) throw cause;
      throw unusable(file, `something else: ${(cause as Error).message}`);
    }
  return lists;
}

/** Hexadecimal digits without zeros before them, whoever wrote it; some authorities give numbers below zero. */
export function serialOf(hex: string): string {
  return hex.toUpperCase().replace(/^(-?)0+(?=.)/, '$1');
}

function serialIn({ body }: Der): string {
  const hex = body.toString('hex');
  if ((body[0] ?? 0) < 0x80) return serialOf(hex);
  return serialOf(`-${(2n ** BigInt(8 * body.length) - BigInt(`0x${hex}`)).toString(16)}`);
}

async function listOf(
  bytes: Buffer,
  { file, authorities }: { readonly file: string; readonly authorities: readonly X509Certificate[] },
): Promise<RevocationList> {
  const [tbs, algorithm, signature] = partsOf(need(derIn(bytes), TAGS.sequence));
  const parts = partsOf(need(tbs, TAGS.sequence));
  if (parts[0]?.tag === TAGS.integer) parts.shift();
  const [inner, issuer, from, until] = parts;
  if (!inner?.whole.equals(need(algorithm, TAGS.sequence).whole)) throw new RangeError('two algorithms');
  const ended = until?.tag === TAGS.utcTime || until?.tag === TAGS.time;
  if (!ended) throw unusable(file, 'one without an end (nextUpdate)');
  const signed = { bytes: need(tbs, TAGS.sequence).whole, signature: bitsOf(signature) };
  const hash = HASHES[oidOf(partsOf(need(algorithm, TAGS.sequence))[0])];
  if (hash === undefined) throw unusable(file, 'one that is signed with an algorithm that is not known here');
  const authority = authorities.find(
    (one) => subjectOf(one).equals(need(issuer, TAGS.sequence).whole) && holds(one.publicKey, hash, signed),
  );
  if (!authority) throw unusable(file, 'one that none of them signed');
  const rest = parts.slice(4);
  const extensions = rest.find(({ tag }) => tag === TAGS.zero);
  assertWhole(extensions && partsOf(extensions)[0], file);
  const serials = rest[0]?.tag === TAGS.sequence ? await serialsIn(rest[0], file) : new Set<string>();
  return { file, authority, from: timeOf(from), until: timeOf(until), serials };
}

async function serialsIn(revoked: Der, file: string): Promise<Set<string>> {
  const serials = new Set<string>();
  let count = 0;
  for (const entry of eachOf(revoked)) {
    const [serial, , more] = partsOf(need(entry, TAGS.sequence));
    assertWhole(more, file);
    serials.add(serialIn(need(serial, TAGS.integer)));
    if (++count % ENTRIES === 0) await turn();
  }
  return serials;
}

/** Whole bytes, as signatures are. */
function bitsOf(part: Der | undefined): Buffer {
  const { body } = need(part, TAGS.bits);
  if (body[0] !== 0) throw new RangeError('a signature with a part of a byte');
  return body.subarray(1);
}

function holds(
  key: KeyObject,
  hash: string | null,
  { bytes, signature }: { readonly bytes: Buffer; readonly signature: Buffer },
): boolean {
  try {
    return verify(hash, bytes, key, signature);
  } catch {
    return false;
  }
}

/** Delta, part and owner of an entry: a list with one is no whole one, also where its authority forgot to call it critical. */
const PARTS: ReadonlySet<string> = new Set(['2.5.29.27', '2.5.29.28', '2.5.29.29']);

/** What is critical says that the list is of a part, or of somebody else's certificates. */
function assertWhole(extensions: Der | undefined, file: string): void {
  if (extensions === undefined) return;
  for (const extension of partsOf(need(extensions, TAGS.sequence))) {
    const [id, critical] = partsOf(need(extension, TAGS.sequence));
    const isCritical = critical?.tag === TAGS.boolean && critical.body[0] !== 0;
    if (isCritical || PARTS.has(oidOf(id)))
      throw unusable(file, `one of a part alone, or of several authorities (${oidOf(id)})`);
  }
}

function subjectOf({ raw }: X509Certificate): Buffer {
  const [tbs] = partsOf(derIn(raw));
  const parts = partsOf(need(tbs, TAGS.sequence));
  if (parts[0]?.tag === TAGS.zero) parts.shift();
  // serial, algorithm, issuer, validity, subject
  return need(parts[4], TAGS.sequence).whole;
}

export function unusable(file: string, found: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `a whole revocation list of one of the configured authorities, PEM or DER, with an end, in ${quote(file, 300)}`,
    found,
    next: 'Have the authority write a new one there; until then its client certificates are refused',
  });
}
