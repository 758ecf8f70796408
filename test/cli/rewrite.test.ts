/** Files of clients with one server started by lk run: what is written, byte for byte, in each form that clients have. */
import { describe, expect, it } from 'vitest';
import { rewritten } from '../../cli/clients/rewrite.ts';
import { entriesOf } from '../../scanner/targets/client-file.ts';

/** Adopts the servers called docs. */
function adopted(path: string, text: string, ...dropped: string[]): string {
  const words = ['run', 'docs', '--project', '/srv/app'];
  const entries = entriesOf(path, text).filter(({ alias }) => alias === 'docs');
  return rewritten(
    path,
    text,
    entries.map((entry) => ({ entry, to: { words }, dropped })),
  );
}

const LK = '"command": "lk"';
const ARGS = '"args": ["run", "docs", "--project", "/srv/app"]';

describe('a server in the form of', () => {
  it.each([
    [
      'most clients, with what else stands there',
      '.mcp.json',
      '{\n  "mcpServers": {\n    "docs": {\n      "command": "npx",\n      "args": ["-y", "@acme/docs"],\n      "timeout": 5\n    },\n    "other": { "command": "x"   }\n  },\n  "more":[1,2]\n}\n',
      `{\n  "mcpServers": {\n    "docs": {\n      ${LK},\n      ${ARGS},\n      "timeout": 5\n    },\n    "other": { "command": "x"   }\n  },\n  "more":[1,2]\n}\n`,
    ],
    [
      'VS Code, with comments and commas at the end',
      '.vscode/mcp.json',
      '{ // ours\r\n\t"servers": {\r\n\t\t"docs": { /* the docs */ "type": "stdio", "command": "npx", /* old */ "args": ["b"], }, // end\r\n\t},\r\n}',
      `{ // ours\r\n\t"servers": {\r\n\t\t"docs": { /* the docs */ "type": "stdio", ${LK}, /* old */ ${ARGS}, }, // end\r\n\t},\r\n}`,
    ],
    [
      'VS Code settings',
      'settings.json',
      '{"a": "x","mcp": {"servers": {"docs": {"command": "npx","args": []}}}}',
      `{"a": "x","mcp": {"servers": {"docs": {${LK},${ARGS}}}}}`,
    ],
    [
      'one without arguments',
      'mcp.json',
      '{"mcpServers": {"docs": {\n    "command": "docs-mcp"\n}}}',
      `{"mcpServers": {"docs": {\n    ${LK},\n    ${ARGS}\n}}}`,
    ],
    [
      'an address with headers',
      'mcp.json',
      '{"mcpServers": {"docs": {\n  "type": "http",\n  "url": "https://acme.example/mcp",\n  "headers": {\n    "Authorization": "Bearer x"\n  }\n}}}',
      `{"mcpServers": {"docs": {\n  "type": "stdio",\n  ${LK},\n  ${ARGS}\n}}}`,
    ],
    [
      'an address of Windsurf',
      'mcp_config.json',
      '{"mcpServers": {"docs": {"serverUrl": "https://acme.example/mcp", "disabled": false}}}',
      `{"mcpServers": {"docs": {${LK}, ${ARGS}, "disabled": false}}}`,
    ],
    [
      'opencode',
      'opencode.json',
      '{"mcp": {"docs": {"type": "local", "command": ["npx", "b"], "enabled": true}}}',
      '{"mcp": {"docs": {"type": "local", "command": ["lk", "run", "docs", "--project", "/srv/app"], "enabled": true}}}',
    ],
    [
      'an address of opencode',
      'opencode.json',
      '{"mcp": {"docs": {"type": "remote", "url": "https://acme.example/mcp"}}}',
      '{"mcp": {"docs": {"type": "local", "command": ["lk", "run", "docs", "--project", "/srv/app"]}}}',
    ],
    [
      'Zed',
      '.zed/settings.json',
      '{"context_servers": {"docs": {"command": {"path": "npx", "args": ["b"], "env": {}}, "settings": {}}}}',
      '{"context_servers": {"docs": {"command": {"path": "lk", "args": ["run", "docs", "--project", "/srv/app"], "env": {}}, "settings": {}}}}',
    ],
    [
      'one project of Claude Code',
      '.claude.json',
      '{"userID":"u","projects": {"/x": {"mcpServers": {"docs": {"command": "npx", "args": ["b"]}}, "n": 1.0}}}',
      `{"userID":"u","projects": {"/x": {"mcpServers": {"docs": {${LK}, ${ARGS}}}, "n": 1.0}}}`,
    ],
  ])('%s', (_, path, before, after) => {
    expect(adopted(path, before)).toBe(after);
    // Once more: nothing else comes of it.
    expect(adopted(path, after)).toBe(after);
  });
});

describe('variables that go', () => {
  const file = (env: string): string => `{"mcpServers": {"docs": {${LK}, ${ARGS}, "env": ${env}}}}`;
  it.each([
    ['{"A": "1", "B": "2", "C": "3"}', ['A'], '{ "B": "2", "C": "3"}'],
    ['{"A": "1", "B": "2", "C": "3"}', ['B'], '{"A": "1", "C": "3"}'],
    ['{"A": "1", "B": "2", "C": "3"}', ['B', 'C'], '{"A": "1"}'],
    ['{"A": "1", "B": "2",}', ['B'], '{"A": "1",}'],
    ['{"A": "1",}', ['A'], '{}'],
    ['{"A": "1"}', ['A'], '{}'],
    ['{\n  "A": "1", // one\n  "B": "2" // two\n}', ['B'], '{\n  "A": "1" // one\n // two\n}'],
    ['{\n  "A": "1", // one\n  "B": "2"\n}', ['A'], '{\n // one\n  "B": "2"\n}'],
    ['{\n  "A": "1" /* , */ ,\n  "B": "2"\n}', ['A'], '{\n /* , */ \n  "B": "2"\n}'],
    ['{\n  "A": "1",\n  "B": "2",\n  "C": "3"\n}', ['B', 'C'], '{\n  "A": "1"\n}'],
  ])('%s without %j', (before, dropped, after) => {
    const text = adopted('mcp.json', file(before), ...dropped);
    expect(text.replace(/\s+\}/g, '}')).toBe(file(after).replace(/\s+\}/g, '}'));
  });
});

it.each([
  ['a server twice', '{"mcpServers": {"docs": {"command": "a"}, "docs": {"command": "b"}}}'],
  ['a member twice', '{"mcpServers": {"docs": {"command": "a", "command": "b"}}}'],
  ['a section twice', '{"mcpServers": {}, "mcpServers": {"docs": {"command": "b"}}}'],
])('a file that has %s is refused: clients may read it in two ways', (_, text) => {
  expect(() => adopted('mcp.json', text)).toThrow('to say once what');
});
