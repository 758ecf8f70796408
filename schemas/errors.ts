/**
 * The one error class and the one table of codes. A refusal is a sentence: what was expected, what was found, what to
 * do next. `exit` follows the command line's contract: 1 broken, 2 usage, 3 refused, 4 could not verify.
 */
interface CodeEntry {
  readonly status: number;
  readonly exit: 1 | 2 | 3 | 4;
  readonly title: string;
}

export const CODES = {
  // the caller's words
  USAGE: { status: 400, exit: 2, title: 'The command was not understood' },
  CONFIG_INVALID: { status: 500, exit: 2, title: 'The configuration is not valid' },
  REQUEST_INVALID: { status: 400, exit: 2, title: 'The request does not fit its schema' },
  NOT_FOUND: { status: 404, exit: 2, title: 'There is no such thing' },
  // who may
  UNAUTHENTICATED: { status: 401, exit: 3, title: 'Nobody is signed in' },
  FORBIDDEN: { status: 403, exit: 3, title: 'This role may not do that' },
  CODE_INVALID: { status: 401, exit: 3, title: 'The sign-in code is not valid' },
  RATE_LIMITED: { status: 429, exit: 3, title: 'Too many attempts' },
  CREDENTIAL_FORM: { status: 400, exit: 3, title: 'The credential is not shown as it has to be' },
  TOKEN_INVALID: { status: 401, exit: 3, title: 'The token does not hold' },
  TOKEN_EXPIRED: { status: 401, exit: 3, title: 'The token has expired' },
  SCOPE_MISSING: { status: 403, exit: 3, title: 'The token does not reach so far' },
  CERTIFICATE_INVALID: { status: 401, exit: 3, title: 'The client certificate does not hold' },
  IDENTITY_UNNAMED: { status: 403, exit: 3, title: 'The credential names nobody who can be known here' },
  IDENTITY_UNVERIFIED: { status: 503, exit: 4, title: 'Who calls could not be verified' },
  SECRET_MISSING: { status: 500, exit: 3, title: 'A secret is missing' },
  SECRET_UNUSABLE: { status: 500, exit: 3, title: 'A secret cannot be used' },
  UPSTREAM_CREDENTIAL: { status: 502, exit: 4, title: 'There is no credential for the server' },
  // documents
  JSON_INVALID: { status: 400, exit: 3, title: 'The text is not strict JSON' },
  DOCUMENT_INVALID: { status: 400, exit: 3, title: 'The document does not fit its schema' },
  DOCUMENT_FOREIGN: { status: 400, exit: 3, title: 'The file belongs to another tool' },
  // lifecycle
  STATE_CONFLICT: { status: 409, exit: 3, title: 'The release is in another state' },
  RELEASE_EXISTS: { status: 409, exit: 3, title: 'The release was submitted before' },
  SERVER_OWNED: { status: 403, exit: 3, title: 'Somebody else owns this server' },
  SERVER_ORPHANED: { status: 409, exit: 3, title: 'The server has no owner any more' },
  SOURCE_CHANGED: { status: 409, exit: 3, title: 'The server comes from another package' },
  // artifacts and scan
  SOURCE_INVALID: { status: 400, exit: 2, title: 'The source is not understood' },
  SOURCE_UNREACHABLE: { status: 502, exit: 4, title: 'The package registry did not answer' },
  CLOSURE_INCOMPLETE: { status: 422, exit: 3, title: 'The closure misses a package' },
  ARTIFACT_MISMATCH: { status: 422, exit: 3, title: 'The bytes are not the ones that were pinned' },
  ARTIFACT_MISSING: { status: 404, exit: 4, title: 'An artifact is missing' },
  ARCHIVE_HOSTILE: { status: 422, exit: 3, title: 'The archive is not safe to unpack' },
  ARCHIVE_INVALID: { status: 422, exit: 3, title: 'The archive is not whole' },
  SURFACE_UNREADABLE: { status: 422, exit: 4, title: 'The server did not show its surface' },
  QUALITY_UNKNOWN: { status: 422, exit: 4, title: 'The quality of the checks was not measured' },
  PROVENANCE_INVALID: { status: 422, exit: 3, title: 'The attestation does not hold' },
  PROVENANCE_IDENTITY: { status: 422, exit: 3, title: 'Somebody else signed the attestation' },
  PROVENANCE_SUBJECT: { status: 422, exit: 3, title: 'The attestation is about something else' },
  PROVENANCE_MISSING: { status: 422, exit: 4, title: 'There is no attestation' },
  // trust
  ROOT_UNTRUSTED: { status: 422, exit: 3, title: 'The root of trust is not the pinned one' },
  ROOT_UNPINNED: { status: 422, exit: 4, title: 'No root of trust is pinned on this machine' },
  ROOT_EXPIRED: { status: 422, exit: 3, title: 'The root of trust has expired' },
  SIGNATURE_INVALID: { status: 422, exit: 3, title: 'The signature does not verify' },
  KEY_UNKNOWN: { status: 422, exit: 3, title: 'The key is not enrolled for this' },
  KEY_FILE: { status: 500, exit: 3, title: 'The key file cannot be used' },
  SIGNER_FAILED: { status: 502, exit: 4, title: 'The key did not sign' },
  APPROVAL_THRESHOLD: { status: 422, exit: 3, title: 'Too few people approved this release' },
  APPROVAL_REQUESTER: { status: 422, exit: 3, title: 'The requester may not approve their own request' },
  VERDICT_SUBJECT: { status: 422, exit: 3, title: 'The verdict is about something else' },
  APPROVAL_SUBJECT: { status: 422, exit: 3, title: 'The approval is for other bytes' },
  APPROVAL_SCOPE: { status: 422, exit: 3, title: 'The approval does not cover this use' },
  APPROVAL_CHECKS: { status: 422, exit: 3, title: 'The approval leaves checks open' },
  APPROVAL_DELTA: { status: 422, exit: 3, title: 'The difference rests on nothing that carries it' },
  APPROVAL_GIVEN: { status: 409, exit: 3, title: 'This person approved it before' },
  APPROVAL_EXPIRED: { status: 422, exit: 3, title: 'The approval has expired' },
  APPROVAL_NOT_YET: { status: 422, exit: 3, title: 'The approval is not valid yet' },
  RELEASE_REVOKED: { status: 422, exit: 3, title: 'The release was revoked' },
  ROOT_OFFLINE: { status: 409, exit: 3, title: 'The root keys are kept offline' },
  REVOCATION_SUBJECT: { status: 422, exit: 3, title: 'The revocation is for another release' },
  ROOT_ROLLBACK: { status: 422, exit: 3, title: 'The root of trust is older than one seen before' },
  ROOT_FORK: { status: 422, exit: 3, title: 'The root of trust does not follow the one seen before' },
  // the transparency log
  LOG_BROKEN: { status: 500, exit: 3, title: 'The transparency log does not hold together' },
  LOG_SIGNATURE: { status: 422, exit: 3, title: 'The checkpoint is not one of this log' },
  LOG_WITNESS: { status: 422, exit: 3, title: 'Too few witnesses saw the checkpoint' },
  LOG_ROLLBACK: { status: 422, exit: 3, title: 'The transparency log became smaller' },
  LOG_FORK: { status: 422, exit: 3, title: 'The transparency log was rewritten' },
  LOG_INCLUSION: { status: 422, exit: 3, title: 'It is not in the transparency log' },
  LOG_UNPROVEN: { status: 422, exit: 4, title: 'Nothing shows that the transparency log only grew' },
  PUBLISHED_UNREACHABLE: { status: 502, exit: 4, title: 'The place of published checkpoints did not answer' },
  PUBLISHED_REFUSED: { status: 502, exit: 4, title: 'The place of published checkpoints refused' },
  PUBLISHED_FOREIGN: { status: 422, exit: 3, title: 'What lies there is no checkpoint of this log' },
  PUBLISHED_SHRANK: { status: 422, exit: 3, title: 'Published checkpoints were taken away' },
  EVIDENCE_INCOMPLETE: { status: 422, exit: 3, title: 'The evidence does not show what was logged' },
  // advisories
  ADVISORIES_UNREACHABLE: { status: 502, exit: 4, title: 'The advisories were not read' },
  ADVISORY_AFFECTS: { status: 422, exit: 3, title: 'A release has a known vulnerability' },
  // lock and gate
  LOCK_MISSING: { status: 404, exit: 3, title: 'There is no mcp.lock' },
  LOCK_FORM: { status: 422, exit: 3, title: 'The lock is not in its one written form' },
  LOCK_EXPIRED: { status: 422, exit: 3, title: 'The lock has expired' },
  LOCK_LIFE: { status: 422, exit: 3, title: 'The lock lives too long' },
  LOCK_FUTURE: { status: 422, exit: 3, title: 'The lock is from the future' },
  LOCK_AUDIENCE: { status: 422, exit: 3, title: 'The lock is for another project' },
  LOCK_ROLLBACK: { status: 422, exit: 3, title: 'The lock is older than one seen before' },
  LOCK_EQUIVOCATION: { status: 422, exit: 3, title: 'Two locks carry the same version' },
  LOCK_INTENT: { status: 422, exit: 3, title: 'The lock does not answer lockkeeper.json' },
  LOCK_UNRESOLVED: { status: 422, exit: 3, title: 'No approved release answers the request' },
  POLICY_INVALID: { status: 422, exit: 3, title: 'The policy is not understood' },
  POLICY_MISSING: { status: 404, exit: 3, title: 'The lock carries no policy' },
  POLICY_DROPPED: { status: 409, exit: 3, title: 'The policy would be gone without a word' },
  POLICY_DIFFERS: { status: 422, exit: 3, title: 'The policy is not the one in the lock' },
  INTENT_MISSING: { status: 404, exit: 2, title: 'There is no lockkeeper.json' },
  // runtime
  NOT_LOCKED: { status: 403, exit: 3, title: 'The server is not in the lock' },
  ISOLATION_MISSING: { status: 500, exit: 4, title: 'This machine has no way to isolate a server' },
  ISOLATION_FAILED: { status: 500, exit: 4, title: 'The sandbox did not start' },
  ISOLATION_MISMATCH: { status: 500, exit: 3, title: 'The server is not isolated as planned' },
  PYTHON_MISSING: { status: 500, exit: 4, title: 'This machine has no Python for that' },
  PYTHON_MISMATCH: { status: 500, exit: 3, title: 'The Python is another one than was locked' },
  MOUNT_REFUSED: { status: 403, exit: 3, title: 'The mount is not permitted' },
  SERVER_DIED: { status: 502, exit: 4, title: 'The server stopped' },
  SERVER_RESTING: { status: 503, exit: 4, title: 'The server failed too often and rests' },
  SERVER_SILENT: { status: 504, exit: 4, title: 'The server did not answer in time' },
  SURFACE_DRIFT: { status: 403, exit: 3, title: 'The server shows another surface than the lock' },
  FRAME_INVALID: { status: 400, exit: 3, title: 'The message is not one JSON-RPC message' },
  FRAME_TOO_LARGE: { status: 413, exit: 3, title: 'The message is larger than the limit' },
  NAME_AMBIGUOUS: { status: 409, exit: 3, title: 'Several locked servers share this name' },
  HOST_REFUSED: { status: 403, exit: 3, title: 'The request is not meant for this gateway' },
  HEADER_MISMATCH: { status: 400, exit: 3, title: 'Headers and body say different things' },
  ID_DUPLICATE: { status: 400, exit: 3, title: 'The request id is in use' },
  METHOD_REFUSED: { status: 403, exit: 3, title: 'The method is not permitted here' },
  TOOL_REFUSED: { status: 403, exit: 3, title: 'The tool is not in the lock' },
  TOOL_DRIFTED: { status: 403, exit: 3, title: 'The tool is not the locked one' },
  POLICY_REFUSED: { status: 403, exit: 3, title: 'The policy does not permit it' },
  ARGUMENTS_INVALID: { status: 400, exit: 3, title: 'The arguments do not fit the locked schema' },
  ROUND_REFUSED: { status: 403, exit: 3, title: 'The question and its answer do not belong together' },
  RESULT_INVALID: { status: 502, exit: 3, title: 'The answer is not one that was locked' },
  CONTENT_BLOCKED: { status: 403, exit: 3, title: 'The content may not pass' },
  CALL_REJECTED: { status: 403, exit: 3, title: 'The call was turned down' },
  CALL_EXPIRED: { status: 409, exit: 3, title: 'The call waited for too long' },
  CALL_UNANSWERED: { status: 504, exit: 4, title: 'Nobody could be asked about the call' },
  CALL_SUBJECT: { status: 422, exit: 3, title: 'The approval is for another call' },
  CALL_DECIDED: { status: 409, exit: 3, title: 'The call is decided' },
  REMOTE_UNREACHABLE: { status: 502, exit: 4, title: 'The remote server was not reached' },
  REMOTE_REFUSED: { status: 502, exit: 3, title: 'The remote server does not let us in' },
  REMOTE_INVALID: { status: 502, exit: 3, title: 'The remote server breaks its transport' },
  TLS_UNTRUSTED: { status: 502, exit: 3, title: 'The certificate of the remote server does not verify' },
  TLS_IDENTITY_CHANGED: { status: 502, exit: 3, title: 'Another server answers than was reviewed' },
  EGRESS_REFUSED: { status: 403, exit: 3, title: 'The connection is not permitted' },
  JOURNAL_BROKEN: { status: 500, exit: 4, title: 'The journal cannot be written' },
  JOURNAL_CHAIN: { status: 422, exit: 3, title: 'The journal chain does not verify' },
  SINK_FAILED: { status: 502, exit: 4, title: 'A sink did not take the records' },
  // machines
  REGISTRY_UNREACHABLE: { status: 502, exit: 4, title: 'The registry did not answer' },
  DATABASE_UNAVAILABLE: { status: 503, exit: 4, title: 'The database is not there' },
  DATABASE_NEWER: { status: 500, exit: 1, title: 'The database is newer than this program' },
  SYSTEM: { status: 500, exit: 1, title: 'This machine does not permit it' },
  INTERNAL: { status: 500, exit: 1, title: 'Something broke' },
} as const satisfies Record<string, CodeEntry>;

