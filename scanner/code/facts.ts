/** What the code of one package says, as the checks read it. The same bytes give the same facts, so they are kept by digest. */
import { Closed } from '../../schemas/common.ts';
import { type Static, Type } from '../../schemas/type.ts';

/** Raised with every change of what is read out of code: facts that an older reader kept are read anew. */
export const CODE_VERSION = 7;

/** Files larger than this are not read, and said to be. */
export const MAX_FILE_BYTES = 8 * 1024 * 1024;
/** Files of source in one package; what is beyond is not read, and said to be. */
export const MAX_FILES = 20_000;
/** Facts of one kind that are kept of a package. */
export const MAX_FACTS = 5000;

export const Capability = Type.Union([
  Type.Literal('network'),
  Type.Literal('programs'),
  Type.Literal('environment'),
  Type.Literal('dynamic code'),
  Type.Literal('native code'),
  Type.Literal('files'),
  Type.Literal('files of the user'),
  Type.Literal('remote server'),
]);
export type Capability = Static<typeof Capability>;

const place = { path: Type.String(), line: Type.Integer({ minimum: 0 }), excerpt: Type.String() };

/** One thing that a file can reach: `what` is a module, host, variable, function or file. */
export const Use = Closed({ capability: Capability, what: Type.String(), ...place });
export type Use = Static<typeof Use>;

export const Step = Closed({ what: Type.String(), ...place });
export type Step = Static<typeof Step>;

/** Where something that the code does not know beforehand comes from. */
export const Origin = Type.Union([
  /** An argument of a tool. */
  Type.Literal('argument'),
  /** What another machine answered. */
  Type.Literal('answer'),
  /** The whole environment, or a file that holds keys. */
  Type.Literal('private'),
]);
export type Origin = Static<typeof Origin>;

/** What a value can do where it arrives. */
export const Sink = Type.Union([
  Type.Literal('shell'),
  Type.Literal('program'),
  Type.Literal('program argument'),
  Type.Literal('code'),
  Type.Literal('path'),
  Type.Literal('address'),
  Type.Literal('query'),
  /** All of a query: whoever calls the tool asks what they like. */
  Type.Literal('whole query'),
  Type.Literal('network'),
]);
export type Sink = Static<typeof Sink>;

/** From where a value comes to where it is used, step by step. */
export const Flow = Closed({
  origin: Origin,
  /** Name of the argument, variable or host. */
  what: Type.String(),
  /** The tool whose argument it is; empty elsewhere. */
  tool: Type.String(),
  sink: Sink,
  /** The function it reaches. */
  call: Type.String(),
  ...place,
  steps: Type.Array(Step),
});
export type Flow = Static<typeof Flow>;

/** Code or text that is written so that people cannot read it, or a secret that they should not. */
export const Mark = Closed({ kind: Type.String(), grave: Type.Boolean(), ...place });
export type Mark = Static<typeof Mark>;

export const CodeFacts = Closed({
  version: Type.Integer(),
  /** Files of source, their bytes together, and how many of them are written for machines alone. */
  files: Type.Integer(),
  bytes: Type.Integer(),
  minified: Type.Array(Closed({ path: Type.String(), bytes: Type.Integer() })),
  uses: Type.Array(Use),
  flows: Type.Array(Flow),
  hidden: Type.Array(Mark),
  secrets: Type.Array(Mark),
  /** Names of tools whose code is here. */
  tools: Type.Array(Type.String()),
  /** Files that were not understood, and why: what they reach is not known. */
  unread: Type.Array(Closed({ path: Type.String(), reason: Type.String() })),
  /** Files that are read, but were not followed to their end: there may be more flows. */
  unfollowed: Type.Array(Type.String()),
});
export type CodeFacts = Static<typeof CodeFacts>;

/** The facts of one file, as its reader tells them. */
export type FileFacts = Pick<CodeFacts, 'uses' | 'hidden' | 'secrets' | 'unread'> & {
  readonly minified?: boolean;
};

/** At most 160 characters of the line around a place, also of a file that is one line. */
export function lineAround(text: string, at: number): string {
  const from = Math.max(text.lastIndexOf('\n', at - 1) + 1, at - 40);
  const end = text.indexOf('\n', at);
  return text.slice(from, Math.min(end === -1 ? text.length : end, from + 160)).trim();
}
