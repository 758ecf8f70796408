/** One person on their own machine: without a credential, whoever can reach loopback is the signed-in person. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Caller } from '../gate/caller.ts';
import type { Identified } from './identified.ts';
import { type IdentityRequest, valuesOf } from './shown.ts';
import { isLoopbackAddress, isLoopbackName } from './url.ts';

/** Headers by which a proxy tells that somebody else sent the request. */
const RELAYED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

/** Throws UNAUTHENTICATED for a request that did not begin on this machine, or that a page of another site sent. */
export function identifyNobody(request: IdentityRequest, person: Caller): Identified {
  const { remoteAddress } = request.socket;
  if (!isLoopbackAddress(remoteAddress))
    throw refused('a request from this machine', remoteAddress ?? 'no address');
  const relay = RELAYED.find((name) => valuesOf(request, name).length > 0);
  if (relay !== undefined) throw refused('a request that no proxy sent on', `the header ${relay}`);
  const hosts = valuesOf(request, 'host');
  if (hosts.length !== 1 || !isHere(`http://${hosts[0]}`))
    throw refused('one Host of this machine', hosts.join(', ') || 'none');
  const foreign = valuesOf(request, 'origin').find((origin) => !isHere(origin));
  if (foreign !== undefined) throw refused('a page of this machine, or none', `the origin ${foreign}`);
  return { caller: person, servers: null, principal: JSON.stringify(['nobody', person.user]), expires: null };
}

function isHere(url: string): boolean {
  return URL.canParse(url) && isLoopbackName(new URL(url).hostname);
}

function refused(expected: string, found: string): LockkeeperError {
  return new LockkeeperError('UNAUTHENTICATED', {
    expected: `${expected}, as this gateway is for one person`,
    found: quote(found, 200),
    next: 'Configure tokens, issuers or certificates for others',
  });
}
