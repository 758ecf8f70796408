/** One person on their own machine: without a credential, every program of theirs is the signed-in person. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import { assertOwnUser } from './behind.ts';
import type { Identified } from './identified.ts';
import { type IdentityRequest, relayOf, valuesOf } from './shown.ts';
import { isLoopbackAddress, isLoopbackName } from './url.ts';

/** Throws UNAUTHENTICATED for a request of another machine or another user of this one, or of another site's page. */
export async function identifyNobody(request: IdentityRequest, person: Caller): Promise<Identified> {
  const { remoteAddress } = request.socket;
  if (!isLoopbackAddress(remoteAddress))
    throw refused('a request from this machine', remoteAddress ?? 'no address');
  const relay = relayOf(request);
  if (relay !== undefined) throw refused('a request that no proxy sent on', `the header ${relay}`);
  const hosts = valuesOf(request, 'host');
  if (hosts.length !== 1 || !isHere(`http://${hosts[0]}`))
    throw refused('one Host of this machine', hosts.join(', ') || 'none');
  const foreign = valuesOf(request, 'origin').find((origin) => !isHere(origin));
  if (foreign !== undefined) throw refused('a page of this machine, or none', `the origin ${foreign}`);
  await assertOwnUser(request.socket);
  return alone(person);
}

/** One person, of whom every request is told the same. */
const known = new WeakMap<Caller, Identified>();

function alone(person: Caller): Identified {
  const before = known.get(person);
  if (before) return before;
  const principal = JSON.stringify(['nobody', person.user]);
  const identified = { caller: person, servers: null, principal, expires: null };
  known.set(person, identified);
  return identified;
}

/** Few programs call, each by one name: what it leads to is read once. */
const read = new Map<string, boolean>();
const MAX_READ = 100;

function isHere(url: string): boolean {
  const known = read.get(url);
  if (known !== undefined) return known;
  const here = URL.canParse(url) && isLoopbackName(new URL(url).hostname);
  if (read.size >= MAX_READ) read.clear();
  if (url.length <= 300) read.set(url, here);
  return here;
}

function refused(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('UNAUTHENTICATED', {
    expected: `${expected}, as this gateway is for one person`,
    found: quote(found, 200),
    next: 'Configure tokens, issuers or certificates for others',
  });
}
