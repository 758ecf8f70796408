"""Tools of a server in its code: where they are registered, and the function that gets their arguments; functions followed into."""
import ast
import re

from interfaces import NARROW, WIDE
from values import NOTHING, Fn, Members, Taint, Value, all_taints, merged, union

GIVES_TOOLS = ('tool', 'mcp_tool', 'resource', 'call_tool', 'read_resource')
CONTEXT = {'self', 'cls', 'ctx', 'context', '_ctx', '_context'}
OBJECTS = ('params', 'request', 'req')
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Handlers:
    def decorated(self, decorator, fn, frame):
        """`@mcp.tool`, `@mcp.tool(name='x')`, `@server.call_tool()`, `@mcp.resource('a://{b}')`."""
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        how = call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ''
        if how not in GIVES_TOOLS or (isinstance(call, ast.Name) and 'mcp' not in (self.value(call, frame).name or how)):
            return
        inside = isinstance(frame.scope.vars, Members) and frame.scope.vars.kind == 'class'
        whose = self.object_of(frame.scope.vars) if inside else None
        self.take(how, fn.bound(whose) if whose else fn, named_in(decorator) if how != 'resource' else '')

    def take(self, how, fn, name=''):
        if id(fn.node) in self.met or (not isinstance(fn.node, FUNCTIONS) and how in ('tool', 'mcp_tool')):
            return
        self.met.add(id(fn.node))
        kind = 'tool' if how in ('tool', 'mcp_tool') else how
        tool = name or fn.node.name if kind in ('tool', 'resource', 'read_resource') else ''
        if kind == 'tool':
            self.tools.add(tool)
        self.handlers.append((kind, fn, tool))

    def registered(self, node, last, given, frame):
        """`mcp.add_tool(run)`, `mcp.tool()(run)`, `Server('x', on_call_tool=run)`, `Tool(name='run', …)`."""
        callee, args, named = given
        inner = node.func.func if isinstance(node.func, ast.Call) else None
        made = inner.attr if isinstance(inner, ast.Attribute) else ''
        first = next((one for one in [*args[:1], named.get('fn')] if one is not None and one.fns), None)
        name = named['name'].text if 'name' in named else ''
        if made in GIVES_TOOLS and first:
            for fn in first.fns:
                self.take(made, fn, named_in(node.func) if made != 'resource' else '')
        elif first and (last in ('add_tool', 'register_tool', 'tool') or (last == 'from_function' and 'Tool' in ast.unparse(node.func))):
            for fn in first.fns:
                self.take('tool', fn, name or (args[1].text if len(args) > 1 else ''))
        elif 'on_call_tool' in named:
            for fn in named['on_call_tool'].fns:
                self.take('call_tool', fn)
        elif last in ('add_request_handler', 'set_request_handler') and any('tools/call' in one.text or 'CallTool' in (one.name or '') for one in args):
            for fn in [fn for one in args for fn in one.fns]:
                self.take('call_tool', fn)
        elif (callee.name or '').endswith('.Tool') and 'mcp' in callee.name and re.fullmatch(r'[\w./-]{1,128}', name):
            self.tools.add(name)

    def low_level(self, key, value, frame):
        """`server.request_handlers[types.CallToolRequest] = run`."""
        if 'CallTool' in ast.unparse(key):
            for fn in value.fns:
                self.take('call_tool', fn)

    def tool_class(self, node, fields, frame):
        """A class that a framework's own `Tool` is the base of."""
        if re.search(r'mcp\.(?:\w+\.)*\w*Tool\b', fields.owner or ''):
            run = fields.get('run')
            for fn in run.fns if isinstance(run, Value) else ():
                self.take('call_tool', fn.bound(self.object_of(fields)))

    def object_of(self, fields):
        """One object for a class, that all who make one share."""
        if id(fields) not in self.objects:
            self.objects[id(fields)] = Value(fields=Members(kind='object', bases=[fields]))
            self.kept.append(fields)
        return self.objects[id(fields)]

    def handle(self, kind, fn, tool):
        """Follows a handler with its arguments unknown."""
        from follow import Frame
        frame = Frame(fn.module, fn.around or fn.module.scope, tool)
        step = self.step(f'argument of {tool}' if tool else 'arguments of a call', fn.node, frame)
        args, values = fn.node.args, {}
        params = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        names = [one.arg for one in params if one.arg not in CONTEXT]
        for at, one in enumerate(params):
            if one.arg in CONTEXT or (one.annotation is not None and 'Context' in ast.unparse(one.annotation)):
                continue
            if kind == 'call_tool':
                values[one.arg] = self.asked(one.arg, names, step)
            else:
                default = default_of(args, one, at)
                values[one.arg] = self.argument(one, default, (tool, step), frame)
        self.into(fn, [], {name: value for name, value in values.items() if value.known()}, frame)

    def asked(self, name, names, step):
        """A parameter of a function that is asked for tools by their names."""
        opened = Value(taints=(Taint('argument', 'arguments', '', True, (step,)),), lead=True)
        which = Value(name='@tool')
        if name in OBJECTS or (len(names) == 1 and name not in ('arguments', 'args', 'name')):
            inner = Value(fields=Members({'name': which, 'arguments': opened}, kind='object'))
            return Value(fields=Members({'name': which, 'arguments': opened, 'params': inner}, kind='object'))
        return which if name == 'name' or (name == names[0] and len(names) > 1) else opened

    def argument(self, arg, default, told, frame):
        """What an argument of this type may be: nothing where it cannot be any text, an object where its members are known."""
        tool, step = told
        if narrow(arg.annotation) or (default is not None and pattern(default)):
            return NOTHING
        whole = Value(taints=(Taint('argument', arg.arg, tool, False, (step,)),), lead=True)
        kind = self.value(arg.annotation, frame) if isinstance(arg.annotation, (ast.Name, ast.Attribute)) else NOTHING
        if kind.fields is None or kind.fields.kind != 'class' or not kind.fns:
            return whole
        if 'Enum' in (kind.fields.owner or ''):
            return NOTHING
        opened = Value(taints=(Taint('argument', arg.arg, tool, True, (step,)),), lead=True)
        return self.model(kind, {}, [opened], frame)

    def model(self, kind, named, opened, frame):
        """An object of a class that only says which members it has."""
        fields = Members(named, kind='object', bases=[kind.fields])
        for base in [kind.fields, *kind.fields.bases]:
            for name, annotation in base.annotations:
                if name not in fields and opened:
                    fields[name] = NOTHING if narrow(annotation) else self.member(opened[0], name, frame)
        return Value(fields=fields, taints=merged(opened))

    def into(self, fn, args, named, frame, opened=()):
        """Follows a function of the package with these arguments; what it gives back."""
        from follow import MAX_DEPTH, Frame, Scope
        node = fn.node
        if isinstance(node, ast.ClassDef):
            return self.made(fn, (args, named, opened), frame)
        key = self.key(fn, (args, named, opened), frame)
        if key in self.results:
            return self.results[key] or NOTHING
        if frame.depth >= MAX_DEPTH:
            if any(all_taints(one) for one in [*args, *named.values(), *opened]):
                self.package.unfollowed.add(frame.module.path)
            return NOTHING
        self.results[key] = None
        self.met.add(id(node))
        self.kept.append((fn, args, named, opened))
        inner = Frame(fn.module, Scope({}, fn.around or fn.module.scope), frame.tool, frame.depth + 1)
        self.given(fn, (args, named, opened), inner)
        if isinstance(node, ast.Lambda):
            found = self.value(node.body, inner)
        else:
            self.run(node.body, inner)
            found = union(inner.returns)
        self.results[key] = found
        return found

    def key(self, fn, values, frame):
        """What makes a difference to a function: whose words it is given. Where there are none, it is followed once."""
        args, named, opened = values
        everything = [*args, *named.values(), *opened]
        whose = fn.self.fields if fn.self is not None else None
        own = tuple(taint.key() for one in (whose or {}).values() if isinstance(one, Value) for taint in one.taints)
        if own or any(all_taints(one) for one in everything):
            return (id(fn.node), id(whose), frame.tool, own, tuple(named), tuple(sign(one) for one in everything))
        return (id(fn.node), id(whose), tuple((one.name, id(one.fields), *(id(inner.node) for inner in one.fns)) for one in everything))

    def given(self, fn, values, inner):
        """Parameters and what they are given; where nothing is known, what their types say."""
        args, named, opened = values
        spec, named, around = fn.node.args, dict(named), inner
        params = [*spec.posonlyargs, *spec.args]
        if fn.self is not None and params:
            inner.scope.vars[params[0].arg] = fn.self
            params = params[1:]
        for at, one in enumerate(params + spec.kwonlyargs):
            value = args[at] if at < len(args) and at < len(params) else named.pop(one.arg, None)
            if value is None and opened:
                value = self.member(opened[0], one.arg, around)
            if value is None or not value.known():
                default = default_of(spec, one, at + (len(spec.posonlyargs) + len(spec.args) - len(params)))
                value = self.typed(one, default, around)
            inner.scope.vars[one.arg] = value.at(self.step(one.arg, one, inner)) if value.taints else value
        if spec.vararg is not None:
            inner.scope.vars[spec.vararg.arg] = Value(fields=Members(enumerate(args[len(params):])))
        if spec.kwarg is not None:
            inner.scope.vars[spec.kwarg.arg] = Value(fields=Members(named), taints=merged(opened), lead=any(one.lead for one in opened))

    def typed(self, arg, default, frame):
        if default is not None and not isinstance(default, ast.Constant):
            return self.value(default, frame)
        found = [one for one in ast.walk(arg.annotation) if isinstance(one, (ast.Name, ast.Attribute))][:3] if arg.annotation is not None else []
        for one in found:
            kind = self.value(one, frame)
            if kind.fields is not None and kind.fields.kind == 'class':
                return self.object_of(kind.fields)
            if kind.name and '.' in kind.name and not kind.name.startswith('typing.'):
                return Value(name=f'{kind.name}()')
        return self.value(default, frame) if default is not None else NOTHING

    def made(self, fn, values, frame):
        """An object of a class of the package."""
        args, named, opened = values
        scope = fn.around or fn.module.scope
        kind = scope.vars.get(fn.node.name)
        if not isinstance(kind, Value) or kind.fields is None:
            return NOTHING
        maker = kind.fields.find('__init__')
        if maker is None or not maker.fns:
            fields = [one for base in [kind.fields, *kind.fields.bases] for one, _ in base.annotations]
            if named or opened or (args and fields):
                return self.model(kind, {**dict(zip(fields, args)), **named}, opened, frame)
            return self.object_of(kind.fields)
        made = self.object_of(kind.fields)
        for one in maker.fns:
            self.into(one.bound(made), args, named, frame, opened)
        return made


