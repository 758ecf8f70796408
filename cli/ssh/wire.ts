/** Keys and signatures as SSH writes them (RFC 4251, 5656, 8709), and what they are elsewhere. Pure. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { LockkeeperError, quote } from '../../schemas/errors.ts';

const ED25519 = 'ssh-ed25519';
const P256 = 'ecdsa-sha2-nistp256';
const CURVE = 'nistp256';
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const P256_SPKI = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
const SCALAR_BYTES = 32;

export function sshString(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([sshNumber(bytes.length), bytes]);
}

export function sshNumber(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads field after field; whatever does not fit is SIGNER_FAILED. */
export class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    return this.#take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.#take(this.number());
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw garbled(`${this.#bytes.length - this.#at} bytes too many`);
  }

  #take(count: number): Buffer {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw garbled(`an end after ${this.#bytes.length} bytes, ${end} wanted`);
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

/** An agent's answer that is not what the protocol says. */
export function garbled(found: string): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', {
    expected: 'an answer of the SSH agent as its protocol says',
    found,
    next: 'Check with ssh-add -l that an SSH agent listens at SSH_AUTH_SOCK',
  });
}

export interface SshKey {
  /** As `ssh-add -l` shows it. */
  readonly fingerprint: string;
  readonly type: string;
  /** Null for a key that cannot sign here; `why` says it. */
  readonly publicKey: KeyObject | null;
  readonly why: string;
}

/** A public key of an agent. Throws SIGNER_FAILED for bytes that are none. */
export function readSshKey(blob: Buffer): SshKey {
  const fields = new Fields(blob);
  const type = fields.string().toString('latin1');
  const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
  const why = whyNot(type);
  if (why !== '') return { fingerprint, type, publicKey: null, why };
  if (type === P256 && fields.string().toString('latin1') !== CURVE) throw garbled('a key of another curve');
  const point = fields.string();
  fields.end();
  const prefix = type === P256 ? P256_SPKI : ED25519_SPKI;
  const fits = type === P256 ? point.length === 65 && point[0] === 4 : point.length === SCALAR_BYTES;
  if (!fits) throw garbled(`a key of ${point.length} bytes`);
  try {
    const der = Buffer.concat([prefix, point]);
    return { fingerprint, type, publicKey: createPublicKey({ key: der, format: 'der', type: 'spki' }), why };
  } catch {
    throw garbled('a point that is not on the curve');
  }
}

function whyNot(type: string): string {
  if (type === ED25519 || type === P256) return '';
  if (type.startsWith('sk-'))
    return 'a security key adds a counter and flags to what it signs, so its signature is over other bytes';
  if (type.includes('-cert-')) return 'a certificate: choose the key itself';
  return 'neither Ed25519 nor P-256';
}

/** The key as an agent knows it. */
export function sshBlob(publicKey: KeyObject): Buffer {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  if (publicKey.asymmetricKeyType === 'ed25519')
    return Buffer.concat([sshString(ED25519), sshString(der.subarray(-SCALAR_BYTES))]);
  return Buffer.concat([sshString(P256), sshString(CURVE), sshString(der.subarray(-65))]);
}

/** An SSH signature as everybody else writes it: 64 bytes of Ed25519, or DER of ECDSA. Throws SIGNER_FAILED. */
export function plainSignature(blob: Buffer, { asymmetricKeyType }: KeyObject): Buffer {
  const fields = new Fields(blob);
  const type = fields.string().toString('latin1');
  const wanted = asymmetricKeyType === 'ed25519' ? ED25519 : P256;
  if (type !== wanted) throw garbled(`a signature of type ${quote(type, 60)} for a key of type ${wanted}`);
  const content = fields.string();
  fields.end();
  if (type === ED25519) return content;
  const parts = new Fields(content);
  const integers = [derInteger(parts.string()), derInteger(parts.string())];
  parts.end();
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** SSH writes integers as DER does, two's complement; zeros too many are taken off, to the one form there is. */
function derInteger(mpint: Buffer): Buffer {
  const first = mpint.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.alloc(0) : mpint.subarray(first);
  const [top = 0] = digits;
  if (digits.length === 0 || digits.length > SCALAR_BYTES || ((mpint[0] ?? 0) & 0x80) !== 0)
    throw garbled('a number that no P-256 signature has');
  const positive = (top & 0x80) === 0 ? digits : Buffer.concat([Buffer.from([0]), digits]);
  return Buffer.concat([Buffer.from([2, positive.length]), positive]);
}
