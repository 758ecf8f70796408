/** Servers in Python that were wrong, and mended: what known-flows.test.ts follows. */
import type { Known } from './known-javascript.ts';

const FAST = "from mcp.server.fastmcp import FastMCP\nmcp = FastMCP('x')\n";
const LOW = "from mcp.server import Server\nserver = Server('x')\n";

export const PYTHON: readonly Known[] = [
  {
    name: 'CVE-2025-68144, what git takes for an option',
    flow: 'target of git_diff -> program argument',
    before: {
      'srv/server.py': `${LOW}import git\nclass Tools(str, Enum):\n    DIFF = "git_diff"\ndef git_diff(repo: git.Repo, target: str) -> str:\n    return repo.git.diff("--unified=3", target)\n@server.call_tool()\nasync def call(name: str, arguments: dict):\n    repo = git.Repo(ROOT)\n    match name:\n        case Tools.DIFF:\n            return git_diff(repo, arguments["target"])\n`,
    },
    after: {
      'srv/server.py': `${LOW}import git\nclass Tools(str, Enum):\n    DIFF = "git_diff"\ndef git_diff(repo: git.Repo, target: str) -> str:\n    if target.startswith("-"):\n        raise ValueError(target)\n    return repo.git.diff("--unified=3", target)\n@server.call_tool()\nasync def call(name: str, arguments: dict):\n    repo = git.Repo(ROOT)\n    match name:\n        case Tools.DIFF:\n            return git_diff(repo, arguments["target"])\n`,
    },
  },
  {
    name: 'CVE-2025-68145, a repository anywhere',
    flow: 'repo_path of  -> path',
    before: {
      'server.py': `${LOW}import git\nfrom pathlib import Path\n@server.call_tool()\nasync def call(name, arguments):\n    repo_path = Path(arguments["repo_path"])\n    return git.Repo(repo_path).heads\n`,
    },
    after: {
      'server.py': `${LOW}import git\nfrom pathlib import Path\nfrom guard import validate_repo_path\n@server.call_tool()\nasync def call(name, arguments):\n    repo_path = Path(arguments["repo_path"])\n    validate_repo_path(repo_path, ALLOWED)\n    return git.Repo(repo_path).heads\n`,
      'guard.py':
        'def validate_repo_path(repo_path, allowed):\n    try:\n        repo_path.resolve().relative_to(allowed.resolve())\n    except ValueError:\n        raise ValueError("outside")\n',
    },
  },
  {
    name: 'CVE-2025-59377, commands for a cluster by a shell',
    flow: 'command of kubectl -> shell',
    before: {
      'kube/__main__.py': `${FAST}from .command import kubectl\nmcp.add_tool(kubectl)\n`,
      'kube/command.py':
        'from .shell import ShellProcess\ndef kubectl(command: str) -> str:\n    process = ShellProcess(command="kubectl")\n    return process.run(command)\n',
      'kube/shell.py':
        'import subprocess\nclass ShellProcess:\n    def __init__(self, command):\n        self.command = command\n    def run(self, args):\n        if not args.startswith(self.command):\n            line = f"{self.command} {args}"\n        else:\n            line = args\n        return subprocess.run(line, shell=True, capture_output=True)\n',
    },
    after: {
      'kube/__main__.py': `${FAST}from .command import kubectl\nmcp.add_tool(kubectl)\n`,
      'kube/command.py':
        'from .shell import ShellProcess\ndef kubectl(command: str) -> str:\n    process = ShellProcess(command="kubectl")\n    return process.run(command)\n',
      'kube/shell.py':
        'import shlex, subprocess\nclass ShellProcess:\n    def __init__(self, command):\n        self.command = command\n    def run(self, args):\n        return subprocess.run([self.command, *shlex.split(args)], capture_output=True)\n',
    },
    still: 'command of kubectl -> program argument',
  },
  {
    name: 'a table name in a query of the first SQLite server',
    flow: 'table_name of describe_table -> query',
    before: {
      'server.py': `${LOW}import sqlite3\nfrom contextlib import closing\nclass Database:\n    def __init__(self, path):\n        self.path = path\n    def ask(self, query, params=None):\n        with closing(sqlite3.connect(self.path)) as conn:\n            with closing(conn.cursor()) as cursor:\n                cursor.execute(query, params) if params else cursor.execute(query)\nasync def main(path):\n    db = Database(path)\n    @server.call_tool()\n    async def call(name, arguments):\n        if name == "describe_table":\n            if not arguments or "table_name" not in arguments:\n                raise ValueError("missing")\n            return db.ask(f"PRAGMA table_info({arguments['table_name']})")\n`,
    },
    after: {
      'server.py': `${LOW}import sqlite3\nfrom contextlib import closing\nclass Database:\n    def __init__(self, path):\n        self.path = path\n    def ask(self, query, params=None):\n        with closing(sqlite3.connect(self.path)) as conn:\n            with closing(conn.cursor()) as cursor:\n                cursor.execute(query, params) if params else cursor.execute(query)\nasync def main(path):\n    db = Database(path)\n    @server.call_tool()\n    async def call(name, arguments):\n        if name == "describe_table":\n            return db.ask("SELECT * FROM pragma_table_info(?)", (arguments["table_name"],))\n`,
    },
  },
  {
    name: 'CVE-2026-27825, a download to any path',
    flow: 'target of download -> path',
    before: {
      'app/server.py': `${FAST}from app.client import client_of\n@mcp.tool()\nasync def download(ctx: Context, target: str, key: str) -> str:\n    client = await client_of(ctx)\n    return client.download_to(key, target)\n`,
      'app/client.py':
        'import os\nfrom app.mixin import Mixin\nclass Client(Mixin):\n    def __init__(self, url): self.url = url\nasync def client_of(ctx) -> Client:\n    return Client("https://a.example")\n',
      'app/mixin.py':
        'import os\nclass Mixin:\n    def download_to(self, key, target):\n        target = os.path.abspath(target)\n        os.makedirs(os.path.dirname(target), exist_ok=True)\n        with open(target, "wb") as f:\n            f.write(b"")\n',
    },
    after: {
      'app/server.py': `${FAST}from app.client import client_of\n@mcp.tool()\nasync def download(ctx: Context, target: str, key: str) -> str:\n    client = await client_of(ctx)\n    return client.download_to(key, target)\n`,
      'app/client.py':
        'import os\nfrom app.mixin import Mixin\nclass Client(Mixin):\n    def __init__(self, url): self.url = url\nasync def client_of(ctx) -> Client:\n    return Client("https://a.example")\n',
      'app/mixin.py':
        'import os\nfrom pathlib import Path\nclass Mixin:\n    def download_to(self, key, target):\n        real = Path(target).resolve()\n        if not real.is_relative_to(Path.cwd().resolve()):\n            raise ValueError(target)\n        with open(real, "wb") as f:\n            f.write(b"")\n',
    },
  },
  {
    name: 'a page by any address, from a model of arguments',
    flow: 'url of fetch -> address',
    before: {
      'server.py': `${LOW}from httpx import AsyncClient\nfrom pydantic import BaseModel, AnyUrl\nclass Fetch(BaseModel):\n    url: AnyUrl\n    max_length: int = 5000\nasync def fetch_url(url):\n    async with AsyncClient() as client:\n        return await client.get(url)\n@server.call_tool()\nasync def call_tool(name, arguments):\n    if name != "fetch":\n        raise ValueError()\n    args = Fetch(**arguments)\n    url = str(args.url)\n    return await fetch_url(url)\n`,
    },
    after: {
      'server.py': `${LOW}from httpx import AsyncClient\nfrom urllib.parse import urlparse\nfrom pydantic import BaseModel, AnyUrl\nclass Fetch(BaseModel):\n    url: AnyUrl\nasync def fetch_url(url):\n    if urlparse(url).hostname not in HOSTS:\n        raise ValueError()\n    async with AsyncClient() as client:\n        return await client.get(url)\n@server.call_tool()\nasync def call_tool(name, arguments):\n    if name != "fetch":\n        raise ValueError()\n    args = Fetch(**arguments)\n    url = str(args.url)\n    return await fetch_url(url)\n`,
    },
  },
  {
    name: 'a command on another machine',
    flow: 'command of run -> shell',
    before: {
      'server.py': `${FAST}import paramiko\nclient = paramiko.SSHClient()\n@mcp.tool()\ndef run(command: str):\n    _, out, _ = client.exec_command(f"cd /srv && {command}")\n    return out.read()\n`,
    },
    after: {
      'server.py': `${FAST}import paramiko\nfrom typing import Literal\nclient = paramiko.SSHClient()\n@mcp.tool()\ndef run(command: Literal["uptime", "df"]):\n    _, out, _ = client.exec_command(f"cd /srv && {command}")\n    return out.read()\n`,
    },
  },
];
