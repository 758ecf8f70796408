import type { KeyObject } from 'node:crypto';
import { short } from '../../runtime/trust/root.ts';
import { Me } from '../../schemas/api.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { KEY_PROOF_TYPE, KeyView, RootVersionView, RotateBody } from '../../schemas/keys.ts';
import { sealWith } from '../../schemas/signer.ts';
import { assertValid } from '../../schemas/validate.ts';
import { type Command, type Context, flag, option, type Result, text, type Values } from '../command.ts';
import { newKey, typeOf } from '../new-key.ts';
import { table } from '../output.ts';
import { signerNamed } from '../signers.ts';

/** The key that a person signs with unless told otherwise: named after them. */
export async function keyName(context: Context, values: Values): Promise<string> {
  const given = text(values, 'key') ?? text(values, 'name');
  if (given !== undefined) return given;
  const as = text(values, 'as');
  if (as !== undefined) return as;
  return (await context.home.signIns())[0]?.person ?? context.config.osUser;
}

export const keys: Command = {
  summary: 'make the key you sign approvals with, and enrol it at the registry',
  words: '[list] | new | enrol | show | rotate lock|scanner|log',
  options: {
    name: option.text('name of the key file (default: your name)'),
    type: option.text('new: ed25519 (default) or p256, in a file'),
    'ssh-agent': option.flag('new: use a key of your SSH agent; it stays there'),
    identity: option.text('new --ssh-agent: which one, by fingerprint (SHA256:…) or comment'),
    command: option.text(
      'new: a program that signs (KMS, PKCS#11), as a JSON array of its words; see docs/keys.md',
    ),
    'public-key': option.text('new --command: file with its public key in PEM'),
    sigstore: option.flag(
      'new: no key, but an identity that a sigstore instance certifies for each signature; see docs/keys.md',
    ),
    issuer: option.text('new --sigstore: who issues the identity token'),
    san: option.text('new --sigstore: the name in the certificate, exactly'),
    'trusted-root': option.text('new --sigstore: trusted_root.json of the instance'),
    fulcio: option.text('new --sigstore: address of its certificate authority (the public one)'),
    rekor: option.text('new --sigstore: address of its log (the public one)'),
    tsa: option.text('new --sigstore: address of its timestamp authority (none)'),
    replace: option.flag('enrol: retire the key you enrolled before, and the approvals it signed'),
  },
  examples: [
    'lk keys new',
    'lk keys new --type p256 --name work',
    'lk keys new --ssh-agent --identity alice@laptop',
    'lk keys new --command \'["sign-with-kms", "alice"]\' --public-key alice.pub',
    'lk keys enrol',
    'lk keys list',
    'lk keys show > alice.pub',
    'lk keys rotate lock',
  ],
  arity: [0, 2],
  async run(context, [verb = 'list', role], values) {
    if (role !== undefined && verb !== 'rotate') throw strange(`${verb} ${role}`);
    if (verb === 'new') return newKey(context, await keyName(context, values), values);
    if (verb === 'enrol' || verb === 'enroll') return enrol(context, values);
    if (verb === 'list') return listKeys(context);
    if (verb === 'show') return showKey(context, values);
    if (verb === 'rotate') return rotate(context, role);
    throw strange(verb);
  },
};

function strange(found: string): LockkeeperError {
  return new LockkeeperError('USAGE', {
    expected: `lk keys ${keys.words}`,
    found: quote(found),
    next: 'See: lk keys --help',
  });
}

/** One of the registry's own keys, where it signs its root itself. */
async function rotate(context: Context, role: string | undefined): Promise<Result> {
  const body = assertValid(RotateBody, { role }, 'lk keys rotate', 'USAGE');
  const view = await (await context.api()).call('keyRotate', RootVersionView, { body });
  return {
    data: { role: body.role, rootVersion: view.version },
    text: `The registry signs with another ${body.role} key from now on (root version ${view.version}). What the one before it signed holds until it expires.`,
  };
}

async function enrol(context: Context, values: Values): Promise<Result> {
  const api = await context.api();
  const signer = await signerNamed(context, await keyName(context, values));
  const { person } = await api.call('me', Me);
  const proof = { person, publicKey: publicPem(signer.publicKey), at: context.now().toISOString() };
  const envelope = await sealWith(signer, KEY_PROOF_TYPE, Buffer.from(JSON.stringify(proof)));
  const view = await api.call('keys', KeyView, {
    body: { proof: envelope, replace: flag(values, 'replace') },
  });
  return {
    data: view,
    text: `${context.paint.bold(view.person)} now signs with key ${short(signer.keyid)} (root version ${view.rootVersion}).`,
  };
}

function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

/** The public half, for those who name it in a root. */
async function showKey(context: Context, values: Values): Promise<Result> {
  const name = await keyName(context, values);
  const stored = await context.home.storedKey(name);
  const { keyid } = stored;
  if (stored.kind === 'sigstore') {
    const { issuer, san } = stored.reference;
    return { data: { name, keyid, issuer, san }, text: `${san} by ${issuer}` };
  }
  const publicKey = publicPem(stored.publicKey);
  return { data: { name, keyid, publicKey }, text: publicKey };
}

async function listKeys(context: Context): Promise<Result> {
  const names = await context.home.keyNames();
  const rows = await Promise.all(
    names.map(async (name) => {
      const { keyid, publicKey, kind } = await context.home.storedKey(name);
      return { name, keyid, type: typeOf(publicKey), kind };
    }),
  );
  const shown = table(
    ['NAME', 'TYPE', 'KIND', 'KEY'],
    rows.map((row) => [row.name, row.type, row.kind, row.keyid]),
  );
  return { data: { keys: rows }, text: rows.length ? shown : 'No keys yet. Make one with: lk keys new' };
}
