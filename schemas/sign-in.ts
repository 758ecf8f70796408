/** How people sign in to the registry through an identity provider (OpenID Connect). What is not said here is off. */
import { RoleName } from './api.ts';
import { Closed, Instant, Person } from './common.ts';
import { Algorithm, Claim, Domain, Path, Seconds, SecureUrl } from './identity.ts';
import { type Static, Type } from './type.ts';
import { ClientAuth, ClientId } from './upstream.ts';

const ScopeName = Type.String({ pattern: '^[!#-\\[\\]-~]{1,200}$', description: 'a scope' });
const Few = (maxItems: number) => ({ minItems: 1, maxItems, uniqueItems: true });

/** The file that LOCKKEEPER_OIDC names. Paths in it are relative to its folder. */
export const SignInConfig = Closed({
  /** Exactly as ID tokens name it. */
  issuer: SecureUrl,
  clientId: ClientId,
  /** How the registry shows itself to the provider; a client without a secret, where nothing is said. */
  clientAuth: Type.Optional(ClientAuth),
  /** File with the certificates that the provider's TLS is trusted by, in the place of the public ones. */
  ca: Type.Optional(Path),
  algorithms: Type.Optional(Type.Array(Algorithm, { minItems: 1, uniqueItems: true })),
  /** Who else an ID token may be for beside the client. */
  alsoFor: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 20 })),
  /** What is asked for beside `openid`: profile and email, where nothing is said. */
  scopes: Type.Optional(Type.Array(ScopeName, { maxItems: 50, uniqueItems: true })),
  /** What a person is called here when they come first; `email`, which counts when `email_verified` is true. */
  person: Type.Optional(
    Closed({
      claim: Claim,
      /** The domains after the @ that are let in; all, where nothing is said. */
      domains: Type.Optional(Type.Array(Domain, Few(100))),
    }),
  ),
  /** The claim with the list of groups, from the outside in: ["groups"]. */
  groups: Type.Optional(Type.Array(Claim, { minItems: 1, maxItems: 5 })),
  /** The roles that a group gives. What is not here gives none. */
  roles: Type.Optional(
    Type.Record(Type.String({ pattern: '^[^\\u0000]{1,500}$' }), Type.Array(RoleName, Few(6)), {
      additionalProperties: false,
    }),
  ),
  /** What everybody has whom the provider lets in; nothing, where nothing is said. */
  everybody: Type.Optional(Type.Literal('developer')),
  /** Whether a person of that name who was added here by hand, and is no administrator, is the one who comes. */
  linkExisting: Type.Optional(Type.Boolean()),
  /** Only whom the provider vouches for reviews: what an administrator hands out gives every other role. */
  reviewers: Type.Optional(Type.Literal('provider')),
  /** Whether people may sign in by a code that they type elsewhere, for machines without a browser (RFC 8628). */
  device: Type.Optional(Type.Boolean()),
  /** How long a sign-in lasts, hours (12): so long somebody goes on who was let go at the provider. */
  hours: Type.Optional(Type.Integer({ minimum: 1, maximum: 120 })),
  /** How far clocks may be apart. */
  skewSeconds: Seconds(0, 300),
});
export type SignInConfig = Static<typeof SignInConfig>;

/** 32 random bytes and more, as RFC 7636 writes them. */
const Random = Type.String({ pattern: '^[A-Za-z0-9_-]{43,128}$' });

/** GET /v1/sign-in (anonymous): null where one-time codes are the only way. */
export const SignInWays = Closed({
  provider: Type.Union([Type.Null(), Closed({ issuer: SecureUrl, device: Type.Boolean() })]),
});
export type SignInWays = Static<typeof SignInWays>;

/** POST /v1/sign-in/begin (anonymous): the way through a browser. */
export const BeginBody = Closed({
  /** Where the provider sends the person back: a port of their own machine, or the registry's own page. */
  redirect: Type.String({ pattern: '^https?://[!-~]+$', maxLength: 500 }),
  /** SHA-256 of a verifier that the caller keeps (RFC 7636). */
  challenge: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  state: Random,
});
/** The address is one of the provider's, with all that was asked in it. */
const Address = Type.String({ pattern: '^https?://[!-~]+$', maxLength: 4000 });
export const BegunView = Closed({ id: Random, url: Address, expires: Instant });
export type BegunView = Static<typeof BegunView>;

/** POST /v1/sign-in/device (anonymous): the way by a code that is typed elsewhere. */
export const DeviceView = Closed({
  id: Random,
  url: Address,
  code: Type.String({ minLength: 1, maxLength: 100 }),
  /** Least seconds between two questions. */
  interval: Type.Integer({ minimum: 1, maximum: 60 }),
  expires: Instant,
});

/** POST /v1/sign-in/end (anonymous): what came back; of a device nothing does. Answers with a token, once. */
export const EndBody = Closed({
  id: Random,
  code: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  verifier: Type.Optional(Random),
  /** Who answered, where the provider says so (RFC 9207). */
  iss: Type.Optional(Type.String({ maxLength: 500 })),
});

/** POST /v1/people/:person/link (admin): whom the provider calls so is this person from now on. */
export const Subject = Type.String({
  pattern: '^[!-~]{1,255}$',
  description: 'a subject (sub) of the provider: at most 255 printable ASCII characters',
});
export const LinkBody = Closed({ subject: Subject });
export const LinkView = Closed({ person: Person, issuer: SecureUrl, subject: Subject });
