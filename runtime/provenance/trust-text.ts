/** What a trust file holds, a line for each key and authority, so that people can read what another one changes. */
import type { CertificateAuthority, TransparencyLogInstance } from '@sigstore/protobuf-specs';
import { asLockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict, sha256 } from '../../schemas/json.ts';
import { MAX_TRUST_BYTES, readNpmKeys, readTrustedRoot, untrusted } from './trust.ts';

interface Entry {
  /** What it is and which key: the same words in two files are the same thing. */
  readonly key: string;
  /** Whatever else is said of it. */
  readonly says: string;
}

/** One line for each key or authority that is added (+), removed (-) or has other dates (~). `before` null: all of it is new. */
export function trustChanges(before: Uint8Array | null, after: Uint8Array): string[] {
  const [old, now] = [before === null ? new Map<string, string>() : entriesOf(before), entriesOf(after)];
  const added = [...now].filter(([key]) => !old.has(key)).map(([key, says]) => `+ ${key}, ${says}`);
  const removed = [...old].filter(([key]) => !now.has(key)).map(([key, says]) => `- ${key}, ${says}`);
  const other = [...now]
    .filter(([key, says]) => old.has(key) && old.get(key) !== says)
    .map(([key, says]) => `~ ${key}, ${says}; before: ${old.get(key)}`);
  const changes = [...added, ...removed, ...other];
  if (changes.length > 0 || before === null || sha256(before) === sha256(after)) return changes;
  return ['~ the same keys and dates, written in other bytes'];
}

/** Throws ROOT_UNTRUSTED for what is neither a sigstore trusted root nor a list of registry keys. */
export function assertTrustFile(bytes: Uint8Array): void {
  entriesOf(bytes);
}

function entriesOf(bytes: Uint8Array): Map<string, string> {
  try {
    const json = parseStrict(bytes, { maxBytes: MAX_TRUST_BYTES }) as { keys?: unknown } | null;
    const entries = json?.keys === undefined ? sigstoreEntries(bytes) : npmEntries(bytes);
    const all = new Map<string, string>();
    for (const { key, says } of entries) {
      const before = all.get(key);
      all.set(key, before === undefined ? says : `${before}; and ${says}`);
    }
    return all;
  } catch (cause) {
    const { message } = asLockkeeperError(cause);
    throw untrusted(
      'a sigstore trusted root or a list of registry keys',
      `a file that is neither: ${quote(message, 200)}`,
      cause,
    );
  }
}

function npmEntries(bytes: Uint8Array): Entry[] {
  return readNpmKeys(bytes).map(({ keyId, keyUsage, publicKey }) => ({
    key: `registry key ${quote(keyId, 100)} for ${quote(keyUsage, 60)}, ${sha256(Buffer.from(publicKey.rawBytes, 'base64'))}`,
    says: dates(publicKey.validFor.start, publicKey.validFor.end),
  }));
}

function sigstoreEntries(bytes: Uint8Array): Entry[] {
  const root = readTrustedRoot(bytes);
  return [
    ...root.tlogs.map((log) => logEntry('transparency log', log)),
    ...root.ctlogs.map((log) => logEntry('certificate log', log)),
    ...root.certificateAuthorities.map((ca) => authorityEntry('certificate authority', ca)),
    ...root.timestampAuthorities.map((ca) => authorityEntry('timestamp authority', ca)),
  ];
}

function logEntry(kind: string, log: TransparencyLogInstance): Entry {
  const { rawBytes, keyDetails, validFor } = log.publicKey ?? {};
  const id = log.logId?.keyId.toString('base64') ?? 'none';
  return {
    key: `${kind} ${quote(log.baseUrl, 200)}, key ${sha256(rawBytes ?? Buffer.alloc(0))}`,
    says: `${dates(validFor?.start, validFor?.end)}, id ${quote(id, 100)}, kind ${keyDetails ?? 0}, hash ${log.hashAlgorithm}`,
  };
}

function authorityEntry(kind: string, ca: CertificateAuthority): Entry {
  const { organization = '', commonName = '' } = ca.subject ?? {};
  const chain = Buffer.concat(
    (ca.certChain?.certificates ?? []).map(({ rawBytes }) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(rawBytes.length);
      return Buffer.concat([length, rawBytes]);
    }),
  );
  return {
    key: `${kind} ${quote(`${organization} ${commonName}`.trim(), 200)} at ${quote(ca.uri, 200)}, certificates ${sha256(chain)}`,
    says: dates(ca.validFor?.start, ca.validFor?.end),
  };
}

function dates(start: Date | string | undefined, end: Date | string | undefined): string {
  const said = (date: Date | string): string => {
    const at = new Date(date);
    return Number.isNaN(at.getTime()) ? quote(String(date), 60) : at.toISOString();
  };
  return `valid from ${start === undefined ? 'no date' : said(start)}${end === undefined ? '' : ` until ${said(end)}`}`;
}
