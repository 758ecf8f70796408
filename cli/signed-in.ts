/** What the person at this machine signed in for with `lk login --server`. */
import { join } from 'node:path';
import { type Grants, openGrants } from '../runtime/consent/grants.ts';
import type { Credentials } from '../runtime/remote/requests.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { isLocal } from '../schemas/release.ts';
import type { Context } from './command.ts';
import type { Home } from './home.ts';

export function grantsOf({ dir }: Pick<Home, 'dir'>): Grants {
  return openGrants(join(dir, 'server-sign-ins.json'));
}

/** What is shown to a server of this registry's lock; undefined for one that runs here. */
export type SignedInFor = (alias: string, launch: LockEntry['launch']) => Promise<Credentials | undefined>;

export function signedInFor({ home, now }: Pick<Context, 'home' | 'now'>, registry: string): SignedInFor {
  const grants = grantsOf(home);
  return async (alias, launch) => {
    if (isLocal(launch)) return undefined;
    const { signedInCredentials } = await import('../runtime/consent/credentials.ts');
    return signedInCredentials({ grants, registry, launch, alias, now });
  };
}
