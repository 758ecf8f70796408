import { Me } from '../../schemas/api.ts';
import { STATEMENT_TYPE } from '../../schemas/approval.ts';
import type { Envelope } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { canonical } from '../../schemas/json.ts';
import { Release } from '../../schemas/release.ts';
import { revocationOf } from '../../schemas/revocation.ts';
import { sealWith } from '../../schemas/signer.ts';
import type { Api } from '../api.ts';
import { type Command, type Context, option, reasonOf, text, type Values } from '../command.ts';
import { findRelease } from '../releases.ts';
import { sealerNamed } from '../signers.ts';
import { keyName } from './keys.ts';

export const revoke: Command = {
  summary: 'withdraw an approved release at once, where it runs too',
  words: 'NAME@VERSION | ID',
  options: {
    reason: option.text('why, for everyone whose gate will fail'),
    key: option.text(
      'name of the key file to sign with (default: your name; without one it is revoked unsigned)',
    ),
  },
  examples: ['lk revoke filesystem@2025.8.21 --reason "CVE-2026-0001"'],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const reason = reasonOf(values, 'why the release is withdrawn');
    const api = await context.api();
    const release = await findRelease(api, spec, { state: 'approved', alone: true });
    const envelope = await signedBy(context, values, { api, release, reason });
    const { after, signed } = await send(api, release, { reason, envelope });
    const vouched = signed ? 'signed with your key' : 'unsigned: no enrolled key of yours was at hand';
    return {
      data: { release: after, signed },
      text: `Revoked ${after.name} ${after.version} (${vouched}). Sessions that run it end within seconds, lk ci fails, and no new lock has it: lk lock takes another approved version where one fits.`,
    };
  },
};

/** The statement under the person's own key; null when there is none on this machine, or it does not sign now. */
async function signedBy(
  context: Context,
  values: Values,
  { api, release, reason }: { api: Api; release: Release; reason: string },
): Promise<Envelope | null> {
  const name = await keyName(context, values);
  const there = text(values, 'key') !== undefined || (await context.home.keyNames()).includes(name);
  if (!there || release.closure === null) return null;
  const signer = await sealerNamed(context, name);
  const { person } = await api.call('me', Me);
  const statement = revocationOf({
    server: release.name,
    version: release.version,
    closureDigest: release.closure.digest,
    reason,
    revokedBy: person,
    at: context.now().toISOString(),
  });
  return sealWith(signer, STATEMENT_TYPE, Buffer.from(canonical(statement))).catch((thrown: unknown) => {
    if (!(thrown instanceof LockkeeperError) || thrown.code !== 'SIGNER_FAILED') throw thrown;
    context.say(thrown.message);
    return null;
  });
}

/** To deny is cheap: a key that is not enrolled, or no longer, does not keep a release alive. */
async function send(
  api: Api,
  release: Release,
  { reason, envelope }: { reason: string; envelope: Envelope | null },
): Promise<{ after: Release; signed: boolean }> {
  const post = (body: object): Promise<Release> =>
    api.call('revoke', Release, { parameters: { id: release.id }, body });
  if (envelope === null) return { after: await post({ reason }), signed: false };
  try {
    return { after: await post({ reason, envelope }), signed: true };
  } catch (thrown) {
    if (!(thrown instanceof LockkeeperError) || thrown.code !== 'KEY_UNKNOWN') throw thrown;
    return { after: await post({ reason }), signed: false };
  }
}
