/** Revocations that this machine heard of: what one ended does not start again because the registry cannot be asked. */
import type { RevocationSource } from '../runtime/trust/revocations.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../schemas/errors.ts';
import type { LockEntry } from '../schemas/lock.ts';
import { RevocationEvent } from '../schemas/revocation.ts';
import { isValid } from '../schemas/validate.ts';
import type { States } from './current.ts';
import type { Home } from './home.ts';

export interface Place {
  readonly home: Home;
  readonly registry: string;
  /** Told of what could not be kept. */
  readonly say: (line: string) => void;
}

type Named = Pick<LockEntry, 'server' | 'version'>;
/** By alias. */
type Locked = ReadonlyMap<string, { readonly entry: Named }>;

/** Of one server: a registry that announces without end does not fill the disk. */
const MOST = 10_000;
/** Of what was said about one, characters. */
const SAID = 1000;

/** The same source; what it announces is remembered. */
export function remembering(source: RevocationSource, place: Place): RevocationSource {
  return {
    subscribe: (server, take, signal) => {
      let count = 0;
      const heard = (event: unknown): void => {
        if (isValid(RevocationEvent, event) && event.server === server && count++ < MOST) {
          const { version, at, revokedBy, reason } = event;
          keep({ server, version }, `it was revoked at ${at} by ${revokedBy}: ${quote(reason, 300)}`, place);
        }
        take(event);
      };
      source.subscribe(server, heard, signal);
    },
  };
}

/** What the registry answered of these releases, when it was asked. */
export function rememberStates(entries: Locked, states: States, place: Place): void {
  for (const { entry } of entries.values()) {
    const { server, version } = entry;
    if (states.get(`${server}@${version}`) === 'revoked')
      keep({ server, version }, `it is revoked at ${place.registry}`, place);
  }
}

function keep(release: Named, said: string, { home, registry, say }: Place): void {
  home
    .heardRevoked(registry, { ...release, said: said.slice(0, SAID).toWellFormed() })
    .catch((error: Error) => say(`the revocation of ${release.server} is not remembered: ${error.message}`));
}

/** For when the registry says nothing: the refusals of those that it said no to before, or may have, by alias. */
export async function heardBefore(
  entries: Locked,
  { home, registry }: Pick<Place, 'home' | 'registry'>,
): Promise<Map<string, LockkeeperError>> {
  const refusals = new Map<string, LockkeeperError>();
  for (const [alias, { entry }] of entries) {
    const { server, version } = entry;
    const error = await home
      .revokedBefore(registry, { server, version })
      .then((heard) => heard && revoked({ server, version }, heard), asLockkeeperError);
    if (error) refusals.set(alias, error);
  }
  return refusals;
}

function revoked({ server, version }: Named, heard: string): LockkeeperError {
  return new LockkeeperError('RELEASE_REVOKED', {
    expected: `${server} ${version} approved`,
    found: `${heard}, as this machine heard before`,
    next: 'Run: lk lock (it takes the newest approved version that fits), or take it out: lk remove ALIAS',
  });
}
