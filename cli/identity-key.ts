/** `lk keys new --sigstore`: an identity in the place of a key, with the instance that certifies it. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { assertKeylessRoot } from '../runtime/provenance/trust.ts';
import { LockkeeperError, quote } from '../schemas/errors.ts';
import { SigstoreReference } from '../schemas/key-reference.ts';
import { assertValid } from '../schemas/validate.ts';
import { type Context, required, text, type Values } from './command.ts';

/** Options that say something of an identity alone. */
export const IDENTITY_OPTIONS = ['issuer', 'san', 'trusted-root', 'fulcio', 'rekor', 'tsa'] as const;

/** Writes the reference; nothing is asked of anybody until it signs. Throws USAGE or NOT_FOUND. */
export async function newIdentity(context: Context, name: string, values: Values): Promise<string> {
  const addresses = Object.fromEntries(
    (['fulcio', 'rekor', 'tsa'] as const).flatMap((option) => {
      const given = text(values, option);
      return given === undefined ? [] : [[option, given.replace(/\/+$/, '')]];
    }),
  );
  const reference = {
    lockkeeper: 'key/v1',
    kind: 'sigstore',
    ...namedIdentity(values),
    trustedRoot: await trustedRootAt(context, values),
    ...addresses,
  };
  return context.home.writeReference(
    name,
    assertValid(SigstoreReference, reference, 'the identity', 'USAGE'),
  );
}

/** Whose certificate it has to be: both values exactly. */
export function namedIdentity(values: Values): { issuer: string; san: string } {
  return {
    issuer: required(values, 'issuer', 'who issues the identity token, as an https address'),
    san: required(values, 'san', 'the name in the certificate, such as the workflow with its ref'),
  };
}

/** A sigstore trusted root, in base64: its bytes as they are. Throws USAGE for one under which nobody could sign. */
export async function trustedRootAt({ cwd }: Context, values: Values): Promise<string> {
  const path = resolve(cwd, required(values, 'trusted-root', 'trusted_root.json of the sigstore instance'));
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
    throw new LockkeeperError('NOT_FOUND', {
      expected: `a sigstore trusted root at ${quote(path, 200)}`,
      found: 'no such file',
      next: 'Take it from whoever runs the instance, and compare its digest with them',
      cause,
    });
  });
  try {
    assertKeylessRoot(bytes);
  } catch (cause) {
    if (!(cause instanceof LockkeeperError)) throw cause;
    throw new LockkeeperError('USAGE', {
      expected: `${cause.expected} at ${quote(path, 200)}`,
      found: cause.found,
      next: 'Take it from whoever runs the instance, and compare its digest with them',
      cause,
    });
  }
  return bytes.toString('base64');
}
