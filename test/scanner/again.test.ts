/** What is signed of a release, verified again from what its report keeps, under other trust files than the scan had. */
import { describe, expect, it } from 'vitest';
import { openBlobs } from '../../runtime/store/blobs.ts';
import type { Facts } from '../../scanner/checks/check.ts';
import { checks } from '../../scanner/checks/index.ts';
import type { StoredFacts } from '../../scanner/evidence.ts';
import { verifiedAgain } from '../../scanner/provenance/again.ts';
import { type Attested, rankOf } from '../../scanner/provenance/standing.ts';
import type { TrustFiles } from '../../scanner/provenance/trust.ts';
import type { Report } from '../../schemas/finding.ts';
import { bytesOf } from '../helpers/signature-bundles.ts';
import { tempDir } from './harness.ts';
import { playwright, seen, trustOf } from './signed-place.ts';

const NPM_ONLY = bytesOf('trust-roots/npm-keys.json');
const OTHER_SIGSTORE = bytesOf('trust-roots/trusted_root_staging.json');
const ANSWER = bytesOf('sigstore-dotnet/playwright-cli-0.1.1-attestations.json');

describe('a real package with a registry signature, a publish attestation and provenance', () => {
  async function kept() {
    const blobs = await openBlobs(await tempDir());
    const found = await seen(playwright());
    const { digest } = await blobs.put(bytesOf('sigstore-dotnet/playwright-cli-0.1.1.tgz'));
    const { rootPurl } = found.facts;
    const artifacts = [{ purl: rootPurl, sha256: digest, location: 'node_modules/@playwright/cli' }];
    const nothing = { remote: null, git: null, image: null, bundle: null };
    const facts = { ...found.facts, ...nothing, closure: { digest, artifacts } } as unknown as StoredFacts;
    const { sigstore, npm } = trustOf().pinned;
    const evidence = {
      ...{ attestations: (await blobs.put(ANSWER)).digest },
      ...{ 'trust-sigstore': sigstore, 'trust-npm': npm },
    };
    const report = { evidence, release: { source: 'npm:@playwright/cli@0.1.1' } } as unknown as Report;
    const again = (trust: TrustFiles, made = report) => verifiedAgain(made, facts, { trust, blobs });
    return { facts, report, again };
  }

  it('is left as it was seen while the same files are pinned', async () => {
    const { facts, again } = await kept();
    expect(await again(trustOf())).toEqual({ attested: facts.attested, pins: [], evidence: {} });
  });

  it('comes to what the scan came to, under the same files', async () => {
    const { facts, report, again } = await kept();
    const { 'trust-npm': _, 'trust-sigstore': __, ...evidence } = report.evidence;
    const found = await again(trustOf(), { ...report, evidence });
    expect(found.attested).toEqual(facts.attested);
    expect(found.pins).toEqual(['sigstore', 'npm']);
    expect(found.evidence).toEqual({
      'trust-sigstore': trustOf().pinned.sigstore,
      'trust-npm': trustOf().pinned.npm,
    });
  });

  it('is no longer what it was under other files, in what rests on them alone', async () => {
    const { facts, again } = await kept();
    const npm = await again(trustOf({ npm: NPM_ONLY }));
    expect(npm.pins).toEqual(['npm']);
    expect(npm.attested).toMatchObject({ signature: { state: 'broken' }, build: { state: 'held' } });
    const sigstore = (await again(trustOf({ sigstore: OTHER_SIGSTORE }))).attested as Attested;
    expect(sigstore.signature).toMatchObject({ state: 'held' });
    expect([sigstore.publish.state, sigstore.build.state]).toEqual(['broken', 'broken']);
    expect([rankOf(facts.attested as Attested), rankOf(sigstore)]).toEqual([
      'bound-provenance',
      'registry-signature',
    ]);
  });

  it('is not known without a pin, and not judged where the file of one is nowhere', async () => {
    const { again } = await kept();
    const { pinned, ...rest } = trustOf();
    const { npm: _, ...others } = pinned;
    const found = await again({ ...rest, pinned: others });
    expect(found.attested).toMatchObject({ signature: { state: 'unknown' }, publish: { state: 'unknown' } });
    expect(found.evidence).toEqual({ 'trust-npm': null });
    const nowhere = { ...rest, pinned: { ...pinned, npm: `sha256:${'0'.repeat(64)}` } };
    await expect(again(nowhere)).rejects.toMatchObject({ code: 'ROOT_UNTRUSTED' });
  });
});

it('a wheel is verified by the name of its file, or of its source, and what no answer tells of stands as it was seen', async () => {
  const blobs = await openBlobs(await tempDir());
  const file = 'pypi_attestations-0.0.19.tar.gz';
  const one = (kind: string): object =>
    JSON.parse(bytesOf(`pypi-attestations/${file}.${kind}.attestation`).toString('utf8'));
  const publisher = { kind: 'GitHub', repository: 'trailofbits/pypi-attestations' };
  const bundles = [{ publisher, attestations: [one('publish'), one('slsa')] }];
  const answer = Buffer.from(JSON.stringify({ version: 1, attestation_bundles: bundles }));
  const rootPurl = 'pkg:pypi/pypi-attestations@0.0.19';
  const { digest } = await blobs.put(bytesOf(`pypi-attestations/${file}`));
  const closure = { digest, artifacts: [{ purl: rootPurl, sha256: digest, location: `wheels/${file}` }] };
  const signature = { state: 'absent', note: 'package indexes sign no versions' };
  const attested = { signature, publish: signature, build: signature, claimed: [], commit: null };
  const nothing = { remote: null, git: null, image: null, bundle: null };
  const facts = { ...nothing, rootPurl, closure, attested } as unknown as StoredFacts;
  const reportOf = (evidence: object) => ({ evidence, release: { source: 'pypi:x@1' } }) as unknown as Report;
  const at = { trust: trustOf(), blobs };
  const attestations = (await blobs.put(answer)).digest;
  const found = await verifiedAgain(reportOf({ attestations }), facts, at);
  expect(found.attested).toMatchObject({ signature, publish: { state: 'held' }, build: { state: 'held' } });
  expect(found.pins).toEqual(['sigstore']);
  expect((await verifiedAgain(reportOf({}), facts, at)).attested).toEqual(attested);
  const built = { source: { location: `sdists/${file}`, sha256: digest } };
  const { digest: wheel } = await blobs.put(Buffer.from('a wheel that was built here'));
  const made = [{ purl: rootPurl, sha256: wheel, location: 'wheels/made.whl', built }];
  const source = { ...facts, closure: { digest, artifacts: made } } as unknown as StoredFacts;
  expect((await verifiedAgain(reportOf({ attestations }), source, at)).attested).toEqual(found.attested);
});

it('every check that reads what was verified says so, and no other does', async () => {
  const found = await seen(playwright());
  const reading: string[] = [];
  for (const check of checks) {
    let reads = false;
    const facts = new Proxy(found.facts, {
      get: (all, name) => {
        if (name === 'attested') reads = true;
        return Reflect.get(all, name);
      },
    });
    await Promise.resolve()
      .then(() => check.run(facts as Facts))
      .catch(() => undefined);
    if (reads) reading.push(check.id);
  }
  expect(reading).toEqual(checks.filter(({ readsAttested }) => readsAttested).map(({ id }) => id));
  expect(reading.length).toBeGreaterThan(5);
});