def sign(value):
    """What of a value makes a difference to a function that gets it."""
    taints = tuple(one.key() for one in all_taints(value))
    return (taints, value.lead, value.name, value.text, id(value.fields) if value.fields is not None else 0, tuple(id(one.node) for one in value.fns))


def named_in(decorator):
    if not isinstance(decorator, ast.Call):
        return ''
    found = [one.value for one in decorator.keywords if one.arg == 'name'] or decorator.args[:1]
    return found[0].value if found and isinstance(found[0], ast.Constant) and isinstance(found[0].value, str) else ''


def default_of(spec, arg, at):
    """The default of a parameter; `at`: its place among those that may be given by place."""
    if arg in spec.kwonlyargs:
        return spec.kw_defaults[spec.kwonlyargs.index(arg)]
    from_end = at - (len(spec.posonlyargs) + len(spec.args) - len(spec.defaults))
    return spec.defaults[from_end] if 0 <= from_end < len(spec.defaults) else None


def pattern(node):
    return any(isinstance(one, ast.keyword) and one.arg in ('pattern', 'regex', 'enum') for one in ast.walk(node))


def narrow(annotation):
    """Can a value of this type not be any text?"""
    if annotation is None:
        return False
    if isinstance(annotation, ast.Constant):
        kind = str(annotation.value)
    else:
        if pattern(annotation):
            return True
        literal = [one for one in ast.walk(annotation) if isinstance(one, ast.Subscript) and ast.unparse(one.value).endswith('Literal')]
        if literal:
            return True
        kind = ' '.join(one.id if isinstance(one, ast.Name) else one.attr for one in ast.walk(annotation) if isinstance(one, (ast.Name, ast.Attribute)))
    return bool(NARROW.search(kind)) and not WIDE.search(kind)
