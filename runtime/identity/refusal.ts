/** How a refusal is told over HTTP: RFC 6750 section 3 and RFC 9728 section 5.1. */
import { type Code, LockkeeperError } from '../../schemas/errors.ts';

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly error: LockkeeperError;
}

export interface Challenge {
  /** URL of the protected-resource metadata; null where no issuer is configured. */
  readonly metadataUrl: string | null;
  readonly scopes: readonly string[];
}

/** Codes that say something of the credential; what is not here happened to the gateway. */
const WORDS: Partial<Record<Code, string>> = {
  CREDENTIAL_FORM: 'invalid_request',
  TOKEN_INVALID: 'invalid_token',
  TOKEN_EXPIRED: 'invalid_token',
  SCOPE_MISSING: 'insufficient_scope',
};
const ASKING: readonly Code[] = [
  'UNAUTHENTICATED',
  'CERTIFICATE_INVALID',
  'CERTIFICATE_REVOKED',
  'TOKEN_INVALID',
  'TOKEN_EXPIRED',
];
const RETRY_SECONDS = '10';

/** What the caller is told. `error.cause` is for whoever keeps the gateway. */
export function refusalOf(thrown: LockkeeperError, challenge: Challenge): Refusal {
  const error = isOurs(thrown) ? unverified(thrown) : thrown;
  const { status, code } = error;
  if (code === 'IDENTITY_UNVERIFIED') return { status, headers: { 'retry-after': RETRY_SECONDS }, error };
  const word = WORDS[code];
  if (word === undefined && !ASKING.includes(code)) return { status, headers: {}, error };
  const headers = { 'www-authenticate': challengeOf(code, word, challenge) };
  // Another certificate takes another connection.
  return {
    status,
    headers: code === 'CERTIFICATE_REVOKED' ? { ...headers, connection: 'close' } : headers,
    error,
  };
}

function challengeOf(code: Code, word: string | undefined, { metadataUrl, scopes }: Challenge): string {
  const parts = ['realm="lockkeeper"'];
  if (metadataUrl !== null) parts.push(`resource_metadata="${metadataUrl}"`);
  if (scopes.length > 0) parts.push(`scope="${scopes.join(' ')}"`);
  if (word !== undefined) parts.push(`error="${word}"`, `error_description="${code}"`);
  return `Bearer ${parts.join(', ')}`;
}

/** A file that cannot be read is no stranger's business. */
function isOurs({ code }: LockkeeperError): boolean {
  return !(
    code in WORDS ||
    ASKING.includes(code) ||
    code === 'IDENTITY_UNNAMED' ||
    code === 'IDENTITY_UNVERIFIED'
  );
}

function unverified(cause: LockkeeperError): LockkeeperError {
  return new LockkeeperError('IDENTITY_UNVERIFIED', {
    expected: 'a gateway that can read what it knows callers by',
    found: 'one that cannot',
    next: 'Tell whoever keeps it; its own output says why',
    cause,
  });
}
