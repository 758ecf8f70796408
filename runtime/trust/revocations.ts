/** Watching for the revocation of what runs. The registry is believed when it denies; a signature is looked at for the record. */
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { RevocationEvent } from '../../schemas/revocation.ts';
import { isValid } from '../../schemas/validate.ts';
import { assertRevokes, openRevocation, type RevocableRelease } from './revocation.ts';
import type { TrustedRoot } from './root.ts';

/** Where revocations come from. */
export interface RevocationSource {
  /**
   * Hands over every announcement about `server`, those of the past first, until `signal` aborts. Reconnects by
   * itself and never throws. What it hands over is whatever came: nobody has looked at it.
   */
  subscribe(server: string, take: (event: unknown) => void, signal: AbortSignal): void;
}

/** The running release was revoked. */
export interface Revoked {
  readonly revokedBy: string;
  readonly reason: string;
  readonly at: string;
  readonly digest: string;
  /** Whose signature verified under the lock's root; null when none did. */
  readonly signedBy: string | null;
  /** Why a signature that came along does not count; null when none came, or it verified. */
  readonly doubt: string | null;
  /** What the client and the person at the machine are told. */
  readonly error: LockkeeperError;
}

export interface Watch {
  readonly release: RevocableRelease;
  /** The root that the lock carries. */
  readonly trusted: TrustedRoot;
  readonly source: RevocationSource;
}

/** Calls `revoked` at most once, when the running release is revoked. Returns how to stop watching. */
export function watchRevocations(
  { release, trusted, source }: Watch,
  revoked: (what: Revoked) => void,
): () => void {
  const over = new AbortController();
  const take = (event: unknown): void => {
    if (over.signal.aborted || !isValid(RevocationEvent, event)) return;
    if (event.server !== release.server || event.version !== release.version) return;
    over.abort();
    revoked(judge(event, release, trusted));
  };
  source.subscribe(release.server, take, over.signal);
  return () => over.abort();
}

function judge(event: RevocationEvent, release: RevocableRelease, trusted: TrustedRoot): Revoked {
  const { revokedBy, reason, at, digest } = event;
  let signedBy: string | null = null;
  let doubt: string | null = null;
  try {
    if (event.envelope) {
      const opened = openRevocation(event.envelope, trusted);
      assertRevokes(opened.revocation, release);
      signedBy = opened.person;
    }
  } catch (thrown) {
    doubt = asLockkeeperError(thrown).message.slice(0, 600);
  }
  const error = new LockkeeperError('RELEASE_REVOKED', {
    expected: `${release.server} ${release.version} approved for as long as it runs`,
    found: `it was revoked at ${at} by ${revokedBy}: ${quote(reason, 300)}`,
    next: 'Run: lk lock (it takes the newest approved version that fits), or take it out: lk remove ALIAS',
  });
  return { revokedBy, reason, at, digest, signedBy, doubt, error };
}
