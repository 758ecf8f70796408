"""All Python of one package, followed across its files from the arguments of its tools, and from what is private or unknown."""
import ast
import builtins
import posixpath
import re
import sys
import time

from follow import Follower, Frame, OutOfBudget, Scope
from values import NOTHING, Members, Value

BUILTINS = set(dir(builtins))
STANDARD = set(getattr(sys, 'stdlib_module_names', ()))
# Words without which there is nothing to follow.
HANDLER = re.compile(r'\.(?:tool|call_tool|resource|read_resource|add_tool|register_tool|request_handlers|add_request_handler)\b|\bmcp_tool\b|on_call_tool|\bmcp\b[\s\S]{0,80}\bTool\b')
WAY_OUT = re.compile(r'\b(?:requests|httpx|urllib|urlopen|aiohttp|socket|http\.client|urllib3)\b')
GIVEN_AWAY = re.compile(r'\bos\.environ\b|\bfrom os import [^\n]*environ|\.ssh\b|\.aws\b|id_rsa|/etc/(?:passwd|shadow)|\b(?:exec|eval|os\.system|subprocess|popen|pickle|marshal)\b')


def begins(text):
    return bool(HANDLER.search(text) or (WAY_OUT.search(text) and GIVEN_AWAY.search(text)))


class Lazy:
    """A name of another module, looked up when it is used: modules may import each other."""
    __slots__ = ('stem', 'name', 'dotted')

    def __init__(self, stem, name, dotted):
        self.stem, self.name, self.dotted = stem, name, dotted


class Module:
    def __init__(self, path, text, tree):
        self.path, self.lines, self.tree = path, text.split('\n'), tree
        self.vars = Members(kind='module', owner=self)
        self.scope = Scope(self.vars)
        self.stars = []
        # Functions that nobody calls are followed as well where something may begin.
        self.begins = begins(text)

    def place(self, node):
        line = getattr(node, 'lineno', 0)
        return {'path': self.path, 'line': line, 'excerpt': self.lines[line - 1].strip()[:160] if 0 < line <= len(self.lines) else ''}


