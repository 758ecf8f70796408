/** `lk discover` and `lk adopt` on a machine of their own: what is told of each server, what is written, and what never is. */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keptBefore, replace } from '../../cli/clients/keep.ts';
import { type Command, type Context, parseWords, type Result } from '../../cli/command.ts';
import { adopt } from '../../cli/commands/adopt.ts';
import { discover } from '../../cli/commands/discover.ts';
import { makeMachine } from '../attack/machine.ts';
import { refusal } from '../helpers/machine.ts';
import { makeEntry, makeLock } from '../helpers/trust.ts';

const SECRET = `ghp_${'a1B2'.repeat(9)}`;
const NPX = { command: 'npx', args: ['-y', 'weather@1.2.3'] };

let root: string;
let home: string;
let project: string;
let context: Context;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'lk-adopt-'));
  const request = {
    server: 'acme.tools/weather',
    range: '^1.2.0',
    env: ['LANG'],
    secrets: { TOKEN: 'env', KEY: 'file:./key' },
  };
  const machine = await makeMachine({ folder: async () => root }, { servers: { weather: request } });
  const entry = makeEntry();
  const permissions = { ...entry.permissions, env: ['LANG', 'ZONE'], secrets: ['TOKEN', 'KEY'] };
  await machine.start(makeLock({ entry: { ...entry, request, permissions } }));
  project = machine.project.dir;
  home = join(root, 'erin');
  mkdirSync(home);
  const environment = { HOME: home, PATH: process.env.PATH };
  context = { ...machine.context, cwd: project, config: { ...machine.context.config, environment } };
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function lk(name: string, command: Command, ...argv: string[]): Promise<Result & { data: Data }> {
  const { words, values } = parseWords(name, command, argv);
  return (await command.run(context, words, values)) as Result & { data: Data };
}
interface Data {
  readonly conclusion: string;
  readonly servers: readonly { readonly name: string; readonly state: string; readonly runs: string }[];
  readonly problems: readonly { readonly file: string; readonly message: string }[];
  readonly files: readonly { readonly copy: string | null; readonly written: boolean }[];
}
const found = (...argv: string[]) => lk('discover', discover, ...argv);
const adopts = (...argv: string[]) => lk('adopt', adopt, ...argv);

