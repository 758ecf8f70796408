"""Statements of a function in their order: branches apart, what was looked at is taken as it should be."""
import ast
import time

from expressions import Expressions
from interfaces import CHECKS, LOOKS
from values import NOTHING, Fn, Members, Value, all_taints, clean, union

MAX_STEPS, MAX_DEPTH = 2_000_000, 7
# What they give back are pieces: to look at one of them says nothing of the rest.
PARTS = ('split', 'rsplit', 'partition', 'rpartition', 'splitlines')


class OutOfBudget(Exception):
    pass


class Scope:
    __slots__ = ('vars', 'parent')

    def __init__(self, vars_, parent=None):
        self.vars, self.parent = vars_, parent


class Frame:
    """The place where code is being followed. `tool`: the one whose arguments are being followed, as far as it is known."""
    __slots__ = ('module', 'scope', 'tool', 'depth', 'returns')

    def __init__(self, module, scope, tool='', depth=0):
        self.module, self.scope, self.tool, self.depth, self.returns = module, scope, tool, depth, []


class Follower(Expressions):
    """`package` loads modules; flows and handlers are added to."""

    def __init__(self, package, late):
        self.package, self.late = package, late
        self.flows, self.results, self.methods = {}, {}, {}
        self.handlers, self.tools, self.met = [], set(), set()
        # What is known by its `id` is kept, so that nothing else gets the same one.
        self.objects, self.kept, self.steps = {}, [], 0

    def spend(self):
        self.steps += 1
        if self.steps > MAX_STEPS or (self.steps % 2048 == 0 and time.monotonic() > self.late):
            raise OutOfBudget()

    def place(self, node, frame):
        return frame.module.place(node)

    def step(self, what, node, frame):
        return {'what': what, **self.place(node, frame)}

    def run(self, body, frame):
        """True where nothing after it is reached."""
        ends = False
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                frame.scope.vars[node.name] = NOTHING
        for node in body:
            self.spend()
            ends = self.statement(node, frame) or ends
        return ends

    def statement(self, node, frame):
        how = getattr(self, f'on_{type(node).__name__}', None)
        if how is not None:
            return how(node, frame)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child, frame)
        return False

    def on_Return(self, node, frame):
        if node.value is not None:
            frame.returns.append(self.value(node.value, frame))
        return True

    def on_Raise(self, node, frame):
        if node.exc is not None:
            self.value(node.exc, frame)
        return True

    def on_Continue(self, node, frame):
        return True

    on_Break = on_Continue

    def on_Expr(self, node, frame):
        self.value(node.value, frame)
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and CHECKS.search(called_name(call)):
            self.checked_call(call, frame)
        return False

    def checked_call(self, call, frame):
        """`ensure_safe(x)` alone on its line: what it looked at is taken as it should be afterwards."""
        found = [*call.args, *[one.value for one in call.keywords]]
        if isinstance(call.func, ast.Attribute):
            found.append(call.func.value)
        for one in found:
            self.checked(one, frame)

    def on_Assert(self, node, frame):
        self.value(node.test, frame)
        for place, good, _ in self.looked(node.test, frame):
            if good:
                self.checked(place, frame)
        return False

    def on_Assign(self, node, frame):
        value = self.value(node.value, frame)
        if not value.taints and isinstance(node.value, (ast.Call, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Await)):
            # How a look ended: whoever asks for it has looked.
            looks = [place for place, _, _ in self.looked(node.value.value if isinstance(node.value, ast.Await) else node.value, frame)]
            value = value.but(looks=tuple(looks)) if looks else value
        for target in node.targets:
            self.bind(target, value, frame)
        return False

    def on_AnnAssign(self, node, frame):
        if node.value is not None:
            self.bind(node.target, self.value(node.value, frame), frame)
        return False

    def on_AugAssign(self, node, frame):
        before, added = self.value(node.target, frame), self.value(node.value, frame)
        if before.fields is not None and before.fields.kind == 'items':
            self.extend(before.fields, added)
        else:
            self.bind(node.target, self.joined([before, added]), frame)
        return False

    def on_NamedExpr(self, node, frame):
        value = self.value(node.value, frame)
        self.bind(node.target, value, frame)
        return value

    def bind(self, target, value, frame):
        if isinstance(target, ast.Name):
            frame.scope.vars[target.id] = self.stepped(value, target.id, target, frame)
        elif isinstance(target, (ast.Tuple, ast.List)):
            for at, one in enumerate(target.elts):
                inner = one.value if isinstance(one, ast.Starred) else one
                self.bind(inner, self.member(value, at, frame), frame)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            owner = self.value(target.value, frame)
            key = target.attr if isinstance(target, ast.Attribute) else self.constant(target.slice, frame)
            for one in [owner, *owner.alts]:
                if one.fields is not None and one.fields.kind != 'module':
                    known = one.fields.get(key) if key is not None else None
                    place = key if key is not None else f'?{len(one.fields)}'
                    one.fields[place] = union([known, value]) if known is not None else value
            if isinstance(target, ast.Subscript) and owner.name and owner.name.endswith('.request_handlers'):
                self.low_level(target.slice, value, frame)
            elif owner.fields is None and isinstance(target.value, ast.Name) and value.taints:
                frame.scope.vars[target.value.id] = self.joined([owner, value])

    def on_If(self, node, frame):
        self.value(node.test, frame)
        places = self.looked(node.test, frame)
        before, name = frame.scope, frame.tool
        yes, no = Scope(before.vars.copy(), before.parent), Scope(before.vars.copy(), before.parent)
        frame.scope = yes
        frame.tool = self.tool_in(node.test, frame, ast.Eq) or name
        for place, good, _ in places:
            if good:
                self.checked(place, frame)
        ends = self.run(node.body, frame)
        # `if name != 'run': raise` leaves one tool alone.
        rest = (ends and self.tool_in(node.test, frame, ast.NotEq)) or name
        frame.scope, frame.tool = no, rest
        for place, good, either in places:
            if not good or (ends and either and refuses(node.body, place)):
                self.checked(place, frame)
        other = self.run(node.orelse, frame)
        self.join(before, [one for one, gone in ((yes, ends), (no, other)) if not gone] or [no])
        frame.scope, frame.tool = before, rest
        return ends and other

    def join(self, before, branches):
        """Takes over what branches changed; each of them may or may not have been gone through."""
        if before.vars is None or not branches:
            return
        names = {name for one in branches for name in one.vars}
        for name in names:
            found = [one.vars[name] for one in branches if name in one.vars]
            same = all(one is found[0] for one in found)
            before.vars[name] = found[0] if same else union([one for one in found if isinstance(one, Value)])

    def tool_in(self, test, frame, how):
        """`name == 'run'` in a function that is asked for tools by their names."""
        for one in ast.walk(test):
            if isinstance(one, ast.Compare) and len(one.ops) == 1 and isinstance(one.ops[0], how):
                sides = [self.value(one.left, frame), self.value(one.comparators[0], frame)]
                if any(side.name == '@tool' for side in sides):
                    return next((side.text for side in sides if side.text), '')
        return ''

    def on_Match(self, node, frame):
        subject, name = self.value(node.subject, frame), frame.tool
        for case in node.cases:
            known = [self.value(one.value, frame).text for one in ast.walk(case.pattern) if isinstance(one, ast.MatchValue)]
            frame.tool = known[0] if subject.name == '@tool' and known else name
            self.run(case.body, frame)
        frame.tool = name
        return False

    def on_For(self, node, frame):
        self.bind(node.target, self.member(self.value(node.iter, frame), None, frame), frame)
        self.run(node.body, frame)
        self.run(node.orelse, frame)
        return False

    on_AsyncFor = on_For

    def on_While(self, node, frame):
        self.value(node.test, frame)
        self.run(node.body, frame)
        self.run(node.orelse, frame)
        return False

    def on_Try(self, node, frame):
        ends = self.run(node.body, frame)
        for one in node.handlers:
            ends = self.run(one.body, frame) and ends
        self.run(node.orelse, frame)
        return self.run(node.finalbody, frame) or ends

    on_TryStar = on_Try

    def on_With(self, node, frame):
        for item in node.items:
            value = self.value(item.context_expr, frame)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, frame)
        return self.run(node.body, frame)

    on_AsyncWith = on_With

    def on_FunctionDef(self, node, frame):
        around = [frame.scope.parent, frame.scope] if isinstance(frame.scope.vars, Members) and frame.scope.vars.kind == 'class' else [frame.scope]
        fn = Fn(node, frame.module, around[0])
        frame.scope.vars[node.name] = Value(fns=(fn,))
        for one in node.decorator_list:
            self.decorated(one, fn, frame)
        self.package.waiting.append((fn, frame.module))
        return False

    on_AsyncFunctionDef = on_FunctionDef

    def on_ClassDef(self, node, frame):
        bases = [self.value(one, frame) for one in node.bases]
        outside = ' '.join(one.name for one in bases if one.name)
        fields = Members(kind='class', bases=[one.fields for one in bases if one.fields is not None], owner=outside)
        frame.scope.vars[node.name] = Value(fields=fields, fns=(Fn(node, frame.module, frame.scope),))
        fields.annotations = [(one.target.id, one.annotation) for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
        inner = Frame(frame.module, Scope(fields, frame.scope), frame.tool, frame.depth)
        self.run(node.body, inner)
        for name, value in fields.items():
            if value.fns and isinstance(value.fns[0].node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.methods.setdefault(name, []).append((fields, value.fns[0]))
        self.tool_class(node, fields, frame)
        return False

    def on_Import(self, node, frame):
        for one in node.names:
            self.package.imported(one, frame)
        return False

    def on_ImportFrom(self, node, frame):
        self.package.imported_from(node, frame)
        return False

    # Looks that are taken at a value before it is used.

    def looked(self, test, frame, good=True):
        """(place, good, either) for places that this condition holds against something known: is it as it should be where the
        condition holds, or where it does not? `either`: a function says so, and its no may refuse as well."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return self.looked(test.operand, frame, not good)
        found = []
        if isinstance(test, ast.Name):
            value = self.lookup(test.id, frame)
            return [(place, good, False) for place in value.looks] if isinstance(value, Value) else []
        if isinstance(test, ast.Compare):
            # `'path' in arguments` says nothing of what they are.
            found = [(one, right == good, either) for one, right, either in self.compared(test) if not self.is_open(one, frame)]
        elif isinstance(test, ast.Call):
            name = called_name(test)
            if CHECKS.search(name) or name in LOOKS:
                places = [one for part in test.args for one in places_in(part)]
                places += places_in(test.func.value) if isinstance(test.func, ast.Attribute) else []
                found = [(one, good, True) for one in places]
        inner = test.values if isinstance(test, ast.BoolOp) else [one for one in ast.iter_child_nodes(test) if isinstance(one, ast.expr)]
        for one in inner:
            if not isinstance(one, (ast.Name, ast.Constant)) or isinstance(test, ast.BoolOp):
                found += self.looked(one, frame, good)
        return found

    def is_open(self, place, frame):
        return any(one.open for one in self.value(place, frame).taints)

    def compared(self, node):
        found = []
        for op, left, right in zip(node.ops, [node.left, *node.comparators], node.comparators):
            if isinstance(op, (ast.In, ast.NotIn)):
                # `'..' in x` looks at x; `x in ALLOWED` looks at x as well.
                known = isinstance(left, ast.Constant)
                places = places_in(right) if known else places_in(left)
                found += [(one, isinstance(op, ast.In), True) for one in places]
            elif isinstance(op, (ast.Eq, ast.NotEq)):
                for one, other in ((left, right), (right, left)):
                    known = isinstance(other, ast.Constant) and bool(other.value)
                    root = isinstance(one, ast.Call) and called_name(one) in LOOKS
                    found += [(place, isinstance(op, ast.Eq), False) for place in (places_in(one) if known or root else [])]
        return found

    def checked(self, node, frame, depth=4):
        """The name, and names that it says the same as in another form, have no unknown words any more."""
        for one in places_in(node):
            if isinstance(one, ast.Name):
                self.checked_name(one.id, frame, depth)
            else:
                owner, key = self.value(one.value, frame), one.attr if isinstance(one, ast.Attribute) else self.constant(one.slice, frame)
                if owner.fields is not None and owner.fields.kind not in ('module', 'class') and key is not None:
                    owner.fields[key] = clean(self.member(owner, key, frame))
                elif key is not None and isinstance(one.value, ast.Name) and owner.taints:
                    if any(taint.open for taint in owner.taints):
                        fields = Members(owner.fields or {}, kind='looked')
                        fields[key] = NOTHING
                        frame.scope.vars[one.value.id] = owner.but(fields=fields)
                    elif owner.of:
                        self.checked_name(one.value.id, frame, depth)

    def checked_name(self, name, frame, depth):
        value = self.lookup(name, frame)
        if not isinstance(value, Value) or depth == 0 or not (all_taints(value) or value.of):
            return
        frame.scope.vars[name] = clean(value)
        for other in value.of:
            if other != name:
                self.checked_name(other, frame, depth - 1)


def called_name(call):
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ''


def refuses(body, place):
    """Does what follows a look refuse? It raises, or answers without what was looked at."""
    last = body[-1]
    return not isinstance(last, ast.Return) or last.value is None or ast.unparse(place) not in ast.unparse(last.value)


def places_in(node):
    """Names and members whose text this expression has."""
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
        inner = node.value if not isinstance(node, ast.Name) else None
        if isinstance(inner, ast.Call) and called_name(inner) in PARTS:
            return []
        return [node] if inner is None or isinstance(inner, ast.Name) else [node, *places_in(inner)]
    if isinstance(node, ast.Call):
        owner = places_in(node.func.value) if isinstance(node.func, ast.Attribute) else []
        return [*owner, *[one for part in node.args for one in places_in(part)]]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [one for part in node.elts for one in places_in(part)]
    if isinstance(node, (ast.GeneratorExp, ast.ListComp, ast.SetComp)):
        return [one for part in [node.elt, *[gen.iter for gen in node.generators]] for one in places_in(part)]
    if isinstance(node, ast.JoinedStr):
        return [one for part in node.values if isinstance(part, ast.FormattedValue) for one in places_in(part.value)]
    if isinstance(node, (ast.Await, ast.Starred, ast.FormattedValue, ast.NamedExpr)):
        return places_in(node.value)
    if isinstance(node, ast.Compare):
        return [one for part in [node.left, *node.comparators] for one in places_in(part)]
    if isinstance(node, ast.BinOp):
        return [*places_in(node.left), *places_in(node.right)]
    return []
