/** Who may come to a gateway, and what proves it. What is not named here is off; empty means nobody. */
import { Closed, Instant } from './common.ts';
import { Alias } from './intent.ts';
import { type Static, Type } from './type.ts';

/** Asymmetric algorithms alone: a shared secret would let every holder of it speak for everybody. */
const JWT_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;
export const Algorithm = Type.Union(JWT_ALGORITHMS.map((name) => Type.Literal(name)));

export const Path = Type.String({
  minLength: 1,
  maxLength: 1024,
  description: 'a path, relative to its configuration',
});

/** A URL that one can trust to be answered by whom it names. Loopback is looked at by `assertSecureUrl`. */
export const SecureUrl = Type.String({
  pattern: '^https?://[!-~]+$',
  maxLength: 500,
  description: 'an https URL (http on loopback alone)',
});

/** ASCII alone: two names that look the same are the same. */
export const User = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._@+|/:~=-]{0,199}$',
  description: 'a user of at most 200 of A-Z, a-z, 0-9 and ._@+|/:~=-',
});
export const Team = Type.String({
  pattern: '^[A-Za-z0-9/][A-Za-z0-9._@+|/:~=-]{0,199}$',
  description: 'a team of at most 200 of A-Z, a-z, 0-9 and ._@+|/:~=-',
});
const Teams = Type.Array(Team, { maxItems: 500, uniqueItems: true });

export const Claim = Type.String({ minLength: 1, maxLength: 200 });
export const Seconds = (minimum: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum, maximum }));

export const Domain = Type.String({
  pattern: '^[a-z0-9-]+(?:\\.[a-z0-9-]+)+$',
  description: 'a domain in small letters',
});

/** One issuer of access tokens (RFC 9068 and what resembles it). */
export const JwtIssuer = Closed({
  /** Exactly as tokens name it. */
  issuer: SecureUrl,
  /** Where its keys are: what its metadata says (the default), this URL, or this file. */
  keys: Type.Optional(Type.Union([Closed({ url: SecureUrl }), Closed({ file: Path })])),
  /** File with the certificates that its TLS is trusted by, in the place of the public ones. */
  ca: Type.Optional(Path),
  /** Who a token has to be for; the gateway's resource, where nothing is said. */
  audience: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 500 }), {
      minItems: 1,
      maxItems: 20,
      uniqueItems: true,
    }),
  ),
  /** Who else it may be for beside that. A token for others as well could be used here by them. */
  alsoFor: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 20 })),
  algorithms: Type.Optional(Type.Array(Algorithm, { minItems: 1, uniqueItems: true })),
  /** Values of the header `typ`, in small letters; `none` is a token without one. */
  types: Type.Optional(
    Type.Array(Type.Union(['at+jwt', 'jwt', 'none'].map((name) => Type.Literal(name))), { minItems: 1 }),
  ),
  /** Scopes that a token needs, all of them. */
  scopes: Type.Optional(
    Type.Array(Type.String({ pattern: '^[!#-\\[\\]-~]{1,200}$', description: 'a scope' }), { maxItems: 50 }),
  ),
  user: Type.Optional(
    Closed({
      /** `email` counts when `email_verified` is true beside it, and in small letters. */
      claim: Claim,
      /** Domains of e-mail addresses that this issuer may speak for; all of them, where nothing is said. */
      domains: Type.Optional(Type.Array(Domain, { minItems: 1, maxItems: 100 })),
    }),
  ),
  teams: Type.Optional(
    Closed({
      /** The claim with the list, from the outside in: ["realm_access", "roles"]. */
      path: Type.Array(Claim, { minItems: 1, maxItems: 5 }),
      /** A token without the claim is of no team. It is refused, where nothing is said. */
      optional: Type.Optional(Type.Boolean()),
    }),
  ),
  /** Stands before users and teams of this issuer, with a colon: two issuers never name the same. */
  prefix: Type.Optional(Type.String({ pattern: '^(?!local$)[a-z0-9-]{1,32}$', description: 'a short name' })),
  /** How far clocks may be apart. */
  skewSeconds: Seconds(0, 300),
  /** How long keys are used without asking again, and how much longer while nobody answers. */
  freshSeconds: Seconds(10, 86_400),
  staleSeconds: Seconds(0, 86_400),
  /** The least time between two questions. */
  coolSeconds: Seconds(1, 600),
});
export type JwtIssuer = Static<typeof JwtIssuer>;

/** Who a client certificate is: exactly this name among its subject alternative names. */
export const CertificateUser = Closed({
  san: Type.String({ pattern: '^(?:URI|email|DNS):[!-~]{1,500}$', description: 'URI:…, email:… or DNS:…' }),
  user: User,
  teams: Type.Optional(Teams),
});
export type CertificateUser = Static<typeof CertificateUser>;

export const IdentityConfig = Closed({
  /** The resource that tokens are for (RFC 8707): the URL that the addresses of the gateway's servers begin with. */
  resource: SecureUrl,
  /** Whether each address is a resource of its own as well, as strict clients want it (the default). */
  doors: Type.Optional(Type.Boolean()),
  jwt: Type.Optional(Type.Array(JwtIssuer, { minItems: 1, maxItems: 20 })),
  /** File of the gateway's own tokens, which `lk gateway token` keeps. */
  tokens: Type.Optional(Closed({ file: Path })),
  certificates: Type.Optional(
    Closed({
      /** File with the authorities that sign client certificates, and those above them. */
      ca: Path,
      /** Files with revocation lists of those that sign client certificates; without it nobody is asked. */
      crl: Type.Optional(Type.Union([Path, Type.Array(Path, { minItems: 1, maxItems: 20 })])),
      users: Type.Array(CertificateUser, { minItems: 1, maxItems: 10_000 }),
    }),
  ),
  /** No credential at all: whoever is on this machine is the signed-in person. Alone, and on loopback alone. */
  nobody: Type.Optional(Type.Literal('loopback')),
});
export type IdentityConfig = Static<typeof IdentityConfig>;

/** A token of the gateway itself. The file holds what it hashes to. */
export const GatewayToken = Closed({
  id: Type.String({ pattern: '^[0-9a-f]{16}$', description: '16 hexadecimal digits' }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  user: User,
  teams: Teams,
  /** Aliases of the servers that it reaches; null: all that the gateway has. */
  servers: Type.Union([Type.Null(), Type.Array(Alias, { maxItems: 1000, uniqueItems: true })]),
  created: Instant,
  expires: Instant,
});
export type GatewayToken = Static<typeof GatewayToken>;

export const GatewayTokens = Closed({
  lockkeeper: Type.Literal('gateway-tokens/v1'),
  tokens: Type.Array(GatewayToken, { maxItems: 10_000 }),
});
export type GatewayTokens = Static<typeof GatewayTokens>;
