/** Signers: OpenSSH's real agent, real openssl behind a program, and both when they misbehave. */
import { execFileSync } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Context, parseWords, type Result } from '../../cli/command.ts';
import { keys } from '../../cli/commands/keys.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import { type Desk, signerNamed } from '../../cli/signers.ts';
import { agentSigner, identities } from '../../cli/ssh/agent.ts';
import { plainSignature, sshNumber, sshString } from '../../cli/ssh/wire.ts';
import { commandSigner } from '../../runtime/signers/command.ts';
import type { JsonObject } from '../../schemas/common.ts';
import { keyIdOf, pae, verifyBytes } from '../../schemas/dsse.ts';
import type { AgentReference, CommandReference } from '../../schemas/key-reference.ts';
import { keySigner, sealWith, signWith } from '../../schemas/signer.ts';
import { tempDir } from '../helpers/session.ts';
import { fakeAgent, startAgent, type TestAgent } from '../helpers/ssh-agent.ts';

const TYPE = 'application/vnd.lockkeeper.test';
const PAYLOAD = Buffer.from('what is signed');
const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();

/** A person's machine: what the command line makes of it. */
function machine(environment: Record<string, string> = {}): Context & Desk {
  const dir = tempDir();
  const config = loadCliConfig({ ...environment, LOCKKEEPER_HOME: dir, USER: 'alice' }, false);
  return {
    config,
    home: openHome(dir),
    cwd: dir,
    paint: makePaint(false),
    say: () => undefined,
    progress: () => undefined,
    now: () => new Date(),
    json: false,
    api: () => Promise.reject(new Error('no registry here')),
  };
}

async function lkKeys(context: Context, ...argv: string[]): Promise<Result & { data: JsonObject }> {
  const { words, values } = parseWords('keys', keys, argv);
  return (await keys.run(context, words, values)) as Result & { data: JsonObject };
}

/** The promise's refusal; fails when there is none. */
async function refusal(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const thrown = await promise.then(
    () => null,
    (error: unknown) => error as { code: string; message: string },
  );
  if (thrown === null) throw new Error('it was not refused');
  return thrown;
}

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
  const here = (): Context & Desk => machine({ SSH_AUTH_SOCK: agent.socket });

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
  ])(
    '%s signs what verifies as any other signature, every time',
    { timeout: 60_000 },
    async (comment, type) => {
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
    },
  );

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
    const signer = agentSigner(reference, { socket: agent.socket, timeoutMs: 300 });
    const { code, message } = await refusal(signWith(signer, TYPE, PAYLOAD));
    await agent.close();
    expect(code).toBe('SIGNER_FAILED');
    expect(message).toContain(found);
  });

  it.each(['/nowhere/agent', '/etc/passwd', `/tmp/${'x'.repeat(300)}`])('is not at %s', async (socket) => {
    const context = machine({ SSH_AUTH_SOCK: socket });
    expect((await refusal(lkKeys(context, 'new', '--ssh-agent'))).code).toBe('SIGNER_FAILED');
  });

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

