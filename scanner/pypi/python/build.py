"""Builds the wheel of one source archive, inside a sandbox without a network: build.py SOURCE DATE JSON

JSON has the backend, the folders of the source that it is loaded from, and the requirements that are there. The build is a
process of its own: what it prints goes to stderr. stdout has one line of JSON, {"wheels", "size"}, {"wants"} or {"failed"},
and behind the line the bytes of the one wheel.
"""
import json
import os
import shutil
import stat
import subprocess
import sys

SOURCE, OUT, RESULT = '/tmp/source', '/tmp/out', '/tmp/result.json'
PACKAGES = '/app/site-packages'
MOST_BYTES = 256 * 1024 * 1024


def prepare(source, date):
    """A copy that may be written to; every date and mode in it is the same in each build."""
    shutil.copytree(source, SOURCE)
    for folder, _, files in os.walk(SOURCE, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
            os.utime(path, (date, date))
        os.chmod(folder, 0o755)
        os.utime(folder, (date, date))
    os.mkdir(OUT)


def environment(date):
    # What would be compiled here runs on machines like this one alone: there is no compiler, even where there is one.
    none = {name: 'no-compiler-in-the-sandbox' for name in ('CC', 'CXX', 'CPP', 'FC', 'LD', 'RUSTC', 'CARGO', 'GO')}
    return {
        **{name: os.environ[name] for name in ('PATH', 'HOME', 'TMPDIR', 'LANG') if name in os.environ},
        **none,
        **{'SOURCE_DATE_EPOCH': str(date), 'PYTHONHASHSEED': '0', 'PYTHONDONTWRITEBYTECODE': '1', 'TZ': 'UTC'},
        **{'PYTHONPATH': PACKAGES, 'PYTHONNOUSERSITE': '1'},
    }


def outer(source, date, spec):
    os.umask(0o022)
    prepare(source, date)
    words = [sys.executable, '-s', '-B', __file__, '--inside', spec]
    code = subprocess.call(words, cwd=SOURCE, env=environment(date), stdin=subprocess.DEVNULL, stdout=2)
    try:
        with open(RESULT) as file:
            result = json.load(file)
        wants = result.get('wants')
    except (OSError, ValueError, AttributeError):
        return say({'failed': code})
    if code == 0 and isinstance(wants, list):
        return say({'wants': [str(one) for one in wants]})
    if code != 0:
        return say({'failed': code})
    wheels = sorted(os.listdir(OUT))
    body = read(os.path.join(OUT, wheels[0])) if len(wheels) == 1 else b''
    say({'wheels': wheels[:100], 'size': len(body)}, body)


def read(path):
    """No link and no pipe is followed."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(file, 'rb') as stream:
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MOST_BYTES:
            raise OSError('no wheel of at most %d bytes' % MOST_BYTES)
        return stream.read()


def say(head, body=b''):
    sys.stdout.buffer.write(json.dumps(head).encode() + b'\n' + body)
    sys.stdout.buffer.flush()


def inside(spec):
    from importlib import import_module

    sys.path.pop(0)
    root = os.path.realpath(SOURCE)
    for folder in reversed(spec['path']):
        path = os.path.realpath(os.path.join(root, folder))
        if os.path.commonpath([root, path]) != root:
            raise SystemExit('backend-path leaves the source: %r' % folder)
        sys.path.insert(0, path)
    module, _, names = spec['backend'].partition(':')
    backend = import_module(module)
    for name in filter(None, names.split('.')):
        backend = getattr(backend, name)
    asks = getattr(backend, 'get_requires_for_build_wheel', None)
    wants = [one for one in (asks({}) if asks else []) if one not in spec['given']]
    if not wants:
        backend.build_wheel(OUT, {}, None)
    with open(RESULT, 'w') as file:
        json.dump({'wants': wants or None}, file)


if __name__ == '__main__':
    if sys.argv[1] == '--inside':
        inside(json.loads(sys.argv[2]))
    else:
        outer(sys.argv[1], int(sys.argv[2]), sys.argv[3])
