/** Who calls: asked of every request, by the ways that the configuration names and by no other. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { asLockkeeperError, LockkeeperError } from '../../schemas/errors.ts';
import { IdentityConfig } from '../../schemas/identity.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Caller } from '../gate/caller.ts';
import { type CertificateWay, openCertificates, type TlsOptions } from './certificate.ts';
import { doorsOf, pathIn } from './doors.ts';
import type { Identified } from './identified.ts';
import type { JwtWay, openJwt as OpenJwt } from './jwt.ts';
import { type Metadata, metadataOf } from './metadata.ts';
import { identifyNobody } from './nobody.ts';
import { type Refusal, refusalOf } from './refusal.ts';
import { type IdentityRequest, shownBy } from './shown.ts';
import { isGatewayToken, openTokens, type TokenWay } from './tokens.ts';
import { seldom } from './trouble.ts';
import { assertSecureUrl, isLoopbackName } from './url.ts';

export type { Identified } from './identified.ts';

export type Identification = Identified | { readonly refusal: Refusal };

export interface Identity {
  /** The RFC 9728 document; null where no issuer is configured. */
  readonly metadata: Metadata | null;
  /** What the TLS server needs to ask for client certificates; null where none count. */
  readonly tls: TlsOptions | null;
  /** Whether it takes whoever is on this machine: such a gateway may listen on loopback alone. */
  readonly loopbackOnly: boolean;
  /** Never rejects: what it cannot tell is a refusal. */
  identify(request: IdentityRequest): Promise<Identification>;
}

export interface IdentitySetting {
  /** Folder that paths of the configuration are relative to. */
  readonly dir: string;
  /** Who `nobody: loopback` is. */
  readonly person: Caller;
  readonly now: () => Date;
  /** Told of what the keeper of the gateway has to know: an issuer that is silent, a file that cannot be read. */
  readonly onTrouble: (error: LockkeeperError) => void;
}

interface Ways {
  readonly jwt: JwtWay | null;
  readonly tokens: TokenWay | null;
  readonly certificates: CertificateWay | null;
  readonly person: Caller | null;
}

/** Throws CONFIG_INVALID for a configuration that is not valid or names nobody, and what the ways throw at their start. */
export async function openIdentity(config: unknown, setting: IdentitySetting): Promise<Identity> {
  const checked = assertValid(IdentityConfig, config, 'the identity configuration', 'CONFIG_INVALID');
  const { resource, jwt = [], nobody } = checked;
  assertSecureUrl(resource, 'the resource');
  assertWays(checked);
  const onTrouble = seldom(setting.onTrouble, () => setting.now().getTime());
  const ways = await openWays(checked, { ...setting, onTrouble });
  const doors = checked.doors === false ? null : doorsOf(resource);
  const metadata = jwt.length > 0 ? metadataOf(resource, jwt, doors) : null;
  const scopes = [...new Set(jwt.flatMap((issuer) => issuer.scopes ?? []))];
  return {
    metadata,
    tls: ways.certificates?.tls ?? null,
    loopbackOnly: nobody === 'loopback',
    identify: async (request) => {
      try {
        return await identifyBy(ways, request);
      } catch (thrown) {
        const error = asLockkeeperError(thrown);
        const metadataUrl = metadata?.urlFor(pathIn(request.url)) ?? null;
        const refusal = refusalOf(error, { metadataUrl, scopes });
        if (refusal.error !== error) onTrouble(error);
        return { refusal };
      }
    },
  };
}

/** What reads tokens is loaded where issuers are configured. */
const openIssuers: typeof OpenJwt = async (issuers, setting) =>
  (await import('./jwt.ts')).openJwt(issuers, setting);

async function openWays(
  config: IdentityConfig,
  { dir, person, now, onTrouble }: IdentitySetting,
): Promise<Ways> {
  const clock = (): number => now().getTime();
  const { resource, jwt, tokens, certificates, nobody } = config;
  const doors = config.doors === false ? null : doorsOf(resource);
  return {
    jwt: jwt ? await openIssuers(jwt, { resource, doors, dir, now: clock, onTrouble }) : null,
    tokens: tokens ? await openTokens(resolve(dir, tokens.file), clock) : null,
    certificates: certificates
      ? await openCertificates(
          {
            pem: await readFile(resolve(dir, certificates.ca), 'utf8'),
            users: certificates.users,
            crl: [certificates.crl ?? []].flat().map((path) => resolve(dir, path)),
          },
          clock,
        )
      : null,
    person: nobody ? person : null,
  };
}

/** A credential that is shown is judged, also where none is needed: a wrong one is never passed over. */
async function identifyBy(ways: Ways, request: IdentityRequest): Promise<Identified> {
  const shown = shownBy(request);
  if (shown.kind === 'certificate' && ways.certificates)
    return ways.certificates.identify(shown.certificate, request.socket);
  if (shown.kind === 'bearer') {
    const way = isGatewayToken(shown.token) ? ways.tokens : ways.jwt;
    if (way) return way.identify(shown.token, pathIn(request.url));
  }
  if (shown.kind === 'none' && ways.person) return identifyNobody(request, ways.person);
  throw new LockkeeperError('UNAUTHENTICATED', {
    expected: `${named(ways).join(' or ')}`,
    found: shown.kind === 'none' ? 'no credential' : `a ${shown.kind} of another kind`,
    next: 'Get one of them and send the request again',
  });
}

function named({ jwt, tokens, certificates, person }: Ways): string[] {
  return [
    jwt ? 'a bearer token of a configured issuer' : '',
    tokens ? 'a token of this gateway' : '',
    certificates ? 'a client certificate' : '',
    person ? 'no credential, from this machine' : '',
  ].filter((way) => way !== '');
}

/** At least one way; `nobody` beside another would let its callers choose to show nothing. */
function assertWays({ resource, jwt, tokens, certificates, nobody }: IdentityConfig): void {
  const others = [jwt, tokens, certificates].filter(Boolean).length;
  const next = 'Correct the identity configuration of the gateway';
  if (others === 0 && !nobody)
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: 'jwt, tokens, certificates or nobody: what proves who calls',
      found: 'none of them',
      next,
    });
  if (nobody && (others > 0 || !isLoopbackName(new URL(resource).hostname)))
    throw new LockkeeperError('CONFIG_INVALID', {
      expected: 'nobody alone, with a resource on loopback',
      found: others > 0 ? 'other ways beside it' : resource,
      next,
    });
}
