"""What an expression may be, as far as it matters to whoever reads about flows; calls, and what they reach."""
import ast

from handlers import Handlers
from interfaces import CARRY, CHECKS, CLEAN, CLIENT, COMMON, HOST, LOOPBACK, NO_ANSWER, PATH_METHODS, PATH_SAME, PATH_TYPES, PRINTS_SECRETS, PRIVATE, QUERY, REQUEST, RUN, EXEC, SAME, SHELLS, DATABASE, sinks
from values import NOTHING, Fn, Members, Taint, Value, all_taints, clean, texts, union, words

TOLD = {
    'argument': {'shell', 'program', 'program argument', 'code', 'path', 'address', 'query', 'whole query'},
    'answer': {'shell', 'program', 'code'},
    'private': {'network'},
}
ELSEWHERE = {'asyncio.to_thread': 0, 'anyio.to_thread.run_sync': 0, 'functools.partial': 0, 'contextvars.copy_context().run': 0, 'run_in_executor': 1, 'submit': 0, 'run_sync': 0}


class Expressions(Handlers):
    def value(self, node, frame):
        self.spend()
        how = getattr(self, f'of_{type(node).__name__}', None)
        if how is not None:
            return how(node, frame)
        return words([self.value(one, frame) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)])

    def stepped(self, value, what, node, frame):
        return value.at(self.step(what, node, frame)) if value.taints else value

    def of_Constant(self, node, frame):
        return Value(text=node.value) if isinstance(node.value, str) and node.value else NOTHING

    def of_Name(self, node, frame):
        return self.lookup(node.id, frame)

    def lookup(self, name, frame):
        scope = frame.scope
        while scope is not None:
            # Names of a class body are not seen by its methods, whose scope lies beside it.
            if name in scope.vars:
                return self.package.settled(scope.vars, name)
            scope = scope.parent
        return self.package.known(name, frame.module)

    def of_NamedExpr(self, node, frame):
        return self.on_NamedExpr(node, frame)

    def of_Await(self, node, frame):
        return self.value(node.value, frame)

    of_Starred = of_Await

    def of_Yield(self, node, frame):
        if node.value is not None:
            frame.returns.append(self.value(node.value, frame))
        return NOTHING

    of_YieldFrom = of_Yield

    def of_Compare(self, node, frame):
        for one in [node.left, *node.comparators]:
            self.value(one, frame)
        return NOTHING

    def of_UnaryOp(self, node, frame):
        self.value(node.operand, frame)
        return NOTHING

    def of_BoolOp(self, node, frame):
        return union([self.value(one, frame) for one in node.values])

    def of_IfExp(self, node, frame):
        """`x if x in ALLOWED else 'a'` looks at x first."""
        self.value(node.test, frame)
        before = frame.scope
        frame.scope = type(before)(before.vars.copy(), before.parent)
        for place, good, _ in self.looked(node.test, frame):
            if good:
                self.checked(place, frame)
        yes = self.value(node.body, frame)
        frame.scope = before
        return union([yes, self.value(node.orelse, frame)])

    def of_Lambda(self, node, frame):
        return Value(fns=(Fn(node, frame.module, frame.scope),))

    def of_JoinedStr(self, node, frame):
        parts = [self.value(one.value if isinstance(one, ast.FormattedValue) else one, frame) for one in node.values]
        return self.stepped(self.joined(parts), 'put into a text', node, frame)

    def joined(self, parts):
        """Pieces of text one after the other: who writes the first of them chooses where it leads."""
        found = words(parts)
        if not found.taints:
            return Value(text=texts(parts)) if texts(parts) else NOTHING
        begins = parts[0] if parts else NOTHING
        scheme = begins.text.strip() in ('http://', 'https://', 'ws://', 'wss://', 'file://') and not begins.taints
        lead = parts[1].lead if scheme and len(parts) > 1 else begins.lead
        return found.but(lead=lead)

    def of_BinOp(self, node, frame):
        sides, left = [], node
        while isinstance(left, ast.BinOp):
            sides.append(self.value(left.right, frame))
            left = left.left
        sides = [self.value(left, frame), *reversed(sides)]
        if isinstance(node.op, ast.Div) and any((one.name or '') == 'pathlib.Path()' for one in sides):
            return self.joined(sides).but(name='pathlib.Path()', of=names_of(node.right))
        if isinstance(node.op, ast.Add) and all(one.fields is not None and one.fields.kind == 'items' for one in sides):
            fields = Members()
            for one in sides:
                self.extend(fields, one)
            return Value(fields=fields)
        if isinstance(node.op, (ast.Add, ast.Mod, ast.Div)):
            return self.stepped(self.joined(sides), 'put into a text', node, frame)
        return words(sides)

    def of_Tuple(self, node, frame):
        fields = Members()
        for one in node.elts:
            value = self.value(one, frame)
            if isinstance(one, ast.Starred):
                self.extend(fields, value)
            else:
                fields[len(fields)] = value
        return Value(fields=fields)

    of_List = of_Set = of_Tuple

    def extend(self, fields, value):
        inner = list(value.fields.values()) if value.fields is not None else [value]
        for one in inner[:200]:
            fields[len(fields)] = one

    def of_Dict(self, node, frame):
        fields, spread = Members(), []
        for key, one in zip(node.keys, node.values):
            value = self.value(one, frame)
            if key is None:
                spread.append(value)
                fields.update(value.fields or {})
            else:
                name = self.constant(key, frame)
                fields[name if name is not None else f'?{len(fields)}'] = value
        return words(spread).but(fields=fields)

    def comprehension(self, node, frame):
        before = frame.scope
        frame.scope = type(before)({}, before)
        for one in node.generators:
            self.bind(one.target, self.member(self.value(one.iter, frame), None, frame), frame)
            for test in one.ifs:
                self.value(test, frame)
                for place, good, _ in self.looked(test, frame):
                    if good:
                        self.checked(place, frame)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        found = [self.value(one, frame) for one in parts]
        frame.scope = before
        return Value(fields=Members({0: found[-1]})) if len(found) == 1 or not found[0].taints else words(found)

    of_ListComp = of_SetComp = of_GeneratorExp = of_DictComp = comprehension

    def constant(self, node, frame):
        """The key that is written; None where it is computed."""
        if isinstance(node, ast.Constant):
            return node.value
        value = self.value(node, frame)
        return value.text if value.text and not value.taints else None

    def of_Attribute(self, node, frame):
        return self.stepped(self.member(self.value(node.value, frame), node.attr, frame), 'read', node, frame)

    def of_Subscript(self, node, frame):
        if isinstance(node.slice, ast.Slice):
            return self.value(node.value, frame).but(of=())
        owner = self.value(node.value, frame)
        found = self.member(owner, self.constant(node.slice, frame), frame)
        return self.stepped(found, 'read', node, frame)

    def member(self, owner, key, frame):
        """A known member, a member of an interface, or the same unknown words under another name. None: any of them."""
        if owner.alts:
            return union([self.member(one, key, frame) for one in owner.alts])
        if owner.fields is not None:
            if key is None and owner.fields.kind != 'module':
                found = union([*owner.fields.values(), words([owner.but(fields=None)])])
                return found
            found = self.package.settled(owner.fields, key) if key in owner.fields else owner.fields.find(key)
            if found is None and owner.fields.kind == 'module' and isinstance(key, str):
                found = self.package.below(owner.fields, key)
            if found is None and owner.fields.kind == 'items' and f'?{0}' in owner.fields:
                found = union([one for name, one in owner.fields.items() if str(name).startswith('?')])
            if found is not None:
                return self.bound(found, owner, frame)
        if owner.name and isinstance(key, str):
            if owner.name == 'pathlib.Path()' and key in ('name', 'stem', 'suffix', 'parts'):
                return NOTHING
            if owner.name == 'pathlib.Path()' and key in ('parent', 'parents'):
                return owner
            return Value(taints=owner.taints, name=f'{owner.name}.{key}', lead=owner.lead)
        if key == 'value' and owner.text:
            return owner
        if not owner.taints:
            return NOTHING
        opened = any(taint.open for taint in owner.taints)
        taints = tuple(Taint(one.origin, key, one.tool, False, one.steps) if one.open and isinstance(key, str) else one for one in owner.taints)
        return Value(taints=taints, lead=owner.lead or opened, text=owner.text)

    def bound(self, value, owner, frame):
        """A method knows whose it is; what is read of a property is what it gives back."""
        if owner.fields.kind not in ('class', 'object', 'super') or not value.fns:
            return value
        whose = owner.fields.owner if owner.fields.kind == 'super' else owner
        fns = tuple(fn.bound(whose) if is_method(fn) else fn for fn in value.fns)
        if any(decorated_with(fn.node, 'property', 'cached_property') for fn in fns):
            return union([self.into(fn, [], {}, frame) for fn in fns])
        return value.but(fns=fns)

    # Calls.

    def of_Call(self, node, frame):
        member = isinstance(node.func, ast.Attribute)
        owner = self.value(node.func.value, frame) if member else NOTHING
        callee = self.member(owner, node.func.attr, frame) if member else self.value(node.func, frame)
        if callee.name == 'super':
            return self.above(frame)
        args, spread = [], []
        for one in node.args:
            (spread if isinstance(one, ast.Starred) else args).append(self.value(one, frame))
        named = {one.arg: self.value(one.value, frame) for one in node.keywords if one.arg}
        opened = [self.value(one.value, frame) for one in node.keywords if one.arg is None]
        for one in opened:
            for key, value in (one.fields or {}).items():
                named.setdefault(str(key), value)
        name = callee.name or ''
        last = node.func.attr if isinstance(node.func, ast.Attribute) else name.split('.')[-1]
        self.registered(node, last, (callee, args, named), frame)
        for one in spread:
            args += list(one.fields.values())[:50] if one.fields is not None else [self.member(one, None, frame)]
        place = ELSEWHERE.get(name, ELSEWHERE.get(last) if not callee.fns else None)
        if place is not None and len(args) > place:
            return self.call(node, args[place], (args[place + 1:], named, []), (NOTHING, last), frame)
        if name == 'threading.Thread' and 'target' in named:
            inner = list(named['args'].fields.values()) if 'args' in named and named['args'].fields is not None else []
            self.call(node, named['target'], (inner, {}, []), (NOTHING, last), frame)
        found = self.call(node, callee, (args, named, opened), (owner, last), frame)
        return self.stepped(found, f'{last}()', node, frame)

    def above(self, frame):
        """`super()`: the same object, with the methods of the classes above its own."""
        whose = next((one for one in frame.scope.vars.values() if isinstance(one, Value) and one.fields is not None and one.fields.kind == 'object'), NOTHING)
        kinds = [base for kind in whose.fields.bases for base in kind.bases] if whose.fields is not None else []
        return Value(fields=Members(kind='super', bases=kinds, owner=whose)) if kinds else NOTHING

    def call(self, node, callee, given, whose, frame):
        (args, named, opened), (owner, last) = given, whose
        name = callee.name or ''
        self.reach(node, name or last, (given, bool(callee.fns)), frame)
        everything = [*args, *named.values(), *opened]
        if callee.fns:
            found = union([self.into(fn, args, named, frame, opened) for fn in callee.fns])
            return clean(found) if CHECKS.search(last) and any(checks(fn.node) for fn in callee.fns) else found
        for one in everything:
            for fn in one.fns:
                if not isinstance(fn.node, ast.ClassDef):
                    self.into(fn, [words([owner, *[other for other in args if other is not one]])], {}, frame)
        got = self.source(node, name, args, frame)
        if got is not None:
            return got
        if 'base_url' in named and CLIENT.match(name):
            return Value(name=f'based {name}()')
        if name in CLEAN:
            return NOTHING
        if name in PATH_TYPES:
            return self.joined(args).but(name='pathlib.Path()', of=names_of(*node.args))
        if owner.name == 'pathlib.Path()':
            return self.of_path(node, last, args, owner)
        if name in ('contextlib.closing', 'contextlib.aclosing') and args:
            return args[0]
        if name in CARRY:
            found = self.joined(everything) if name.startswith('os.path') else words(everything)
            first = args[0].lead if args else False
            same = names_of(*node.args) if name in SAME else ()
            return found.but(lead=found.lead if name.startswith('os.path') else first, of=same, name=f'{name}()' if 'urlparse' in name or 'sqlalchemy' in name else None)
        if CHECKS.search(last) and name != 'json.dumps':
            return clean(words(everything))
        if owner.fields is not None and owner.fields.kind == 'items':
            return self.of_items(last, args, owner, frame)
        if not name and not owner.known() and any(all_taints(one) for one in everything):
            return self.guessed(last, args, named, opened, frame)
        return self.of_others(name, last, args, owner, frame)

    def of_path(self, node, last, args, owner):
        if last in PATH_SAME:
            joined = self.joined([owner, *args]) if last == 'joinpath' else owner
            return joined.but(name='pathlib.Path()', of=tuple({*owner.of, *names_of(node.func.value, *node.args)}))
        return Value(name=f'pathlib.Path().{last}()')

    def of_items(self, last, args, owner, frame):
        if last in ('append', 'add', 'insert', 'appendleft', 'setdefault'):
            owner.fields[len(owner.fields)] = args[-1] if args else NOTHING
            return NOTHING
        if last in ('extend', 'update') and args:
            self.extend(owner.fields, args[0])
            return NOTHING
        if last in ('get', 'pop') and args:
            key = args[0].text if args[0].text and not args[0].taints else None
            return union([self.member(owner, key, frame), *args[1:]])
        if last in ('values', 'items', 'copy', 'keys'):
            return owner
        return words([owner, *args])

    def of_others(self, name, last, args, owner, frame):
        if owner.taints and not (owner.name or '').startswith(('os.environ',)):
            if last in ('get', 'pop', 'setdefault') and args:
                key = args[0].text if args[0].text and not args[0].taints else None
                return self.member(owner.but(name=None), key, frame)
            lead = args[0].lead if last == 'join' and args and not owner.lead else owner.lead
            return words([owner, *args], lead=lead).but(name=f'{name}()' if name and any(one.origin == 'answer' for one in owner.taints) else None)
        if last in ('format', 'join', 'replace', 'substitute', 'format_map', 'safe_substitute') and (owner.text or not owner.known()):
            found = words([owner, *args])
            return found.but(lead=owner.text.startswith('{') if last == 'format' else found.lead) if found.taints else Value(text=texts([owner, *args]))
        return Value(name=f'{name}()') if name else NOTHING

    def guessed(self, last, args, named, opened, frame):
        """A method of an object that is not known: of those classes here that have one of this name."""
        found = self.methods.get(last, []) if last not in COMMON else []
        if 0 < len(found) <= 40 and frame.depth < 5:
            return union([self.into(fn.bound(Value(fields=fields)), args, named, frame, opened) for fields, fn in found])
        return NOTHING

    def source(self, node, name, args, frame):
        """Where unknown words come from: other machines, files that hold keys, programs that print them, the environment."""
        kind, what = None, ''
        text = texts(args)
        if REQUEST.match(name.removeprefix('based ')) and not NO_ANSWER.match(name):
            host = HOST.search(text.replace(':// ', '://'))
            kind, what = 'answer', host.group(1) if host else 'another machine'
            if LOOPBACK.match(what):
                return Value(name=f'{name}()')
        elif name in ('open', 'io.open', 'pathlib.Path().read_text', 'pathlib.Path().read_bytes') and PRIVATE.search(text.replace(' ', '/')):
            kind, what = 'private', text
        elif name in ('subprocess.check_output', 'subprocess.getoutput', 'subprocess.run') and PRINTS_SECRETS.match(text):
            kind, what = 'private', text
        elif name == 'os.environ.copy' or (name in ('dict', 'str', 'json.dumps', 'repr') and any((one.name or '') == 'os.environ' for one in args)):
            kind, what = 'private', 'the whole environment'
        if kind is None:
            return None
        step = self.step(f'{name}()', node, frame)
        return Value(taints=(Taint(kind, what[:120], '', False, (step,)),), name=f'{name}()', lead=True)

    def reach(self, node, name, whose, frame):
        """Everything that this call uses of what is unknown. A function of the package is followed instead."""
        given, own = whose
        args, named, opened = given
        everything = [*args, *named.values(), *opened]
        if own or (not any(all_taints(one) for one in everything) and not PATH_METHODS.match(name)):
            return
        if PATH_METHODS.match(name) and isinstance(node.func, ast.Attribute):
            self.tell('path', name, node, self.value(node.func.value, frame), frame)
        if REQUEST.match(name.removeprefix('based ')):
            self.tell('network', name, node, words(everything), frame)
        if name in RUN or name in EXEC:
            self.reach_program(node, name, given, frame)
        for sink, value in sinks(name, node, args, named):
            if not all_taints(value):
                continue
            if sink in ('address', 'program argument') and not value.lead:
                continue
            if sink == 'query' and not QUERY.search(value.text):
                sink = 'whole query' if DATABASE.match(name) and value.lead else None
            if sink is not None:
                self.tell(sink, name, node, value, frame)

    def reach_program(self, node, name, given, frame):
        args, named, _ = given
        line = args[0] if args else named.get('args') or NOTHING
        shell = any(one.arg == 'shell' and not (isinstance(one.value, ast.Constant) and not one.value.value) for one in node.keywords)
        parts = list(line.fields.values()) if line.fields is not None else args if name in EXEC else [line]
        first = parts[0] if parts else NOTHING
        if shell or SHELLS.match(first.text if not first.taints else ''):
            self.tell('shell', name, node, words([line, *(args if name in EXEC else [])]), frame)
        elif all_taints(first) and (first.lead or first.fields is None):
            self.tell('program', name, node, first, frame)
        else:
            for one in parts[1:]:
                if one.text == '--' and not one.taints:
                    break
                if one.lead:
                    self.tell('program argument', name, node, one, frame)

    def tell(self, sink, call, node, value, frame):
        place = self.place(node, frame)
        for taint in all_taints(value):
            if sink not in TOLD[taint.origin] or len(self.flows) >= 200:
                continue
            tool = taint.tool or (frame.tool if taint.origin == 'argument' else '')
            key = (taint.origin, tool, taint.what, sink, place['path'], place['line'])
            flow = {'origin': taint.origin, 'what': str(taint.what)[:120], 'tool': tool, 'sink': sink, 'call': call, **place}
            self.flows.setdefault(key, {**flow, 'steps': [*taint.steps, {'what': f'{call}()', **place}]})


def names_of(*nodes):
    """Names of variables that stand in these expressions as they are."""
    found = []
    for node in nodes:
        if isinstance(node, ast.Name):
            found.append(node.id)
        elif isinstance(node, ast.BinOp):
            found += names_of(node.left, node.right)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found += names_of(node.func.value, *node.args)
        elif isinstance(node, ast.Call):
            found += names_of(*node.args)
        elif isinstance(node, ast.Await):
            found += names_of(node.value)
    return tuple(found)


def is_method(fn):
    return isinstance(fn.node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not decorated_with(fn.node, 'staticmethod')


def decorated_with(node, *names):
    found = [one.func if isinstance(one, ast.Call) else one for one in getattr(node, 'decorator_list', [])]
    return any((one.id if isinstance(one, ast.Name) else getattr(one, 'attr', '')) in names for one in found)


def checks(node):
    """Does this function do anything that could check?"""
    return any(isinstance(one, (ast.Raise, ast.Compare, ast.Assert)) or (isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr in ('sub', 'match', 'fullmatch', 'replace', 'isalnum', 'translate')) for one in ast.walk(node))
