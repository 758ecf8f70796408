/** Repositories over HTTP on this machine, by git's own server, and the hands that write them. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const BACKEND = execFileSync('git', ['--exec-path']).toString().trim();

export interface GitServer {
  /** Address of the one repository. */
  readonly url: string;
  /** Runs git in the work tree; its output. */
  run(...words: string[]): string;
  /** Writes these files and commits all; the id of the commit. */
  commit(files: Readonly<Record<string, string>>, ...words: string[]): string;
  /** A link in the work tree. */
  link(path: string, target: string): void;
  push(): void;
  /** An SSH key to sign with, and its line of allowed signers. */
  readonly key: { readonly path: string; readonly signers: string };
  close(): Promise<void>;
}

export async function startGitServer(): Promise<GitServer> {
  const dir = mkdtempSync(join(tmpdir(), 'lk-git-'));
  const [bare, work, key] = [join(dir, 'acme/weather.git'), join(dir, 'work'), join(dir, 'key')];
  const env = { PATH: process.env.PATH, HOME: dir, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' };
  const at = (cwd: string, words: readonly string[]): string =>
    execFileSync('git', words, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .trim();
  mkdirSync(bare, { recursive: true });
  mkdirSync(work);
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'ann', '-f', key]);
  const signers = `ann@acme.example ${execFileSync('ssh-keygen', ['-y', '-f', key]).toString()}`;
  at(bare, ['init', '-q', '--bare', '-b', 'main']);
  at(bare, ['config', 'uploadpack.allowFilter', 'true']);
  at(work, ['init', '-q', '-b', 'main']);
  for (const [name, value] of Object.entries({
    'user.name': 'Ann',
    'user.email': 'ann@acme.example',
    'gpg.format': 'ssh',
    'user.signingKey': `${key}.pub`,
  }))
    at(work, ['config', name, value]);
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const child = spawn(join(BACKEND, 'git-http-backend'), {
      env: {
        ...env,
        GIT_PROJECT_ROOT: dir,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      },
    });
    request.pipe(child.stdin);
    child.stdin.on('error', () => undefined);
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('close', () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf('\r\n\r\n');
      const head = whole
        .toString('latin1', 0, Math.max(end, 0))
        .split('\r\n')
        .filter((line) => line !== '');
      const fields = head.map((line): [string, string] => [
        line.split(':')[0] ?? '',
        line.replace(/^[^:]*:\s*/, ''),
      ]);
      const status = Number(fields.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200);
      response.writeHead(status, Object.fromEntries(fields.filter(([name]) => name !== 'Status')));
      response.end(whole.subarray(end + 4));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/weather.git`;
  return {
    url,
    key: { path: key, signers },
    run: (...words) => at(work, words),
    link: (path, target) => symlinkSync(target, join(work, path)),
    commit: (files, ...words) => {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(work, path)), { recursive: true });
        writeFileSync(join(work, path), text);
      }
      at(work, ['add', '-A']);
      at(work, ['commit', '-q', '--allow-empty', '-m', 'a change', ...words]);
      return at(work, ['rev-parse', 'HEAD']);
    },
    push: () => {
      at(work, ['push', '-q', '--force', '--mirror', bare]);
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
