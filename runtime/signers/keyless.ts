/**
 * Signing without a key of one's own: an identity token buys a certificate of some minutes for a key that lives as long as
 * this one signature, and a log says when. What comes out is verified as whoever gets it will verify it, before it leaves.
 */
import type { DSSEBundleBuilder, Witness } from '@sigstore/sign';
import type { EnvelopeSignature } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { SigstoreReference } from '../../schemas/key-reference.ts';
import { identityKeyId } from '../../schemas/root.ts';
import type { IdentitySigner } from '../../schemas/signer.ts';
import { assertKeyless, materialOf } from '../provenance/keyless.ts';

/** Milliseconds for one request; each is tried three times. */
const REQUEST_MS = 20_000;
const RETRIES = 2;
const AUDIENCE = 'sigstore';
const MAX_TOKEN = 16 * 1024;

export interface KeylessSetting {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

/** `seal` throws SIGNER_FAILED. */
export function keylessSigner(reference: SigstoreReference, setting: KeylessSetting): IdentitySigner {
  const keyid = identityKeyId(reference);
  return {
    keyid,
    publicKey: null,
    seal: async (payloadType, payload) => {
      const token = await tokenOf(setting.environment);
      const builder = await builderOf(reference, token);
      const bundle = await builder
        .create({ data: Buffer.from(payload), type: payloadType })
        .catch((cause: unknown) => {
          // The library's own sentences may quote the token.
          const { code = 'no answer' } = cause as { code?: string };
          throw failed(
            'a certificate and a log entry',
            quote(String(code), 80),
            'Check the addresses of the instance',
          );
        });
      const sig = bundle.content.dsseEnvelope.signatures[0]?.sig.toString('base64') ?? '';
      const sigstore = Buffer.from(JSON.stringify(materialOf(bundle))).toString('base64');
      return verified({ keyid, sig, sigstore }, { payloadType, payload, reference, now: setting.now() });
    },
  };
}

async function builderOf(
  { fulcio, rekor, tsa }: SigstoreReference,
  token: string,
): Promise<DSSEBundleBuilder> {
  const { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } = await import('@sigstore/sign');
  const limits = { timeout: REQUEST_MS, retry: RETRIES };
  const stamps: Witness[] = tsa === undefined ? [] : [new TSAWitness({ tsaBaseURL: tsa, ...limits })];
  return new DSSEBundleBuilder({
    signer: new FulcioSigner({
      identityProvider: { getToken: async () => token },
      ...(fulcio === undefined ? {} : { fulcioBaseURL: fulcio }),
      ...limits,
    }),
    witnesses: [
      new RekorWitness({ ...(rekor === undefined ? {} : { rekorBaseURL: rekor }), ...limits }),
      ...stamps,
    ],
    certificateChain: false,
  });
}

interface Made {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly reference: SigstoreReference;
  readonly now: Date;
}

/** Under the trusted root of the reference: another account, another instance or another clock is told here. */
function verified(signature: EnvelopeSignature, made: Made): EnvelopeSignature {
  const { payloadType, payload, reference, now } = made;
  const { issuer, san, trustedRoot } = reference;
  const minutes = (n: number): string => new Date(now.getTime() + n * 60_000).toISOString();
  const { sig, sigstore = '' } = signature;
  try {
    const signed = { payloadType, payload: Buffer.from(payload).toString('base64'), sig, sigstore };
    const signer = { issuer, san, notBefore: minutes(-10), notAfter: minutes(10) };
    assertKeyless(signed, signer, Buffer.from(trustedRoot, 'base64'));
    return signature;
  } catch (cause) {
    if (!(cause instanceof LockkeeperError)) throw cause;
    throw failed(
      `a signature as ${san}, with an account at ${issuer}`,
      `${cause.found} (${cause.code})`,
      'Nothing was sent. Check whose token this job gets, and the instance that the key names',
    );
  }
}

/** The token of this job: as given, or asked for where the CI system gives one for a request. Throws SIGNER_FAILED. */
async function tokenOf(environment: KeylessSetting['environment']): Promise<string> {
  const { SIGSTORE_ID_TOKEN: given } = environment;
  if (given) return given;
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = environment;
  if (!address || !bearer || !URL.canParse(address))
    throw failed(
      'an identity token in SIGSTORE_ID_TOKEN, or the variables that ask for one in GitHub Actions',
      'neither',
      'In GitHub Actions give the job: permissions: id-token: write',
    );
  const url = new URL(address);
  url.searchParams.set('audience', AUDIENCE);
  const headers = { accept: 'application/json', authorization: `Bearer ${bearer}` };
  const value = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(REQUEST_MS) })
    .then((answer) => answer.json() as Promise<{ value?: unknown }>)
    .then((answer) => answer.value)
    .catch(() => undefined);
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TOKEN) return value;
  throw failed('an identity token of the CI system', 'an answer without one', 'Run the job again');
}

function failed(expected: string, found: string, next: string): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', { expected, found, next });
}
