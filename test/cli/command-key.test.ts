/** A key behind a program: real openssl, and programs that misbehave. */
import { execFileSync } from 'node:child_process';
import { createHash, sign } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signerNamed } from '../../cli/signers.ts';
import { commandSigner } from '../../runtime/signers/command.ts';
import { pae, verifyBytes } from '../../schemas/dsse.ts';
import type { CommandReference } from '../../schemas/key-reference.ts';
import { sealWith, signWith } from '../../schemas/signer.ts';
import { lkKeys, machine, refusal } from '../helpers/machine.ts';
import { tempDir } from '../helpers/session.ts';

const TYPE = 'application/vnd.lockkeeper.test';
const PAYLOAD = Buffer.from('what is signed');

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