function put(path: string, content: unknown): string {
  const whole = path.startsWith('/') ? path : join(project, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  return whole;
}
const servers = (of: object): object => ({ mcpServers: of });
const read = (path: string): string => readFileSync(join(project, path), 'utf8');

describe('lk discover', () => {
  const RUN = ['run', 'weather', '--project'];
  it.each<[string, object, string, string]>([
    ['through lk run', { command: 'lk', args: [...RUN, 'HERE'] }, 'locked', 'lk run weather'],
    [
      'through lk run in its folder',
      { command: 'lk', args: ['run', 'weather', '--as', 'erin'] },
      'locked',
      'lk run weather',
    ],
    [
      'through the gateway',
      { url: 'http://127.0.0.1:7413/servers/weather/mcp' },
      'locked',
      'http://127.0.0.1:7413/servers/weather/mcp',
    ],
    ['by npx, though it is locked', NPX, 'bypassed', 'npm:weather@1.2.3'],
    [
      'by npx in another version',
      { command: 'npx', args: ['weather'] },
      'bypassed',
      'npm:weather, whatever is newest',
    ],
    [
      'by another gateway',
      { url: 'http://127.0.0.1:7414/servers/weather/mcp' },
      'remote',
      'http://127.0.0.1:7414/servers/weather/mcp',
    ],
    [
      'of a name that is not locked',
      { command: 'lk', args: ['run', 'other', '--project', 'HERE'] },
      'not-reviewed',
      'lk run other',
    ],
    ['under no lock', { command: 'lk', args: [...RUN, '/nowhere'] }, 'not-reviewed', 'lk run weather'],
    [
      'by another lk',
      { command: '/tmp/lk', args: [...RUN, 'HERE'] },
      'not-reviewed',
      'lk starts files of this machine, which are in no package',
    ],
    [
      'by an lk that PATH decides',
      { command: 'lk', args: [...RUN, 'HERE'], env: { PATH: '/tmp' } },
      'not-reviewed',
      'lk run weather',
    ],
    [
      'by another registry',
      { command: 'lk', args: [...RUN, 'HERE', '--registry', 'x'] },
      'not-reviewed',
      'lk starts files of this machine, which are in no package',
    ],
    [
      'in one version',
      { command: 'uvx', args: ['mcp-server-time==1.4'] },
      'not-reviewed',
      'pypi:mcp-server-time@1.4',
    ],
    ['in no version', { command: 'npx', args: ['@acme/other@^2', SECRET] }, 'unpinned', 'npm:@acme/other@^2'],
    [
      'from an address with a key',
      { url: `https://u:${SECRET}@x.example/s/${SECRET}?k=1` },
      'remote',
      'https://x.example/s/…?…',
    ],
    [
      'by a shell',
      { command: 'bash', args: ['-c', SECRET] },
      'not-reviewed',
      'a shell, bash, may run anything',
    ],
  ])('tells a server that is run %s', async (_, server, state, runs) => {
    put('.mcp.json', JSON.stringify(servers({ one: server })).replaceAll('HERE', project));
    const { data, text, exit } = await found('--check');
    expect(data.servers).toMatchObject([
      { name: 'one', state, runs, clients: ['Claude Code', 'Copilot CLI'] },
    ]);
    expect(exit).toBe(state === 'locked' ? 0 : 3);
    expect((await found()).exit).toBe(0);
    expect(JSON.stringify(data) + text).not.toContain(SECRET);
  });

  it('looks where each client keeps its own, and says where a secret stands', async () => {
    const env = { GITHUB_TOKEN: SECRET };
    put('.vscode/mcp.json', '{ // ours\n"servers": {"a": {"command": "npx", "args": ["x"]}}}');
    put('.codex/config.toml', '[mcp_servers.b]\ncommand = "npx"\n');
    put(join(home, '.cursor/mcp.json'), servers({ c: { command: 'npx', args: ['--token', SECRET], env } }));
    put(join(home, '.claude.json'), { projects: { '/x': servers({ d: NPX }) } });
    put(join(home, '.config/Code/User/profiles/p1/mcp.json'), { servers: { e: NPX } });
    put(
      join(home, '.codeium/windsurf/mcp_config.json'),
      servers({ f: { serverUrl: 'https://x.example/mcp' } }),
    );
    put(join(home, '.config/opencode/opencode.json'), {
      mcp: { g: { type: 'local', command: ['npx', 'y'] } },
    });
    const { data, text } = await found();
    expect(
      data.servers
        .map(({ name }) => name)
        .sort()
        .join(''),
    ).toBe('abcdefg');
    expect(text).toContain('c: a secret stands in the file itself: GITHUB_TOKEN, an argument or the address');
    expect(text).toContain('0 of 7 servers are run through a lock.');
    expect(JSON.stringify(data) + text).not.toContain(SECRET);
  });

  it('says of each file that cannot be read why, and goes on', async () => {
    put('.cursor/mcp.json', servers({ good: { command: 'lk', args: ['run', 'weather'] } }));
    put('.mcp.json', '{"mcpServers": ');
    put('.roo/mcp.json', ' '.repeat(4 * 1024 * 1024 + 1));
    put('opencode.json', `"${SECRET}"`);
    mkdirSync(join(project, '.vscode/mcp.json'), { recursive: true });
    put('.zed', 'a file where a folder would be');
    mkdirSync(join(project, '.gemini'));
    symlinkSync('settings.json', join(project, '.gemini/settings.json'));
    put(join(root, 'linked.json'), servers({ linked: NPX }));
    symlinkSync(join(root, 'linked.json'), join(project, 'mcp.json'));
    const { data, text, exit } = await found('--check');
    expect(data.servers.map(({ name }) => name)).toEqual(['good', 'linked']);
    const wrong = data.problems.map(({ file, message }) => [file.slice(project.length + 1), message]);
    expect(wrong.map(([file]) => file).sort()).toEqual([
      '.gemini/settings.json',
      '.mcp.json',
      '.roo/mcp.json',
      '.vscode/mcp.json',
      'opencode.json',
    ]);
    for (const [, message] of wrong) expect(text).toContain(message);
    expect(text).toContain(`mcp.json is a link to ${join(root, 'linked.json')}`);
    expect(text).not.toContain(SECRET);
    expect(exit).toBe(3);
    rmSync(join(project, 'mcp.json'));
    expect((await found('--check')).exit).toBe(4);
  });

  it('has nothing locked under a lock that does not hold', async () => {
    put('.mcp.json', servers({ weather: { command: 'lk', args: ['run', 'weather'] } }));
    put('mcp.lock', read('mcp.lock').replace('acme.tools/weather', 'acme.tools/whether'));
    const { data, text, exit } = await found('--check');
    expect(data.servers).toMatchObject([{ state: 'not-reviewed' }]);
    expect(text).toContain('[SIGNATURE_INVALID]');
    expect(exit).toBe(3);
  });
});

describe('lk discover of what is not there', () => {
  it.each(['nowhere', 'mcp.lock'])('%s is refused, not told as a place without servers', async (word) => {
    await expect(found(word, '--check')).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('lk adopt', () => {
  const before = servers({
    'My Weather': {
      ...NPX,
      env: { LANG: 'C', TOKEN: SECRET, KEY: 'k', ZONE: '/srv/zones', DEBUG: '1', NODE_OPTIONS: '-r x' },
    },
    theirs: { command: 'npx', args: ['other'] },
  });

  it('writes what the lock has, keeps the rest and the old file, and does so once', async () => {
    const path = put('.mcp.json', before);
    chmodSync(path, 0o660);
    const old = read('.mcp.json');
    const { exit, text, data } = await adopts('.mcp.json', '--yes');
    expect(exit).toBe(3);
    expect(JSON.parse(read('.mcp.json'))).toEqual(
      servers({
        'My Weather': {
          command: 'lk',
          args: ['run', 'weather', '--project', project],
          env: { LANG: 'C', TOKEN: SECRET, ZONE: '/srv/zones' },
        },
        theirs: { command: 'npx', args: ['other'] },
      }),
    );
    const copy = data.files[0]?.copy ?? '';
    expect(readFileSync(copy, 'utf8')).toBe(old);
    expect([path, copy].map((one) => statSync(one).mode & 0o777)).toEqual([0o660, 0o660]);
    for (const said of [
      '- "command": "npx"',
      '+ "args": ["run", "weather", "--project"',
      'KEY goes: weather reads it from ./key',
      'DEBUG goes: the locked release takes no such variable',
      'NODE_OPTIONS goes: it would change what lk itself is',
      'ZONE stays, and reaches the server after: lk add weather --env ZONE, then lk lock',
      'ZONE is a path of this machine: in the sandbox there is no folder of it',
      'TOKEN is a secret that stands in the file itself, as before',
      'Not adopted: theirs: it is not in the lock',
      `  Next: lk add ${path}, then lk lock`,
    ])
      expect(text).toContain(said);
    expect(text + JSON.stringify(data)).not.toContain(SECRET);
    const again = await adopts('.mcp.json', 'My Weather', '--yes');
    expect(again.exit).toBe(0);
    expect(again.text).toContain('has My Weather run through the lock already');
    expect(readdirSync(project).filter((name) => name.startsWith('.mcp.json'))).toHaveLength(2);
  });

  it('brings the old file back, and not over what was changed since', async () => {
    put('.mcp.json', servers({ weather: NPX }));
    const old = read('.mcp.json');
    await adopts('.mcp.json', '--yes');
    const ours = read('.mcp.json');
    put('.mcp.json', `${ours}\n`);
    expect(await refusal(adopts('.mcp.json', '--undo', '--yes'))).toMatchObject({ code: 'FILE_CHANGED' });
    expect(read('.mcp.json')).toBe(`${ours}\n`);
    put('.mcp.json', ours);
    expect((await adopts('.mcp.json', '--undo', '--dry-run')).text).toBe('Nothing was written.');
    expect(read('.mcp.json')).toBe(ours);
    expect((await adopts('.mcp.json', '--undo', '--yes')).exit).toBe(0);
    expect(read('.mcp.json')).toBe(old);
    expect(await refusal(adopts('.mcp.json', '--undo', '--yes'))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each<[string, string, object | string, string[]]>([
    ['a name that is not locked', 'NOT_LOCKED', before, ['theirs']],
    ['a name beside one that is not locked', 'NOT_LOCKED', before, ['My Weather', 'theirs']],
    ['a name that is not there', 'NOT_FOUND', before, ['nobody']],
    ['a file that is none', 'DOCUMENT_INVALID', '{', []],
    ['other bytes than UTF-8', 'DOCUMENT_INVALID', 'latin', []],
    ['no answer, where nobody can be asked', 'USAGE', before, ['My Weather', '--ask']],
  ])('refuses %s and writes nothing', async (_, code, content, words) => {
    const path = put('.mcp.json', content);
    if (content === 'latin')
      writeFileSync(path, Buffer.from(JSON.stringify({ note: 'é', ...servers({ weather: NPX }) }), 'latin1'));
    const old = readFileSync(path);
    const way = words.includes('--ask') ? words.filter((word) => word !== '--ask') : [...words, '--yes'];
    expect(await refusal(adopts('.mcp.json', ...way))).toMatchObject({ code });
    expect(readFileSync(path)).toEqual(old);
    expect(readdirSync(project).filter((name) => name.startsWith('.mcp.json'))).toHaveLength(1);
  });

  it('shows all and writes nothing with --dry-run', async () => {
    const path = put('.mcp.json', servers({ weather: NPX }));
    const old = read('.mcp.json');
    const { text, exit } = await adopts('.mcp.json', '--dry-run');
    expect(text).toContain(`${path}: weather\n  - "command": "npx"`);
    expect(exit).toBe(0);
    expect(read('.mcp.json')).toBe(old);
    expect(readdirSync(project).filter((name) => name.startsWith('.mcp.json'))).toHaveLength(1);
  });

  it.each(['the file', 'its folder'])('does not follow a link that %s is', async (which) => {
    const theirs = put(join(root, 'theirs/mcp.json'), servers({ weather: NPX }));
    const old = readFileSync(theirs, 'utf8');
    if (which === 'its folder') symlinkSync(dirname(theirs), join(project, '.vscode'));
    else {
      mkdirSync(join(project, '.vscode'));
      symlinkSync(theirs, join(project, '.vscode/mcp.json'));
    }
    for (const word of ['.vscode/mcp.json', 'vscode'])
      expect(await refusal(adopts(word, '--yes'))).toMatchObject({ code: 'FILE_LINKED' });
    expect(readFileSync(theirs, 'utf8')).toBe(old);
    expect(readdirSync(dirname(theirs))).toEqual(['mcp.json']);
  });

  it('writes nothing over a file that its client wrote meanwhile', async () => {
    const path = put('.mcp.json', servers({ weather: NPX }));
    const shown = readFileSync(path);
    put('.mcp.json', '{}');
    const late = replace(path, shown, Buffer.from('ours'));
    expect(await refusal(late)).toMatchObject({ code: 'FILE_CHANGED' });
    expect(read('.mcp.json')).toBe('{}');
    expect(await refusal(keptBefore(path))).toMatchObject({ code: 'FILE_CHANGED' });
  });

  it('takes a client by its name, in the project and at home, and leaves the servers of other projects', async () => {
    put('.mcp.json', servers({ weather: NPX }));
    const theirs = { '/elsewhere': servers({ weather: NPX }) };
    put(join(home, '.claude.json'), { projects: { [project]: servers({ mine: NPX }), ...theirs } });
    const { data, exit } = await adopts('claude-code', '--yes');
    expect([exit, data.files.map(({ written }) => written)]).toEqual([0, [true, true]]);
    const { projects } = JSON.parse(readFileSync(join(home, '.claude.json'), 'utf8'));
    expect(projects[project].mcpServers.mine.command).toBe('lk');
    expect(projects['/elsewhere']).toEqual(theirs['/elsewhere']);
    expect(await refusal(adopts('cursor', '--yes'))).toMatchObject({ code: 'NOT_FOUND' });
    expect((await refusal(adopts('cursr', '--yes'))).message).toContain('Did you mean cursor?');
  });

  it('writes TOML, with its comments, and brings it back', async () => {
    const text =
      '# mine\n[mcp_servers.weather] # ours\ncommand = "npx" # old\nargs = ["weather@1.2.3"]\nenv = { LANG = "C", DEBUG = "1" }\n\n[tui]\ntheme = "x"\n';
    put('.codex/config.toml', text);
    const { text: said, exit } = await adopts('.codex/config.toml', '--yes');
    expect(said).toContain('+ "command": "lk"');
    expect(said).toContain('DEBUG goes');
    expect(exit).toBe(0);
    expect(read('.codex/config.toml')).toBe(
      text
        .replace('"npx"', '"lk"')
        .replace('["weather@1.2.3"]', `[ "run", "weather", "--project", "${project}" ]`)
        .replace(', DEBUG = "1"', ''),
    );
    expect((await found('--check')).exit).toBe(0);
    expect((await adopts('codex', '--undo', '--yes')).exit).toBe(0);
    expect(read('.codex/config.toml')).toBe(text);
  });

  describe('with --gateway', () => {
    const BASE = 'http://127.0.0.1:7413';
    const URL = `${BASE}/servers/weather/mcp`;
    const by = { ...NPX, env: { TOKEN: SECRET } };
    it.each<[string, object, object]>([
      ['.mcp.json', servers({ weather: by }), servers({ weather: { type: 'http', url: URL } })],
      [
        '.mcp.json',
        servers({ weather: { type: 'stdio', ...by } }),
        servers({ weather: { type: 'http', url: URL } }),
      ],
      [
        '.vscode/mcp.json',
        { servers: { weather: { ...by, envFile: '.env' } } },
        { servers: { weather: { type: 'http', url: URL } } },
      ],
      ['.cursor/mcp.json', servers({ weather: by }), servers({ weather: { url: URL } })],
      ['.windsurf/mcp.json', servers({ weather: by }), servers({ weather: { serverUrl: URL } })],
      [
        '.gemini/settings.json',
        servers({ weather: { ...by, trust: true } }),
        servers({ weather: { httpUrl: URL, trust: true } }),
      ],
      [
        'opencode.json',
        {
          mcp: {
            weather: { type: 'local', command: ['npx', 'weather@1'], environment: { A: 'b' }, enabled: true },
          },
        },
        { mcp: { weather: { type: 'remote', url: URL, enabled: true } } },
      ],
      [
        '.zed/settings.json',
        {
          context_servers: {
            weather: { command: { path: 'npx', args: ['weather@1'], env: {} }, settings: {} },
          },
        },
        { context_servers: { weather: { url: URL, settings: {} } } },
      ],
      [
        '.roo/mcp.json',
        servers({ weather: by }),
        servers({ weather: { type: 'streamable-http', url: URL } }),
      ],
    ])('%s is one that calls it', async (path, before, after) => {
      put(path, before);
      const { exit, text, data } = await adopts(path, '--gateway', BASE, '--yes');
      expect(JSON.parse(read(path))).toEqual(after);
      expect(exit).toBe(0);
      expect(text + JSON.stringify(data)).not.toContain(SECRET);
      expect((await found('--check')).exit).toBe(0);
      expect((await adopts(path, '--gateway', BASE, '--yes')).text).toContain('run through the lock already');
    });

    it('takes the place of lk run, in TOML as well', async () => {
      const text =
        '[mcp_servers.weather]\ncommand = "npx" # old\nargs = ["weather"]\nrequired = true\n\n[mcp_servers.weather.env]\nTOKEN = "x"\n';
      put('.codex/config.toml', text);
      await adopts('codex', '--yes');
      expect((await adopts('codex', '--gateway', `${BASE}/`, '--yes')).exit).toBe(0);
      expect(read('.codex/config.toml')).toBe(
        `[mcp_servers.weather]\nurl = "${URL}" # old\nrequired = true\n\n`,
      );
      await adopts('codex', '--undo', '--yes');
      expect(read('.codex/config.toml')).toContain('args = [ "run", "weather"');
    });

    it('says what goes, and that another address is not one of this project', async () => {
      put('.mcp.json', servers({ weather: by }));
      const { text } = await adopts('.mcp.json', '--gateway', 'https://gateway.acme.example', '--dry-run');
      expect(text).toContain('TOKEN goes: the gateway');
      expect(text).toContain('lk discover knows that address once lockkeeper.gateway.json has it');
      expect(text).toContain('+ "url": "https://gateway.acme.example/servers/weather/mcp"');
    });

    it('leaves a client that takes no address', async () => {
      const path = put('claude_desktop_config.json', servers({ weather: NPX }));
      const old = read('claude_desktop_config.json');
      const { exit, text } = await adopts(path, '--gateway', BASE, '--yes');
      expect([exit, read('claude_desktop_config.json')]).toEqual([3, old]);
      expect(text).toContain('its client takes no address from this file');
    });

    it.each([
      'http://gateway.acme.example',
      `${BASE}/mcp`,
      'https://u:p@gateway.acme.example',
      'https://gateway.acme.example/?k=1',
      'ftp://127.0.0.1',
      '127.0.0.1:7413',
    ])('refuses %s and writes nothing', async (word) => {
      put('.mcp.json', servers({ weather: NPX }));
      const old = read('.mcp.json');
      const error = await refusal(adopts('.mcp.json', '--gateway', word, '--yes'));
      expect(error).toMatchObject({ code: 'USAGE' });
      expect(error.message).not.toContain('u:p');
      expect(read('.mcp.json')).toBe(old);
    });
  });

  it('says nothing of the lock where it does not hold', async () => {
    put('.mcp.json', servers({ weather: NPX }));
    put('mcp.lock', read('mcp.lock').replace('acme.tools/weather', 'acme.tools/whether'));
    const old = read('.mcp.json');
    expect(await refusal(adopts('.mcp.json', '--yes'))).toMatchObject({ code: 'SIGNATURE_INVALID' });
    expect(read('.mcp.json')).toBe(old);
  });
});
