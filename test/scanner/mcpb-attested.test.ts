/** Attestations of a bundle as GitHub keeps them, made by a sigstore instance of the tests' own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundleToJSON } from '@sigstore/bundle';
import { DSSEBundleBuilder, FulcioSigner, RekorWitness, TSAWitness } from '@sigstore/sign';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openBlobs } from '../../runtime/store/blobs.ts';
import { type Github, openGithub } from '../../scanner/github/client.ts';
import { bundleAttested, bundleSigned } from '../../scanner/mcpb/attested.ts';
import { type Attested, rankOf } from '../../scanner/provenance/standing.ts';
import { bundleOf } from '../helpers/mcpb.ts';
import { identityToken, type Sigstore, startSigstore } from '../helpers/sigstore.ts';
import { NOW, tempDir } from './harness.ts';
import { trustOf } from './signed-place.ts';

const SLSA = 'https://slsa.dev/provenance/v1';
const bundle = bundleOf();

describe('what GitHub attests of a bundle', () => {
  let sigstore: Sigstore;
  beforeAll(async () => {
    sigstore = await startSigstore();
  });
  afterAll(() => sigstore.close());

  async function stated(digest: string): Promise<object> {
    const san = 'https://github.com/acme/weather/.github/workflows/release.yml@refs/heads/main';
    const iss = 'https://token.actions.githubusercontent.com';
    const { url } = sigstore;
    const builder = new DSSEBundleBuilder({
      signer: new FulcioSigner({
        identityProvider: { getToken: async () => identityToken({ iss, sub: san }) },
        fulcioBaseURL: url,
      }),
      witnesses: [new RekorWitness({ rekorBaseURL: url }), new TSAWitness({ tsaBaseURL: url })],
      certificateChain: false,
    });
    const subject = [{ name: 'weather.mcpb', digest: { sha256: digest.slice('sha256:'.length) } }];
    const statement = {
      _type: 'https://in-toto.io/Statement/v1',
      subject,
      predicateType: SLSA,
      predicate: {},
    };
    const data = Buffer.from(JSON.stringify(statement));
    return bundleToJSON(await builder.create({ data, type: 'application/vnd.in-toto+json' })) as object;
  }

  async function github(answer: object | null): Promise<Github> {
    const server = createServer((_, response) => {
      response.writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? { message: 'Not Found' }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = openGithub({ api, host: 'github.com', token: null, environment: {}, now: () => NOW });
    onTestFinished(async () => {
      await client.close();
      server.close();
    });
    return client;
  }

  async function asked(
    attestations: (digest: string) => Promise<object | null>,
    { repository = 'https://github.com/acme/weather', pinned = true } = {},
  ): Promise<Attested> {
    const blobs = await openBlobs(await tempDir());
    const { digest } = await blobs.put(bundle);
    const at = { repository, signature: 0, digest, blobs, github: await github(await attestations(digest)) };
    const trust = pinned ? trustOf({ sigstore: sigstore.trustedRoot }) : 'no root.json is here';
    const { attested, answer } = await bundleAttested(at, { trust });
    // What is kept of it says the same once more.
    if (answer !== null)
      expect(await bundleSigned(JSON.parse(String(answer)), at, trust)).toEqual({ build: attested.build });
    return attested;
  }

  const one = async (bundle: Promise<object>) => ({ attestations: [{ bundle: await bundle }] });

  it('holds for these very bytes and no others, by whoever the certificate names', async () => {
    const held = await asked((digest) => one(stated(digest)));
    const san = 'https://github.com/acme/weather/.github/workflows/release.yml@refs/heads/main';
    expect(held.build).toMatchObject({ state: 'held', value: { builder: { san } } });
    expect(held.claimed).toEqual(['https://github.com/acme/weather']);
    expect(rankOf(held)).toBe('provenance');
    const other = await asked(() => one(stated(`sha256:${'0'.repeat(64)}`)));
    expect(other.build).toMatchObject({ state: 'broken' });
  });

  it.each<[string, (digest: string) => Promise<object | null>, object, string, string]>([
    ['GitHub has none', async () => null, {}, 'absent', 'GitHub has no attestation of it'],
    [
      'they are kept elsewhere',
      async () => ({ attestations: [{ bundle: null, bundle_url: 'https://x' }] }),
      {},
      'unknown',
      'kept elsewhere',
    ],
    ['the answer has another form', async () => ({ attestations: 'none' }), {}, 'unknown', 'another form'],
    [
      'no repository is named',
      async () => null,
      { repository: 'https://gitlab.com/acme/weather' },
      'unknown',
      'names no repository at github.com',
    ],
    [
      'nothing is pinned',
      async () => ({ attestations: [{ bundle: {} }] }),
      { pinned: false },
      'unknown',
      'no root.json is here',
    ],
    ['it is no attestation', async () => ({ attestations: [{ bundle: { x: 1 } }] }), {}, 'broken', ''],
  ])('is told where %s', async (_, answer, change, state, says) => {
    const { build } = await asked(answer, change);
    expect(build.state).toBe(state);
    expect(JSON.stringify(build).replace('keeps its attestations elsewhere', 'kept elsewhere')).toContain(
      says,
    );
  });
});
