/** Signers: OpenSSH's real agent, and agents that misbehave. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { signerNamed } from '../../cli/signers.ts';
import { agentSigner, identities } from '../../cli/ssh/agent.ts';
import { plainSignature, sshNumber, sshString } from '../../cli/ssh/wire.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { keyIdOf, verifyBytes } from '../../schemas/dsse.ts';
import type { AgentReference } from '../../schemas/key-reference.ts';
import { keySigner, sealWith, signWith } from '../../schemas/signer.ts';
import { lkKeys, machine, refusal } from '../helpers/machine.ts';
import { fakeAgent, startAgent, type TestAgent } from '../helpers/ssh-agent.ts';

const TYPE = 'application/vnd.lockkeeper.test';
const PAYLOAD = Buffer.from('what is signed');
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

describe('a key of an SSH agent', () => {
  let agent: TestAgent;
  const prints: Record<string, string> = {};
  beforeAll(async () => {
    agent = await startAgent();
    prints.laptop = agent.add('alice@laptop');
    prints.token = agent.add('alice@token', 'ecdsa');
    prints.old = agent.add('alice@old', 'rsa');
  });
  afterAll(() => agent?.close());
  const here = (): Context => machine({ SSH_AUTH_SOCK: agent.socket });

  it('is shown with its fingerprint, and with the reason when it cannot sign here', async () => {
    const all = await identities({ socket: agent.socket });
    expect(all.map(({ comment, fingerprint, type, why }) => [comment, fingerprint, type, why])).toEqual([
      ['alice@laptop', prints.laptop, 'ssh-ed25519', ''],
      ['alice@token', prints.token, 'ecdsa-sha2-nistp256', ''],
      ['alice@old', prints.old, 'ssh-rsa', 'neither Ed25519 nor P-256'],
    ]);
  });

  it.each([
    ['alice@laptop', 'ed25519'],
    ['alice@token', 'p256'],
  ])('%s signs what verifies as any other signature, every time', async (comment, type) => {
    const context = here();
    const made = await lkKeys(context, 'new', '--ssh-agent', '--identity', comment, '--name', 'work');
    expect(made.data).toMatchObject({ name: 'work', type, kind: 'ssh-agent' });
    const path = join(context.home.dir, 'keys/work.json');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toContain('PRIVATE');
    const signer = await signerNamed(context, 'work');
    expect(signer.keyid).toBe(made.data.keyid);
    // Numbers of ECDSA begin with a zero byte now and then; each length has its own form.
    for (let round = 0; round < 300; round++) {
      const payload = Buffer.from(`${PAYLOAD} ${round}`);
      const signature = await signWith(signer, TYPE, payload);
      const [first = 0] = Buffer.from(signature.sig, 'base64');
      if (type === 'p256') expect(first).toBe(0x30);
      expect(verifyBytes(TYPE, payload, signature, signer.publicKey)).toBe(true);
      expect(verifyBytes(TYPE, Buffer.from('another'), signature, signer.publicKey)).toBe(false);
    }
  });

  it('is chosen by fingerprint or comment, and never guessed', async () => {
    const context = here();
    const many = await refusal(lkKeys(context, 'new', '--ssh-agent', '--name', 'work'));
    expect(many.code).toBe('USAGE');
    expect(many.message).toContain(prints.laptop);
    expect(many.message).toContain(prints.token);
    expect(many.message).not.toContain(prints.old);
    const other = await refusal(lkKeys(context, 'new', '--ssh-agent', '--identity', 'bob'));
    expect([other.code, other.message.includes('bob')]).toEqual(['KEY_UNKNOWN', true]);
    const rsa = await refusal(lkKeys(context, 'new', '--ssh-agent', '--identity', 'alice@old'));
    expect([rsa.code, rsa.message.includes('neither Ed25519 nor P-256')]).toEqual(['KEY_UNKNOWN', true]);
    expect(await context.home.keyNames()).toEqual([]);
    const words = ['new', '--ssh-agent', '--identity', prints.token ?? '', '--name', 'work'];
    expect((await lkKeys(context, ...words)).data.type).toBe('p256');
  });

  it('is listed and shown beside keys in files, and takes no name that is taken', async () => {
    const context = here();
    await lkKeys(context, 'new', '--name', 'file');
    await lkKeys(context, 'new', '--ssh-agent', '--identity', 'alice@laptop', '--name', 'work');
    const { data, text } = await lkKeys(context, 'list');
    expect((data.keys as JsonObject[]).map(({ name, kind }) => `${name} ${kind}`).sort()).toEqual([
      'file file',
      'work ssh-agent',
    ]);
    expect(text).toMatch(/work +ed25519 +ssh-agent/);
    const { publicKey, keyid } = (await lkKeys(context, 'show', '--name', 'work')).data;
    expect(keyIdOf(createPublicKey(String(publicKey)))).toBe(keyid);
    for (const words of [
      ['--name', 'work'],
      ['--ssh-agent', '--identity', 'alice@token', '--name', 'file'],
    ])
      expect((await refusal(lkKeys(context, 'new', ...words))).code).toBe('USAGE');
    expect((await refusal(context.home.readKey('work'))).code).toBe('KEY_FILE');
    chmodSync(join(context.home.dir, 'keys/work.json'), 0o644);
    expect((await refusal(signerNamed(context, 'work'))).code).toBe('KEY_FILE');
  });

  it('signs nothing while the agent is locked or has forgotten it', async () => {
    const context = here();
    await lkKeys(context, 'new', '--ssh-agent', '--identity', 'alice@laptop', '--name', 'work');
    const signer = await signerNamed(context, 'work');
    agent.lock('-x');
    try {
      const locked = await refusal(signWith(signer, TYPE, PAYLOAD));
      expect([locked.code, locked.message.includes('locked')]).toEqual(['SIGNER_FAILED', true]);
      const none = await refusal(lkKeys(context, 'new', '--ssh-agent'));
      expect([none.code, none.message.includes('shows no keys')]).toEqual(['KEY_UNKNOWN', true]);
    } finally {
      agent.lock('-X');
    }
    await signWith(signer, TYPE, PAYLOAD);
  });
});

describe('an SSH agent that is none', () => {
  const framed = (...parts: Uint8Array[]): Buffer => sshString(Buffer.concat(parts));
  const { privateKey } = generateKeyPairSync('ed25519');
  const reference: AgentReference = {
    lockkeeper: 'key/v1',
    kind: 'ssh-agent',
    publicKey: pemOf(createPublicKey(privateKey)),
    comment: 'mine',
  };
  const signed = (bytes: Buffer): Buffer =>
    framed(Buffer.from([14]), sshString(Buffer.concat([sshString('ssh-ed25519'), sshString(bytes)])));

  it.each<[string, Buffer | 'end' | null, string]>([
    ['refuses', framed(Buffer.from([5])), 'refusal'],
    ['never answers', null, 'within 0.3 s'],
    ['answers half', framed(Buffer.from([14])).subarray(0, 4), 'within 0.3 s'],
    ['hangs up', 'end', 'an end after 0 bytes'],
    ['promises a huge answer', Buffer.from('ffffffff', 'hex'), 'a message of 4294967295 bytes'],
    ['answers an empty message', sshNumber(0), 'a message of 0 bytes'],
    ['answers something else', framed(Buffer.from([12])), 'a message of type 12'],
    ['answers with too much', Buffer.concat([framed(Buffer.from([5])), Buffer.from([0])]), 'more than one'],
    ['lies about a length', framed(Buffer.from([14]), sshNumber(9), Buffer.from('x')), '13 wanted'],
    ['adds bytes', framed(Buffer.from([14]), sshString(''), Buffer.from('x')), '1 bytes too many'],
    [
      'signs with another kind of key',
      framed(Buffer.from([14]), sshString(Buffer.concat([sshString('ssh-rsa'), sshString('x')]))),
      'ssh-rsa',
    ],
    ['signs other bytes', signed(sign(null, Buffer.from('other'), privateKey)), '64 bytes that do not'],
    ['signs nothing', signed(Buffer.alloc(0)), '0 bytes that do not'],
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'a message of 1213486160 bytes'],
  ])('%s: a sentence, and no signature', async (_what, answer, found) => {
    const agent = await fakeAgent(() => answer);
    const signer = agentSigner(reference, {
      socket: agent.socket,
      timeoutMs: found.includes('0.3 s') ? 300 : 20_000,
    });
    const { code, message } = await refusal(signWith(signer, TYPE, PAYLOAD));
    await agent.close();
    expect(code).toBe('SIGNER_FAILED');
    expect(message).toContain(found);
  });

  it.each(['/nowhere/agent', '/etc/passwd', '22', `/tmp/${'x'.repeat(300)}`])(
    'is not at %s',
    async (socket) => {
      const context = machine({ SSH_AUTH_SOCK: socket });
      expect((await refusal(lkKeys(context, 'new', '--ssh-agent'))).code).toBe('SIGNER_FAILED');
    },
  );

  it('is not named by the environment', async () => {
    const { code, message } = await refusal(lkKeys(machine(), 'new', '--ssh-agent'));
    expect([code, message.includes('SSH_AUTH_SOCK')]).toEqual(['SIGNER_FAILED', true]);
  });

  it.each([
    ['sk-ssh-ed25519@openssh.com', 'over other bytes'],
    ['sk-ecdsa-sha2-nistp256@openssh.com', 'over other bytes'],
    ['ssh-ed25519-cert-v01@openssh.com', 'a certificate'],
  ])('offers a %s, which is refused with the reason', async (type, why) => {
    const blob = Buffer.concat([sshString(type), sshString('whatever')]);
    const list = framed(Buffer.from([12]), sshNumber(1), sshString(blob), sshString('key\u001b[2J'));
    const agent = await fakeAgent(() => list);
    const context = machine({ SSH_AUTH_SOCK: agent.socket });
    const { code, message } = await refusal(lkKeys(context, 'new', '--ssh-agent'));
    await agent.close();
    expect([code, message.includes(why), message.includes('\u001b')]).toEqual(['KEY_UNKNOWN', true, false]);
  });

  it.each(['00', '', '80', `01${'00'.repeat(32)}`, '00'.repeat(40)])(
    'gives ECDSA numbers that are none: %s',
    (hex) => {
      const numbers = Buffer.concat([sshString(Buffer.from(hex, 'hex')), sshString(Buffer.from([1]))]);
      const blob = Buffer.concat([sshString('ecdsa-sha2-nistp256'), sshString(numbers)]);
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      expect(() => plainSignature(blob, publicKey)).toThrow('no P-256 signature');
    },
  );

  it('says on the terminal that somebody may have to confirm', async () => {
    const agent = await fakeAgent(() => framed(Buffer.from([5])));
    const lines: string[] = [];
    const at = { socket: agent.socket, progress: (line: string) => void lines.push(line) };
    await refusal(agentSigner(reference, at).sign(PAYLOAD));
    await agent.close();
    expect(lines).toEqual(['Waiting up to 60 s for the SSH agent to sign; it may ask you to confirm…', '']);
  });
});

describe('a signer that signs something else', () => {
  it('is found out before anything leaves', async () => {
    const [one, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const wrong = { ...keySigner(one.privateKey), sign: keySigner(other.privateKey).sign };
    expect((await refusal(sealWith(wrong, TYPE, PAYLOAD))).code).toBe('SIGNER_FAILED');
  });
});
