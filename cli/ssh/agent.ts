/** A client of the SSH agent (draft-miller-ssh-agent): what keys it has, and signatures with them. */
import { connect } from 'node:net';
import { keyIdOf, readPublicKey } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { AgentReference } from '../../schemas/key-reference.ts';
import type { Signer } from '../../schemas/signer.ts';
import {
  Fields,
  garbled,
  plainSignature,
  readSshKey,
  type SshKey,
  sshBlob,
  sshNumber,
  sshString,
} from './wire.ts';

const FAILURE = 5;
const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
/** OpenSSH's own limit of a message. */
const MAX_MESSAGE = 256 * 1024;
const LIST_MS = 10_000;
/** A person may have to confirm, or to touch something. */
const SIGN_MS = 60_000;

export interface Agent {
  /** Address of its socket: SSH_AUTH_SOCK. */
  readonly socket: string;
  /** How long a signature may take; 60 s unless told otherwise. */
  readonly timeoutMs?: number;
  /** Told when a signature is asked for, and with an empty line when it came. */
  readonly progress?: (line: string) => void;
}

export interface Identity extends SshKey {
  readonly comment: string;
}

/** Every key the agent shows; a locked agent shows none. Throws SIGNER_FAILED. */
export async function identities({ socket, timeoutMs = LIST_MS }: Agent): Promise<Identity[]> {
  const request = Buffer.from([REQUEST_IDENTITIES]);
  const fields = answerOf(await ask(socket, request, Math.min(timeoutMs, LIST_MS)), IDENTITIES_ANSWER);
  if (fields === null) throw refused('to list its keys', 'Unlock it with: ssh-add -X');
  const found: Identity[] = [];
  for (let left = fields.number(); left > 0; left--) {
    const key = readSshKey(fields.string());
    found.push({ ...key, comment: fields.string().toString('utf8') });
  }
  fields.end();
  return found;
}

/** A key of the agent. `sign` throws SIGNER_FAILED. */
export function agentSigner(reference: AgentReference, agent: Agent): Signer {
  const { key: publicKey } = readPublicKey(reference.publicKey);
  const blob = sshBlob(publicKey);
  const { fingerprint } = readSshKey(blob);
  return {
    keyid: keyIdOf(publicKey),
    publicKey,
    sign: async (bytes) => {
      const { socket, timeoutMs = SIGN_MS, progress = () => undefined } = agent;
      const request = [Buffer.from([SIGN_REQUEST]), sshString(blob), sshString(bytes), sshNumber(0)];
      progress(`Waiting up to ${timeoutMs / 1000} s for the SSH agent to sign; it may ask you to confirm…`);
      const answer = await ask(socket, Buffer.concat(request), timeoutMs).finally(() => progress(''));
      const fields = answerOf(answer, SIGN_RESPONSE);
      const named = `to sign with ${fingerprint} (${quote(reference.comment, 60)})`;
      if (fields === null)
        throw refused(named, 'It may be locked (ssh-add -X), without this key (ssh-add -l), or you declined');
      const signature = fields.string();
      fields.end();
      return plainSignature(signature, publicKey);
    },
  };
}

/** The fields of an answer; null where the agent says no. */
function answerOf(message: Buffer, wanted: number): Fields | null {
  const [type] = message;
  if (type === FAILURE) return null;
  if (type !== wanted) throw garbled(`a message of type ${type ?? 'none'}`);
  return new Fields(message.subarray(1));
}

function refused(what: string, next: string): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', {
    expected: `the SSH agent ${what}`,
    found: 'a refusal',
    next,
  });
}

/** One message and its answer, over a connection of its own. */
function ask(path: string, message: Buffer, timeoutMs: number): Promise<Buffer> {
  const socket = connect({ path });
  const answered = new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(silent(path, timeoutMs)), timeoutMs);
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 4) return;
      const length = bytes.readUInt32BE();
      if (length < 1 || length > MAX_MESSAGE) reject(garbled(`a message of ${length} bytes`));
      else if (bytes.length > length + 4) reject(garbled('more than one message'));
      else if (bytes.length === length + 4) resolve(bytes.subarray(4));
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => reject(absent(path, cause)));
    socket.once('end', () => reject(garbled(`an end after ${bytes.length} bytes`)));
    socket.once('close', () => clearTimeout(timer));
    socket.write(Buffer.concat([sshNumber(message.length), message]));
  });
  return answered.finally(() => socket.destroy());
}

function silent(path: string, timeoutMs: number): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', {
    expected: `an answer of the SSH agent at ${quote(path, 200)} within ${timeoutMs / 1000} s`,
    found: 'none',
    next: 'Confirm on its own window or device when it asks, and run the command again',
  });
}

function absent(path: string, cause: NodeJS.ErrnoException): LockkeeperError {
  return new LockkeeperError('SIGNER_FAILED', {
    expected: `an SSH agent at ${quote(path, 200)}`,
    found: cause.code ?? cause.message,
    next: 'Start one with ssh-agent, or correct SSH_AUTH_SOCK',
    cause,
  });
}
