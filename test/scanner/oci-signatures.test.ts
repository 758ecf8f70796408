/** Signatures of an image as its registry keeps them, made by a sigstore instance of the tests' own. */
import { X509Certificate } from 'node:crypto';
import { bundleToJSON } from '@sigstore/bundle';
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from '@sigstore/sign';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageAttested, imageSigned } from '../../scanner/oci/attested.ts';
import { ociOptionsOf } from '../../scanner/oci/options.ts';
import { fromEvidence } from '../../scanner/oci/signatures.ts';
import { type Attested, rankOf } from '../../scanner/provenance/standing.ts';
import {
  type Blob,
  blobOf,
  documentBlob,
  imageOf,
  indexOf,
  layerOf,
  MANIFEST,
  named,
} from '../helpers/image.ts';
import { type OciRegistry, startOciRegistry } from '../helpers/oci-registry.ts';
import { identityToken, type Sigstore, startSigstore } from '../helpers/sigstore.ts';
import { trustOf } from './signed-place.ts';

const SAN = 'https://github.com/acme/shell/.github/workflows/release.yml@refs/heads/main';
const ISSUER = 'https://token.actions.githubusercontent.com';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const SIMPLE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const SLSA = 'https://slsa.dev/provenance/v1';

const image = imageOf({ layers: [layerOf([{ path: 'a' }])] });
const other = imageOf({ layers: [layerOf([{ path: 'b' }])] });

