"""Reads Python source with Python's own parser. Nothing of it is imported or run.

Started by Lockkeeper as `python3 -I -S -B read.py`, with no environment: one line of JSON in for each file, one out. A line
with `follow` holds all files of a package, by path: what flows in it is told, as far as it is found in so many `seconds`.
"""
import ast
import base64
import codecs
import json
import os
import re
import resource
import sys

MEMORY = 1024 * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
sys.setrecursionlimit(3000)
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

NETWORK = 'socket ssl http urllib requests httpx aiohttp websockets websocket ftplib smtplib paramiko urllib3 telnetlib'.split()
PROGRAMS = 'subprocess multiprocessing pty pexpect sh plumbum'.split()
CODE = 'importlib runpy code codeop marshal pickle dill cloudpickle'.split()
NATIVE = 'ctypes cffi _ctypes'.split()
FILES = 'shutil pathlib io tempfile aiofiles'.split()
MODULES = {
    **{name: 'network' for name in NETWORK},
    **{name: 'programs' for name in PROGRAMS},
    **{name: 'dynamic code' for name in CODE},
    **{name: 'native code' for name in NATIVE},
    **{name: 'files' for name in FILES},
}
HOST = re.compile(r'(?:https?|wss?|ftp)://([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?)')
NAMES_ONLY = re.compile(r'(?:www\.)?(?:json-schema\.org|w3\.org)|schema\.org|tools\.ietf\.org|spdx\.org')
PRIVATE = re.compile(r'(?:^|/|~/)(\.(?:ssh|aws|gnupg|netrc|npmrc|pypirc|docker|kube|git-credentials))\b|^(/etc/(?:passwd|shadow)|/proc/)')


# Words of what is no Python for the parser of this machine: it may be for another.
IMPORTED = re.compile(r'^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)', re.M)
CALLED = re.compile(r'(?<![\w.])(eval|exec|__import__|os\.system|os\.popen|os\.exec\w+|os\.spawn\w+)\s*\(')
# Modules whose members nobody else has any business to replace.
GUARDED = set('builtins os sys socket ssl subprocess http urllib json importlib logging threading asyncio requests httpx'.split())
TOO_DEEP = re.compile(r'nested|too (?:many|complex)|overflow|recursion', re.I)


