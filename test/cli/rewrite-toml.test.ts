/** Codex's file with one server started by lk run: what is written, byte for byte, in each form that TOML has. */
import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { rewritten } from '../../cli/clients/rewrite.ts';
import { entriesOf } from '../../scanner/targets/client-file.ts';
import { refusal } from '../helpers/machine.ts';

/** Adopts the servers called docs. */
function adopted(text: string, ...dropped: string[]): string {
  const path = '.codex/config.toml';
  const words = ['run', 'docs', '--project', '/srv/app'];
  const entries = entriesOf(path, text).filter(({ alias }) => alias === 'docs');
  expect(entries).toHaveLength(1);
  return rewritten(
    path,
    text,
    entries.map((entry) => ({ entry, to: { words }, dropped })),
  );
}

const ARGS = '[ "run", "docs", "--project", "/srv/app" ]';

describe('a server in TOML', () => {
  it.each([
    [
      'with what else stands there',
      'model = "x" # ours\n\n[mcp_servers.docs] # the docs\n# how\ncommand = "npx" # old\nargs = [\n  "-y", # yes\n  "docs",\n]\nstartup_timeout_sec = 1e1 # long\n\n[mcp_servers.other]\ncommand = "npx"\n',
      `model = "x" # ours\n\n[mcp_servers.docs] # the docs\n# how\ncommand = "lk" # old\nargs = ${ARGS}\nstartup_timeout_sec = 1e1 # long\n\n[mcp_servers.other]\ncommand = "npx"\n`,
    ],
    [
      'without arguments, indented, with the ends of lines of Windows',
      "[mcp_servers.docs]\r\n  command = 'npx' # old\r\n  tool_timeout_sec = 1\r\n",
      `[mcp_servers.docs]\r\n  command = "lk" # old\r\n  args = ${ARGS}\r\n  tool_timeout_sec = 1\r\n`,
    ],
    [
      'that ends the file',
      '[mcp_servers.docs]\ncommand = "npx"',
      `[mcp_servers.docs]\ncommand = "lk"\nargs = ${ARGS}`,
    ],
    [
      'by an address, with all that goes with one',
      '[mcp_servers.docs]\nenabled = true\nurl = "https://x.example/mcp" # there\nbearer_token_env_var = "T"\nhttp_headers = { A = "b" }\n\n[mcp_servers.docs.env_http_headers]\n# why\nB = "C"\n\n[tui]\n',
      `[mcp_servers.docs]\nenabled = true\ncommand = "lk"\nargs = ${ARGS} # there\n\n# why\n\n[tui]\n`,
    ],
    [
      'with dotted names',
      '[mcp_servers]\ndocs.command = "npx"\nother.command = "npx"\ndocs . "args" = []\n',
      `[mcp_servers]\ndocs.command = "lk"\nother.command = "npx"\ndocs . "args" = ${ARGS}\n`,
    ],
    [
      'with dotted names and no arguments',
      'mcp_servers."docs".command = "npx"\nmodel = "x"\n',
      `mcp_servers."docs".command = "lk"\nmcp_servers."docs".args = ${ARGS}\nmodel = "x"\n`,
    ],
    [
      'in a table in a line',
      '[mcp_servers]\ndocs = { command = "npx", enabled = true } # ours\n',
      `[mcp_servers]\ndocs = { command = "lk", args = ${ARGS}, enabled = true } # ours\n`,
    ],
    [
      'by an address in a table in a line',
      'mcp_servers = { docs = {url = "https://x.example", http_headers = { a = "1" }, oauth.client_id = "x"}, other = {command = "x"} }\n',
      `mcp_servers = { docs = {command = "lk", args = ${ARGS}}, other = {command = "x"} }\n`,
    ],
    [
      'beside strings that look like it',
      `note = """\n[mcp_servers.docs]\ncommand = "npx" \\""""\nother = '''[mcp_servers.docs]'''''\n"mcp_servers".'docs'."command" = '''\nnpx'''\nlast = "]\\\\" # "\n`,
      `note = """\n[mcp_servers.docs]\ncommand = "npx" \\""""\nother = '''[mcp_servers.docs]'''''\n"mcp_servers".'docs'."command" = "lk"\n"mcp_servers".'docs'.args = ${ARGS}\nlast = "]\\\\" # "\n`,
    ],
    [
      'beside lists of tables and values of every kind',
      '[[profiles]]\ncommand = "npx"\n[[profiles.mcp_servers.docs]]\ncommand = "npx"\n[x]\nd = 1979-05-27 07:32:00 # day\nl = [ { command = "x" }, [ "]", 1.50 ], ]\nn = nan\n[mcp_servers.docs]\ncommand="npx"\nargs=[]\n',
      `[[profiles]]\ncommand = "npx"\n[[profiles.mcp_servers.docs]]\ncommand = "npx"\n[x]\nd = 1979-05-27 07:32:00 # day\nl = [ { command = "x" }, [ "]", 1.50 ], ]\nn = nan\n[mcp_servers.docs]\ncommand="lk"\nargs=${ARGS}\n`,
    ],
  ])('%s', (_, before, after) => {
    expect(adopted(before)).toBe(after);
    expect(parse(after)).toBeTypeOf('object');
    // Once more: nothing else comes of it.
    expect(adopted(after)).toBe(after);
  });
});

describe('variables that go from TOML', () => {
  const file = (env: string): string => `[mcp_servers.docs]\ncommand = "lk"\nargs = ${ARGS}\n${env}\n`;
  it.each([
    ['env = { A = "1", B = "2", C = "3" }', ['A'], 'env = { B = "2", C = "3" }'],
    ['env = { A = "1", B = "2", C = "3" }', ['B'], 'env = { A = "1", C = "3" }'],
    ['env = { A = "1", B = "2", C = "3" }', ['B', 'C'], 'env = { A = "1" }'],
    ['env = { A = "1", B = "2" }', ['A', 'B'], 'env = {  }'],
    ['env.A = "1"\nenv.B = "2" # two', ['A'], 'env.B = "2" # two'],
    [
      '[mcp_servers.docs.env] # theirs\nA = "1" # one\n"B" = "2"',
      ['B'],
      '[mcp_servers.docs.env] # theirs\nA = "1" # one',
    ],
    ['[mcp_servers.docs.env]\nA = """\n1"""\nB = "2"', ['A', 'B'], '[mcp_servers.docs.env]'],
  ])('%s without %j', (before, dropped, after) => {
    expect(adopted(file(before), ...dropped)).toBe(file(after));
  });
});

describe('TOML that cannot be kept', () => {
  it.each([
    ['all that is dotted away', 'mcp_servers.docs.command = "npx"\nmcp_servers.docs.env.A = "1"\n', ['A']],
    [
      'a comment inside of what goes',
      'mcp_servers.docs = { url = "https://x.example", enabled = true, oauth = { # why\n} }\n',
      [],
    ],
  ])('is refused: %s', async (_, text, dropped) => {
    const said = await refusal(Promise.resolve().then(() => adopted(text, ...dropped)));
    expect(said).toMatchObject({
      code: 'DOCUMENT_INVALID',
      found: expect.stringContaining('cannot be kept'),
    });
  });
});
