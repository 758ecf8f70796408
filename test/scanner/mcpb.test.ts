import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { bundleSubmission, findBundle } from '../../cli/mcp-bundles.ts';
import { packFolder } from '../../runtime/store/pack.ts';
import { readTar } from '../../runtime/store/unpack.ts';
import { readEvidence } from '../../scanner/evidence.ts';
import { bundleLaunch } from '../../scanner/mcpb/launch.ts';
import { assertRuns, manifestIn } from '../../scanner/mcpb/manifest.ts';
import { readBundle } from '../../scanner/mcpb/read.ts';
import type { ScanPorts } from '../../scanner/ports.ts';
import { scan } from '../../scanner/scan.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { sha256 } from '../../schemas/json.ts';
import { mcpbKey, mcpbRefOf } from '../../schemas/mcpb.ts';
import { isLocal, type LocalLaunch, type Submission } from '../../schemas/release.ts';
import { cycloneDxErrors } from '../helpers/cyclonedx.ts';
import { type BundleSpec, bundleOf, manifestOf, nodeBundle, signed } from '../helpers/mcpb.ts';
import { zipOf } from '../helpers/wheels.ts';
import { baselineOf, checkOf, firedIn, refusalOf, requestFor, SERVERS, tempDir, worldOf } from './harness.ts';

const LIMITS = { maxEntries: 20, maxBytes: 100_000, maxFileBytes: 50_000 };
const TOOL = { name: 'tomorrow', description: 'Tells the weather', inputSchema: { type: 'object' } };

async function sentence(promise: Promise<unknown>): Promise<string> {
  const { code, message } = await refusalOf(promise);
  return `${code} ${message}`;
}

/** With these bytes in the place of what stands at a marker, counted from it. */
function patched(bundle: Buffer, marker: string, offset: number, bytes: number[]): Buffer {
  const copy = Buffer.from(bundle);
  Buffer.from(bytes).copy(copy, copy.lastIndexOf(Buffer.from(marker)) + offset);
  return copy;
}

