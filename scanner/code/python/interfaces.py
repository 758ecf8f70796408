"""Interfaces that Python is followed to, by the names that modules give them. What is not here neither takes nor gives."""
import re

SHELL = {'os.system', 'os.popen', 'subprocess.getoutput', 'subprocess.getstatusoutput', 'asyncio.create_subprocess_shell', 'commands.getoutput', 'anyio.run_process.shell'}
RUN = {'subprocess.run', 'subprocess.call', 'subprocess.check_call', 'subprocess.check_output', 'subprocess.Popen', 'anyio.run_process', 'anyio.open_process', 'trio.run_process'}
EXEC = {'asyncio.create_subprocess_exec', 'os.execv', 'os.execvp', 'os.spawnv', 'os.execl', 'os.execlp', 'pexpect.spawn', 'pexpect.run', 'pty.spawn'}
REMOTE_SHELL = re.compile(r'^(?:paramiko(?:\.client)?\.SSHClient\(\)\.exec_command|fabric\.Connection\(\)\.(?:run|sudo)|asyncssh\.connect\(\)\.run|docker\.(?:from_env|DockerClient)\(\)\.containers\.(?:get|run)\(\)\.exec_run)$')
GIT = re.compile(r'^git\.(?:Repo|repo\.Repo|repo\.base\.Repo)(?:\.\w+)?\(\)\.git\.\w+$|^git\.(?:cmd\.)?Git\(\)\.\w+$')
EVAL = {'eval', 'exec', 'compile', '__import__', 'builtins.eval', 'builtins.exec', 'importlib.import_module', 'pickle.loads', 'marshal.loads', 'dill.loads', 'yaml.unsafe_load', 'runpy.run_path', 'runpy.run_module', 'code.InteractiveInterpreter().runsource', 'code.InteractiveConsole().push'}
PATHS = {'open', 'io.open', 'builtins.open', 'aiofiles.open', 'anyio.open_file', 'os.open', 'os.remove', 'os.unlink', 'os.rename', 'os.replace', 'os.mkdir', 'os.makedirs', 'os.rmdir', 'os.removedirs', 'os.listdir', 'os.scandir', 'os.walk', 'os.symlink', 'os.link', 'os.chmod', 'shutil.rmtree', 'shutil.copy', 'shutil.copy2', 'shutil.copyfile', 'shutil.move', 'shutil.copytree', 'shutil.unpack_archive', 'glob.glob', 'git.Repo', 'git.Repo.init', 'PIL.Image.open', 'pandas.read_csv', 'pandas.read_excel', 'numpy.load', 'zipfile.ZipFile', 'tarfile.open', 'sqlite3.connect'}
TWO_PATHS = {'os.rename', 'os.replace', 'os.symlink', 'os.link', 'shutil.copy', 'shutil.copy2', 'shutil.copyfile', 'shutil.move', 'shutil.copytree'}
PATH_METHODS = re.compile(r'^(?:pathlib|anyio)\.Path\(\)\.(?:open|read_text|read_bytes|write_text|write_bytes|unlink|mkdir|rmdir|iterdir|rename|replace|touch|glob|rglob|symlink_to|hardlink_to|chmod|walk)$')
PATH_TYPES = {'pathlib.Path', 'pathlib.PurePath', 'pathlib.PosixPath', 'anyio.Path'}
PATH_SAME = {'resolve', 'absolute', 'expanduser', 'joinpath', 'with_suffix', 'with_name', 'parent', 'as_posix', '__str__', 'relative_to', '__fspath__'}
METHOD = r'(?:get|post|put|patch|delete|head|options|request|stream|send|ws_connect)'
REQUEST = re.compile(rf'^(?:requests|httpx)(?:\.api)?\.{METHOD}$|^urllib\.request\.(?:urlopen|Request|urlretrieve)$|^(?:httpx\.(?:Async)?Client|aiohttp\.(?:client\.)?ClientSession|requests\.(?:sessions\.)?(?:Session|session)|urllib3\.PoolManager)\(\)\.{METHOD}$|^urllib3\.request$|^aiohttp\.request$|^socket\.create_connection$|^socket\.socket\(\)\.(?:connect|sendall|send|sendto)$|^http\.client\.HTTPS?Connection(?:\(\)\.request)?$|^websockets?\.(?:connect|create_connection)$|^markitdown\.MarkItDown\(\)\.convert\w*$')
# They give back nothing that was answered.
NO_ANSWER = re.compile(r'socket|websocket|urllib\.request\.Request$|markitdown')
CLIENT = re.compile(r'^(?:httpx\.(?:Async)?Client|aiohttp\.(?:client\.)?ClientSession)$')
HOST = re.compile(r'://([\w.:-]+)')
LOOPBACK = re.compile(r'^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1)')
SECOND_URL = re.compile(r'\.(?:request|stream)$')
DATABASE = re.compile(r'^(?:sqlite3|aiosqlite|psycopg2?|psycopg_pool|psycopg2?\.pool|asyncpg|pymysql|MySQLdb|aiomysql|mysql\.connector|duckdb|pyodbc|sqlalchemy|snowflake\.connector|clickhouse_connect|clickhouse_driver|pymssql|trino|databases)\b.*\)\.(?:execute|executemany|executescript|fetch|fetchrow|fetchval|query|command|exec_driver_sql|sql|raw_sql)$')
QUERY_CALLS = {'execute', 'executemany', 'executescript', 'fetch', 'fetchrow', 'fetchval', 'fetch_all', 'fetch_one', 'raw', 'text', 'execute_query', 'run_query', '_execute_query', 'query', 'sql', 'exec_driver_sql'}
QUERY = re.compile(r'\b(?:select\b.*\bfrom|insert\s+into|update\b.*\bset|delete\s+from|drop\s+table|alter\s+table|create\s+table|where\b|pragma\b|describe\s|show\s+(?:tables|columns|create)|use\s)', re.I | re.S)
SHELLS = re.compile(r'^(?:.*/)?(?:sh|bash|zsh|dash|ksh|cmd(?:\.exe)?|powershell(?:\.exe)?|pwsh|osascript)$', re.I)
CLEAN = {'int', 'float', 'bool', 'len', 'shlex.quote', 'pipes.quote', 'urllib.parse.quote', 'urllib.parse.quote_plus', 'urllib.parse.urlencode', 'os.path.basename', 'uuid.UUID', 'abs', 'isinstance', 'hash', 'id', 'type', 'range', 'ord', 'round', 'hashlib.sha256', 'hashlib.md5', 'hashlib.sha1', 're.escape', 'werkzeug.utils.secure_filename', 'datetime.datetime.fromisoformat', 'sqlglot.parse_one', 'ast.literal_eval', 'json.dump', 'html.escape', 'sqlalchemy.select', 'psycopg.sql.Identifier', 'psycopg2.sql.Identifier'}
CARRY = {'str', 'list', 'dict', 'tuple', 'set', 'sorted', 'reversed', 'enumerate', 'zip', 'map', 'filter', 'bytes', 'bytearray', 'repr', 'next', 'iter', 'max', 'min', 'json.loads', 'json.dumps', 'os.path.join', 'os.path.abspath', 'os.path.realpath', 'os.path.normpath', 'os.path.expanduser', 'os.path.expandvars', 'os.path.dirname', 'os.path.relpath', 'os.fspath', 'base64.b64decode', 'base64.b64encode', 'base64.urlsafe_b64decode', 'urllib.parse.urlparse', 'urllib.parse.urljoin', 'urllib.parse.urlunparse', 'urllib.parse.unquote', 'urllib.parse.urlsplit', 'shlex.split', 'shlex.join', 'copy.copy', 'copy.deepcopy', 'textwrap.dedent', 'getattr', 'typing.cast', 'asyncio.gather', 'asyncio.wait_for', 'sqlalchemy.text', 'sqlalchemy.sql.text', 'zlib.decompress', 'gzip.decompress', 'codecs.decode', 'bytes.fromhex', 'binascii.unhexlify', 'io.StringIO', 'io.BytesIO', 'urllib.request.Request', 'string.Template', 'unicodedata.normalize'}
SAME = {'str', 'os.path.abspath', 'os.path.realpath', 'os.path.normpath', 'os.path.expanduser', 'os.path.join', 'os.fspath', 'urllib.parse.urlparse', 'urllib.parse.urlsplit'}
CHECKS = re.compile(r'valid|sanit|escape|quote|safe|allow|secur|assert|ensure|check|confin|within|inside|encode|verify|guard|permit|authori[sz]e|relative_to|raise_if|reject|forbid|is_?relative', re.I)
LOOKS = {'match', 'fullmatch', 'search', 'isalnum', 'isalpha', 'isdigit', 'isdecimal', 'isnumeric', 'isidentifier', 'startswith', 'endswith', 'is_relative_to', 'commonpath', 'commonprefix', 'issubset', 'any', 'all', 'findall'}
NARROW = re.compile(r'\b(?:int|float|bool|Literal|UUID|datetime|date|Enum|EmailStr|PositiveInt|NonNegativeInt|conint|Decimal)\b|\bpattern\s*=|\bregex\s*=')
WIDE = re.compile(r'\b(?:str|Any|dict|Dict|object|bytes|Path|AnyUrl|HttpUrl)\b')
PRIVATE = re.compile(r'(?:^|[\s/~])(\.(?:ssh|aws|gnupg|netrc|npmrc|pypirc|docker|kube|git-credentials|bash_history|zsh_history)\b)|(/etc/(?:passwd|shadow))|\b(id_rsa|id_ed25519)\b|(wallet\.dat|Login Data|Local Extension Settings)')
PRINTS_SECRETS = re.compile(r'^(?:gh auth token|gcloud auth print|aws configure get|printenv|env$|security find-|op read|npm token)')
# Methods that every object may have: which class is meant cannot be told from them.
COMMON = set('get set add update append pop items keys values join split strip format replace read write close open encode decode lower upper copy sort find index count insert remove extend clear __init__ __call__ info debug warning error exception log'.split())


