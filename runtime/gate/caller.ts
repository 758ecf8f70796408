/** Who calls. A face proves it once; nothing that a message says about its sender is believed. */
export interface Caller {
  /** The person or machine, as the journal names it: `ada@example.com`, `ci:build`, `local:ada`. */
  readonly user: string;
  /** Groups that whoever vouches for the user vouches for as well. */
  readonly teams: readonly string[];
  /** What vouches for it: the sign-in of this machine, a token of the registry, a JWT, a client certificate, or nobody. */
  readonly via: 'sign-in' | 'token' | 'jwt' | 'certificate' | 'nobody';
  /** Who acts for whom, outermost first (RFC 8693 `act`); empty where nobody does. */
  readonly actors: readonly string[];
}
