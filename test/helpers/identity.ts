/** An identity with a clock that can be moved, and requests as a socket would bring them. */
import type { X509Certificate } from 'node:crypto';
import type { Ends } from '../../runtime/identity/behind.ts';
import type { Identified } from '../../runtime/identity/identified.ts';
import { type Identity, openIdentity } from '../../runtime/identity/identity.ts';
import type { Refusal } from '../../runtime/identity/refusal.ts';
import type { IdentityRequest } from '../../runtime/identity/shown.ts';
import type { LockkeeperError } from '../../schemas/errors.ts';
import type { IdentityConfig } from '../../schemas/identity.ts';
import { tempDir } from './session.ts';

export const RESOURCE = 'https://gateway.acme.test/mcp';

export interface TestIdentity extends Identity {
  readonly dir: string;
  /** Moves the clock by so many seconds. */
  later(seconds: number): void;
  readonly troubles: LockkeeperError[];
}

export async function testIdentity(
  config: Partial<IdentityConfig> | Record<string, unknown>,
  dir = tempDir(),
): Promise<TestIdentity> {
  let ahead = 0;
  const troubles: LockkeeperError[] = [];
  const identity = await openIdentity(
    { resource: RESOURCE, ...config },
    {
      dir,
      person: { user: 'ada', teams: [], via: 'nobody', actors: [] },
      now: () => new Date(Date.now() + ahead),
      onTrouble: (error) => void troubles.push(error),
    },
  );
  return { ...identity, dir, troubles, later: (seconds) => void (ahead += seconds * 1000) };
}

export interface TestRequest {
  readonly url?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly from?: string;
  /** What was accepted, for who has to be found behind it. */
  readonly socket?: Ends;
  readonly certificate?: X509Certificate;
  readonly authorized?: boolean;
}

export function requestWith(wanted: TestRequest): IdentityRequest {
  const { url = '/mcp', headers = [], from = '192.0.2.7', certificate, authorized = false } = wanted;
  const { remoteAddress = from, remotePort, localAddress, localPort } = wanted.socket ?? {};
  return {
    url,
    rawHeaders: headers.flat(),
    socket: {
      ...{ remoteAddress, remotePort, localAddress, localPort },
      ...{ authorized, getPeerX509Certificate: () => certificate },
    },
  };
}

export function bearer(token: string): IdentityRequest {
  return requestWith({ headers: [['Authorization', `Bearer ${token}`]] });
}

export async function accepted(identity: Identity, request: IdentityRequest): Promise<Identified> {
  const answer = await identity.identify(request);
  if ('refusal' in answer) throw answer.refusal.error;
  return answer;
}

export async function refused(identity: Identity, request: IdentityRequest): Promise<Refusal> {
  const answer = await identity.identify(request);
  if ('refusal' in answer) return answer.refusal;
  throw new Error(`let in: ${JSON.stringify(answer)}`);
}