class Package:
    def __init__(self, texts, seconds):
        self.texts, self.modules, self.waiting, self.unfollowed = texts, {}, [], set()
        self.folders = {posixpath.dirname(path) for path in texts}
        self.folders |= {'/'.join(one.split('/')[:depth]) for one in list(self.folders) for depth in range(1, one.count('/') + 1)}
        self.follower = Follower(self, time.monotonic() + seconds)

    def attempt(self, path, what):
        """What takes too many steps or nests too deeply is left; the rest is followed all the same."""
        try:
            what()
        except (OutOfBudget, RecursionError, MemoryError):
            self.unfollowed.add(path)

    def follow(self):
        for path, text in self.texts.items():
            if begins(text):
                self.fresh()
                self.load(path)
        for _ in range(8):
            if not self.follower.handlers and not self.waiting:
                break
            self.rest()
        return {'flows': list(self.follower.flows.values()), 'tools': sorted(self.follower.tools), 'unfollowed': sorted(self.unfollowed)}

    def fresh(self):
        self.follower.steps = 0

    def rest(self):
        """Handlers first, then functions that nobody called: each on its own, with nothing known of its arguments."""
        handlers, self.follower.handlers = self.follower.handlers, []
        for kind, fn, tool in handlers:
            self.fresh()
            self.attempt(fn.module.path, lambda: self.follower.handle(kind, fn, tool))
        waiting, self.waiting = self.waiting, []
        for fn, module in waiting:
            if module.begins and id(fn.node) not in self.follower.met:
                self.fresh()
                self.attempt(module.path, lambda: self.follower.into(fn, [], {}, Frame(module, module.scope)))

    def load(self, path):
        if path in self.modules:
            return self.modules[path]
        self.modules[path] = None
        try:
            module = Module(path, self.texts[path], ast.parse(self.texts[path]))
        except (SyntaxError, ValueError):
            return None
        except (RecursionError, MemoryError):
            self.unfollowed.add(path)
            return None
        self.modules[path] = module
        self.attempt(path, lambda: self.follower.run(module.tree.body, Frame(module, module.scope)))
        return module

    # Where an import leads.

    def file(self, stem):
        for path in (f'{stem}.py', f'{stem}/__init__.py'):
            if path in self.texts:
                return path
        return None

    def found(self, module, dotted, level):
        """The place of a module in this package, without its ending; None where it is another package."""
        folder = posixpath.dirname(module.path)
        parts = dotted.replace('.', '/') if dotted else ''
        if level > 0:
            for _ in range(level - 1):
                folder = posixpath.dirname(folder)
            stem = posixpath.join(folder, parts) if parts else folder
            return stem if self.is_here(stem) else None
        first = parts.split('/')[0]
        if first in STANDARD:
            return None
        roots = [folder]
        while folder:
            folder = posixpath.dirname(folder)
            roots.append(folder)
        for root in [one for one in roots if posixpath.join(one, '__init__.py') not in self.texts] + ['src']:
            if self.is_here(posixpath.join(root, first)):
                return posixpath.join(root, parts)
        return None

    def is_here(self, stem):
        return self.file(stem) is not None or stem in self.folders

    def module_value(self, stem):
        path = self.file(stem)
        module = self.load(path) if path else None
        if module is not None:
            return Value(fields=module.vars)
        empty = Members(kind='module', owner=stem)
        return Value(fields=empty) if stem in self.folders else NOTHING

    def below(self, fields, key):
        """A member of a module that it does not say itself: what it takes over from others, or a module below it."""
        owner = fields.owner
        if isinstance(owner, Module):
            for stem in owner.stars:
                path = self.file(stem)
                other = self.load(path) if path else None
                if other is not None and other is not owner and (key in other.vars or other.stars):
                    found = self.settled(other.vars, key) if key in other.vars else self.below(other.vars, key)
                    if found is not None:
                        return found
        base = owner.path.removesuffix('/__init__.py') if isinstance(owner, Module) else owner
        stem = posixpath.join(base, key)
        return self.module_value(stem) if isinstance(base, str) and self.is_here(stem) else None

    def settled(self, names, name):
        value = names[name]
        if not isinstance(value, Lazy):
            return value
        path = self.file(value.stem)
        module = self.load(path) if path else None
        found = None
        if module is not None and value.name in module.vars and module.vars is not names:
            inner = module.vars[value.name]
            found = inner if not isinstance(inner, Lazy) or inner is value else self.settled(module.vars, value.name)
        if found is None and module is not None:
            found = self.below(module.vars, value.name)
        if found is None and self.is_here(posixpath.join(value.stem, value.name)):
            found = self.module_value(posixpath.join(value.stem, value.name))
        return found if isinstance(found, Value) else NOTHING

    def imported(self, one, frame):
        top = one.name.split('.')[0]
        stem = self.found(frame.module, one.name, 0)
        if stem is None:
            frame.scope.vars[one.asname or top] = Value(name=one.name if one.asname else top)
            return
        value = self.module_value(stem)
        if one.asname:
            frame.scope.vars[one.asname] = value
        else:
            frame.scope.vars[top] = self.module_value(self.found(frame.module, top, 0) or top)

    def imported_from(self, node, frame):
        stem = self.found(frame.module, node.module or '', node.level)
        for one in node.names:
            if one.name == '*':
                if stem is not None:
                    frame.module.stars.append(stem)
            elif stem is not None:
                frame.scope.vars[one.asname or one.name] = Lazy(stem, one.name, node.module or '')
            else:
                frame.scope.vars[one.asname or one.name] = Value(name=f'{node.module or ""}.{one.name}'.lstrip('.'))

    def known(self, name, module):
        if module.stars:
            found = self.below(module.vars, name)
            if found is not None:
                return found
        return Value(name=name) if name in BUILTINS else NOTHING
