/** Signatures without a key: made with the library's own signer, verified offline from the root's own copy. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { keylessSigner } from '../../../runtime/signers/keyless.ts';
import { assertApproved, openApproval } from '../../../runtime/trust/approval.ts';
import { openCallApproval } from '../../../runtime/trust/call.ts';
import { openRevocation } from '../../../runtime/trust/revocation.ts';
import { openRoot, type TrustedRoot } from '../../../runtime/trust/root.ts';
import { type Approval, STATEMENT_TYPE } from '../../../schemas/approval.ts';
import { callApprovalOf } from '../../../schemas/call.ts';
import type { Envelope } from '../../../schemas/dsse.ts';
import { canonical, parseStrict } from '../../../schemas/json.ts';
import { revocationOf } from '../../../schemas/revocation.ts';
import { identityKeyId, type Root, type RootIdentity } from '../../../schemas/root.ts';
import { sealWith } from '../../../schemas/signer.ts';
import { callFacts } from '../../helpers/calls.ts';
import { refusal } from '../../helpers/machine.ts';
import { identityToken, type Sigstore, startSigstore } from '../../helpers/sigstore.ts';
import { at, makeApproval, makeEntry, makeRoot, NOW, people, pin } from '../../helpers/trust.ts';

const ISSUER = 'https://ci.example.test';
const SAN = 'https://git.example.test/acme/weather/.ci/release.yml@refs/heads/main';
const entry = makeEntry();

describe('an identity that signs without a key', () => {
  let sigstore: Sigstore;
  let other: Sigstore;
  beforeAll(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW });
    sigstore = await startSigstore();
    other = await startSigstore();
  });
  afterAll(async () => {
    await sigstore.close();
    await other.close();
    vi.useRealTimers();
  });

  const identity = (change: Partial<RootIdentity> = {}): RootIdentity => {
    const { issuer = ISSUER, san = SAN } = change;
    return {
      keyid: identityKeyId({ issuer, san }),
      issuer,
      san,
      person: 'ci',
      notBefore: at(-24),
      notAfter: at(24),
      ...change,
    };
  };
  const rootWith = (
    named: RootIdentity = identity(),
    change: (root: Root) => void = () => undefined,
  ): TrustedRoot => {
    const root = makeRoot((of) => {
      of.keyless = { trustedRoot: sigstore.trustedRoot.toString('base64'), identities: [named] };
      of.roles.approver.keyids.push(named.keyid);
      of.roles.revoker.keyids.push(named.keyid);
      change(of);
    });
    return openRoot({ root, rootChain: [] }, pin, NOW);
  };
  /** Parts of the instance may stand elsewhere. */
  type Instance = Pick<Sigstore, 'url' | 'trustedRoot'> & Partial<Record<'fulcio' | 'rekor' | 'tsa', string>>;
  const signer = (sub = SAN, iss = ISSUER, from: Instance = sigstore): ReturnType<typeof keylessSigner> =>
    keylessSigner(
      {
        lockkeeper: 'key/v1',
        kind: 'sigstore',
        issuer: iss,
        san: sub,
        trustedRoot: from.trustedRoot.toString('base64'),
        fulcio: from.fulcio ?? from.url,
        rekor: from.rekor ?? from.url,
        tsa: from.tsa ?? from.url,
      },
      { environment: { SIGSTORE_ID_TOKEN: identityToken({ iss, sub }) }, now: () => NOW },
    );
  /** One trusted root of both instances. */
  const both = (): Buffer => {
    const [mine, theirs] = [sigstore, other].map(({ trustedRoot }) => JSON.parse(trustedRoot.toString()));
    for (const list of ['tlogs', 'certificateAuthorities', 'ctlogs', 'timestampAuthorities'])
      mine[list].push(...theirs[list]);
    return Buffer.from(JSON.stringify(mine));
  };
  /** An approval in ci's name, whoever signs it. */
  const approval = async (
    by = signer(),
    change: (approval: Approval) => void = () => undefined,
  ): Promise<Envelope> => {
    const { payload } = makeApproval({ ...people.mallory, person: 'ci' }, entry, change);
    return sealWith(by, STATEMENT_TYPE, Buffer.from(payload, 'base64'));
  };
  const facts = {
    name: entry.server,
    version: entry.version,
    purl: entry.purl,
    closure: entry.closure,
    surfaceDigest: entry.surface.digest,
    reportDigest: entry.report,
    permissions: entry.permissions,
    launch: entry.launch,
    requestedBy: entry.requestedBy,
  };
  const use = { facts, environment: 'development', now: NOW };

  it('approves beside a person with a key, with nothing asked of anybody to verify it', async () => {
    const both = [makeApproval(people.alice, entry), await approval()];
    const before = sigstore.asked.length;
    expect(assertApproved(both, rootWith(), use)).toEqual(['alice', 'ci']);
    expect(sigstore.asked).toHaveLength(before);
  });

  it('counts once, however often it signs', async () => {
    const twice = [await approval(), await approval()];
    expect(() => assertApproved(twice, rootWith(), use)).toThrow(
      expect.objectContaining({ code: 'APPROVAL_THRESHOLD' }),
    );
  });

  it('is no second person beside a key of its own person, and no requester', async () => {
    const inNameOf = (person: string): Promise<Envelope> =>
      approval(signer(), ({ predicate }) => {
        predicate.approvedBy = person;
      });
    const judged =
      (person: string, envelopes: readonly Envelope[]): (() => unknown) =>
      () =>
        assertApproved(envelopes, rootWith(identity({ person })), use);
    const alice = makeApproval(people.alice, entry);
    expect(judged('alice', [alice, await inNameOf('alice')])).toThrow(
      expect.objectContaining({ code: 'APPROVAL_THRESHOLD' }),
    );
    expect(judged(entry.requestedBy, [alice, await inNameOf(entry.requestedBy)])).toThrow(
      expect.objectContaining({ code: 'APPROVAL_REQUESTER' }),
    );
  });

  it('counts in the roles and for as long as the root names it there', async () => {
    const envelope = await approval();
    const keyid = identity().keyid;
    const without = (...roles: readonly ('approver' | 'revoker')[]): TrustedRoot =>
      rootWith(identity(), ({ roles: by }) => {
        for (const role of roles) by[role].keyids = by[role].keyids.filter((one) => one !== keyid);
      });
    expect(openApproval(envelope, without('revoker')).person).toBe('ci');
    for (const trusted of [
      without('approver'),
      without('approver', 'revoker'),
      openRoot({ root: makeRoot(), rootChain: [] }, pin, NOW),
    ])
      expect(() => openApproval(envelope, trusted)).toThrow(expect.objectContaining({ code: 'KEY_UNKNOWN' }));
  });

  it('decides on no call: those take keys', async () => {
    const call = callFacts({ expires: at(1) });
    const statement = callApprovalOf(call, { approvedBy: 'ci', at: NOW.toISOString() });
    const envelope = await sealWith(signer(), STATEMENT_TYPE, Buffer.from(canonical(statement)));
    expect(() => openCallApproval(envelope, rootWith())).toThrow(
      expect.objectContaining({ code: 'KEY_UNKNOWN' }),
    );
  });

  it.each<[string, 'rekor' | 'tsa' | 'fulcio', RegExp]>([
    ['in another log', 'rekor', /TLOG_/],
    ['timed by another authority', 'tsa', /TIMESTAMP_ERROR/],
    ['certified by another authority', 'fulcio', /CERTIFICATE_ERROR/],
  ])('does not count %s, though the job itself believes both', async (_, part, said) => {
    const envelope = await approval(
      signer(SAN, ISSUER, { ...sigstore, trustedRoot: both(), [part]: other.url }),
    );
    const opened = (): unknown => openApproval(envelope, rootWith());
    expect(opened).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }));
    expect(opened).toThrow(said);
  });

  it.each<[string, number]>([
    ['an hour after its certificate ended', 1],
    ['a day before it began', -24],
  ])('does not count when it was logged %s', async (_, hours) => {
    const late = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      vi.setSystemTime(Date.parse(at(hours)));
      const headers = { 'content-type': request.headers['content-type'] ?? '' };
      const answer = await fetch(`${sigstore.url}${request.url}`, {
        method: 'POST',
        headers,
        body: Buffer.concat(parts),
      });
      vi.setSystemTime(NOW);
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise<void>((resolve) => late.listen(0, '127.0.0.1', resolve));
    const { port } = late.address() as AddressInfo;
    const error = await refusal(
      approval(signer(SAN, ISSUER, { ...sigstore, rekor: `http://127.0.0.1:${port}` })),
    );
    late.close();
    expect(error).toMatchObject({ code: 'SIGNER_FAILED' });
    expect(error.message).toMatch(/CERTIFICATE_ERROR|TLOG_/);
  });

  it('revokes', async () => {
    const statement = revocationOf({
      server: entry.server,
      version: entry.version,
      closureDigest: entry.closure.digest,
      reason: 'malware',
      revokedBy: 'ci',
      at: NOW.toISOString(),
    });
    const envelope = await sealWith(signer(), STATEMENT_TYPE, Buffer.from(canonical(statement)));
    expect(openRevocation(envelope, rootWith()).person).toBe('ci');
    const lapsed = rootWith(identity({ notAfter: at(-1) }));
    expect(() => openRevocation(envelope, lapsed)).toThrow(expect.objectContaining({ code: 'KEY_UNKNOWN' }));
  });

  it.each<[string, string, string]>([
    ['another branch', SAN.replace('main', 'mai'), ISSUER],
    ['a longer name', `${SAN}2`, ISSUER],
    ['another repository', SAN.replace('acme', 'acne'), ISSUER],
    ['another issuer', SAN, `${ISSUER}.evil.test`],
  ])('is not its neighbour: %s', async (_, san, issuer) => {
    const envelope = await approval(signer(san, issuer));
    const claimed = {
      ...envelope,
      signatures: envelope.signatures.map((one) => ({ ...one, keyid: identity().keyid })),
    };
    const opened = (): unknown => openApproval(claimed, rootWith());
    expect(opened).toThrow(expect.objectContaining({ code: 'SIGNATURE_INVALID' }));
    expect(opened).toThrow(/PROVENANCE_IDENTITY/);
    // Under its own name it is nobody here.
    expect(() => openApproval(envelope, rootWith())).toThrow(
      expect.objectContaining({ code: 'KEY_UNKNOWN' }),
    );
  });

  it('counts under the trusted root of root.json alone', async () => {
    const envelope = await approval(signer(SAN, ISSUER, other));
    expect(() => openApproval(envelope, rootWith())).toThrow(/PROVENANCE_INVALID/);
  });

  it.each<[string, Partial<RootIdentity>]>([
    ['before its first day', { notBefore: at(1), notAfter: at(24) }],
    ['after its last', { notBefore: at(-24), notAfter: at(-1) }],
  ])('counts by the time in the log, not %s', async (_, dates) => {
    const envelope = await approval();
    // The clock of whoever verifies is inside the dates; the log's is not.
    const now = new Date((Date.parse(dates.notBefore ?? '') + Date.parse(dates.notAfter ?? '')) / 2);
    const root = makeRoot((of) => {
      const named = identity(dates);
      of.keyless = { trustedRoot: sigstore.trustedRoot.toString('base64'), identities: [named] };
      of.roles.approver.keyids.push(named.keyid);
    });
    const trusted = openRoot({ root, rootChain: [] }, pin, now);
    expect(() => openApproval(envelope, trusted)).toThrow(/signature made from|one of 2026-11-24T12:00:00/);
  });

  const bent: [string, (envelope: Envelope) => Envelope][] = [
    [
      'another payload',
      (of) => ({ ...of, payload: Buffer.from(`${Buffer.from(of.payload, 'base64')} `).toString('base64') }),
    ],
    [
      'a bare signature',
      (of) => ({ ...of, signatures: of.signatures.map(({ keyid, sig }) => ({ keyid, sig })) }),
    ],
    ['other bytes of it', withMaterial(() => 'no json')],
    ['a field more', withMaterial((json) => ({ ...json, more: 1 }))],
    [
      'a field more inside',
      withMaterial((json) => ({ ...json, verificationMaterial: { ...json.verificationMaterial, more: 1 } })),
    ],
    [
      'no log entry',
      withMaterial((json) => ({
        ...json,
        verificationMaterial: { ...json.verificationMaterial, tlogEntries: [] },
      })),
    ],
    ...(['inclusionProof', 'checkpoint'] as const).map((part): [string, (envelope: Envelope) => Envelope] => [
      `no ${part} in its log entry`,
      withMaterial((json) => {
        const [made] = structuredClone(json.verificationMaterial.tlogEntries) as unknown as [
          Record<string, object>,
        ];
        if (part === 'checkpoint') Reflect.deleteProperty(made.inclusionProof ?? {}, part);
        else Reflect.deleteProperty(made, part);
        return { ...json, verificationMaterial: { ...json.verificationMaterial, tlogEntries: [made] } };
      }),
    ]),
    [
      'its log entry twice',
      withMaterial((json) => {
        const [made] = json.verificationMaterial.tlogEntries;
        return { ...json, verificationMaterial: { ...json.verificationMaterial, tlogEntries: [made, made] } };
      }),
    ],
    [
      'a bare key',
      withMaterial((json) => {
        const { certificate: _, ...rest } = json.verificationMaterial;
        return { ...json, verificationMaterial: { ...rest, publicKey: { hint: 'x' } } };
      }),
    ],
    [
      'a later time',
      withMaterial((json) => {
        const [entry_] = json.verificationMaterial.tlogEntries;
        return {
          ...json,
          verificationMaterial: {
            ...json.verificationMaterial,
            tlogEntries: [{ ...entry_, integratedTime: String(Number(entry_?.integratedTime) + 60) }],
          },
        };
      }),
    ],
  ];
  it.each(bent)('is refused with %s', async (_, change) => {
    const envelope = await approval();
    expect(openApproval(envelope, rootWith()).person).toBe('ci');
    expect(() => openApproval(change(envelope), rootWith())).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
  });

  it('holds no role that takes a key, nor another name', () => {
    const { keyid } = identity();
    for (const role of ['root', 'lock', 'scanner'] as const)
      expect(() => rootWith(identity(), (of) => void of.roles[role].keyids.push(keyid))).toThrow(
        expect.objectContaining({ code: 'ROOT_UNTRUSTED' }),
      );
    expect(() => rootWith(identity({ keyid: people.mallory.keyid }))).toThrow(
      expect.objectContaining({ code: 'ROOT_UNTRUSTED' }),
    );
  });

  it('does not lend its material to a key', () => {
    const envelope = makeApproval(people.alice, entry);
    const lent = {
      ...envelope,
      signatures: envelope.signatures.map((one) => ({ ...one, sigstore: 'e30=' })),
    };
    expect(openApproval(envelope, rootWith()).person).toBe('alice');
    expect(() => openApproval(lent, rootWith())).toThrow(
      expect.objectContaining({ code: 'SIGNATURE_INVALID' }),
    );
  });

  it('sends nothing that would not verify, and never shows its token', async () => {
    const reference = {
      lockkeeper: 'key/v1' as const,
      kind: 'sigstore' as const,
      issuer: ISSUER,
      san: SAN,
      trustedRoot: sigstore.trustedRoot.toString('base64'),
      fulcio: sigstore.url,
      rekor: sigstore.url,
    };
    const setting = (environment: Record<string, string>): Parameters<typeof keylessSigner>[1] => ({
      environment,
      now: () => NOW,
    });
    const seal = (environment: Record<string, string>, change = {}): Promise<unknown> =>
      keylessSigner({ ...reference, ...change }, setting(environment)).seal('text/plain', Buffer.from('x'));
    const token = identityToken({ iss: ISSUER, sub: 'somebody-else' });
    for (const [environment, change] of [
      [{ SIGSTORE_ID_TOKEN: token }, {}],
      [{ SIGSTORE_ID_TOKEN: 'not-a-token-but-secret' }, {}],
      [
        { SIGSTORE_ID_TOKEN: identityToken({ iss: ISSUER, sub: SAN }) },
        { trustedRoot: other.trustedRoot.toString('base64') },
      ],
      [{}, {}],
      [
        { ACTIONS_ID_TOKEN_REQUEST_URL: `${sigstore.url}/none`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret' },
        {},
      ],
    ] as [Record<string, string>, object][]) {
      const error = await refusal(seal(environment, change));
      expect(error.code).toBe('SIGNER_FAILED');
      for (const secret of Object.values(environment))
        if (!secret.startsWith('http')) expect(error.message).not.toContain(secret);
    }
    expect(await seal({ SIGSTORE_ID_TOKEN: identityToken({ iss: ISSUER, sub: SAN }) })).toMatchObject({
      keyid: identity().keyid,
    });
  });
});

/** What stands in for a key, as far as it is bent here. */
interface Material {
  readonly verificationMaterial: {
    readonly certificate?: unknown;
    readonly tlogEntries: readonly { readonly integratedTime: string }[];
  };
}

function withMaterial(change: (json: Material) => unknown): (envelope: Envelope) => Envelope {
  return (envelope) => {
    const [{ sigstore = '', ...rest } = { keyid: '', sig: '' }] = envelope.signatures;
    const made = change(parseStrict(Buffer.from(sigstore, 'base64')) as unknown as Material);
    const text = typeof made === 'string' ? made : JSON.stringify(made);
    return { ...envelope, signatures: [{ ...rest, sigstore: Buffer.from(text).toString('base64') }] };
  };
}
