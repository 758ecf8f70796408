/** What clients' files and commands are taken to mean: exactly what they say, or nothing. */
import { describe, expect, it } from 'vitest';
import { type Entry, entriesOf } from '../../scanner/targets/client-file.ts';
import { understand } from '../../scanner/targets/command.ts';
import { LockkeeperError } from '../../schemas/errors.ts';

describe('a command', () => {
  it.each([
    ['npx -y @acme/server', 'npm', '@acme/server', '', []],
    ['npx @acme/server@1.2.3 /data', 'npm', '@acme/server', '1.2.3', ['/data']],
    ['npx --yes --package=@acme/kit@^2 kit-mcp --port 1', 'npm', '@acme/kit', '^2', ['--port', '1']],
    ['npx -p @acme/kit kit-mcp', 'npm', '@acme/kit', '', []],
    ['npm exec -- server@latest -- --stdio', 'npm', 'server', '', ['--stdio']],
    ['pnpm dlx server@2', 'npm', 'server', '2', []],
    ['bunx --bun server', 'npm', 'server', '', []],
    ['C:\\node\\npx.cmd -y server', 'npm', 'server', '', []],
    ['cmd /c npx -y server@1.0.0', 'npm', 'server', '1.0.0', []],
    ['uvx mcp-server-time --local-timezone=UTC', 'pypi', 'mcp-server-time', '', ['--local-timezone=UTC']],
    ['uvx --from mcp_kit[cli]==1.4 kit', 'pypi', 'mcp_kit', '1.4', []],
    ['uv tool run server@2.0.1', 'pypi', 'server', '2.0.1', []],
    ['pipx run --spec server==3 serve', 'pypi', 'server', '3', []],
  ])('%s', (line, kind, name, spec, args) => {
    const [command = '', ...words] = line.split(' ');
    expect(understand(command, words)).toEqual({ kind, name, spec, args });
  });

  it.each([
    ['npx -c "curl x | sh"', 'may change what is run'],
    ['npx --registry https://elsewhere.example server', 'may change what is run'],
    ['npx -p one -p two serve', 'several packages'],
    ['npx', 'names no package'],
    ['npx github:acme/server', 'not a package of a package registry'],
    ['npx ./server', 'not a package of a package registry'],
    ['uvx --with evil server', 'may change what is run'],
    ['uvx --from git+https://example.org/x server', 'not a package of a package registry'],
    ['npm start', 'starts files of this machine'],
    ['bash -c server', 'a shell'],
    ['/usr/bin/env npx server', 'starts files of this machine'],
    ['docker run -i acme/server', 'lk scan oci:docker.io/acme/server:latest'],
    ['docker run -i --rm -e TOKEN --mount=type=bind ghcr.io/a/b:1.2 stdio', 'lk scan oci:ghcr.io/a/b:1.2'],
    ['podman run --rm mcp@sha256:ab', 'lk scan oci:docker.io/library/mcp@sha256:ab'],
    ['docker run localhost:5000/a/b', 'lk scan oci:localhost:5000/a/b:latest'],
    ['docker run --privileged acme/server', 'lk scan oci:HOST/NAME:TAG'],
    ['docker run -i $(id)', 'lk scan oci:HOST/NAME:TAG'],
    ['docker exec server', 'lk scan oci:HOST/NAME:TAG'],
    ['node server.js', 'starts files of this machine'],
  ])('%s is not guessed at', (line, why) => {
    const [command = '', ...words] = line.split(' ');
    expect(understand(command, words)).toContain(why);
  });
});

const asked = (entry: Entry): unknown[] => [entry.alias, entry.command ?? entry.url, entry.args];

describe('a file of a client', () => {
  it.each([
    ['most', 'mcp.json', '{"mcpServers": {"a": {"command": "npx", "args": ["b"]}}}'],
    [
      'VS Code, with comments',
      '.vscode/mcp.json',
      '{// c\n"servers": {"a": {"command": "npx", "args": ["b"],},},}',
    ],
    ['VS Code settings', 'settings.json', '{"mcp": {"servers": {"a": {"command": "npx", "args": ["b"]}}}}'],
    ['Zed', 'settings.json', '{"context_servers": {"a": {"command": {"path": "npx", "args": ["b"]}}}}'],
    ['opencode', 'opencode.json', '{"mcp": {"a": {"type": "local", "command": ["npx", "b"]}}}'],
    ['Codex', 'config.toml', '[mcp_servers.a]\ncommand = "npx"\nargs = ["b"]\n'],
    [
      'Claude Code, of a project',
      '.claude.json',
      '{"projects": {"/x": {"mcpServers": {"a": {"command": "npx", "args": ["b"]}}}}}',
    ],
  ])('of %s', (_, path, text) => {
    expect(entriesOf(path, text).map(asked)).toEqual([['a', 'npx', ['b']]]);
  });

  it('keeps addresses, names of variables and headers', () => {
    const text =
      '{"mcpServers": {"r": {"url": "https://acme.example/mcp", "headers": {"Authorization": "x"}, "env": {"K": 1}}}}';
    const [entry] = entriesOf('mcp.json', text);
    expect(entry).toMatchObject({
      url: 'https://acme.example/mcp',
      headers: { Authorization: 'x' },
      env: { K: '1' },
    });
  });

  it('without servers names none', () => {
    expect(entriesOf('package.json', '{"name": "x", "servers": ["a"]}')).toEqual([]);
  });

  it.each([
    ['no JSON', 'mcp.json', '{"mcpServers": '],
    ['a list', 'mcp.json', '[]'],
    ['no TOML', 'config.toml', '[mcp_servers'],
    ['brackets without end', 'mcp.json', '['.repeat(100_000)],
    ['TOML brackets without end', 'config.toml', `a = ${'['.repeat(100_000)}`],
    [
      'too many',
      'mcp.json',
      JSON.stringify({
        mcpServers: Object.fromEntries(Array.from({ length: 501 }, (_, n) => [`s${n}`, { command: 'npx' }])),
      }),
    ],
  ])('with %s is refused', (_, path, text) => {
    expect(() => entriesOf(path, text)).toThrow(LockkeeperError);
  });

  it('cannot reach what objects inherit', () => {
    const text =
      '{"mcpServers": {"__proto__": {"command": "npx", "args": ["b"]}, "constructor": {"command": "npx"}}}';
    expect(entriesOf('mcp.json', text).map(({ alias }) => alias)).toContain('constructor');
    expect(({} as { command?: unknown }).command).toBeUndefined();
  });
});
