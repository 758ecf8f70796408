/** Several issuers: what one says of a person may never be taken for what another says of somebody else. */
import { LockkeeperError } from '../../schemas/errors.ts';
import type { JwtIssuer } from '../../schemas/identity.ts';

/** Each has a prefix of its own, or speaks for e-mail domains that no other speaks for. Throws CONFIG_INVALID. */
export function assertSeparate(issuers: readonly JwtIssuer[]): void {
  for (const [i, one] of issuers.entries()) {
    for (const other of issuers.slice(i + 1)) {
      if (one.issuer === other.issuer) throw mixed(one, other, 'the same issuer twice');
      if (one.prefix !== other.prefix) continue;
      if (one.teams && other.teams) throw mixed(one, other, 'two that name teams alike');
      if (!domainsApart(one, other)) throw mixed(one, other, 'two that could name the same user');
    }
  }
}

function domainsApart(one: JwtIssuer, other: JwtIssuer): boolean {
  const domains = [one, other].map(({ user }) => (user?.claim === 'email' ? user.domains : undefined));
  const [mine, theirs] = domains;
  return mine !== undefined && theirs !== undefined && !mine.some((domain) => theirs.includes(domain));
}

function mixed(one: JwtIssuer, other: JwtIssuer, found: string): LockkeeperError {
  return new LockkeeperError('CONFIG_INVALID', {
    expected: `${one.issuer} and ${other.issuer} to differ by prefix, or by user.domains of the claim email`,
    found,
    next: 'Give one of them a prefix, or each its domains',
  });
}
