/** A signed revocation: opening one under a root. One revoker suffices: to deny is cheap. */
import { envelopeDigest, STATEMENT_TYPE } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { Revocation } from '../../schemas/revocation.ts';
import { assertValid } from '../../schemas/validate.ts';
import { short, type TrustedRoot } from './root.ts';
import { signerOf } from './signed.ts';

/** Which release it is about: what will not run any more, as whoever asks knows it. */
export interface RevocableRelease {
  readonly server: string;
  readonly version: string;
  readonly closureDigest: string;
}

export interface OpenedRevocation {
  readonly revocation: Revocation;
  readonly person: string;
  readonly digest: string;
}

/**
 * Signature by one enrolled revoker, form, and that signer and statement name the same person.
 * Throws SIGNATURE_INVALID, KEY_UNKNOWN, DOCUMENT_INVALID or JSON_INVALID.
 */
export function openRevocation(envelope: Envelope, trusted: TrustedRoot): OpenedRevocation {
  if (envelope.payloadType !== STATEMENT_TYPE || envelope.signatures.length !== 1) {
    throw new LockkeeperError('DOCUMENT_INVALID', {
      expected: `one signature over a payload of type ${STATEMENT_TYPE}`,
      found: `${envelope.signatures.length} over ${quote(envelope.payloadType)}`,
      next: 'Sign again with: lk revoke',
    });
  }
  const { person } = signerOf(envelope, trusted, {
    role: 'revoker',
    thing: 'the revocation',
    next: 'Sign again with: lk revoke',
  });
  const bytes = Buffer.from(envelope.payload, 'base64');
  const revocation = assertValid(Revocation, parseStrict(bytes), 'the revocation');
  const { revokedBy } = revocation.predicate;
  if (revokedBy !== person)
    throw unsigned(`a revocation in the name of ${person}, who signed it`, `one in the name of ${revokedBy}`);
  return { revocation, person, digest: envelopeDigest(envelope) };
}

function unsigned(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('SIGNATURE_INVALID', { expected, found, next: 'Sign again with: lk revoke' });
}

/** Is the statement, its subject included, about exactly this release? Throws REVOCATION_SUBJECT. */
export function assertRevokes({ predicate, subject }: Revocation, release: RevocableRelease): void {
  const { server, version, closureDigest } = predicate;
  const said = `${server} ${version} with closure ${short(closureDigest)}`;
  const wanted = `${release.server} ${release.version} with closure ${short(release.closureDigest)}`;
  const [only] = subject;
  const same =
    server === release.server &&
    version === release.version &&
    closureDigest === release.closureDigest &&
    only?.name === `${server}@${version}` &&
    `sha256:${only.digest.sha256}` === closureDigest;
  if (same) return;
  throw new LockkeeperError('REVOCATION_SUBJECT', {
    expected: `a statement about ${wanted}`,
    found: `one about ${said}${said === wanted ? ', whose subject is another' : ''}`,
    next: 'Sign again with: lk revoke',
  });
}
