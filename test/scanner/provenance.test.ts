/** Real attestations of a real package, as checks of a scan: what holds, what does not, and what nobody can say. */
import { describe, expect, it } from 'vitest';
import { standingOf } from '../../scanner/provenance/standing.ts';
import { pinOf } from '../../scanner/provenance/trust.ts';
import type { Builder, Origin, Rank } from '../../schemas/origin.ts';
import type { LocalPackage } from '../helpers/npm-registry.ts';
import { bytesOf } from '../helpers/signature-bundles.ts';
import {
  KEYID,
  keysUntil,
  playwright,
  type Seen,
  seen,
  signaturesOf,
  signedBy,
  trustOf,
} from './signed-place.ts';

const ALL = ['LK-SIG-01', 'LK-PRV-01', 'LK-PRV-02', 'LK-PRV-03', 'LK-PRV-04', 'LK-PRV-05'];
const outcomes = ({ says }: Seen): string =>
  ALL.map((id) => says(id).outcome)
    .join(' ')
    .replaceAll('unknown', '?');
const ARCHIVE = bytesOf('sigstore-dotnet/playwright-cli-0.1.1.tgz');
const ANSWER = bytesOf('sigstore-dotnet/playwright-cli-0.1.1-attestations.json');
const SLSA = 'https://slsa.dev/provenance/v1';
const OTHERS = bytesOf('slsa-verifier/npm-gha/provenance-npm-test-cli-v1-prega.tgz.json');

const plain = (more: Partial<LocalPackage> = {}): LocalPackage => ({
  name: '@acme/tool',
  version: '1.0.1',
  files: { 'index.js': '' },
  publishedAt: '2026-02-01T00:00:00.000Z',
  ...more,
});
/** An earlier version, as its registry lists it. */
const earlier = (more: Partial<LocalPackage> = {}): LocalPackage =>
  plain({ version: '1.0.0', publishedAt: '2026-01-01T00:00:00.000Z', ...more });
const attestations = { url: 'somewhere', provenance: { predicateType: SLSA } };

/** The answer with one attestation edited, or left out. */
function answer(
  change: (one: { predicateType: string; bundle: ReturnType<typeof JSON.parse> }) => unknown,
): Buffer {
  const json = JSON.parse(ANSWER.toString('utf8'));
  json.attestations = json.attestations.flatMap((one: { predicateType: string; bundle: object }) => {
    const made = change(one);
    return made === null ? [] : [made ?? one];
  });
  return Buffer.from(JSON.stringify(json));
}

const isSlsa = ({ predicateType }: { predicateType: string }): boolean => predicateType === SLSA;

describe('a package with a registry signature, a publish attestation and provenance', () => {
  it('is bound to the repository that it names, at one commit, by one workflow', async () => {
    const found = await seen(playwright());
    expect(outcomes(found)).toBe('ok ok ok ok ok ok');
    expect(found.words('LK-SIG-01')).toBe(`ok: by the key ${KEYID}`);
    expect(found.origin.provenance).toMatchObject({
      rank: 'bound-provenance',
      builder: {
        issuer: 'https://token.actions.githubusercontent.com',
        repository: 'https://github.com/microsoft/playwright-cli',
        repositoryId: '273562379',
        ref: 'refs/tags/v0.1.1',
      },
    });
    expect(found.requests).toContain('-/npm/v1/attestations/@playwright/cli@0.1.1');
  });

  it('is refused where one byte of it is another', async () => {
    const found = await seen(playwright({ served: Buffer.concat([ARCHIVE, Buffer.alloc(1)]) }));
    expect(outcomes(found)).toBe('fired ? fired ? ? ?');
    expect(found.words('LK-SIG-01')).toContain('does not hold');
    expect(found.words('LK-PRV-02')).toContain('its attestation is about something else');
    expect(found.origin.provenance?.rank).toBe('none');
  });

  it('is refused where its provenance was changed, names another package, or comes twice', async () => {
    const edited = answer((one) => {
      const { signatures } = one.bundle.dsseEnvelope;
      const sig = Buffer.from(signatures[0].sig, 'base64');
      if (isSlsa(one)) sig[20] = (sig[20] ?? 0) ^ 1;
      signatures[0].sig = sig.toString('base64');
    });
    const changed = await seen(playwright({ attestations: edited }));
    expect(changed.words('LK-PRV-01')).toContain('fired: the provenance does not hold');
    expect(changed.origin.provenance?.rank).toBe('publish-attestation');
    const foreign = await seen(playwright({ attestations: OTHERS }));
    expect(foreign.says('LK-PRV-02').outcome).toBe('fired');
    const json = JSON.parse(ANSWER.toString('utf8'));
    json.attestations.push(json.attestations.find(isSlsa));
    const twice = await seen(playwright({ attestations: Buffer.from(JSON.stringify(json)) }));
    expect(twice.words('LK-PRV-01')).toContain('fired: the provenance does not hold');
  });

  it('is told apart from one whose registry gives no JSON, too much, or a list of nothing', async () => {
    for (const bytes of ['<html>', '{"attestations":{}}', '{"attestations":[],"attestations":[]}'])
      expect((await seen(playwright({ attestations: Buffer.from(bytes) }))).says('LK-PRV-01').outcome).toBe(
        'fired',
      );
    const huge = await seen(playwright({ attestations: Buffer.alloc(300_000, ' ') }));
    expect(huge.words('LK-PRV-01')).toContain('unknown: its attestations have more than');
    const empty = await seen(playwright({ attestations: Buffer.from('{"attestations":[]}') }));
    expect(empty.words('LK-PRV-01')).toBe('ok: none: none of this type among its attestations');
  });

  it('fires where the registry tells another commit', async () => {
    const found = await seen(playwright({ told: { gitHead: '0'.repeat(40) } }));
    expect(found.words('LK-PRV-02')).toContain('another commit');
  });

  it('fires where the package names another repository', async () => {
    const { facts } = await seen(playwright());
    if (typeof facts.attested === 'string') throw new Error('nothing attested');
    const other = { ...facts.attested, claimed: ['https://github.com/acme/other'] };
    const found = await seen(playwright(), { more: { attested: other } });
    expect(found.words('LK-PRV-02')).toContain(
      'and was built from https://github.com/microsoft/playwright-cli',
    );
    const silent = await seen(playwright(), { more: { attested: { ...other, claimed: [] } } });
    expect(silent.says('LK-PRV-02').outcome).toBe('ok');
  });
});