export type Code = keyof typeof CODES;

export interface Detail {
  readonly expected: string;
  readonly found: string;
  /** The next command or action, as a sentence without its final stop. */
  readonly next: string;
  /** More of what was found, in the words of a server: for who keeps it, never for a client’s model to read. */
  readonly words?: string | undefined;
  readonly cause?: unknown;
}

/** A refusal or failure. `message` is the whole sentence; `code` is stable and safe to branch on. */
export class LockkeeperError extends Error {
  readonly code: Code;
  readonly expected: string;
  readonly found: string;
  readonly next: string;
  /** The sentence as a client is told it: without words of a server that nobody judged. */
  readonly told: string;

  constructor(code: Code, detail: Detail) {
    const sentence = (found: string): string =>
      `${CODES[code].title}: expected ${detail.expected}; found ${found}. ${detail.next}.`;
    const { found, words, cause } = detail;
    super(sentence(words ? `${found}, ${words}` : found), { cause });
    this.told = sentence(found);
    this.name = 'LockkeeperError';
    this.code = code;
    this.expected = detail.expected;
    this.found = detail.found;
    this.next = detail.next;
  }

  get status(): number {
    return CODES[this.code].status;
  }

  get exit(): number {
    return CODES[this.code].exit;
  }
}

interface NodeError {
  readonly code?: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly address?: string;
  readonly port?: number;
}

