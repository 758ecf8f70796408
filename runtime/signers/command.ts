/**
 * A key behind a program, such as a KMS or a PKCS#11 token. The contract: it is started without a shell, gets on stdin what
 * to sign (P-256: the 32 bytes of the SHA-256; Ed25519: the whole text), and answers with the signature in base64 on
 * stdout and exit code 0. What it answers counts only once it verifies.
 */
import { createHash, type KeyObject } from 'node:crypto';
import { keyIdOf, readPublicKey, verifySignature } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { CommandReference } from '../../schemas/key-reference.ts';
import type { Signer } from '../../schemas/signer.ts';
import { runProgram } from '../program.ts';

/** A signature is 72 bytes at most; base64 in lines, and some room. */
const MAX_ANSWER = 4096;

export interface CommandSetting {
  /** What the program sees of the environment; variables of Lockkeeper itself are left out. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long it may take; a person may have to type a PIN. */
  readonly timeoutMs: number;
}

/** Throws KEY_UNKNOWN for a public key of another kind; `sign` throws SIGNER_FAILED. */
export function commandSigner(reference: CommandReference, setting: CommandSetting): Signer {
  const { key: publicKey } = readPublicKey(reference.publicKey);
  const { command } = reference;
  return {
    keyid: keyIdOf(publicKey),
    publicKey,
    sign: async (bytes) => {
      const answer = await runProgram(command, {
        ...setting,
        input: inputFor(bytes, publicKey),
        maxAnswer: MAX_ANSWER,
        contract: 'See the contract in docs/keys.md',
        refusal: (found, next) =>
          failed(command, { expected: 'to sign and to end with exit code 0', found, next }),
      });
      const sig = signatureIn(answer, command);
      if (verifySignature(bytes, sig, publicKey)) return sig;
      throw failed(command, {
        expected: 'to give a signature by the key whose public half is kept with it',
        found: `${sig.length} bytes that do not verify`,
        next: wrongTool(publicKey),
      });
    },
  };
}

function inputFor(bytes: Uint8Array, { asymmetricKeyType }: KeyObject): Uint8Array {
  return asymmetricKeyType === 'ed25519' ? bytes : createHash('sha256').update(bytes).digest();
}

function wrongTool({ asymmetricKeyType }: KeyObject): string {
  return asymmetricKeyType === 'ed25519'
    ? 'Check that it signs with that key, the bytes of stdin as they are (pure Ed25519, not Ed25519ph)'
    : 'Check that it signs with that key, and the 32 bytes of stdin as the digest, not hashed once more';
}

/** Lines and blanks as base64 tools write them; nothing else beside it. */
function signatureIn(answer: Buffer, command: readonly string[]): Buffer {
  const text = answer.toString('latin1').replace(/[ \r\n]/g, '');
  const sig = Buffer.from(text, 'base64');
  if (sig.length > 0 && sig.toString('base64') === text) return sig;
  throw failed(command, {
    expected: 'to give a signature in base64 on its standard output, and nothing else',
    found: answer.length === 0 ? 'nothing' : quote(answer.toString('latin1'), 80),
    next: 'See the contract in docs/keys.md',
  });
}

interface Failure {
  readonly expected: string;
  readonly found: string;
  readonly next: string;
}

function failed([program = '']: readonly string[], { expected, found, next }: Failure): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', {
    expected: `${quote(program, 200)} ${expected}`,
    found,
    next,
  });
}
