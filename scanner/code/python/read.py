"""Reads Python source with Python's own parser. Nothing of it is imported or run.

Started by Lockkeeper as `python3 -I -S -B read.py`, with no environment: one line of JSON in for each file, one out.
"""
import ast
import json
import re
import resource
import sys

MEMORY = 1024 * 1024 * 1024
resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
sys.setrecursionlimit(3000)

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
SHELL = {'os.system', 'os.popen', 'subprocess.getoutput', 'subprocess.getstatusoutput', 'asyncio.create_subprocess_shell', 'commands.getoutput'}
RUN = {'subprocess.run', 'subprocess.call', 'subprocess.check_call', 'subprocess.check_output', 'subprocess.Popen'}
EXEC = {'asyncio.create_subprocess_exec', 'os.execv', 'os.execvp', 'os.spawnv', 'os.execl', 'os.execlp'}
EVAL = {'eval', 'exec', 'compile', '__import__', 'importlib.import_module', 'pickle.loads', 'marshal.loads', 'yaml.load', 'yaml.unsafe_load', 'runpy.run_path'}
PATHS = {'open', 'io.open', 'aiofiles.open', 'os.remove', 'os.unlink', 'os.rename', 'os.mkdir', 'os.makedirs', 'os.rmdir', 'os.listdir', 'shutil.rmtree', 'shutil.copy', 'shutil.move', 'shutil.copytree', 'pathlib.Path', 'os.scandir'}
REQUEST = re.compile(r'^(?:requests|httpx)\.(?:get|post|put|patch|delete|head|request|stream)$|^urllib\.request\.(?:urlopen|Request|urlretrieve)$|^(?:httpx\.(?:Async)?Client|aiohttp\.ClientSession|requests\.(?:Session|session))\(\)\.(?:get|post|put|patch|delete|head|request|stream)$|^socket\.create_connection$')
QUERY = re.compile(r'\b(?:select\b.*\bfrom|insert\s+into|update\b.*\bset|delete\s+from|drop\s+table|alter\s+table|where\b|pragma\b)', re.I | re.S)
CLEAN = {'int', 'float', 'bool', 'len', 'shlex.quote', 'urllib.parse.quote', 'urllib.parse.quote_plus', 'os.path.basename', 'uuid.UUID', 'abs', 'isinstance', 'hash', 'id', 'type', 'range', 'enumerate'}
CHECKS = re.compile(r'valid|sanit|escape|quote|safe|allow|secur|assert|ensure|check|confin|within|inside|encode|verify|guard|permit', re.I)
NARROW = re.compile(r'\b(?:int|float|bool|Literal|UUID|datetime|date|Enum|EmailStr)\b')