describe('the bytes of a bundle', () => {
  const plain = bundleOf();
  const entry = (path: string, more: object = {}): Buffer =>
    bundleOf({ entries: [{ path, bytes: 'x', ...more }] });

  it('give their files, and whether a signature follows', async () => {
    const { files, signature } = await readBundle(plain, 'it', LIMITS);
    expect(files.map(({ path }) => path)).toEqual(['manifest.json', 'server/index.mjs']);
    expect(signature).toBe(0);
    for (const counted of [false, true])
      expect((await readBundle(signed(plain, { counted }), 'it', LIMITS)).signature).toBe(91);
  });

  it('have no entry beyond those that are counted, and no second name', async () => {
    const end = plain.length - 22;
    const [count, start] = [plain.readUInt16LE(end + 10), plain.readUInt32LE(end + 16)];
    const more = Buffer.concat([plain.subarray(0, end), plain.subarray(start, end), plain.subarray(end)]);
    more.writeUInt32LE(2 * (end - start), more.length - 10);
    expect(more.readUInt16LE(more.length - 12)).toBe(count);
    expect(await sentence(readBundle(more, 'it', LIMITS))).toMatch(/^ARCHIVE_HOSTILE .*and no more/);
    const script = `
import struct, sys, zipfile
for name, field in (('other', b'server/index.mjs'), ('same', b'README')):
    with zipfile.ZipFile(sys.argv[1] + '/' + name, 'w') as z:
        info = zipfile.ZipInfo('README')
        info.extra = struct.pack('<HHBI', 0x7075, 5 + len(field), 1, 0) + field
        z.writestr(info, 'x')`;
    const dir = await tempDir();
    execFileSync('python3', ['-c', script, dir]);
    const [other, same] = [await readFile(join(dir, 'other')), await readFile(join(dir, 'same'))];
    expect(await sentence(readBundle(other, 'it', LIMITS))).toMatch(/^ARCHIVE_HOSTILE .*one name for/);
    // In the header before the bytes alone.
    const front = Buffer.from(other);
    front.writeUInt8(0, front.lastIndexOf(Buffer.from([0x75, 0x70])));
    expect(await sentence(readBundle(front, 'it', LIMITS))).toMatch(/^ARCHIVE_HOSTILE .*one name for/);
    // In the directory alone.
    const back = Buffer.from(other);
    back.writeUInt8(0, back.indexOf(Buffer.from([0x75, 0x70])));
    expect(await sentence(readBundle(back, 'it', LIMITS))).toMatch(/^ARCHIVE_HOSTILE .*one name for/);
    expect((await readBundle(same, 'it', LIMITS)).files.map(({ path }) => path)).toEqual(['README']);
  });

  it('are read whoever packed them, all at once or as a stream', async () => {
    const dir = await tempDir();
    const script = `
import io, sys, zipfile
class Stream(io.RawIOBase):
    def __init__(self, file): self.file = file
    def writable(self): return True
    def write(self, data): return self.file.write(data)
for name, wrap in (('whole', lambda f: f), ('stream', Stream)):
    with open(sys.argv[1] + '/' + name, 'wb') as f, zipfile.ZipFile(wrap(f), 'w', zipfile.ZIP_DEFLATED) as z:
        z.mkdir('server') if hasattr(z, 'mkdir') else z.writestr('server/', '')
        z.writestr('manifest.json', sys.argv[2])
        z.writestr('server/index.mjs', 'x' * 5000)`;
    execFileSync('python3', ['-c', script, dir, JSON.stringify(manifestOf())]);
    for (const name of ['whole', 'stream']) {
      const { files } = await readBundle(await readFile(join(dir, name)), name, LIMITS);
      expect(files.map(({ path, bytes }) => [path, bytes.length])).toContainEqual(['server/index.mjs', 5000]);
    }
  });

  it.each<[string, Buffer, string]>([
    ['a path that leaves', entry('../../etc/cron.d/x'), 'plain paths inside'],
    ['an absolute path', entry('/etc/x'), 'plain paths inside'],
    ['a back slash', entry('a\\..\\x'), 'plain paths inside'],
    ['a symbolic link', entry('a', { mode: 0o120777 }), 'only files and folders'],
    ['a device', entry('a', { mode: 0o020666 }), 'only files and folders'],
    ['a name twice', entry('manifest.json'), 'each path once'],
    ['names that differ by case', entry('Manifest.JSON'), 'each path once'],
    [
      'names that differ by how a letter is composed',
      zipOf(['\u00fc', 'u\u0308'].map((path) => ({ path, bytes: '' }))),
      'each path once',
    ],
    ['a file where a folder is', entry('server'), 'each path once'],
    ['a folder where a file is', entry('manifest.json/x'), 'each path once'],
    ['another name in the local header', entry('good', { ownPath: 'evil' }), 'as the central directory says'],
    ['another size in the local header', patched(plain, 'PK\x03\x04', 22, [1]), 'as the directory has it'],
    ['an entry that is longer than the directory', patched(plain, 'PK\x01\x02', 31, [255]), 'end inside the'],
    ['a password', patched(patched(plain, 'PK\x03\x04', 6, [1]), 'PK\x01\x02', 8, [1]), 'without a password'],
    ['zip64 in an entry', patched(plain, 'PK\x01\x02', 24, [255, 255, 255, 255]), 'zip64'],
    ['zip64 in the end', patched(plain, 'PK\x05\x06', 16, [255, 255, 255, 255]), 'zip of 32-bit numbers'],
    ['a bomb', bundleOf({ files: { x: '0'.repeat(60_000) } }), 'at most 50000 bytes'],
    [
      'too much together',
      bundleOf({ files: { x: '0'.repeat(49_000), y: '0'.repeat(49_000), z: '0'.repeat(9000) } }),
      'at most 100000 bytes unpacked',
    ],
    [
      'too many entries',
      zipOf(Array.from({ length: 30 }, (_, i) => ({ path: `${i}`, bytes: '' }))),
      'at most 20 entries',
    ],
    ['bytes before it', Buffer.concat([Buffer.from('#!/bin/sh\n'), plain]), 'central directory'],
    ['bytes behind it', Buffer.concat([plain, Buffer.from('x')]), 'central directory'],
    [
      'a comment',
      patched(Buffer.concat([plain, Buffer.from('x')]), 'PK\x05\x06', 20, [1]),
      'a zip without a comment',
    ],
    [
      'a zip appended to a signed one',
      Buffer.concat([signed(plain), bundleOf({ files: { 'server/index.mjs': 'evil' } })]),
      'nothing behind its signature',
    ],
    [
      'a signature of another length',
      patched(signed(plain), 'MCPB_SIG_V1', 11, [9]),
      'a signature block as long as it says',
    ],
    ['no zip', Buffer.from('hello'), 'central directory'],
    ['nothing', Buffer.alloc(0), 'central directory'],
  ])('are refused with %s', async (_, bytes, says) => {
    const said = await sentence(readBundle(bytes, 'it', LIMITS));
    expect(said).toContain('ARCHIVE_HOSTILE');
    expect(said).toContain(says);
  });

  it('never end in anything but a refusal, wherever they are cut or changed', async () => {
    const bundle = signed(plain, { counted: true });
    for (let at = 0; at < bundle.length; at += 7) {
      const copy = Buffer.from(bundle);
      copy[at] = (copy[at] ?? 0) ^ 0xff;
      for (const bytes of [copy, bundle.subarray(0, at)])
        await readBundle(bytes, 'it', LIMITS).catch((error) => expect(error).toBeInstanceOf(LockkeeperError));
    }
  });

  it('come out of a folder as they went in, long and foreign names too', async () => {
    const files = ['a', `${'long/'.repeat(40)}b`, 'ü/🌦'].map((path) => ({
      path,
      bytes: Buffer.from(path),
      executable: path === 'a',
    }));
    const packed = packFolder(files);
    expect(packFolder([...files].reverse())).toEqual(packed);
    const sorted = files.sort((a, b) => (a.path < b.path ? -1 : 1));
    expect(await readTar(packed, 'it')).toEqual(sorted);
  });
});

