"""Answers one question about source archives, from stdin to stdout, as JSON. No code of a package is run.

{"choose": {"specifier", "python", "files": [{"file", "requires"}], "wheels"}}    the newest that fits, or null
{"system": TEXT-OF-PYPROJECT}    how it wants to be built, or {"error"}
"""
import json
import sys

# pip brings the packaging library that it decides by itself.
sys.path.insert(0, sys.argv[1])

LEGACY = {'requires': ['setuptools >= 40.8.0'], 'backend': 'setuptools.build_meta:__legacy__', 'path': []}


def choose(asked):
    from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
    from pip._vendor.packaging.tags import sys_tags
    from pip._vendor.packaging.utils import parse_sdist_filename, parse_wheel_filename

    def runs(requires):
        try:
            return requires is None or SpecifierSet(requires).contains(asked['python'], prereleases=True)
        except InvalidSpecifier:
            return True

    # A wheel that would do: then it is not for want of one that pip does not go on.
    here, specifier = set(sys_tags()), SpecifierSet(asked['specifier'])
    for wheel in asked['wheels']:
        try:
            _, version, _, tags = parse_wheel_filename(wheel)
        except Exception:
            continue
        if not here.isdisjoint(tags) and specifier.contains(version):
            return None
    found = {}
    for one in asked['files']:
        try:
            _, version = parse_sdist_filename(one['file'])
        except Exception:
            continue
        if runs(one['requires']):
            found.setdefault(version, one['file'])
    fit = list(specifier.filter(found))
    return {'file': found[max(fit)], 'version': str(max(fit))} if fit else None


def system(text):
    try:
        import tomllib
    except ImportError:
        from pip._vendor import tomli as tomllib
    try:
        table = tomllib.loads(text).get('build-system')
    except Exception as error:
        return {'error': 'a pyproject.toml that cannot be read: %s' % error}
    if table is None:
        return LEGACY
    if not isinstance(table, dict):
        return {'error': 'a build-system that is no table'}
    requires, path = table.get('requires'), table.get('backend-path', [])
    backend = table.get('build-backend', LEGACY['backend'])
    words = isinstance(backend, str) and all(
        isinstance(words, list) and all(isinstance(word, str) for word in words) for words in (requires, path)
    )
    if not words:
        return {'error': 'a build-system whose requires, build-backend or backend-path is no such thing'}
    return {'requires': requires, 'backend': backend, 'path': path}


if __name__ == '__main__':
    question = json.load(sys.stdin)
    answer = choose(question['choose']) if 'choose' in question else system(question['system'])
    json.dump(answer, sys.stdout)
