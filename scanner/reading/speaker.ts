/** Who says a text: what its own names are, and which other names it has heard of. */
export interface Speaker {
  /** Name of the tool; null for what a server says as a whole. */
  readonly name: string | null;
  /** Names that are its own: itself, its parameters and their values, as they are written. */
  readonly own: ReadonlySet<string>;
}

const IDENTIFIER =
  /(?<![\w/.$@-])(?:[a-z][a-z0-9]*(?:[_-][a-z0-9]+)+|[a-z]+(?:[A-Z][a-z0-9]+)+)(?![\w/(=]|\.\w)/g;
const NAMED =
  /(?<![\w])[`'"]([\w.-]{3,40})[`'"] (?:tool|function|method|operation|command|server|call)\b|\b(?:tool|function) (?:named |called )?[`'"]([\w.-]{3,40})[`'"]|\b(?:the|a|any) ([a-z]+(?:[_-][a-z]+)+|[a-z]+(?:[A-Z][a-z]+)+) (?:tool|function)\b/;

/** Whether a sentence names something as tools are named, which is neither this tool nor a parameter of it. */
export function isForeignName(sentence: string, { own }: Speaker): boolean {
  const [, quoted, after, plain] = NAMED.exec(sentence) ?? [];
  const named = quoted ?? after ?? plain;
  if (named !== undefined && !own.has(named)) return true;
  for (const [name] of sentence.matchAll(IDENTIFIER)) if (name.includes('_') && !own.has(name)) return true;
  return false;
}