type Asked = Partial<Pick<Submission, 'args' | 'projectArgs' | 'config' | 'permissions'>>;

async function launched(spec: BundleSpec, asked: Asked = {}): Promise<LocalLaunch> {
  const { files } = await readBundle(bundleOf(spec), 'it');
  const manifest = manifestIn(files, 'it');
  const kind = assertRuns(manifest, 'it');
  const { submission } = requestFor();
  const python = {
    path: '/usr/bin/python3',
    version: '3.11.2',
    digest: '',
    abi: 'cpython-311',
    libc: 'glibc 2.36',
    stdlib: '',
    foreign: [],
  };
  return bundleLaunch(
    { manifest, kind, files, label: 'it' },
    { ...submission, ...asked },
    kind === 'python' ? python : null,
  );
}

const config = (args: string[], env: Record<string, string> = {}, command = 'node'): BundleSpec => ({
  server: { mcp_config: { command, args, env } },
});
const asking = (option: object, spec: BundleSpec): BundleSpec => ({
  ...spec,
  manifest: { user_config: { key: { type: 'string', title: 'k', description: 'k', ...option } } },
});
const permitting = (env: string[]): Asked => ({
  permissions: { ...requestFor().submission.permissions, env },
});
const python = (args: string[], env: Record<string, string> = {}): BundleSpec => ({
  server: { type: 'python', entry_point: 'server/main.py', mcp_config: { command: 'python3', args, env } },
  files: { 'server/main.py': '', 'server/lib/acme/__init__.py': '' },
});
const MAIN = '${__dirname}/server/index.mjs';