describe('a registry signature', () => {
  it('counts while its key was valid at publication, and not after', async () => {
    const one = signedBy(plain());
    const trust = trustOf({ npm: keysUntil('2026-03-01T00:00:00.000Z') });
    // Over today, and it was not then.
    expect((await seen(one, { trust })).says('LK-SIG-01').outcome).toBe('ok');
    const late = await seen({ ...one, publishedAt: '2026-04-01T00:00:00.000Z' }, { trust });
    expect(late.words('LK-SIG-01')).toContain('a key that was not valid at its publication');
    const { publishedAt: _, ...undated } = one;
    expect((await seen(undated, { trust })).words('LK-SIG-01')).toContain('unknown: its key ended');
    expect((await seen(undated)).says('LK-SIG-01').outcome).toBe('ok');
  });

  it('of another version or by an unknown key does not hold', async () => {
    const other = await seen(plain({ signed: signaturesOf(earlier()) }));
    expect(other.says('LK-SIG-01').outcome).toBe('fired');
    const [{ sig }] = signaturesOf(plain()).signatures as [{ sig: string }];
    const foreign = await seen(plain({ signed: { signatures: [{ keyid: 'SHA256:other', sig }] } }));
    expect(foreign.words('LK-SIG-01')).toContain('by a known key');
  });

  it('that is missing is a finding where the registry signs, and unknown behind what strips it', async () => {
    const missing = await seen(plain(), { beside: [signedBy(earlier())] });
    expect(missing.words('LK-SIG-01')).toBe('fired: the registry signed other versions and not this one');
    expect(missing.words('LK-PRV-01')).toContain('ok: none');
    const stripped = await seen(plain(), { beside: [earlier()] });
    expect(outcomes(stripped)).toBe('? ? ? ? ? ?');
    expect(stripped.words('LK-SIG-01')).toContain('a proxy leaves them out');
    expect(stripped.origin.provenance).toBeNull();
  });
});

describe('a scanner without trust files', () => {
  it('says unknown, names the pin and what to do, and never ok', async () => {
    const nothing = { pinned: {}, files: new Map(), where: '/trust-roots' };
    const found = await seen(playwright(), { trust: nothing });
    expect(outcomes(found)).toBe('? ? ? ? ? ?');
    expect(found.words('LK-PRV-01')).toContain('lk keys root set FILE --trust-root sigstore=sha256:DIGEST');
    expect(found.words('LK-SIG-01')).toContain('--trust-root npm=');
    const { pinned } = trustOf();
    const unlaid = await seen(playwright(), { trust: { pinned, files: new Map(), where: '/trust-roots' } });
    expect(unlaid.words('LK-PRV-01')).toContain('is not in /trust-roots');
    expect(pinOf({ pinned: {}, files: new Map(), where: '' }, 'constructor')).toContain('pins no trust file');
  });

  it('does not take another instance for the pinned one', async () => {
    const staging = bytesOf('trust-roots/trusted_root_staging.json');
    const found = await seen(playwright(), { trust: trustOf({ sigstore: staging }) });
    expect(found.says('LK-PRV-01').outcome).toBe('fired');
    const broken = await seen(playwright(), { trust: trustOf({ sigstore: Buffer.from('{}') }) });
    expect(broken.says('LK-PRV-01').outcome).toBe('unknown');
    expect(() => standingOf(() => JSON.parse('{'))).toThrow(SyntaxError);
  });
});

