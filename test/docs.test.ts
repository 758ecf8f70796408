/** The documentation, run: the tour in a real registry, and every command, path and setting that any page names. */
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseWords } from '../cli/command.ts';
import { commands } from '../cli/commands/index.ts';
import { KNOWN } from '../cli/config.ts';
import { SETTINGS } from '../registry/config.ts';
import { INSTANCE_LIMITS } from '../runtime/gateway/instances.ts';
import { LIMITS } from '../runtime/gateway/ports.ts';
import { makeSink } from '../runtime/journal/sinks/make.ts';
import { link } from '../schemas/audit.ts';
import { GatewayConfig, GatewayLimitsConfig } from '../schemas/gateway.ts';
import { AuditConfig, SINK_KINDS } from '../schemas/sinks.ts';
import { assertValid } from '../schemas/validate.ts';
import { shareCode } from './helpers/code.ts';
import { bodyOf } from './helpers/journals.ts';
import { httpReceiver } from './helpers/receivers.ts';

const root = dirname(import.meta.dirname);
const MAIN = join(root, 'cli/main.ts');
const run = promisify(execFile);
const pages = ['README.md', 'ARCHITECTURE.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: root })];
const read = (page: string): string => readFileSync(join(root, page), 'utf8');

/** Shell lines of a page, without their comments, joined over `\` at the end of a line. */
function shellOf(page: string): string[] {
  const blocks = [...read(page).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Words of one command, quotes taken away. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain = '']) => quoted ?? plain);
}

describe.each(pages)('%s', (page) => {
  it('names commands that exist, with options they take', async () => {
    const lines = shellOf(page).flatMap((line) => line.split(/ && | < .*$/));
    for (const line of lines.filter((item) => item.startsWith('lk '))) {
      const [, first = '', second = '', ...rest] = wordsOf(line.replace(/ > \S+$/, ''));
      const both = Object.hasOwn(commands, `${first} ${second}`);
      const verb = both ? `${first} ${second}` : first;
      const words = both ? rest : [second, ...rest].filter((word) => word !== '');
      const load = Object.hasOwn(commands, verb) ? commands[verb] : undefined;
      expect(load, line).toBeDefined();
      if (load) parseWords(verb, await load(), words);
    }
    for (const [, verb = ''] of read(page).matchAll(/`lk ([a-z]+)/g))
      expect(Object.keys(commands), verb).toContain(verb);
  });

  it('links to pages and headings that there are', () => {
    const anchorsOf = (path: string): string[] =>
      [...readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replace(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      );
    for (const [, path = '', anchor] of read(page).matchAll(/\]\(([\w./-]*\.md)?(?:#([\w-]+))?\)/g)) {
      const whole = path === '' ? join(root, page) : join(dirname(join(root, page)), path);
      expect(existsSync(whole), path).toBe(true);
      if (anchor) expect(anchorsOf(whole), path).toContain(anchor);
    }
  });

  it('names files that exist', () => {
    const FOLDERS = 'schemas|runtime|scanner|registry|cli|web|test|bench|deploy|docs';
    const named = [...read(page).matchAll(new RegExp(`[\`(]((?:${FOLDERS})/[\\w./-]*)[\`)]`, 'g'))];
    for (const [, path = ''] of named) expect(existsSync(join(root, path)), path).toBe(true);
  });
});

describe('docs/settings.md', () => {
  it('tells every setting in the words of the program', () => {
    const text = read('docs/settings.md').replace(/ +\|/g, ' |');
    for (const [name, { help }] of Object.entries(SETTINGS))
      expect(text).toContain(`| \`${name}\` | ${help} |`);
    for (const name of KNOWN) expect(text).toContain(`| \`${name}\` | `);
  });
});

describe('docs/gateway.md', () => {
  const text = read('docs/gateway.md');

  it('shows a configuration that is one', () => {
    const [, block = ''] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
    assertValid(GatewayConfig, JSON.parse(block), 'the example');
  });

  it('names every limit, with the default that it has', () => {
    for (const key of Object.keys(GatewayLimitsConfig.properties)) expect(text).toContain(`\`${key}\``);
    const { sessions, sessionsEach, waitingEach } = LIMITS;
    for (const each of [sessions, sessionsEach, waitingEach])
      expect(text).toContain(each.toLocaleString('en'));
    for (const each of [INSTANCE_LIMITS.running, INSTANCE_LIMITS.starting]) expect(text).toContain(`${each}`);
  });
});

