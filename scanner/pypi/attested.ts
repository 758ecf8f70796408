/** What trusted publishers signed of a wheel (PEP 740): asked for at the index, and verified from the bytes. */
import { stranger } from '../../runtime/provenance/policy.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { parseStrict } from '../../schemas/json.ts';
import { type Static, Type } from '../../schemas/type.ts';
import { assertValid } from '../../schemas/validate.ts';
import type { Attestations, Known } from '../ports.ts';
import { claimedByWheel } from '../provenance/claimed.ts';
import { assertOneRepository, buildIn, firstOf, type Signed, signedIn } from '../provenance/signed.ts';
import { type Attested, absent, held, notKnown, type Standing, standingOf } from '../provenance/standing.ts';
import { type Pins, pinOf, SIGSTORE_PIN } from '../provenance/trust.ts';
import { indexClient } from './http.ts';
import { besideSimple, type ListedWheel } from './published.ts';

const ACCEPT = 'application/vnd.pypi.integrity.v1+json';
/** Of an answer, in bytes: one attestation has some 6 kB. */
const MAX_BYTES = 1024 * 1024;
/** The index's own name for it. */
const PUBLISH = /^https:\/\/docs\.[a-z.-]+\/attestations\/publish\/v1$/;
const HOSTS: Readonly<Record<string, string>> = {
  GitHub: 'https://github.com/',
  GitLab: 'https://gitlab.com/',
};

/** An index's answer. What it says of publishers is unsigned, and held against the certificate. */
const Integrity = Type.Object({
  version: Type.Literal(1),
  attestation_bundles: Type.Array(
    Type.Object({
      publisher: Type.Object({ kind: Type.String(), repository: Type.Optional(Type.String()) }),
      attestations: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 10 }),
    }),
    { maxItems: 10 },
  ),
});
type Bundle = Static<typeof Integrity>['attestation_bundles'][number];

/** Never throws for what the index says or leaves out: that is what the standings tell. */
export async function wheelAttested(wheel: ListedWheel, known: Known): Promise<Attestations> {
  const claimed = claimedByWheel(known.files);
  const answer = await askFor(wheel);
  const bytes = Buffer.isBuffer(answer) ? answer : null;
  const at = { file: wheel.own.file, archive: known.archive, trust: known.trust };
  const without = none(Buffer.isBuffer(answer) ? null : answer, wheel);
  const attested: Attested = {
    signature: absent('package indexes sign no versions'),
    ...(bytes === null ? { publish: without, build: without } : wheelSigned(bytes, at)),
    claimed: claimed.map(({ url }) => url),
    commit: null,
  };
  return { attested, claimed, answer: bytes };
}

/** A wheel, and what its attestations are verified under. */
export interface SignedWheel extends Pick<Known, 'archive' | 'trust'> {
  readonly file: string;
}

/** From the bytes of the index's answer alone. */
export function wheelSigned(bytes: Buffer, wheel: SignedWheel): Pick<Attested, 'publish' | 'build'> {
  const signed = verified(bytes, wheel);
  return {
    publish: firstOf(signed, ({ type }) => PUBLISH.test(type), 'no attestation of its publication'),
    build: buildIn(signed, 'no attestation of a build'),
  };
}

async function askFor(wheel: ListedWheel): Promise<Buffer | null | string> {
  const base = besideSimple(wheel);
  const { ref, own, options } = wheel;
  if (base === null) return 'the package index has no address for attestations';
  const client = indexClient(options);
  try {
    const want = { accept: ACCEPT, maxBytes: MAX_BYTES, what: `the attestations of ${own.file}` };
    const path = `${base}/integrity/${ref.name}/${ref.version}/${encodeURIComponent(own.file)}/provenance`;
    const { status, body } = await client.get(path, want);
    if (status === 200) return body;
    return status === 404 || status === 410 ? null : `the package index answered with HTTP ${status}`;
  } catch (error) {
    if (error instanceof LockkeeperError) return error.message;
    throw error;
  } finally {
    await client.close();
  }
}

/** No answer is a fact only from an index that names attestations at all, and none of this file. */
function none(answer: null | string, { own, listed }: ListedWheel): Standing<never> {
  if (answer !== null) return notKnown(answer);
  if (own.provenance !== null) return notKnown('the package index names attestations and does not give them');
  if (listed.some(({ provenance }) => provenance !== null))
    return absent('the package index has no attestation of this file');
  return notKnown('the package index tells attestations of no file: a mirror leaves them out');
}

/** All of them have to hold, and by one repository. */
function verified(bytes: Buffer, wheel: SignedWheel): Standing<readonly Signed[]> {
  const pin = pinOf(wheel.trust, SIGSTORE_PIN);
  if (typeof pin === 'string') return notKnown(pin);
  return standingOf(() => {
    const json = parseStrict(bytes, { maxBytes: MAX_BYTES });
    const { attestation_bundles: bundles } = assertValid(
      Integrity,
      json,
      'the attestations',
      'PROVENANCE_INVALID',
    );
    const all = bundles.flatMap((bundle) =>
      bundle.attestations.map((one) => verifiedOne(one, bundle, { ...pin, wheel })),
    );
    assertOneRepository(all);
    return held(all);
  });
}

interface At extends Pins {
  readonly wheel: SignedWheel;
}

function verifiedOne(json: unknown, { publisher }: Bundle, { wheel, ...pin }: At): Signed {
  const bytes = Buffer.from(JSON.stringify(json));
  const signed = signedIn({ format: 'pep740', bytes, artifact: wheel.archive }, pin, { subject: wheel.file });
  const host = HOSTS[publisher.kind];
  const { repository } = signed.built.builder;
  const wanted = host === undefined ? null : `${host}${publisher.repository ?? ''}`;
  if (wanted !== null && repository?.toLowerCase() !== wanted.toLowerCase())
    throw stranger(`a signature for ${quote(wanted)}, as the index says`, quote(repository ?? 'none'));
  return signed;
}