describe('a key behind a program', () => {
  const dir = tempDir();
  const script = (name: string, body: string): string => {
    writeFileSync(join(dir, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return join(dir, name);
  };
  const openssl = (...words: string[]): string =>
    execFileSync('openssl', words, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', 'p256.pem');
  openssl('genpkey', '-algorithm', 'ed25519', '-out', 'ed25519.pem');
  for (const name of ['p256', 'ed25519'])
    openssl('pkey', '-in', `${name}.pem`, '-pubout', '-out', `${name}.pub`);
  const pub = (name: string): string => join(dir, `${name}.pub`);
  const p256 = script('p256-sign', `openssl pkeyutl -sign -inkey ${dir}/p256.pem | openssl base64`);
  const ed25519 = script(
    'ed25519-sign',
    `cat > ${dir}/$$.in; openssl pkeyutl -sign -inkey ${dir}/ed25519.pem -rawin -in ${dir}/$$.in | base64 -w0`,
  );
  const p1363 = script('p1363-sign', `cat ${dir}/p1363`);
  const referenceTo = (program: string, name: string): CommandReference => ({
    lockkeeper: 'key/v1',
    kind: 'command',
    publicKey: readFileSync(pub(name), 'utf8'),
    command: [program],
  });
  const setting = { environment: { PATH: process.env.PATH, LOCKKEEPER_TOKEN: 'secret' }, timeoutMs: 30_000 };

  it.each([
    ['p256', p256],
    ['ed25519', ed25519],
  ])('of openssl signs: %s', async (name, program) => {
    const context = machine({ PATH: `${dir}${delimiter}${process.env.PATH}` });
    const words = ['--command', JSON.stringify([`${name}-sign`]), '--public-key', pub(name), '--name', 'hsm'];
    const { data } = await lkKeys(context, 'new', ...words);
    expect(data).toMatchObject({ kind: 'command', type: name });
    const stored = JSON.parse(readFileSync(join(context.home.dir, 'keys/hsm.json'), 'utf8'));
    expect(stored.command).toEqual([program]);
    const signer = await signerNamed(context, 'hsm');
    const envelope = await sealWith(signer, TYPE, PAYLOAD);
    const [signature] = envelope.signatures;
    expect(signature && verifyBytes(TYPE, PAYLOAD, signature, signer.publicKey)).toBe(true);
  });

  it('may answer r||s', async () => {
    const key = readFileSync(join(dir, 'p256.pem'));
    const raw = sign('sha256', pae(TYPE, PAYLOAD), { key, dsaEncoding: 'ieee-p1363' });
    writeFileSync(join(dir, 'p1363'), raw.toString('base64'));
    const signer = commandSigner(referenceTo(p1363, 'p256'), setting);
    const signature = await signWith(signer, TYPE, PAYLOAD);
    expect(Buffer.from(signature.sig, 'base64')).toHaveLength(64);
    expect(verifyBytes(TYPE, PAYLOAD, signature, signer.publicKey)).toBe(true);
  });

  it('gets the digest of the bytes, no shell, and none of our secrets', async () => {
    const seen = join(dir, 'seen');
    const program = script(
      'spy',
      `od -An -tx1 | tr -d ' \\n' > ${seen}; echo "$1" >> ${seen}; env >> ${seen}; exit 7`,
    );
    const reference = { ...referenceTo(program, 'p256'), command: [program, '$(touch /tmp/never); `id`'] };
    await refusal(commandSigner(reference, setting).sign(PAYLOAD));
    const text = readFileSync(seen, 'utf8');
    expect(text).toContain(createHash('sha256').update(PAYLOAD).digest('hex'));
    expect(text).toContain('$(touch /tmp/never); `id`');
    expect(text).not.toContain('LOCKKEEPER_TOKEN');
  });

  it.each<[string, string, string, number?]>([
    ['fails', 'echo "no such slot" >&2; exit 3', 'exit code 3, saying "no such slot"'],
    ['is killed', 'kill -9 $$', 'SIGKILL'],
    ['never ends', 'sleep 20', 'no end within 0.3 s', 300],
    ['leaves somebody with its output', 'sleep 20 & exit 0', 'no end within 0.3 s', 300],
    ['floods', 'yes', 'more than 4096 bytes'],
    ['says nothing', 'exit 0', 'found nothing'],
    ['says more than a signature', 'echo "Signature: AAAA"', 'Signature: AAAA'],
    ['hashes once more', `openssl dgst -sha256 -sign ${dir}/p256.pem | base64 -w0`, 'that do not verify'],
    ['signs with another key', `echo MAYCAQECAQE=`, 'that do not verify'],
  ])('that %s is told at once, and signs nothing', async (name, body, found, timeoutMs = 30_000) => {
    const program = script(name.replaceAll(' ', '-'), body);
    const signer = commandSigner(referenceTo(program, 'p256'), { ...setting, timeoutMs });
    const { code, message } = await refusal(signWith(signer, TYPE, PAYLOAD));
    expect(code).toBe('SIGNER_FAILED');
    expect(message).toContain(found);
  });

  it('that is gone, or is no program, is a sentence', async () => {
    const text = join(dir, 'text');
    writeFileSync(text, 'nothing to run\n', { mode: 0o755 });
    for (const program of ['/nowhere/sign', dir, text]) {
      const signer = commandSigner(referenceTo(program, 'p256'), setting);
      expect((await refusal(signer.sign(PAYLOAD))).code).toBe('SIGNER_FAILED');
    }
  });

  it('is not named before it signed, by whatever words', async () => {
    const context = machine({ PATH: process.env.PATH ?? '' });
    const command = (value: unknown, ...more: string[]): Promise<unknown> =>
      lkKeys(context, 'new', '--name', 'hsm', '--command', JSON.stringify(value), ...more);
    const key = ['--public-key', pub('p256')];
    const lk = (...words: string[]): Promise<unknown> => lkKeys(context, 'new', '--name', 'hsm', ...words);
    const trials: (() => Promise<unknown>)[] = [
      () => command([ed25519], ...key),
      () => command([p256], '--public-key', join(dir, 'p256.pem')),
      () => command([p256], '--public-key', join(dir, 'no-such-file')),
      () => command([p256]),
      () => command(['no-such-program'], ...key),
      () => command([dir], ...key),
      () => command([], ...key),
      () => command('openssl', ...key),
      () => command([p256], ...key, '--ssh-agent'),
      () => command([p256], ...key, '--type', 'p256'),
      () => lk('--command', 'openssl dgst', ...key),
      () => lk(...key),
      () => lk('--identity', 'x'),
    ];
    const codes = [];
    for (const trial of trials) codes.push((await refusal(trial())).code);
    expect(codes).toEqual(['SIGNER_FAILED', 'KEY_UNKNOWN', 'NOT_FOUND', ...Array(10).fill('USAGE')]);
    expect(existsSync(join(context.home.dir, 'keys'))).toBe(false);
  });
});

describe('a signer that signs something else', () => {
  it('is found out before anything leaves', async () => {
    const [one, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const wrong = { ...keySigner(one.privateKey), sign: keySigner(other.privateKey).sign };
    expect((await refusal(sealWith(wrong, TYPE, PAYLOAD))).code).toBe('SIGNER_FAILED');
  });
});
