/** Who says a text: what its own names are, and which other names it has heard of. */
export interface Speaker {
  /** Name of the tool; null for what a server says as a whole. */
  readonly name: string | null;
  /** Names that are its own: itself, its parameters and their values, as they are written. */
  readonly own: ReadonlySet<string>;
  /** Names of the tools of its server, its own among them; none where nobody said. */
  readonly siblings?: ReadonlySet<string>;
}

const IDENTIFIER =
  /(?<![\w/.$@-])(?:[a-z][a-z0-9]*(?:[_-][a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+)(?![\w/(=]|\.\w)/g;
const NAMED =
  /(?<![\w])[`'"]([\w.-]{3,40})[`'"] (?:tool|function|method|operation|command|server|call)\b|\b(?:tool|function) (?:named |called )?[`'"]([\w.-]{3,40})[`'"]|\b(?:the|a|any) ([a-z]+(?:[_-][a-z]+)+|[a-z]+(?:[A-Z][a-z]+)+) (?:tool|function)\b/g;
/** Names with a hyphen are words as well, unless somebody calls them; a name with brackets behind it is called. */
const CALLED =
  /\b(?:call|invok|trigger|run|us)(?:e|es|ing|ning|s)? (?:the )?(?:[`'"]([A-Za-z][\w-]{2,40})[`'"]|([a-z]+(?:-[a-z]+)+)(?=[,.;:)]))/g;
const MARKED =
  /[`'"]([\w.-]{2,60})[`'"]|\b([A-Za-z][A-Za-z0-9]*(?:[_.-][A-Za-z0-9]+)+|[a-z]+[A-Z]\w*)|\b([a-z]+) (?=tool|function)\b/g;
const BRACKETS = /(?<![\w.])([a-z]+(?:_[a-z0-9]+)+)\(\)/g;

/** Whether a sentence names something as tools are named, which is neither this tool nor a parameter of it nor a tool of its server. */
export function isForeignName(sentence: string, { own, siblings }: Speaker): boolean {
  for (const name of namesIn(sentence)) if (!own.has(name) && !siblings?.has(name)) return true;
  return false;
}

/** Whether a sentence names another tool of its own server; one that is a plain word has to be marked as a name. */
export function isSiblingName(sentence: string, { own, siblings }: Speaker): boolean {
  if (!siblings || siblings.size < 2) return false;
  for (const [, quoted, joined, plain] of sentence.matchAll(MARKED)) {
    const name = quoted ?? joined ?? plain ?? '';
    if (siblings.has(name) && !own.has(name)) return true;
  }
  return false;
}

function* namesIn(sentence: string): Generator<string> {
  for (const pattern of [NAMED, CALLED])
    for (const [, ...found] of sentence.matchAll(pattern)) yield* found.filter((name) => name !== undefined);
  for (const [, name = ''] of sentence.matchAll(BRACKETS)) yield name;
  for (const [name] of sentence.matchAll(IDENTIFIER)) if (name.includes('_')) yield name;
}
