"""What is known of a value while Python is followed: which interface it is, what of its text, and whose words are in it."""

MAX_TAINTS, MAX_STEPS, MAX_TEXT, MAX_ALTS = 6, 12, 400, 64


class Taint:
    """Words that the code does not know beforehand. `open`: a mapping whose members are arguments by their own names."""
    __slots__ = ('origin', 'what', 'tool', 'open', 'steps')

    def __init__(self, origin, what, tool='', open=False, steps=()):
        self.origin, self.what, self.tool, self.open, self.steps = origin, what, tool, open, steps

    def key(self):
        return (self.origin, self.what, self.tool, self.open)

    def at(self, step):
        last = self.steps[-1] if self.steps else None
        same = last and last['line'] == step['line'] and last['path'] == step['path']
        if same or len(self.steps) >= MAX_STEPS:
            return self
        return Taint(self.origin, self.what, self.tool, self.open, (*self.steps, step))


class Value:
    """`name`: an interface of others, as `subprocess.run`; `fields`: members by name or place; `fns`: what a call may run;
    `alts`: objects it may be; `of`: names of variables that it says the same as, in another form; `looks`: places
    that it is the answer about."""
    __slots__ = ('taints', 'name', 'text', 'lead', 'fields', 'fns', 'alts', 'of', 'looks')

    def __init__(self, taints=(), name=None, text='', lead=False, fields=None, fns=(), alts=(), of=(), looks=()):
        self.taints, self.name, self.text, self.lead = taints, name, text[:MAX_TEXT], lead
        self.fields, self.fns, self.alts, self.of, self.looks = fields, fns, alts, of, looks

    def but(self, **changes):
        known = {key: getattr(self, key) for key in Value.__slots__}
        return Value(**{**known, **changes})

    def at(self, step):
        return self.but(taints=tuple(one.at(step) for one in self.taints)) if self.taints else self

    def known(self):
        """Is anything known of it?"""
        return bool(self.taints or self.name or self.text or self.fields is not None or self.fns or self.alts)


NOTHING = Value()


class Members(dict):
    """Members of an object, a module or a list. `bases`: where a member that is not here is looked for."""
    __slots__ = ('bases', 'kind', 'owner', 'annotations')

    def __init__(self, items=(), kind='items', bases=(), owner=None):
        super().__init__(items)
        self.kind, self.bases, self.owner, self.annotations = kind, bases, owner, ()

    def find(self, key, depth=8):
        found = self.get(key)
        if found is not None or depth == 0:
            return found
        for base in self.bases:
            found = base.find(key, depth - 1)
            if found is not None:
                return found
        return None


def merged(values):
    found = {}
    for value in values:
        for taint in value.taints:
            if len(found) < MAX_TAINTS:
                found.setdefault(taint.key(), taint)
    return tuple(found.values())


def all_taints(value, depth=3):
    """Everything whose words are anywhere in it."""
    fields = value.fields
    if depth == 0 or (fields is None and not value.alts) or (fields is not None and fields.kind in ('module', 'super')):
        return value.taints
    found = {one.key(): one for one in value.taints}
    for one in [*(fields.values() if fields is not None else ()), *value.alts][:200]:
        if isinstance(one, Value) and (one.taints or one.fields is not None or one.alts):
            for taint in all_taints(one, depth - 1):
                found.setdefault(taint.key(), taint)
        if len(found) >= MAX_TAINTS:
            break
    return tuple(found.values())[:MAX_TAINTS]


def words(values, lead=None):
    """The same words in another shape."""
    found = {}
    for one in values:
        for taint in all_taints(one):
            found.setdefault(taint.key(), taint)
    taints = tuple(found.values())[:MAX_TAINTS]
    if not taints:
        return NOTHING
    return Value(taints=taints, lead=any(one.lead for one in values) if lead is None else lead, text=texts(values))


def texts(values):
    return ' '.join(one.text for one in values if one.text)[:MAX_TEXT]


def union(values):
    """Either of them: whose words are in it is what any says."""
    values = [one for one in values if one.known()]
    if len(values) < 2:
        return values[0] if values else NOTHING
    first = next((one for one in values if one.fields is not None), None)
    objects = {id(one.fields): one for one in values if one.fields is not None}
    others = [alt for one in values for alt in one.alts]
    fns = {id(fn.node): fn for one in values for fn in one.fns}
    return Value(
        taints=merged(values), name=next((one.name for one in values if one.name), None), text=texts(values),
        lead=any(one.lead for one in values), fields=first.fields if len(objects) == 1 and not others else None,
        fns=tuple(fns.values())[:MAX_ALTS],
        alts=tuple([*objects.values(), *others])[:MAX_ALTS] if len(objects) > 1 or others else (),
        of=tuple({name for one in values for name in one.of}),
    )


def clean(value):
    """Looked at, and taken as it should be. What is private stays so."""
    if not value.taints and value.fields is None:
        return value
    fields = value.fields if value.fields is not None and not all_taints(value) else None
    return value.but(taints=tuple(one for one in value.taints if one.origin == 'private'), lead=False, fields=fields, alts=(), of=())


class Fn:
    """A function or class of the package: its node, the module it stands in, the names around it, and what `self` is."""
    __slots__ = ('node', 'module', 'around', 'self')

    def __init__(self, node, module, around, self_=None):
        self.node, self.module, self.around, self.self = node, module, around, self_

    def bound(self, owner):
        return Fn(self.node, self.module, self.around, owner)