describe('signatures of an image', () => {
  let sigstore: Sigstore;
  let stranger: Sigstore;
  beforeAll(async () => {
    sigstore = await startSigstore();
    stranger = await startSigstore();
  });
  afterAll(async () => {
    await sigstore.close();
    await stranger.close();
  });

  const parts = ({ url }: Sigstore) => ({
    signer: new FulcioSigner({
      identityProvider: { getToken: async () => identityToken({ iss: ISSUER, sub: SAN }) },
      fulcioBaseURL: url,
    }),
    witnesses: [new RekorWitness({ rekorBaseURL: url }), new TSAWitness({ tsaBaseURL: url })],
  });
  /** A statement of this type about a digest, signed. */
  async function stated(about: Blob, predicateType = SIGN, by = sigstore): Promise<Blob> {
    const subject = [{ digest: { sha256: about.digest.slice('sha256:'.length) } }];
    const statement = { _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate: {} };
    const builder = new DSSEBundleBuilder({ ...parts(by), certificateChain: false });
    const bundle = await builder.create({
      data: Buffer.from(JSON.stringify(statement)),
      type: 'application/vnd.in-toto+json',
    });
    return documentBlob(bundleToJSON(bundle) as object, BUNDLE);
  }
  /** The older form: a text about the digest, and what cosign wrote beside it. */
  async function simple(about: Blob, text: object = {}): Promise<{ layer: object; payload: Blob }> {
    const critical = {
      identity: { 'docker-reference': 'registry.example/acme/shell' },
      image: { 'docker-manifest-digest': about.digest },
      type: 'cosign container image signature',
    };
    const payload = documentBlob({ critical, optional: null, ...text }, SIMPLE);
    const { signer, witnesses } = parts(sigstore);
    const builder = new MessageSignatureBundleBuilder({ signer, witnesses: witnesses.slice(0, 1) });
    const { content, verificationMaterial } = await builder.create({ data: payload.bytes });
    const [entry] = verificationMaterial.tlogEntries;
    const { content: key } = verificationMaterial;
    if (
      content.$case !== 'messageSignature' ||
      !entry?.inclusionPromise ||
      key.$case !== 'x509CertificateChain'
    )
      throw new Error('another bundle');
    const annotations = {
      'dev.cosignproject.cosign/signature': content.messageSignature.signature.toString('base64'),
      'dev.sigstore.cosign/certificate': new X509Certificate(
        key.x509CertificateChain.certificates[0]?.rawBytes ?? Buffer.alloc(0),
      ).toString(),
      'dev.sigstore.cosign/bundle': JSON.stringify({
        SignedEntryTimestamp: entry.inclusionPromise.signedEntryTimestamp.toString('base64'),
        Payload: {
          body: entry.canonicalizedBody.toString('base64'),
          integratedTime: Number(entry.integratedTime),
          logIndex: Number(entry.logIndex),
          logID: entry.logId?.keyId.toString('hex'),
        },
      }),
    };
    return { payload, layer: { ...named(payload), annotations } };
  }

  interface Laid {
    readonly registry: OciRegistry;
    readonly attested: () => Promise<Attested>;
  }
  async function place(source = 'https://github.com/acme/shell'): Promise<Laid> {
    const registry = await startOciRegistry();
    registry.push(image);
    const options = await ociOptionsOf({ DOCKER_CONFIG: '/nowhere' });
    const ref = { host: registry.host, repository: 'acme/shell', digest: image.index.digest };
    const documents = new Map([image.index, image.manifest].map(({ digest, bytes }) => [digest, bytes]));
    const trust = trustOf({ sigstore: sigstore.trustedRoot });
    const config = { source, revision: null };
    return {
      registry,
      attested: async () => {
        const { attested, answer } = await imageAttested({ ref, options, config, documents }, { trust });
        // What is kept of it says the same once more.
        if (answer !== null)
          expect(imageSigned(fromEvidence(Buffer.from(answer)), documents, trust)).toEqual({
            publish: attested.publish,
            build: attested.build,
          });
        return attested;
      },
    };
  }
  /** A bundle in a manifest that refers to the image. */
  function referring(registry: OciRegistry, to: Blob, bundle: Blob, subject = to): object {
    const manifest = documentBlob(
      {
        schemaVersion: 2,
        mediaType: MANIFEST,
        artifactType: BUNDLE,
        layers: [named(bundle)],
        subject: named(subject),
      },
      MANIFEST,
    );
    registry.put(manifest);
    registry.push({ blobs: [bundle] });
    return { ...named(manifest), artifactType: BUNDLE };
  }

  it.each(['list', 'tag'] as const)(
    'are found by a %s of what refers to it, and bound to the image',
    async (way) => {
      const { registry, attested } = await place();
      for (const to of [image.index, image.manifest]) {
        const entries = [await stated(to), await stated(to, SLSA)].map((one) => referring(registry, to, one));
        if (way === 'list') registry.refer(to.digest, indexOf(entries));
        else registry.put(indexOf(entries), to.digest.replace(':', '-'));
      }
      const found = await attested();
      expect(found.publish).toMatchObject({
        state: 'held',
        value: { built: { builder: { san: SAN, issuer: ISSUER } } },
      });
      expect(found.build).toMatchObject({ state: 'held' });
      expect(found.claimed).toEqual(['https://github.com/acme/shell']);
      expect(rankOf(found)).toBe('provenance');
    },
  );

  it('of the older form are found by their tag', async () => {
    const { registry, attested } = await place();
    const { payload, layer } = await simple(image.index);
    registry.push({ blobs: [payload] });
    const manifest = documentBlob({ schemaVersion: 2, mediaType: MANIFEST, layers: [layer] }, MANIFEST);
    registry.put(manifest, `${image.index.digest.replace(':', '-')}.sig`);
    const found = await attested();
    expect(found.publish).toMatchObject({ state: 'held', value: { built: { builder: { san: SAN } } } });
    expect(found.build).toMatchObject({ state: 'absent' });
  });

  it('are a fact where there are none', async () => {
    const { attested } = await place();
    const found = await attested();
    expect(found).toMatchObject({ publish: { state: 'absent' }, build: { state: 'absent' } });
    expect(rankOf(found)).toBe('none');
  });

  const keyed = documentBlob(
    { mediaType: BUNDLE, verificationMaterial: { publicKey: { hint: 'x' } } },
    BUNDLE,
  );
  const BROKEN: Readonly<Record<string, readonly [() => Promise<Blob>, string, RegExp]>> = {
    'of another image': [() => stated(other.index), 'broken', /PROVENANCE_SUBJECT/],
    'of another instance': [() => stated(image.index, SIGN, stranger), 'broken', /PROVENANCE_INVALID/],
    'of no form': [async () => blobOf(Buffer.from('{"a":'), BUNDLE), 'broken', /JSON_INVALID/],
    'of a key alone': [async () => keyed, 'unknown', /signed by a key alone/],
  };
  it.each(Object.entries(BROKEN))('%s do not hold', async (_, [make, state, words]) => {
    const { registry, attested } = await place();
    registry.refer(image.index.digest, indexOf([referring(registry, image.index, await make())]));
    const found = await attested();
    expect(found.publish.state).toBe(state);
    expect(JSON.stringify(found.publish)).toMatch(words);
    expect(JSON.stringify(found.build)).toMatch(words);
  });

  it('of the older form about another image do not hold', async () => {
    const { registry, attested } = await place();
    const { payload, layer } = await simple(other.index);
    registry.push({ blobs: [payload] });
    const manifest = documentBlob({ schemaVersion: 2, mediaType: MANIFEST, layers: [layer] }, MANIFEST);
    registry.put(manifest, `${image.index.digest.replace(':', '-')}.sig`);
    expect((await attested()).publish).toMatchObject({ state: 'broken', code: 'PROVENANCE_SUBJECT' });
  });

  it('that refer to something else are not counted, and a list without an end is not known', async () => {
    const { registry, attested } = await place();
    const entry = referring(registry, image.index, await stated(image.index), other.index);
    registry.refer(image.index.digest, indexOf([entry]));
    expect((await attested()).publish.state).toBe('absent');
    registry.goOn(image.index.digest);
    expect((await attested()).publish).toMatchObject({
      state: 'unknown',
      reason: expect.stringContaining('more than 10 pages'),
    });
  });
});