/** Shows outside text inside a sentence: at most `limit` characters, control characters escaped. */
export function quote(text: string, limit = 120): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return JSON.stringify(shown).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** What a person can do about an operating system's refusals; others are our own failures. */
const ADVICE: Readonly<Record<string, string>> = {
  EACCES: 'Give this user access to it, or choose another place',
  EPERM: 'Give this user access to it, or choose another place',
  EROFS: 'Choose a place that can be written to',
  ENOSPC: 'Free some space on that disk',
  EDQUOT: 'Free some space in this user’s quota',
  EADDRINUSE: 'Stop what listens there, or choose another port with --port',
  EADDRNOTAVAIL: 'Choose an address of this machine',
  ENOTDIR: 'A file stands where a folder is needed: choose another place',
  EISDIR: 'A folder stands where a file is needed: choose another place',
  EMFILE: 'Raise the limit of open files (ulimit -n)',
  ELOOP: 'Links lead in a circle: choose another place',
};

/** Any thrown value as a LockkeeperError: SYSTEM for what the machine refuses, else INTERNAL with its message kept. */
export function asLockkeeperError(error: unknown): LockkeeperError {
  if (error instanceof LockkeeperError) return error;
  const { code = '', syscall, path, address, port } = (error ?? {}) as NodeError;
  const next = Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined;
  if (next !== undefined) {
    const place = path ?? [address, port].filter((part) => part !== undefined).join(':');
    const expected = `${syscall ?? 'it'} ${place === '' ? '' : `${quote(place, 200)} `}to work`;
    return new LockkeeperError('SYSTEM', { expected, found: code, next, cause: error });
  }
  const found = error instanceof Error ? error.message : String(error);
  return new LockkeeperError('INTERNAL', {
    expected: 'no failure',
    found: quote(found, 400),
    next: 'Report this with the output of: lk doctor --json',
    cause: error,
  });
}