class Reader:
    def __init__(self, path, text):
        self.path, self.text, self.lines = path, text, text.split('\n')
        self.uses, self.hidden, self.names = {}, [], {}

    def excerpt(self, node):
        line = getattr(node, 'lineno', 0)
        return self.lines[line - 1].strip()[:160] if 0 < line <= len(self.lines) else ''

    def place(self, node):
        return {'path': self.path, 'line': getattr(node, 'lineno', 0), 'excerpt': self.excerpt(node)}

    def use(self, capability, what, node):
        self.uses.setdefault((capability, what), {'capability': capability, 'what': what, **self.place(node)})

    def name(self, node):
        """The dotted name of an interface, through what was imported; None for anything else."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            owner = self.name(node.value)
            return owner and f'{owner}.{node.attr}'
        if isinstance(node, ast.Call):
            owner = self.name(node.func)
            return owner and f'{owner}()'
        return self.name(node.value) if isinstance(node, ast.Await) else None

    def read(self):
        tree = ast.parse(self.text)
        for node in ast.walk(tree):
            self.note(node)
        for node in ast.walk(tree):
            self.see(node)
        return tree

    def note(self, node):
        if isinstance(node, ast.Import):
            for one in node.names:
                self.names[one.asname or one.name.split('.')[0]] = one.name if one.asname else one.name.split('.')[0]
                self.module(one.name, node)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for one in node.names:
                self.names[one.asname or one.name] = f'{node.module}.{one.name}'
            told = node.module == 'importlib' and all(one.name in ('metadata', 'resources') for one in node.names)
            self.module('importlib.metadata' if told else node.module, node)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    self.names[item.optional_vars.id] = self.name(item.context_expr) or item.optional_vars.id

    def module(self, name, node):
        kind = MODULES.get(name.split('.')[0])
        # They say what is installed, and run nothing.
        if kind and not name.startswith(('importlib.metadata', 'importlib.resources')):
            self.use(kind, name.split('.')[0], node)

    def by_words(self):
        """What the text says plainly that it reaches."""
        for found in IMPORTED.finditer(self.text):
            kind = MODULES.get(found.group(1))
            if kind:
                self.use(kind, found.group(1), self.at(found))
        for found in CALLED.finditer(self.text):
            self.use('programs' if found.group(1).startswith('os') else 'dynamic code', found.group(1), self.at(found))
        for found in HOST.finditer(self.text):
            if not NAMES_ONLY.fullmatch(found.group(1)):
                self.use('network', found.group(1).lower(), self.at(found))

    def at(self, found):
        return ast.Pass(lineno=self.text.count('\n', 0, found.start()) + 1)

    def see(self, node):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.words(node.value, node)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            self.environment(node)
        elif isinstance(node, ast.Call):
            self.called(node)
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                self.replaced(target, node)

    def replaced(self, target, node):
        """`socket.socket.connect = mine`: what every other module calls from now on."""
        owner = target.value if isinstance(target, (ast.Attribute, ast.Subscript)) else None
        name = owner is not None and isinstance(owner, (ast.Name, ast.Attribute)) and self.imported(owner)
        if not name or name.split('.')[0] not in GUARDED or name in ('os.environ', 'sys', 'ssl'):
            return
        key = target.attr if isinstance(target, ast.Attribute) else ''
        self.use('dynamic code', f'replaces {name}.{key}'.rstrip('.'), node)

    def imported(self, node):
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        return self.name(node) if isinstance(root, ast.Name) and root.id in self.names else ''

    def words(self, text, node):
        for host in HOST.findall(text[:200_000]):
            if not NAMES_ONLY.fullmatch(host):
                self.use('network', host.lower(), node)
        found = PRIVATE.search(text)
        if found:
            self.use('files of the user', found.group(1) or found.group(2), node)

    def environment(self, node):
        if isinstance(node, ast.Subscript) and self.name(node.value) == 'os.environ':
            key = node.slice.value if isinstance(node.slice, ast.Constant) else 'all variables'
            self.use('environment', str(key), node)

    def called(self, node):
        name = self.name(node.func) or ''
        first = node.args[0] if node.args else None
        if name in ('os.getenv', 'os.environ.get'):
            self.use('environment', str(first.value) if isinstance(first, ast.Constant) else 'all variables', node)
        elif name in ('dict', 'json.dumps', 'str', 'os.environ.copy') and first is not None and self.name(first) == 'os.environ':
            self.use('environment', 'all variables', node)
        elif name in ('eval', 'exec', 'compile', '__import__') and not (first is not None and isinstance(first, ast.Constant) and name == 'compile'):
            self.use('dynamic code', name, node)
            if first is not None and self.decodes(first):
                self.hidden.append({'kind': 'text that is decoded and run as code', 'grave': True, **self.place(node)})
        elif name in ('os.system', 'os.popen') or name.startswith(('os.exec', 'os.spawn')):
            self.use('programs', name, node)
        elif name == 'setattr' and first is not None and isinstance(first, (ast.Name, ast.Attribute)) and self.imported(first).split('.')[0] in GUARDED:
            self.use('dynamic code', f'replaces {self.name(first)}', node)
        elif name in ('sys.meta_path.insert', 'sys.meta_path.append', 'sys.path_hooks.insert', 'sys.path_hooks.append', 'sys.addaudithook', 'sys.settrace'):
            self.use('dynamic code', name, node)
        elif name == 'open':
            self.use('files', 'open', node)
        elif name.endswith(('expanduser', 'Path.home')):
            self.use('files of the user', 'home', node)
        if 'streamablehttp_client' in name or name.endswith('.sse_client'):
            self.use('remote server', name, node)

    def decodes(self, node):
        names = [self.name(one.func) or '' for one in ast.walk(node) if isinstance(one, ast.Call)]
        return any(one.endswith(('b64decode', 'b85decode', 'a85decode', 'unhexlify', 'fromhex', 'decompress', 'marshal.loads')) for one in names)


def decoded(one, reader):
    """The text as Python itself would read it, where a file says that it is no UTF-8."""
    try:
        codec = codecs.lookup(one['encoding'])
        # Signs, and what escapes and shifts would make other signs of.
        plain = bytes(range(9, 127)) + b'\\x41\\n+AAo-'
        ordinary = codec.decode(plain)[0] == plain.decode('ascii')
    except (LookupError, UnicodeError, ValueError):
        ordinary = False
    try:
        text = codecs.decode(base64.b64decode(one['bytes']), one['encoding'])
    except Exception:
        # Python would not run it either.
        return one['text']
    if not ordinary:
        reader.hidden.append({'kind': 'text that an encoding of its own makes code', 'grave': True, 'path': one['path'], 'line': 1, 'excerpt': reader.lines[0].strip()[:160]})
    return text if isinstance(text, str) else one['text']


def read(one):
    path = one['path']
    reader = Reader(path, one['text'])
    unread = []
    if 'encoding' in one:
        reader.text = decoded(one, reader)
        reader.lines = reader.text.split('\n')
    try:
        reader.read()
    except SyntaxError as error:
        if TOO_DEEP.search(str(error)):
            unread = [{'path': path, 'reason': 'it is nested too deeply'}]
        reader.by_words()
    except (RecursionError, MemoryError, ValueError) as error:
        unread = [{'path': path, 'reason': f'reading it ended in {type(error).__name__}'}]
    return {
        'uses': list(reader.uses.values()), 'hidden': reader.hidden, 'unread': unread,
    }


def follow(texts, seconds):
    from package import Package
    return Package(texts, seconds).follow()


for line in sys.stdin:
    one = json.loads(line)
    answer = follow(one['follow'], one['seconds']) if 'follow' in one else read(one)
    sys.stdout.write(json.dumps(answer) + '\n')
    sys.stdout.flush()