describe('how a bundle is started', () => {
  it.each<[string, BundleSpec, Asked, Partial<LocalLaunch>]>([
    ['its file', config([MAIN]), {}, { command: ['node', '/app/bundle/server/index.mjs'] }],
    [
      'a path that begins nowhere',
      config(['server/index.mjs', '-v']),
      {},
      { command: ['node', '/app/bundle/server/index.mjs', '-v'] },
    ],
    [
      'flags of node',
      config(['--enable-source-maps', MAIN]),
      {},
      { command: ['node', '--enable-source-maps', '/app/bundle/server/index.mjs'] },
    ],
    [
      'no configuration',
      { server: { mcp_config: undefined } },
      {},
      { command: ['node', '/app/bundle/server/index.mjs'] },
    ],
    [
      'what Linux has of its own',
      {
        server: {
          mcp_config: {
            command: 'node',
            args: ['x'],
            platform_overrides: { linux: { args: [MAIN, 'l'] }, win32: { args: ['w'] } },
          },
        },
      },
      {},
      { command: ['node', '/app/bundle/server/index.mjs', 'l'] },
    ],
    [
      'words of the submission',
      config([MAIN]),
      { args: ['/data'] },
      { command: ['node', '/app/bundle/server/index.mjs', '/data'] },
    ],
    [
      'settings as words',
      asking({ multiple: true }, config([MAIN, '${user_config.key}', 'z'])),
      { config: { key: ['a', 'b'] } },
      { command: ['node', '/app/bundle/server/index.mjs', 'a', 'b', 'z'] },
    ],
    [
      'a setting inside a word',
      asking({}, config([MAIN, '--k=${user_config.key}'])),
      { config: { key: ['$&'] } },
      { command: ['node', '/app/bundle/server/index.mjs', '--k=$&'] },
    ],
    [
      'a default',
      asking({ default: 7 }, config([MAIN, '${user_config.key}'])),
      {},
      { command: ['node', '/app/bundle/server/index.mjs', '7'] },
    ],
    [
      'a setting that nobody has to give',
      asking({}, config([MAIN, '${user_config.key}'], { K: '${user_config.key}' })),
      {},
      { command: ['node', '/app/bundle/server/index.mjs'] },
    ],
    [
      'a folder of the person, never guessed',
      asking({ type: 'directory', default: ['${HOME}/Desktop'] }, config([MAIN, '${user_config.key}'])),
      {},
      { command: ['node', '/app/bundle/server/index.mjs'] },
    ],
    [
      'variables',
      asking(
        { required: true },
        config([MAIN], { A: '${__dirname}/a', K: '${user_config.key}', PATH: '/evil' }),
      ),
      { config: { key: ['v'] } },
      { env: { A: '/app/bundle/a', K: 'v' } },
    ],
    [
      'Python, with its folders',
      python(['-u', '${__dirname}/server/main.py', '-x'], { PYTHONPATH: '${__dirname}/server/lib' }),
      {},
      {
        command: ['python', '--path=/app/bundle/server/lib', '/app/bundle/server/main.py', '-x'],
        python: { version: '3.11', abi: 'cpython-311', libc: null },
      },
    ],
    [
      'a module of Python',
      python(['-m', 'acme.server', 'x'], { PYTHONPATH: 'server/lib' }),
      {},
      {
        command: ['python', '--path=/app/bundle/server/lib', '--path=/app/bundle', '-m', 'acme.server', 'x'],
      },
    ],
  ])('takes %s', async (_, spec, asked, expected) => {
    const launch = await launched(spec, asked);
    expect(launch).toMatchObject(expected);
    if (expected.env === undefined) expect(launch.env).toBeUndefined();
    else expect(launch.env).toEqual(expected.env);
  });

  it('leaves to a project what a project may set', async () => {
    const spec = asking(
      { required: true, sensitive: true },
      config([MAIN], { API_KEY: '${user_config.key}' }),
    );
    expect((await launched(spec, permitting(['API_KEY']))).env).toBeUndefined();
    expect(await sentence(launched(spec))).toContain('--env API_KEY');
    expect(await sentence(launched(spec, { config: { key: ['s3cret'] } }))).toContain(
      'what is published stands in every lock',
    );
  });

  it.each<[string, BundleSpec, string, Asked?]>([
    ['a binary', { server: { type: 'binary' } }, 'publish that: oci:HOST/NAME:TAG'],
    ['uv', { server: { type: 'uv', mcp_config: undefined } }, 'pypi:NAME@VERSION'],
    ['a type of the prototype', { server: { type: 'constructor' } }, 'type "constructor"'],
    ['a manifest of tomorrow', { manifest: { manifest_version: '2.0' } }, 'manifest of the version 0.1, 0.2'],
    ['no version of the manifest', { manifest: { manifest_version: undefined } }, 'manifest of the version'],
    ['no server', { manifest: { server: undefined } }, 'manifest of it as its schema says'],
    [
      'a manifest that is no object',
      { files: { 'server/index.mjs': '' }, manifest: { tools: 'all' } },
      'as its schema says',
    ],
    ['another platform', { manifest: { compatibility: { platforms: ['darwin'] } } }, 'it for linux'],
    ['another Node', { manifest: { compatibility: { runtimes: { node: '>=99' } } } }, 'for node'],
    [
      'a Node that cannot be read',
      { manifest: { compatibility: { runtimes: { node: 'newest' } } } },
      'for node',
    ],
    ['npx', config(['-y', 'weather'], {}, 'npx'), 'started by node'],
    ['a program of the bundle', config([MAIN], {}, '${__dirname}/node'), 'started by node'],
    ['code in the arguments', config(['-e', 'evil()', MAIN]), 'a file of it'],
    ['code in an address', config(['--import=data:text/javascript,evil()', MAIN]), 'a file of it'],
    ['code for Python', python(['-c', 'evil()']), 'a file of it'],
    ['a file that is not in it', config(['${__dirname}/../../etc/x.js']), 'a file of it'],
    ['a file of the machine', config(['/usr/lib/x.js']), 'a file of it'],
    ['no words', config([]), 'a file of it'],
    ['a variable that loads', config([MAIN], { NODE_OPTIONS: '--import x' }), 'choose what is loaded'],
    ['a library that loads', config([MAIN], { LD_PRELOAD: 'x.so' }), 'choose what is loaded'],
    [
      'folders elsewhere',
      python(['${__dirname}/server/main.py'], { PYTHONPATH: '/usr/lib' }),
      'folders of it in its PYTHONPATH',
    ],
    ['a variable of a desktop', config([MAIN, '${DOCUMENTS}']), 'mean something in a sandbox'],
    [
      'a setting that is missing',
      asking({ required: true }, config([MAIN, '${user_config.key}'])),
      '--config key=VALUE',
    ],
    [
      'a setting that nobody asks for',
      config([MAIN]),
      'that its manifest asks for',
      { config: { other: ['x'] } },
    ],
    [
      'a setting of another type',
      asking({ type: 'number' }, config([MAIN, '${user_config.key}'])),
      'a number as key',
      { config: { key: ['x'] } },
    ],
    [
      'several in the place of one',
      asking({}, config([MAIN, 'a${user_config.key}'])),
      'one value of',
      { config: { key: ['x', 'y'] } },
    ],
  ])('is refused for %s', async (_, spec, says, asked) => {
    const said = await sentence(launched(spec, asked));
    expect(said).toContain('CLOSURE_INCOMPLETE');
    expect(said).toContain(says);
  });
});

