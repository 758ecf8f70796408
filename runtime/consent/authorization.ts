/** An authorization server that somebody allowed: what it says of itself, clients there, and what it gives for a code. */
import type { JsonObject } from '../../schemas/common.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { SecureUrl } from '../../schemas/identity.ts';
import { ClientId } from '../../schemas/upstream.ts';
import { isValid } from '../../schemas/validate.ts';
import { ask, type Question } from '../identity/http.ts';
import { endpointOf, issuerMetadata } from '../identity/issuer.ts';
import { type Bearer, bearerIn, objectIn, type Shown, shownWith, wordOf } from '../identity/oauth.ts';
import type { Client } from './grants.ts';
import { told } from './words.ts';

/** How an authorization server is asked: by which authorities, and where its addresses may lead. */
export type From = Pick<Question, 'ca' | 'reach'>;

export interface Authorization {
  readonly issuer: string;
  readonly metadata: JsonObject;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  /** Null where clients do not register themselves. */
  readonly registerUrl: string | null;
  /** How clients may show themselves at the token endpoint. */
  readonly methods: readonly string[];
  readonly scopes: readonly string[];
}

const METHODS = { none: 'none', basic: 'client_secret_basic', post: 'client_secret_post' } as const;
const KINDS = ['none', 'basic', 'post'] as const;

/**
 * Throws METADATA_INVALID for one that speaks of another, names an address that is no place to go to, or knows no PKCE;
 * UPSTREAM_CREDENTIAL where it does not answer.
 */
export async function authorizationOf(issuer: string, from: From): Promise<Authorization> {
  const metadata = await issuerMetadata(issuer, from).catch((cause: Error) => {
    throw /^metadata /.test(cause.message) ? invalid(issuer, cause.message) : unanswered(issuer, cause);
  });
  const endpoint = (name: string): string => {
    try {
      const { href } = new URL(endpointOf(issuer, metadata, name));
      if (!isValid(SecureUrl, href)) throw new Error(`a ${name} that is too long`);
      return href;
    } catch (cause) {
      const error = cause as Error;
      throw invalid(issuer, error instanceof LockkeeperError ? `the ${name} ${error.found}` : error.message);
    }
  };
  // Without it a code that somebody else gets hold of is as good as ours.
  if (!textsIn(metadata.code_challenge_methods_supported).includes('S256'))
    throw invalid(issuer, 'none that knows PKCE with S256');
  return {
    issuer,
    metadata,
    authorizeUrl: endpoint('authorization_endpoint'),
    tokenUrl: endpoint('token_endpoint'),
    registerUrl: metadata.registration_endpoint === undefined ? null : endpoint('registration_endpoint'),
    methods: textsIn(metadata.token_endpoint_auth_methods_supported),
    scopes: textsIn(metadata.scopes_supported),
  };
}

/** A client that somebody registered beforehand, or one known by its own document, as this server takes it. */
export function knownClient(at: Authorization, { id, secret }: { id: string; secret?: string }): Client {
  if (
    /^https:/.test(id) &&
    secret === undefined &&
    at.metadata.client_id_metadata_document_supported !== true
  )
    throw invalid(at.issuer, 'none that takes the address of a document as a client');
  if (secret === undefined) return { id, method: 'none' };
  // RFC 8414: where it does not say, it is basic.
  const takes = at.methods.length === 0 ? [METHODS.basic] : at.methods;
  const method = (['basic', 'post'] as const).find((kind) => takes.includes(METHODS[kind]));
  if (method) return { id, method, secret };
  throw invalid(at.issuer, `one that takes a client’s secret by ${told(takes.join(', '))} alone`);
}

/** A client of this sign-in alone (RFC 7591), for this way back. Throws as the others, and SIGN_IN_REFUSED. */
export async function registered(at: Authorization, redirect: string, from: From): Promise<Client> {
  if (at.registerUrl === null)
    throw new LockkeeperError('SIGN_IN_REFUSED', {
      expected: `${at.issuer} to let clients register themselves`,
      found: 'that it does not',
      next: 'Register a client there, with http://127.0.0.1/back as the way back, and name it: --client-id ID [--client-secret file:PATH]',
    });
  const wish = KINDS.find((kind) => at.methods.includes(METHODS[kind])) ?? 'none';
  const json = {
    client_name: 'Lockkeeper',
    application_type: 'native',
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: METHODS[wish],
  };
  const answer = await ask({ url: at.registerUrl, json, ...from }).catch((cause: Error) => {
    throw unanswered(at.issuer, cause);
  });
  return clientIn(at, wish, answer);
}

function clientIn(
  { issuer }: Authorization,
  wish: Client['method'],
  { status, body }: { status: number; body: Buffer },
): Client {
  const said = objectIn(body);
  if (status !== 200 && status !== 201)
    throw unanswered(issuer, new Error(`status ${status}${wordOf(said.error)} to a client that registers`));
  const { client_id: id, client_secret: secret } = said;
  const method =
    said.token_endpoint_auth_method === undefined
      ? wish
      : KINDS.find((kind) => METHODS[kind] === said.token_endpoint_auth_method);
  if (!isValid(ClientId, id) || method === undefined)
    throw invalid(issuer, 'no client that can show itself there');
  if (method === 'none') return { id, method };
  if (typeof secret === 'string' && secret !== '' && secret.length <= 4096) return { id, method, secret };
  throw invalid(issuer, 'a client without the secret that it needs');
}

/** What the token endpoint gives. Throws UPSTREAM_CREDENTIAL, and SIGN_IN_INVALID where what was shown counts no more. */
export async function tokenFrom(
  { issuer, tokenUrl }: Pick<Authorization, 'issuer' | 'tokenUrl'>,
  { client, fields }: { readonly client: Client; readonly fields: Record<string, string> },
  from: From,
): Promise<Bearer> {
  const shown = shownBy(client);
  const form = new URLSearchParams({ ...fields, ...shown.fields });
  const answer = await ask({ url: tokenUrl, headers: shown.headers, form, ...from }).catch((cause: Error) => {
    throw unanswered(issuer, cause);
  });
  const read = bearerIn(answer);
  if (typeof read !== 'string') return read;
  if (answer.status === 400 && objectIn(answer.body).error === 'invalid_grant')
    throw new LockkeeperError('SIGN_IN_INVALID', {
      expected: `a sign-in that ${issuer} still knows`,
      found: read,
      next: 'Sign in again: lk login --server NAME',
    });
  throw unanswered(issuer, new Error(read));
}

function shownBy({ id, method, secret = '' }: Client): Shown {
  return method === 'none' ? { headers: {}, fields: { client_id: id } } : shownWith(method, id, secret);
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string').slice(0, 200) : [];
}

function invalid(issuer: string, found: string): LockkeeperError {
  return new LockkeeperError('METADATA_INVALID', {
    expected: `the authorization server ${issuer} to say how people sign in there`,
    found,
    next: 'Nobody was sent there; tell its operator',
  });
}

function unanswered(issuer: string, cause: Error): LockkeeperError {
  return new LockkeeperError('UPSTREAM_CREDENTIAL', {
    expected: `an answer of ${issuer}, where people sign in`,
    found: told(cause instanceof LockkeeperError ? cause.found : cause.message),
    next: 'Try again; if it stays so, tell its operator',
    cause,
  });
}
