/** The protected-resource metadata of the gateway (RFC 9728): which issuers its clients may get tokens from. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';
import type { Doors } from './doors.ts';

export interface Metadata {
  readonly url: string;
  /** Paths to answer a GET of: the one that belongs to the resource, and the one of the whole host. */
  readonly paths: readonly string[];
  /** `application/json` */
  readonly body: Buffer;
  /** What a GET of this path is answered with: the gateway's, or that of one door; null where it is neither. */
  find(path: string): Buffer | null;
  /** Where a client that called this path finds which resource it is. */
  urlFor(path: string): string;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/**
 * `doors`: null where the gateway is one resource. Throws CONFIG_INVALID for a resource with a query: two could have the
 * same metadata.
 */
export function metadataOf(resource: string, issuers: readonly JwtIssuer[], doors: Doors | null): Metadata {
  const { origin, pathname, search } = new URL(resource);
  if (search !== '')
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: 'the resource as a URL without a query',
      found: search,
      next: 'Leave it out',
    });
  const whole = bodyOf(resource, issuers);
  const path = `${WELL_KNOWN}${pathname === '/' ? '' : pathname}`;
  const paths = [...new Set([path, WELL_KNOWN])];
  return {
    url: `${origin}${path}`,
    paths,
    body: whole,
    find: (at) => {
      if (paths.includes(at)) return whole;
      const door = at.startsWith(WELL_KNOWN) ? `${origin}${at.slice(WELL_KNOWN.length)}` : '';
      return doors?.pathOf(door) ? bodyOf(door, issuers) : null;
    },
    urlFor: (at) => {
      const door = doors?.at(at);
      return `${origin}${door ? `${WELL_KNOWN}${new URL(door).pathname}` : path}`;
    },
  };
}

function bodyOf(resource: string, issuers: readonly JwtIssuer[]): Buffer {
  const scopes = [...new Set(issuers.flatMap((issuer) => issuer.scopes ?? []))];
  const value = {
    resource,
    resource_name: 'Lockkeeper gateway',
    authorization_servers: issuers.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
  };
  return Buffer.from(JSON.stringify(value));
}
