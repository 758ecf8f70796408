/** What a gateway shows to a server in the place of a caller: its own credential, or what this very caller signed in for. */
import type { Caller } from '../../runtime/gate/caller.ts';
import type { Upstream } from '../../runtime/identity/upstream.ts';
import type { Credentials } from '../../runtime/remote/requests.ts';
import type { LockEntry } from '../../schemas/lock.ts';
import type { Runtime } from '../runtime.ts';

export interface Showing {
  readonly upstream: Pick<Upstream, 'has' | 'headersFor' | 'forget'>;
  readonly person: Caller;
  readonly signedIn: Runtime['signedIn'];
}

/** Undefined: nothing. What one person consented to serves nobody else, whoever the gateway lets in by that name. */
export async function shownFor(
  { alias, launch }: { readonly alias: string; readonly launch: LockEntry['launch'] },
  caller: Caller,
  { upstream, person, signedIn }: Showing,
): Promise<Credentials | undefined> {
  if (upstream.has(alias))
    return {
      headers: () => upstream.headersFor(alias, caller),
      forget: () => upstream.forget(alias),
    };
  return caller === person ? signedIn(alias, launch) : undefined;
}
