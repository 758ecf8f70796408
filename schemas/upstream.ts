/** What a gateway shows to a server in its own name. A caller's own token is never among it. */
import { Closed } from './common.ts';
import { SecureUrl } from './identity.ts';
import { Alias } from './intent.ts';
import { type Static, Type } from './type.ts';

/** Where a secret is. Its value stands in no configuration. */
export const SecretSource = Type.Union([
  Type.String({
    pattern: '^(?:file:.{1,1024}|env:[A-Za-z_][A-Za-z0-9_]{0,127})$',
    description: 'file:PATH or env:NAME',
  }),
  Closed({
    /** Run without a shell; the secret is what it prints. */
    command: Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { minItems: 1, maxItems: 100 }),
  }),
]);
export type SecretSource = Static<typeof SecretSource>;

/** Headers of framing, of the connection and of the protocol itself are not a credential's. */
const HeaderName = Type.String({
  pattern:
    '^(?!(?:[Hh]ost|[Cc]onnection|[Cc]ontent-.*|[Tt]ransfer-.*|[Tt]e|[Tt]railer|[Uu]pgrade|[Ee]xpect|[Aa]ccept.*|[Mm]cp-.*|[Ll]ast-.*|[Kk]eep-.*)$)[A-Za-z][A-Za-z0-9-]{0,99}$',
  description: 'a header such as Authorization or X-Api-Key',
});

export const ClientId = Type.String({ pattern: '^[!-~]{1,300}$', description: 'a client id' });

/** What a client has to show at a token endpoint. */
export const ClientAuth = Type.Union([
  Closed({ method: Type.Literal('basic'), secret: SecretSource }),
  Closed({ method: Type.Literal('post'), secret: SecretSource }),
  Closed({
    method: Type.Literal('private_key_jwt'),
    /** PKCS #8 in PEM. */
    key: SecretSource,
    algorithm: Type.Union(['ES256', 'RS256', 'PS256', 'EdDSA'].map((name) => Type.Literal(name))),
    kid: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    /** What the assertion is for; the token endpoint, where nothing is said. */
    audience: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  }),
]);
export type ClientAuth = Static<typeof ClientAuth>;

/** How the gateway shows a token endpoint who it is. */
const Client = {
  tokenUrl: SecureUrl,
  /** File with the certificates that the endpoint's TLS is trusted by, in the place of the public ones. */
  ca: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
  clientId: ClientId,
  auth: ClientAuth,
  scope: Type.Optional(Type.String({ pattern: '^[!#-\\[\\]-~]+(?: [!#-\\[\\]-~]+)*$', maxLength: 1000 })),
  resource: Type.Optional(SecureUrl),
  audience: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
};

export const StaticHeader = Closed({
  kind: Type.Literal('header'),
  name: HeaderName,
  /** Stands before the secret: "Bearer ". */
  prefix: Type.Optional(Type.String({ pattern: '^[ -~]{1,50}$' })),
  secret: SecretSource,
});
export const ClientCredentials = Closed({ kind: Type.Literal('client-credentials'), ...Client });
const TokenExchange = Closed({
  kind: Type.Literal('token-exchange'),
  ...Client,
  /** Whose tokens the endpoint may see: it gets those of callers of this issuer, and no others. */
  issuer: SecureUrl,
});

/** What the platform that the gateway runs on says of it (RFC 7523): a token in a file that the platform renews. */
export const JwtBearer = Closed({
  kind: Type.Literal('jwt-bearer'),
  ...Client,
  /** Without a secret of its own, the assertion is all that is shown. */
  auth: Type.Union([ClientAuth, Closed({ method: Type.Literal('none') })]),
  assertion: SecretSource,
});

export const UpstreamCredential = Type.Union([StaticHeader, ClientCredentials, TokenExchange, JwtBearer]);
export type UpstreamCredential = Static<typeof UpstreamCredential>;
export type OAuthClient =
  | Static<typeof ClientCredentials>
  | Static<typeof TokenExchange>
  | Static<typeof JwtBearer>;

/** By alias of the server. One that is not named gets no credential. */
export const UpstreamConfig = Type.Record(Alias, UpstreamCredential, { additionalProperties: false });
export type UpstreamConfig = Static<typeof UpstreamConfig>;
