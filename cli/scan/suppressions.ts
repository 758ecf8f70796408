/** The file of suppressions: read, verified, and added to. What does not verify is refused, never passed over. */
import { resolve } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { fingerprintOf, subjectOf } from '../../scanner/fingerprint.ts';
import type { Accepted } from '../../scanner/suppressions.ts';
import { readPublicKey, verifiedKeys } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { canonical, parseFile, parseStrict, pretty } from '../../schemas/json.ts';
import type { ScanTarget } from '../../schemas/scan.ts';
import { type Signer, sealWith } from '../../schemas/signer.ts';
import {
  MAX_SUPPRESSION_DAYS,
  SUPPRESSION_TYPE,
  Suppression,
  SuppressionFile,
} from '../../schemas/suppression.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Context } from '../command.ts';
import { readOr } from '../project.ts';

const DAY_MS = 86_400_000;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const NONE: SuppressionFile = { lockkeeper: 'suppressions/v1', keys: [], suppressions: [] };

/** Ids of keys that suppressions may be by: those that are named, and those of whoever sits here. */
export async function trustedIds({ home }: Context, named: readonly string[]): Promise<Set<string>> {
  const own = await Promise.all(
    (await home.keyNames()).map(async (name) => (await home.storedKey(name)).keyid),
  );
  return new Set([...named, ...own]);
}

/** Throws KEY_UNKNOWN for a signer that nobody named, SIGNATURE_INVALID, DOCUMENT_INVALID, and USAGE without the file. */
export async function readSuppressions(
  context: Context,
  path: string,
  trusted: ReadonlySet<string>,
): Promise<Accepted[]> {
  const missing = (): LockkeeperError =>
    new LockkeeperError('USAGE', {
      expected: '--suppressions: a file that is there',
      found: quote(path, 200),
      next: 'Make it with: lk scan SOURCE --suppressions FILE --accept CHECK=REASON',
    });
  const { keys, suppressions } = await fileAt(context, path, missing);
  const known = new Map(keys.map(readPublicKey).map(({ keyid, key }) => [keyid, key]));
  return suppressions.map((envelope) => {
    const keyid = envelope.signatures[0]?.keyid ?? '';
    if (!trusted.has(keyid))
      throw new LockkeeperError('KEY_UNKNOWN', {
        expected: 'suppressions by keys that are trusted here',
        found: `one by ${quote(keyid, 80)}`,
        next: `Take it out, or trust that person's key with: --trust ${keyid}`,
      });
    const good = verifiedKeys(envelope, new Map([...known].filter(([id]) => id === keyid)));
    if (envelope.payloadType !== SUPPRESSION_TYPE || envelope.signatures.length !== 1 || good.size !== 1)
      throw new LockkeeperError('SIGNATURE_INVALID', {
        expected: `a suppression signed once, by the key ${keyid}, which stands in the file`,
        found: 'a signature that does not fit these bytes, or no such key',
        next: 'Take it out and accept the finding again',
      });
    const said = assertValid(
      Suppression,
      parseStrict(Buffer.from(envelope.payload, 'base64')),
      'a suppression',
    );
    return { ...said, keyid };
  });
}

async function fileAt(
  { cwd }: Context,
  path: string,
  missing: () => LockkeeperError,
): Promise<SuppressionFile> {
  const bytes = await readOr(resolve(cwd, path), missing, MAX_FILE_BYTES);
  return assertValid(SuppressionFile, parseFile(bytes, path, { maxBytes: MAX_FILE_BYTES }), path);
}

export interface Wish {
  /** Reasons by check. */
  readonly accepts: ReadonlyMap<string, string>;
  readonly days: number;
  readonly signer: Signer;
}

/** Signs each finding of those checks, and adds to the file. Returns how many; throws USAGE where a check did not fire. */
export async function accept(
  context: Context,
  path: string,
  { targets, wish }: { targets: readonly ScanTarget[]; wish: Wish },
): Promise<number> {
  if (!(Number.isInteger(wish.days) && wish.days >= 1 && wish.days <= MAX_SUPPRESSION_DAYS))
    throw refused(`--days from 1 to ${MAX_SUPPRESSION_DAYS}`, `${wish.days}`);
  const before = await fileAt(context, path, () => absent(path)).catch((error: unknown) => {
    if (error instanceof LockkeeperError && error.code === 'NOT_FOUND') return NONE;
    throw error;
  });
  const now = context.now();
  const made = [];
  for (const said of statements(targets, wish, now))
    made.push(await sealWith(wish.signer, SUPPRESSION_TYPE, Buffer.from(canonical(said))));
  const pem = wish.signer.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const after: SuppressionFile = {
    ...before,
    keys: [...new Set([...before.keys, pem])],
    suppressions: [...before.suppressions, ...made],
  };
  await writeAtomic(resolve(context.cwd, path), pretty(after));
  return made.length;
}

function statements(targets: readonly ScanTarget[], { accepts, days }: Wish, now: Date): Suppression[] {
  const found: Suppression[] = [];
  for (const [check, reason] of accepts) {
    const fired = targets.flatMap(({ report }) =>
      (report?.checks ?? []).flatMap((one) =>
        one.id === check && one.outcome === 'fired' && report
          ? one.findings.map((finding) => ({ finding, source: report.release.source }))
          : [],
      ),
    );
    if (fired.length === 0) throw refused(`--accept with a check that fired`, check);
    for (const { finding, source } of fired)
      found.push({
        ...{ lockkeeper: 'suppression/v1', finding: fingerprintOf(source, finding), check, reason },
        source: subjectOf(source),
        issuedAt: now.toISOString(),
        expires: new Date(now.getTime() + days * DAY_MS).toISOString(),
      });
  }
  return found;
}

function absent(path: string): LockkeeperError {
  return new LockkeeperError('NOT_FOUND', { expected: path, found: 'no such file', next: 'It is made' });
}

function refused(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('USAGE', { expected, found: quote(found), next: 'See: lk scan --help' });
}
