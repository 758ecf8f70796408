/** The protected-resource metadata of the gateway (RFC 9728): which issuers its clients may get tokens from. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';

export interface Metadata {
  readonly url: string;
  /** Paths to answer a GET of: the one that belongs to the resource, and the one of the whole host. */
  readonly paths: readonly string[];
  /** `application/json` */
  readonly body: Buffer;
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** Throws CONFIG_INVALID for a resource with a query: two could have the same metadata. */
export function metadataOf(resource: string, issuers: readonly JwtIssuer[]): Metadata {
  const { origin, pathname, search } = new URL(resource);
  if (search !== '')
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: 'the resource as a URL without a query',
      found: search,
      next: 'Leave it out',
    });
  const path = `${WELL_KNOWN}${pathname === '/' ? '' : pathname}`;
  const scopes = [...new Set(issuers.flatMap((issuer) => issuer.scopes ?? []))];
  const value = {
    resource,
    resource_name: 'Lockkeeper gateway',
    authorization_servers: issuers.map(({ issuer }) => issuer),
    bearer_methods_supported: ['header'],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
  };
  return {
    url: `${origin}${path}`,
    paths: [...new Set([path, WELL_KNOWN])],
    body: Buffer.from(JSON.stringify(value)),
  };
}
