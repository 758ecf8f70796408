/** OpenSSH's own agent with keys of its own making; and one that answers whatever it is told to. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tempDir } from './session.ts';
import { until } from './wait.ts';

export interface TestAgent {
  readonly socket: string;
  /** Makes a key and gives it to the agent; returns its fingerprint. */
  add(comment: string, type?: 'ed25519' | 'ecdsa' | 'rsa'): string;
  lock(how: '-x' | '-X'): void;
  close(): Promise<void>;
}

export async function startAgent(): Promise<TestAgent> {
  const dir = tempDir();
  const socket = join(dir, 'agent');
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  child.on('error', () => undefined);
  await until(() => existsSync(socket)).catch(() => {
    throw new Error('ssh-agent did not start (Debian: openssh-client)');
  });
  const askpass = join(dir, 'askpass');
  writeFileSync(askpass, '#!/bin/sh\necho secret\n', { mode: 0o755 });
  const env = {
    ...process.env,
    SSH_AUTH_SOCK: socket,
    SSH_ASKPASS: askpass,
    SSH_ASKPASS_REQUIRE: 'force',
    DISPLAY: ':0',
  };
  const run = (program: string, ...words: string[]): string =>
    execFileSync(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
  let made = 0;
  return {
    socket,
    add: (comment, type = 'ed25519') => {
      const path = join(dir, `id-${++made}`);
      run('ssh-keygen', '-q', '-t', type, '-N', '', '-C', comment, '-f', path);
      run('ssh-add', '-q', path);
      return run('ssh-keygen', '-l', '-f', path).split(' ')[1] ?? '';
    },
    lock: (how) => void run('ssh-add', how),
    close: async () => {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** An agent that sends these bytes for each message, or nothing at all (null). */
export async function fakeAgent(
  answer: (message: Buffer) => Buffer | 'end' | null,
): Promise<{ socket: string; close(): Promise<void> }> {
  const socket = join(tempDir(), 'agent');
  const server = createServer((client) => {
    client.on('error', () => undefined);
    client.on('data', (bytes) => {
      const sent = answer(bytes.subarray(4));
      if (sent === 'end') client.end();
      else if (sent !== null) client.write(sent);
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