describe('docs/audit.md', () => {
  const [, block = ''] = /```json\n([\s\S]*?)```/.exec(read('docs/audit.md')) ?? [];

  it('shows a configuration that is one, with every kind of sink, and the commands say so', async () => {
    const config = assertValid(AuditConfig, JSON.parse(block), 'the example');
    expect(Object.values(config.sinks).map(({ kind }) => kind)).toEqual([
      'file',
      'syslog',
      'webhook',
      'otlp',
    ]);
    const dir = mkdtempSync(join(tmpdir(), 'lk-docs-'));
    writeFileSync(join(dir, 'audit.json'), block);
    const env = { ...process.env, LOCKKEEPER_HOME: dir, LOCKKEEPER_AUDIT: join(dir, 'audit.json') };
    const { stdout } = await run(process.execPath, [MAIN, 'audit', 'sinks'], { env });
    for (const name of Object.keys(config.sinks)) expect(stdout).toMatch(new RegExp(`^${name} +- +new`, 'm'));
    rmSync(dir, { recursive: true });
  });

  it('names every key that a sink, a segment and the retention have', () => {
    const text = read('docs/audit.md');
    const { segment, retention } = AuditConfig.properties;
    const objects = [...Object.values(SINK_KINDS), segment, retention];
    for (const key of objects.flatMap(({ properties }) => Object.keys(properties)))
      expect(text).toContain(key);
  });

  it('is checked by a receiver as it says', async () => {
    const secret = 'a secret of enough bytes';
    const http = await httpReceiver();
    const config = { kind: 'webhook', url: `${http.url}/`, secret: 'env:HOOK' } as const;
    const options = { environment: { HOOK: secret }, host: 'h', now: () => new Date() };
    const sink = await makeSink('lake', config, options);
    await sink.deliver([link(1, null, bodyOf(1))]);
    const [post] = http.posts;
    const [, seconds, hex] = /^t=(\d+),v1=(\w+)$/.exec(String(post?.headers['lockkeeper-signature'])) ?? [];
    expect(createHmac('sha256', secret).update(`${seconds}.${post?.body}`).digest('hex')).toBe(hex);
    const body = JSON.parse(post?.body ?? '');
    expect(read('docs/audit.md')).toContain(`{${Object.keys(body).join(', ')}}`);
    await sink.close();
    await http.close();
  });
});

describe('[npm] the first minute of README.md', () => {
  it('ends in a call that is locked and recorded, and leaves nothing', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lk-docs-'));
    const lines = shellOf('README.md').filter((line) => line.startsWith('lk try '));
    expect(lines).toHaveLength(1);
    for (const line of lines) {
      const script = `lk() { "${process.execPath}" "${MAIN}" "$@"; }; ${line}`;
      const env = { ...process.env, NO_COLOR: '1', LOCKKEEPER_HOME: join(dir, 'home'), TMPDIR: dir };
      chmodSync(dir, 0o755);
      const { stdout } = await run('/bin/bash', ['-ec', script], { cwd: dir, env });
      expect(stdout).toContain('gate      1 server is locked, approved and current.');
      expect(stdout).toMatch(/called {4}read_graph: .*"entities":\[\]/);
      expect(stdout).toMatch(/admin +call +read_graph +ok \d+ ms/);
    }
    expect(readdirSync(dir).filter((name) => name.startsWith('lk-try-'))).toEqual([]);
    rmSync(dir, { recursive: true });
  });
});

describe('[npm] the tour of docs/first-server.md', () => {
  const page = 'docs/first-server.md';
  let dir: string;
  let url: string;
  let server: ReturnType<typeof spawn>;
  const codes: Record<string, string> = {};

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'lk-docs-'));
    chmodSync(dir, 0o755);
    mkdirSync(join(dir, 'project'));
    shareCode(join(dir, 'registry/scan'));
    const words = ['serve', '--json', '--port', '0', '--data', join(dir, 'registry')];
    server = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'ignore'] });
    if (!server.stdout) throw new Error('no output');
    const [hello] = (await once(server.stdout, 'data')) as [Buffer];
    const said = JSON.parse(hello.toString()) as { url: string; code: string };
    url = said.url;
    codes.CODE = said.code;
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'docs', version: '1' },
    };
    const call = { name: 'read_text_file', arguments: { path: '/data/note.txt' } };
    const calls = [
      { id: 1, method: 'initialize', params },
      { method: 'notifications/initialized' },
      { id: 2, method: 'tools/call', params: call },
    ];
    const text = calls.map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`).join('');
    writeFileSync(join(dir, 'project/calls.jsonl'), text);
  });
  afterAll(async () => {
    if (server?.exitCode === null) {
      server.kill('SIGINT');
      await once(server, 'close');
    }
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  it('works as written, line by line', async () => {
    const said: Record<string, string> = {};
    for (const line of shellOf(page).filter((item) => !/^(?:npm|lk drill|lk dashboard)/.test(item))) {
      const filled = line
        .replaceAll('http://127.0.0.1:7411', url)
        .replace(/\b(?:[A-Z]+-)?CODE\b/, (name) => codes[name] ?? name);
      const script = `lk() { "${process.execPath}" "${MAIN}" "$@"; }; ${filled}`;
      const env = { ...process.env, NO_COLOR: '1', LOCKKEEPER_HOME: join(dir, 'home') };
      const { stdout } = await run('/bin/bash', ['-ec', script], { cwd: join(dir, 'project'), env });
      const [, person, code] = /^(\S+) may sign in[\s\S]*--code (\S+)/.exec(stdout) ?? [];
      if (person !== undefined && code !== undefined) codes[`${person.toUpperCase()}-CODE`] = code;
      said[line] = stdout;
    }
    const all = Object.values(said).join('\n');
    expect(all).toContain('is locked, approved and current');
    expect(all).toContain('read_text_file');
    expect(said['lk audit --server filesystem --as alice']).toMatch(
      /call +read_text_file[\s\S]*server-filesystem@\S+ +alice, bob/,
    );
    expect(said['lk run filesystem --as admin < calls.jsonl']).toContain('the note');
  });
});