interface Place {
  readonly ports: ScanPorts;
  readonly dir: string;
  readonly stored: () => number;
  submission(bundle: Buffer, change?: Partial<Submission>): Promise<Submission>;
}

async function place(): Promise<Place> {
  const { ports, dir, stored } = await worldOf([]);
  return {
    ...{ ports, dir, stored },
    submission: async (bundle, change = {}) => {
      const { digest } = await ports.blobs.put(bundle);
      return { ...requestFor().submission, source: `mcpb:weather@${digest}`, ...change };
    },
  };
}

describe('a scan of a bundle', () => {
  it('names every package inside, starts the server, and compares what the manifest declares', async () => {
    const { ports, submission } = await place();
    const shows = { tools: [TOOL, { ...TOOL, name: 'hidden' }] };
    const tools = [{ name: 'tomorrow', description: 'Tells nothing' }, { name: 'gone' }];
    const _meta = { 'com.acme.host': { static_responses: { 'tools/list': { tools: [] } } } };
    const tampered = {
      'server/node_modules/x/node_modules/left-pad/package.json': '{"name":"left-pad","version":"1.3.0"}',
    };
    const bundle = nodeBundle(shows, { manifest: { tools, _meta, license: 'MIT' }, files: tampered });
    const result = await scan(requestFor(await submission(signed(bundle))), ports);
    expect(Object.keys(result.surface.tools)).toEqual(['tomorrow', 'hidden']);
    const { artifacts } = result.closure;
    const twin = artifacts.find(({ location }) => location.includes('/x/'));
    expect(artifacts.map(({ location, purl }) => [location, purl])).toEqual([
      ['bundle', expect.stringMatching(/^pkg:generic\/weather@1\.0\.0\?checksum=sha256:[0-9a-f]{64}$/)],
      ['bundle/server/node_modules/left-pad', 'pkg:npm/left-pad@1.3.0'],
      [
        'bundle/server/node_modules/x/node_modules/left-pad',
        `pkg:npm/left-pad@1.3.0?checksum=${twin?.sha256}`,
      ],
    ]);
    expect(isLocal(result.launch) && result.launch.command).toEqual(['node', '/app/bundle/server/index.mjs']);
    expect(result.report.bundle).toMatchObject({
      name: 'weather',
      author: 'Acme',
      kind: 'node',
      packages: 2,
      signed: true,
    });
    expect((await readEvidence(result.report, ports.blobs))?.facts.bundle).toMatchObject({
      manifest: { tools },
    });
    expect(result.report.installed?.packages).toBe(3);
    const bill = JSON.parse((await ports.blobs.get(result.report.evidence.sbom ?? '')).toString());
    expect(cycloneDxErrors(bill)).toEqual([]);
    expect(bill.metadata.component).toMatchObject({ name: 'weather', licenses: [{ expression: 'MIT' }] });
    expect(bill.components).toHaveLength(2);
    expect(result.packages.map(({ name }) => name)).toEqual(['left-pad', 'left-pad']);
    const said = firedIn(result, 'LK-MCB-01').join('\n');
    expect(said).toContain('the server shows the tool hidden, which the manifest does not declare');
    expect(said).toContain('declares the tool gone, which the server does not show');
    expect(said).toContain('the tool tomorrow is described otherwise');
    expect(said).toContain('answers of its own for com.acme.host');
    expect(checkOf(result, 'LK-MCB-02')).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining('not verified'),
    });
    expect(checkOf(result, 'LK-SIG-01')).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining('not believed'),
    });
    expect(checkOf(result, 'LK-ART-01')).toMatchObject({
      outcome: 'ok',
      note: expect.stringContaining('3 artifacts'),
    });

    const next = nodeBundle(
      { tools: [TOOL] },
      {
        manifest: { version: '1.1.0', tools: [TOOL] },
        files: { 'server/node_modules/left-pad/index.js': '// other' },
      },
    );
    const changed = await scan(
      requestFor(await submission(next, { version: '1.1.0' }), baselineOf(result)),
      ports,
    );
    expect(firedIn(changed, 'LK-ART-01').join()).toContain(
      'pkg:npm/left-pad@1.3.0 has other bytes than in 1.0.0',
    );
    expect(checkOf(changed, 'LK-MCB-01')).toMatchObject({ outcome: 'ok' });
  });

  it('starts one on Python with the folders that it names', async () => {
    const { ports, submission } = await place();
    const code = readFileSync(join(SERVERS, 'plain.py'), 'utf8');
    const bundle = bundleOf({
      server: {
        type: 'python',
        entry_point: 'server/main.py',
        mcp_config: {
          command: 'python',
          args: ['${__dirname}/server/main.py'],
          env: { PYTHONPATH: '${__dirname}/server/lib', ACME: 'x' },
        },
      },
      files: {
        'server/main.py': `import acme, os, sys\nassert __name__ == '__main__' and os.environ['ACME'] == 'x' and sys.argv[1:] == ['one']\n${code}\nmain()\n`,
        'server/lib/acme/__init__.py': '',
        'server/lib/acme-2.0.dist-info/METADATA': 'Metadata-Version: 2.1\nName: Acme\nVersion: 2.0\n\nx',
      },
    });
    const result = await scan(requestFor(await submission(bundle, { args: ['one'] })), ports);
    expect(Object.keys(result.surface.tools)).toEqual(['echo']);
    expect(result.closure.artifacts.map(({ purl }) => purl)).toContain('pkg:pypi/acme@2.0');
    expect(isLocal(result.launch) && result.launch.python?.abi).toContain('cpython');
  });

  it('is refused as another version or name than the bundle says, and nothing of it is stored', async () => {
    const { ports, submission, stored } = await place();
    const bundle = bundleOf();
    await submission(bundle);
    const before = stored();
    for (const [change, says] of [
      [{ version: '9.9.9' }, 'as the manifest says'],
      [{ source: `mcpb:other@${sha256(bundle)}` }, 'as its manifest says'],
      [{ source: `mcpb:weather@sha256:${'0'.repeat(64)}` }, 'Hand it in again'],
    ] as const) {
      expect(await sentence(scan(requestFor(await submission(bundle, change)), ports))).toContain(says);
    }
    expect(stored()).toBe(before);
  });
});

