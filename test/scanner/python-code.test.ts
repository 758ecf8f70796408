import { describe, expect, it } from 'vitest';
import { readPython } from '../../scanner/code/python.ts';

async function read(
  text: string,
): Promise<{ uses: string[]; flows: string[]; unread: number; hidden: string[]; tools: readonly string[] }> {
  const [one] = await readPython([{ path: 'a.py', language: 'python', bytes: Buffer.from(text) }], 20_000);
  if (typeof one !== 'object') throw new Error(one);
  return {
    uses: one.uses.map(({ capability, what }) => `${capability}: ${what}`),
    flows: (one.flows ?? []).map(({ what, tool, sink }) => `${what} of ${tool} -> ${sink}`),
    hidden: one.hidden.map(({ kind }) => kind),
    tools: one.tools ?? [],
    unread: one.unread.length,
  };
}

const HEAD = `
import os, subprocess, shlex, sqlite3, re
import httpx, requests
from pathlib import Path
from mcp.server.fastmcp import FastMCP
mcp = FastMCP('x')
ALLOWED = ['a']
def start(line): return subprocess.run(line, shell=True)
`;
const tool = (body: string, args = 'x: str, n: int'): string =>
  `${HEAD}\n@mcp.tool()\nasync def t(${args}) -> str:\n${body
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`;

describe('Python that is read by Python', () => {
  it('says what it reaches, with its line', async () => {
    const text =
      "import socket\nfrom subprocess import run\nimport ctypes\nkey = os.environ['API_KEY']\nurl = 'https://api.example.com/x'\nexec(base64.b64decode('eA=='))\nopen('/home/a/.ssh/id_rsa')\n";
    const { uses, hidden } = await read(`import os, base64\n${text}`);
    expect(uses).toEqual(
      expect.arrayContaining([
        'network: socket',
        'programs: subprocess',
        'native code: ctypes',
        'environment: API_KEY',
        'network: api.example.com',
        'dynamic code: exec',
        'files of the user: .ssh',
      ]),
    );
    expect(hidden).toEqual(['text that is decoded and run as code']);
  });

  it('follows arguments of tools to sinks, and stops at checks', async () => {
    const cases: [string, string[]][] = [
      ["os.system('ping ' + x)", ['x of t -> shell']],
      ['subprocess.run(f"ping {x}", shell=True)', ['x of t -> shell']],
      ["line = f'ls {x}'\nreturn start(line)", ['x of t -> shell']],
      ["subprocess.run(['git', 'log', x])", ['x of t -> program argument']],
      ["subprocess.run(['bash', '-c', x])", ['x of t -> shell']],
      ['eval(x)', ['x of t -> code']],
      ['with open(x) as f:\n    return f.read()', ['x of t -> path']],
      ['async with httpx.AsyncClient() as client:\n    return await client.get(x)', ['x of t -> address']],
      ['cursor.execute(f"SELECT * FROM t WHERE a = \'{x}\'")', ['x of t -> query']],
      ['os.system(f"ping {n}")', []],
      ['os.system("ping " + shlex.quote(x))', []],
      ['if x not in ALLOWED:\n    raise ValueError()\nos.system(x)', []],
      ["if not re.fullmatch('[a-z]+', x):\n    return ''\nos.system(x)", []],
      ["requests.get(f'https://api.example.com/{x}')", []],
      ["cursor.execute('SELECT * FROM t WHERE a = ?', (x,))", []],
      ['p = validate_path(x)\nopen(p)', []],
      ["subprocess.run(['git', 'log', f'--author={x}'])", []],
    ];
    const whole = cases.map(([body]) => ({
      path: 'a.py',
      language: 'python' as const,
      bytes: Buffer.from(tool(body)),
    }));
    const answers = await readPython(whole, 20_000);
    const found = answers.map((one) =>
      typeof one === 'string'
        ? [one]
        : [...new Set((one.flows ?? []).map((flow) => `${flow.what} of ${flow.tool} -> ${flow.sink}`))],
    );
    expect(found.map((flows, at) => [cases[at]?.[0], flows])).toEqual(cases);
  });

  it('is not ended by hostile source', async () => {
    const texts = [
      '('.repeat(100_000),
      `${'['.repeat(50)}${']'.repeat(50)}`,
      'def f(:',
      `x = ${'-'.repeat(90_000)}1`,
      '\0',
      `a${'.b'.repeat(30_000)}`,
    ];
    const files = [...texts, 'import socket'].map((text) => ({
      path: 'a.py',
      language: 'python' as const,
      bytes: Buffer.from(text),
    }));
    const answers = await readPython(files, 20_000);
    expect(answers).toHaveLength(files.length);
    expect(answers.at(-1)).toMatchObject({ uses: [{ what: 'socket' }] });
  });
});
