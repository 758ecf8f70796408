/** A signed verdict of the scanner: opening one under the roots of its days. */
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { canonical, parseStrict } from '../../schemas/json.ts';
import { assertValid } from '../../schemas/validate.ts';
import { Verdict } from '../../schemas/verdict.ts';
import { readRoot, short, type TrustedRoot, trustedAt } from './root.ts';
import { signerOf } from './signed.ts';

const NEXT = 'Do not approve it: ask who runs the registry, and have the release scanned again';

/** What the verdict has to be about, as its reader was shown it. */
export interface Scanned {
  readonly purl: string;
  readonly reportDigest: string;
  readonly subject: Verdict['subject'];
}

/**
 * Signed by one key of the role scanner in the root of today, or in an earlier one of the chain, inside its dates when
 * the scan says it was made; and about exactly this release and report. Throws SIGNATURE_INVALID, KEY_UNKNOWN,
 * DOCUMENT_INVALID, JSON_INVALID or VERDICT_SUBJECT.
 */
export function openVerdict(envelope: Envelope, trusted: TrustedRoot, scanned: Scanned): Verdict {
  if (envelope.payloadType !== STATEMENT_TYPE || envelope.signatures.length !== 1)
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `one signature over a payload of type ${STATEMENT_TYPE}`,
      found: `${envelope.signatures.length} over ${quote(envelope.payloadType)}`,
      next: NEXT,
    });
  assertScanner(envelope, trusted);
  const verdict = assertValid(Verdict, parseStrict(Buffer.from(envelope.payload, 'base64')), 'the verdict');
  assertAbout(verdict, scanned);
  return verdict;
}

/** A key that was replaced since counts for what it signed in its days. */
function assertScanner(envelope: Envelope, trusted: TrustedRoot): void {
  const as = { role: 'scanner', thing: 'the verdict', next: NEXT } as const;
  const keyid = envelope.signatures[0]?.keyid ?? '';
  if (trusted.holds('scanner', keyid)) return void signerOf(envelope, trusted, as);
  const said = parseStrict(Buffer.from(envelope.payload, 'base64')) as {
    predicate?: { timeVerified?: unknown };
  };
  const at = new Date(String(said?.predicate?.timeVerified));
  const earlier = trusted.chain
    .map(readRoot)
    .filter(({ root }) => Date.parse(root.issuedAt) <= at.getTime())
    .map((read) => trustedAt(read, at))
    .findLast((one) => one.holds('scanner', keyid));
  signerOf(envelope, earlier ?? trusted, as);
}

function assertAbout({ subject, predicate }: Verdict, scanned: Scanned): void {
  const { resourceUri, inputAttestations } = predicate;
  const [report] = inputAttestations;
  const digest = `sha256:${report?.digest.sha256 ?? ''}`;
  const same =
    resourceUri === scanned.purl &&
    report?.uri === 'report' &&
    digest === scanned.reportDigest &&
    canonical(subject) === canonical(scanned.subject);
  if (same) return;
  throw new LockkeeperError('VERDICT_SUBJECT', {
    expected: `the scanner's verdict on ${scanned.purl} with the report ${short(scanned.reportDigest)} and its ${scanned.subject.length} artifacts`,
    found: `one on ${resourceUri} with the report ${short(digest)} and ${subject.length} artifacts`,
    next: NEXT,
  });
}