class Reader:
    def __init__(self, path, text):
        self.path, self.text, self.lines = path, text, text.split('\n')
        self.uses, self.flows, self.hidden, self.tools = {}, {}, [], []
        self.names, self.functions, self.depth, self.steps = {}, {}, 0, 0

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
        for node in self.functions.values():
            self.tool(node)
        return tree

    def note(self, node):
        if isinstance(node, ast.Import):
            for one in node.names:
                self.names[one.asname or one.name.split('.')[0]] = one.name if one.asname else one.name.split('.')[0]
                self.module(one.name, node)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for one in node.names:
                self.names[one.asname or one.name] = f'{node.module}.{one.name}'
            self.module(node.module, node)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions.setdefault(node.name, node)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    self.names[item.optional_vars.id] = self.name(item.context_expr) or item.optional_vars.id

    def module(self, name, node):
        kind = MODULES.get(name.split('.')[0])
        if kind:
            self.use(kind, name.split('.')[0], node)

    def see(self, node):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.words(node.value, node)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            self.environment(node)
        elif isinstance(node, ast.Call):
            self.called(node)

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
        elif name == 'open':
            self.use('files', 'open', node)
        elif name.endswith(('expanduser', 'Path.home')):
            self.use('files of the user', 'home', node)
        if 'streamablehttp_client' in name or name.endswith('.sse_client'):
            self.use('remote server', name, node)

    def decodes(self, node):
        names = [self.name(one.func) or '' for one in ast.walk(node) if isinstance(one, ast.Call)]
        return any(one.endswith(('b64decode', 'b85decode', 'a85decode', 'unhexlify', 'fromhex', 'decompress', 'marshal.loads')) for one in names)

    # What flows from the arguments of a tool.

    def tool(self, node):
        for one in node.decorator_list:
            call = one.func if isinstance(one, ast.Call) else one
            if not (isinstance(call, ast.Attribute) and call.attr in ('tool', 'call_tool')):
                continue
            named = [k.value.value for k in getattr(one, 'keywords', []) if k.arg == 'name' and isinstance(k.value, ast.Constant)]
            tool = str(named[0]) if named else node.name
            if call.attr == 'tool':
                self.tools.append(tool)
            env = {}
            for arg in node.args.args + node.args.kwonlyargs:
                kind = ast.unparse(arg.annotation) if arg.annotation else ''
                if arg.arg in ('self', 'cls', 'ctx', 'context') or 'Context' in kind or (kind and NARROW.search(kind) and 'str' not in kind):
                    continue
                if call.attr == 'call_tool' and arg.arg == 'name':
                    continue
                env[arg.arg] = {'what': arg.arg, 'lead': True, 'steps': [{'what': f'argument of {tool}', **self.place(node)}]}
            self.follow(node.body, env, tool if call.attr == 'tool' else '')

    def follow(self, body, env, tool):
        for node in body:
            self.steps += 1
            if self.steps > 200_000:
                raise MemoryError('too many steps')
            self.statement(node, env, tool)

    def statement(self, node, env, tool):
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            value = self.value(node.value, env, tool)
            if isinstance(node, ast.AugAssign):
                value = value or self.value(node.target, env, tool)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for one in ast.walk(target):
                    if isinstance(one, ast.Name):
                        self.bind(env, one, value)
        elif isinstance(node, ast.If):
            self.value(node.test, env, tool)
            places = self.looked(node.test)
            inner = dict(env)
            if not (isinstance(node.test, ast.UnaryOp) or any(isinstance(op, (ast.NotIn, ast.NotEq)) for one in ast.walk(node.test) if isinstance(one, ast.Compare) for op in one.ops)):
                for one in places:
                    inner.pop(one, None)
            self.follow(node.body, inner, tool)
            other = dict(env)
            if node.body and isinstance(node.body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break)):
                for one in places:
                    env.pop(one, None)
                    other.pop(one, None)
            else:
                env.update(inner)
            self.follow(node.orelse, other, tool)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            value = self.value(node.iter, env, tool)
            for one in ast.walk(node.target):
                if isinstance(one, ast.Name):
                    self.bind(env, one, value)
            self.follow(node.body + node.orelse, env, tool)
        elif isinstance(node, ast.Expr):
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            self.value(call, env, tool)
            if isinstance(call, ast.Call) and CHECKS.search((self.name(call.func) or '').split('.')[-1]):
                for one in call.args:
                    if isinstance(one, ast.Name):
                        env.pop(one.id, None)
        elif isinstance(node, ast.Match):
            self.value(node.subject, env, tool)
            for case in node.cases:
                self.follow(case.body, env, tool)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        else:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self.value(child, env, tool)
                elif isinstance(child, ast.withitem):
                    value = self.value(child.context_expr, env, tool)
                    if isinstance(child.optional_vars, ast.Name) and value:
                        self.bind(env, child.optional_vars, value)
            for field in ('body', 'handlers', 'orelse', 'finalbody'):
                part = getattr(node, field, [])
                self.follow([one for handler in part for one in (handler.body if isinstance(handler, ast.ExceptHandler) else [handler])], env, tool)

    def bind(self, env, target, value):
        if value:
            env[target.id] = {**value, 'steps': value['steps'][:10] + [{'what': target.id, **self.place(target)}]}
        else:
            env.pop(target.id, None)

    def looked(self, test):
        found = set()
        for node in ast.walk(test):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
                if any(isinstance(op, (ast.In, ast.NotIn)) or (isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(value, ast.Constant) and value.value) for op, value in zip(node.ops, node.comparators)):
                    found.add(node.left.id)
            elif isinstance(node, ast.Call):
                name = (self.name(node.func) or '').split('.')[-1]
                if CHECKS.search(name) or name in ('match', 'fullmatch', 'isalnum', 'isdigit', 'isidentifier', 'startswith', 'is_relative_to'):
                    found.update(one.id for one in node.args if isinstance(one, ast.Name))
                    if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                        found.add(node.func.value.id)
        return found

    def value(self, node, env, tool):
        """The unknown words in an expression, and what is reached with them on the way; None where there are none."""
        if isinstance(node, ast.Name):
            return env.get(node.id)
        if isinstance(node, ast.Await):
            return self.value(node.value, env, tool)
        if isinstance(node, ast.Call):
            return self.call(node, env, tool)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            value = self.value(node.value, env, tool)
            return value and {**value, 'what': str(node.slice.value) if tool == '' else value['what']}
        if isinstance(node, ast.JoinedStr):
            parts = [one.value if isinstance(one, ast.FormattedValue) else one for one in node.values]
            return self.together(parts, env, tool)
        if isinstance(node, ast.BinOp):
            return self.together([node.left, node.right], env, tool)
        if isinstance(node, ast.Compare):
            self.together([node.left, *node.comparators], env, tool)
            return None
        children = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)]
        return self.together(children, env, tool, lead=True)

    def together(self, parts, env, tool, lead=False):
        values = [self.value(one, env, tool) for one in parts]
        found = next((one for one in values if one), None)
        if not found:
            return None
        text = ' '.join(one.value for one in parts for one in ast.walk(one) if isinstance(one, ast.Constant) and isinstance(one.value, str))
        scheme = isinstance(parts[0], ast.Constant) and re.fullmatch(r'https?://', str(parts[0].value)) and len(parts) > 1 and values[1]
        first = bool(values[0] and values[0]['lead']) or bool(scheme)
        return {**found, 'lead': any(one and one['lead'] for one in values) if lead else first, 'text': text + ' ' + found.get('text', '')}

    def call(self, node, env, tool):
        name = self.name(node.func) or ''
        last = name.split('.')[-1] or getattr(node.func, 'attr', '')
        owner = self.value(node.func.value, env, tool) if isinstance(node.func, ast.Attribute) else None
        args = [self.value(one, env, tool) for one in node.args]
        words = {one.arg: self.value(one.value, env, tool) for one in node.keywords}
        first = args[0] if args else words.get('url') or words.get('args') or words.get('file')
        self.reach(node, name or last, first, args, tool)
        if name in CLEAN or (CHECKS.search(last) and name not in ('json.dumps',)):
            return None
        target = self.functions.get(name)
        if target is not None and self.depth < 5 and any(args + list(words.values())):
            self.depth += 1
            inner = {arg.arg: value for arg, value in zip(target.args.args, args) if value}
            inner.update({key: value for key, value in words.items() if key and value})
            self.follow(target.body, inner, tool)
            self.depth -= 1
            return next((one for one in args if one), None)
        if owner:
            return owner
        if last in ('str', 'format', 'join', 'Path', 'loads', 'dumps', 'list', 'dict', 'replace', 'abspath', 'realpath', 'expanduser', 'split', 'strip'):
            return next((one for one in [*args, *words.values()] if one), None)
        return None

    def reach(self, node, name, first, args, tool):
        if not first:
            return
        shell = any(one.arg == 'shell' and not (isinstance(one.value, ast.Constant) and not one.value.value) for one in node.keywords)
        line = node.args[0] if node.args else None
        known = line.elts[0].value if isinstance(line, ast.List) and line.elts and isinstance(line.elts[0], ast.Constant) else ''
        if name in SHELL or (name in RUN and (shell or known in ('sh', 'bash', '/bin/sh', '/bin/bash', 'cmd', 'powershell'))):
            self.tell('shell', name, node, first, tool)
        elif name in RUN or name in EXEC:
            if isinstance(line, ast.List):
                if first['lead']:
                    self.tell('program argument' if known else 'program', name, node, first, tool)
            else:
                self.tell('program', name, node, first, tool)
        elif name in EVAL:
            self.tell('code', name, node, first, tool)
        elif name in PATHS:
            self.tell('path', name, node, first, tool)
        elif REQUEST.match(name) and first['lead']:
            self.tell('address', name, node, first, tool)
        elif name.split('.')[-1] in ('execute', 'executemany', 'executescript', 'fetch', 'fetchrow', 'fetchval', 'raw', 'text') and QUERY.search(first.get('text', '')):
            self.tell('query', name, node, first, tool)

    def tell(self, sink, call, node, value, tool):
        flow = {'origin': 'argument', 'what': value['what'], 'tool': tool, 'sink': sink, 'call': call, **self.place(node)}
        step = {'what': f'{call}()', **self.place(node)}
        self.flows.setdefault((tool, value['what'], sink, flow['line']), {**flow, 'steps': value['steps'] + [step]})


def read(path, text):
    reader = Reader(path, text)
    unread = []
    try:
        reader.read()
    except SyntaxError:
        pass
    except (RecursionError, MemoryError, ValueError) as error:
        unread = [{'path': path, 'reason': f'reading it ended in {type(error).__name__}'}]
    return {
        'uses': list(reader.uses.values()), 'flows': list(reader.flows.values()), 'hidden': reader.hidden,
        'secrets': [], 'tools': sorted(set(reader.tools)), 'unread': unread, 'minified': False,
    }


for line in sys.stdin:
    one = json.loads(line)
    sys.stdout.write(json.dumps(read(one['path'], one['text'])) + '\n')
    sys.stdout.flush()