const originOf = (rank: Rank, builder: Partial<Builder> | null = null): Origin => ({
  provenance: { rank, builder: builder as Builder | null },
  publisher: null,
  repository: null,
});

describe('against the last approved', () => {
  it('less that is signed fires, and what can no longer be verified is less', async () => {
    const at = async (one: LocalPackage, rank: Rank): Promise<string> =>
      (
        await seen(one, {
          baseline: { origin: originOf(rank) },
          beside: [signedBy(earlier({ name: one.name }))],
        })
      ).words('LK-PRV-03');
    const signed = signedBy(plain());
    expect(await at(signed, 'registry-signature')).toBe("ok: the registry's signature");
    expect(await at(signed, 'bound-provenance')).toContain(
      'fired: 0.1.0, the last approved, had provenance of a build',
    );
    const noSlsa = playwright({ attestations: answer((one) => (isSlsa(one) ? null : one)) });
    expect(await at(noSlsa, 'provenance')).toContain('this version has a publish attestation');
    expect(await at(playwright(), 'provenance')).toContain('ok');
    const stripped = await seen(plain(), { baseline: { origin: originOf('registry-signature') } });
    expect(stripped.words('LK-PRV-03')).toContain('nothing that can be verified (the package registry tells');
    const unseen = await seen(signed, { baseline: { origin: null } });
    expect(unseen.words('LK-PRV-03')).toContain('unknown');
  });

  it('a version without provenance fires where an earlier one has it, whether or not it was approved', async () => {
    const before = signedBy(earlier({ signed: { attestations } }));
    const found = await seen(signedBy(plain()), { beside: [before] });
    expect(found.words('LK-PRV-03')).toContain('fired: 1.0.0, as the registry lists it, had provenance');
    const later = await seen(signedBy(plain({ publishedAt: '2025-01-01T00:00:00.000Z' })), {
      beside: [before],
    });
    expect(later.says('LK-PRV-03').outcome).toBe('ok');
    const pre = signedBy(earlier({ version: '1.0.0-beta.1', signed: { attestations } }));
    expect((await seen(signedBy(plain()), { beside: [pre] })).says('LK-PRV-03').outcome).toBe('ok');
  });

  it('another builder fires, and the same one in another release does not', async () => {
    const { origin } = await seen(playwright());
    const same = origin.provenance?.builder as Builder;
    const at = async (change: Partial<Builder>): Promise<string> =>
      (
        await seen(playwright(), { baseline: { origin: originOf('provenance', { ...same, ...change }) } })
      ).words('LK-PRV-04');
    const [workflow] = (same.workflow ?? '').split('@');
    expect(await at({ ref: 'refs/tags/v0.1.0', commit: '0'.repeat(40) })).toContain('ok');
    expect(
      await at({ workflow: `${workflow}@refs/tags/v0.1.0`, san: `${workflow}@refs/tags/v0.1.0` }),
    ).toContain('ok');
    expect(await at({ repositoryId: null })).toContain('ok');
    for (const [change, what] of [
      [{ repositoryId: '1' }, 'repository id'],
      [{ repository: 'https://github.com/other/cli' }, 'repository'],
      [{ issuer: 'https://token.actions.githubusercontent.com/acme' }, 'issuer'],
      [
        { workflow: 'https://github.com/microsoft/playwright-cli/.github/workflows/o.yml@refs/x' },
        'workflow',
      ],
      [{ san: 'https://github.com/microsoft/playwright-cli/.github/workflows/o.yml@refs/x' }, 'signer'],
    ] as const)
      expect(await at(change)).toBe(`fired: another ${what} than 0.1.0 was built by`);
  });
});

describe('a build', () => {
  it('by a stranger’s event, on a machine of its own, by no known service or from a side branch is told', async () => {
    const { facts } = await seen(playwright());
    const { attested } = facts;
    if (typeof attested === 'string' || attested.build.state !== 'held') throw new Error('no build');
    const { value } = attested.build;
    const at = async (change: object, of: Partial<Builder> = {}): Promise<string> => {
      const build = { state: 'held', value: { ...value, ...change, builder: { ...value.builder, ...of } } };
      const more = { attested: { ...attested, build } as typeof attested };
      return (await seen(playwright(), { more })).words('LK-PRV-05');
    };
    expect(await at({ trigger: 'pull_request_target' })).toContain('an event that strangers can cause');
    expect(await at({ runner: 'self-hosted' })).toContain('a runner of its own');
    expect(await at({}, { issuer: 'https://accounts.example' })).toContain('no build service that is known');
    expect(await at({}, { ref: 'refs/heads/fix-typo' })).toContain('neither a tag nor a usual branch');
    expect(await at({}, { ref: 'refs/heads/main' })).toContain('ok');
  });
});
