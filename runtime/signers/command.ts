/**
 * A key behind a program, such as a KMS or a PKCS#11 token. The contract: it is started without a shell, gets on stdin what
 * to sign (P-256: the 32 bytes of the SHA-256; Ed25519: the whole text), and answers with the signature in base64 on
 * stdout and exit code 0. What it answers counts only once it verifies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, type KeyObject } from 'node:crypto';
import { keyIdOf, readPublicKey, verifySignature } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { CommandReference } from '../../schemas/key-reference.ts';
import type { Signer } from '../../schemas/signer.ts';

/** A signature is 72 bytes at most; base64 in lines, and some room. */
const MAX_ANSWER = 4096;
const KEPT_WORDS = 2000;
const NOT_THERE = 'Check that the program is there and may be executed';
/** Secrets and settings of this product that a foreign program has no use for. */
const OWN = /^(LOCKKEEPER_|DATABASE_URL$)/;

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
      const answer = await runProgram(command, { ...setting, input: inputFor(bytes, publicKey) });
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

interface Run extends CommandSetting {
  readonly input: Uint8Array;
}

/** Its standard output, when it ends with 0 in time. The program stays in this session, so that it can ask for a PIN. */
async function runProgram(command: readonly string[], run: Run): Promise<Buffer> {
  const refusal = (found: string, next: string): LockkeeperError =>
    failed(command, { expected: 'to sign and to end with exit code 0', found, next });
  const child = started(command, run, refusal);
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<Buffer>((resolve, reject) => {
    const refuse = (found: string, next: string): void => reject(refusal(found, next));
    timer = setTimeout(
      () => refuse(`no end within ${run.timeoutMs / 1000} s`, 'Run it by hand and see what it waits for'),
      run.timeoutMs,
    );
    const said = collect(child, () =>
      refuse(`more than ${MAX_ANSWER} bytes of output`, 'See the contract in docs/keys.md'),
    );
    child.on('error', (cause: NodeJS.ErrnoException) => refuse(cause.code ?? cause.message, NOT_THERE));
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(said.answer());
      refuse(`${signal ?? `exit code ${code}`}${said.words()}`, 'Run it by hand and see what it says');
    });
    // It may end without reading; its exit code says why.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(run.input);
  });
  return ended.finally(() => {
    clearTimeout(timer);
    abandon(child);
  });
}

function started(
  [program = '', ...words]: readonly string[],
  { environment }: Run,
  refusal: (found: string, next: string) => LockkeeperError,
): ChildProcess {
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !OWN.test(name)));
  try {
    return spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  } catch (cause) {
    throw refusal((cause as NodeJS.ErrnoException).code ?? String(cause), NOT_THERE);
  }
}

/** What it says; `flood` is called, once, when that is more than any signature. */
function collect(child: ChildProcess, flood: () => void): { answer: () => Buffer; words: () => string } {
  const chunks: Buffer[] = [];
  let size = 0;
  let words = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER) return flood();
    chunks.push(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-KEPT_WORDS);
  });
  return {
    answer: () => Buffer.concat(chunks),
    words: () => (words.trim() === '' ? '' : `, saying ${quote(words.trim(), 300)}`),
  };
}

/** Whatever of it is left holds up nobody: what it started itself may keep its pipes open. */
function abandon(child: ChildProcess): void {
  child.kill('SIGKILL');
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
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