def sinks(name, node_args, args, words):
    """(sink, value) for each argument that matters. `args`: values by place; `words`: by name."""
    at = lambda place, *keys: args[place] if place < len(args) else next((words[key] for key in keys if key in words), None)
    found = []
    if name in SHELL or REMOTE_SHELL.match(name):
        found.append(('shell', at(0, 'cmd', 'command')))
    elif name in EVAL or name == 'yaml.load':
        safe = name == 'yaml.load' and any('Safe' in (one.name or '') for one in [*args[1:], *words.values()])
        found += [] if safe else [('code', at(0, 'source', 'name'))]
    elif name in PATHS:
        found.append(('path', at(0, 'path', 'file', 'name', 'src')))
        if name in TWO_PATHS:
            found.append(('path', at(1, 'dst')))
    elif name in ('git.Repo.clone_from',):
        found += [('program argument', at(0, 'url')), ('path', at(1, 'to_path'))]
    elif GIT.match(name):
        end = next((place for place, one in enumerate(args) if one.text == '--' and not one.taints), len(args))
        found += [('program argument', one) for one in args[:end]]
    elif DATABASE.match(name) or name.split('.')[-1] in QUERY_CALLS:
        found.append(('query', at(0, 'query', 'sql', 'statement', 'operation')))
    if REQUEST.match(name):
        found.append(('address', at(1 if SECOND_URL.search(name) else 0, 'url', 'host')))
    return [(sink, value) for sink, value in found if value is not None]
