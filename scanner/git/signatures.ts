/** Who signed a commit or a tag, by git's own verification under keys that root.json pins. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quote } from '../../schemas/errors.ts';
import { absent, held, notKnown, type Standing } from '../provenance/standing.ts';
import { pinOf, type TrustFiles } from '../provenance/trust.ts';
import type { Remote } from './remote.ts';
import { type GitSaid, git } from './run.ts';

/** Name of the pin: a file of allowed signers, as ssh-keygen reads it. */
export const GIT_PIN = 'git-signers';

export interface GitSigner {
  readonly principal: string;
  readonly key: string;
}

export interface GitObject {
  readonly kind: 'commit' | 'tag';
  readonly oid: string;
}

interface Place {
  readonly remote: Remote;
  readonly cwd: string;
  readonly trust: TrustFiles | string;
}

/** The object as git has it; its headers and its message. Null where it is of another kind. */
export async function objectText(
  { kind, oid }: GitObject,
  { remote, cwd }: Omit<Place, 'trust'>,
): Promise<string | null> {
  const said = await git(['cat-file', kind, oid], { ...remote, cwd });
  return said.code === 0 ? said.stdout.toString('utf8') : null;
}

/** Never throws for what the object says: a signature that nobody pinned a key for is not known, and none is a fact. */
export async function signedBy(object: GitObject, place: Place): Promise<Standing<GitSigner>> {
  const text = await objectText(object, place);
  const form = text === null ? null : formIn(text, object.kind);
  if (form === null) return absent(`the ${object.kind} is not signed`);
  if (form !== 'SSH') return notKnown(`the ${object.kind} is signed by ${form}, which is not verified here`);
  const pin = pinOf(place.trust, GIT_PIN);
  if (typeof pin === 'string') return notKnown(`the ${object.kind} is signed by an SSH key: ${pin}`);
  const file = typeof place.trust === 'string' ? undefined : place.trust.files.get(pin.root);
  const path = join(place.cwd, 'lockkeeper-signers');
  await writeFile(path, file ?? '');
  const config = [
    ...place.remote.config,
    `gpg.ssh.allowedSignersFile=${path}`,
    'gpg.ssh.revocationFile=',
    'gpg.ssh.program=ssh-keygen',
  ];
  return standingOf(
    object,
    await git([`verify-${object.kind}`, object.oid], { ...place.remote, cwd: place.cwd, config }),
  );
}

/** git ends with 0 for nothing but a key that is allowed; what it says names the one that was. */
function standingOf({ kind }: GitObject, { code, stderr }: GitSaid): Standing<GitSigner> {
  const [, principal, key] = /^Good "git" signature for (.+) with \S+ key (SHA256:\S+)$/m.exec(stderr) ?? [];
  if (code === 0 && principal !== undefined && key !== undefined) return held({ principal, key });
  const good = /^Good "git" signature with \S+ key (SHA256:\S+)$/m.exec(stderr)?.[1];
  const found =
    good === undefined
      ? quote(stderr.trim().split('\n').at(-1) ?? '', 200)
      : `the key ${good}, which is not allowed`;
  return {
    state: 'broken',
    code: 'PROVENANCE_IDENTITY',
    message: `the ${kind} is signed, and not by a key that root.json pins: ${found}`,
  };
}

function formIn(text: string, kind: GitObject['kind']): string | null {
  const [head = ''] = text.split('\n\n', 1);
  const armour =
    kind === 'commit'
      ? /^gpgsig(?:-sha256)? (-----BEGIN .+)$/m.exec(head)?.[1]
      : /^-----BEGIN .+-----$/m.exec(text.slice(head.length))?.[0];
  if (armour === undefined) return null;
  if (armour.includes('SSH SIGNATURE')) return 'SSH';
  return armour.includes('PGP') ? 'an OpenPGP key' : 'a certificate';
}