async function serving(answer: (path: string) => Buffer | string | null): Promise<string> {
  const server: Server = createServer((request, response) => {
    const found = answer(request.url ?? '');
    if (typeof found === 'string') response.writeHead(302, { location: found }).end();
    else response.writeHead(found === null ? 404 : 200).end(found ?? undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('where a bundle comes from', () => {
  it('is a file, or an address that is followed once and pinned by its digest', async () => {
    const { ports, dir } = await place();
    const bundle = bundleOf();
    await writeFile(join(dir, 'w.mcpb'), bundle);
    const at = { cwd: dir, environment: {} };
    const digest = sha256(bundle);
    const found = await findBundle('mcpb:w.mcpb', at);
    expect(found?.source).toBe(`mcpb:weather@${digest}`);
    if (found)
      expect(await bundleSubmission(found, { config: ['a=1', 'a=2'] })).toMatchObject({
        name: 'mcpb/weather',
        version: '1.0.0',
        config: { a: ['1', '2'] },
      });

    let now = bundle;
    const base = await serving((path) =>
      path === '/v1.0.0/w.mcpb' ? '/real' : path === '/real' ? now : null,
    );
    const source = `mcpb:${base}/v1.0.0/w.mcpb@${digest}`;
    expect((await findBundle(`mcpb:${base}/v1.0.0/w.mcpb`, at))?.source).toBe(source);
    expect((await findBundle(source, at))?.source).toBe(source);
    now = bundleOf({ files: { 'server/index.mjs': 'evil' } });
    expect(await sentence(findBundle(source, at))).toContain('ARTIFACT_MISMATCH');
    const wanted = requestFor({ ...requestFor().submission, source });
    expect(await sentence(scan(wanted, ports))).toContain('ARTIFACT_MISMATCH');
    expect(await ports.blobs.has(sha256(now))).toBe(false);
    expect(await sentence(findBundle(`mcpb:${base}/none.mcpb`, at))).toContain('SOURCE_INVALID');
  });

  it.each([
    'mcpb:https://ann:secret@host.example/w.mcpb',
    'mcpb:https://host.example/w.mcpb?token=1',
    'mcpb:http://host.example/w.mcpb',
    'mcpb:nowhere.mcpb',
    'mcpb:',
  ])('is not %s', async (word) => {
    expect(await sentence(findBundle(word, { cwd: '/nowhere', environment: {} }))).toMatch(
      /SOURCE_INVALID|DOCUMENT_INVALID/,
    );
    expect(() => mcpbRefOf(`${word}@sha256:1`)).toThrow('mcpb:https://<host>');
  });

  it('stays the same place from version to version', () => {
    const at = (text: string): string => mcpbKey(`mcpb:${text}@sha256:${'a'.repeat(64)}`);
    const release = (version: string): string =>
      at(`https://github.com/a/b/releases/download/v${version}/w-${version}.mcpb`);
    expect(release('1.0.0')).toBe(release('2.3.4'));
    expect(release('1.0.0')).not.toBe(at('https://github.com/evil/b/releases/download/v1.0.0/w-1.0.0.mcpb'));
    expect(at('weather')).toBe('mcpb:weather');
  });
});
