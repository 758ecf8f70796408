/** What a server did when its tools were called in a sandbox: the whole record, and what of it stands in a report. */
import { AnyObject, Closed } from './common.ts';
import { Change } from './diff/surfaces.ts';
import { type Static, Type } from './type.ts';

const Names = Type.Array(Type.String());

/** What was seen in one stretch of time. */
export const Seen = Closed({
  /** Connections asked for; port 0 and no name where only the kernel counted them. */
  tried: Type.Array(
    Closed({
      host: Type.String(),
      port: Type.Integer({ minimum: 0 }),
      via: Type.Union([Type.Literal('proxy'), Type.Literal('report'), Type.Literal('kernel')]),
    }),
  ),
  /** Laid out files that were read, changed or taken away. */
  read: Names,
  /** Laid out values that were met again, and where. */
  given: Type.Array(
    Closed({
      name: Type.String(),
      /** The release asks for this variable. */
      asked: Type.Boolean(),
      to: Type.Union([Type.Literal('answer'), Type.Literal('stderr'), Type.Literal('connection')]),
      /** Of a connection: host and port. */
      where: Type.Optional(Type.String()),
    }),
  ),
  /** Command lines of processes that began, as far as they lived long enough to be seen. */
  processes: Names,
  /** Files that were made or changed. */
  written: Names,
});
export type Seen = Static<typeof Seen>;

export const Called = Closed({
  tool: Type.String(),
  arguments: AnyObject,
  /** failed: it answered that it could not; refused: an error of the protocol. */
  outcome: Type.Union([
    Type.Literal('answered'),
    Type.Literal('failed'),
    Type.Literal('refused'),
    Type.Literal('silent'),
    Type.Literal('died'),
  ]),
  /** The beginning of what came back. */
  words: Type.String(),
  seen: Seen,
});
export type Called = Static<typeof Called>;

export const Behaviour = Closed({
  lockkeeper: Type.Literal('behaviour/v1'),
  /** Why no tool was called; null where at least one was. What was seen until then stands here all the same. */
  unknown: Type.Union([Type.Null(), Type.String()]),
  /** What it did so much of that it was ended, and what came after is not known. */
  cut: Type.Optional(Type.String()),
  /** From its start until the first call. */
  atStart: Seen,
  calls: Type.Array(Called),
  notCalled: Type.Array(Closed({ tool: Type.String(), reason: Type.String() })),
  /** What its lists showed otherwise after the calls; null where they were not read again. */
  changes: Type.Union([Type.Null(), Type.Array(Change)]),
  /** Whether readings of the laid out files can be seen on this disk. */
  readsSeen: Type.Boolean(),
});
export type Behaviour = Static<typeof Behaviour>;

/** For a report. */
export const BehaviourSummary = Type.Union([
  Closed({ unknown: Type.String() }),
  Closed({
    called: Names,
    notCalled: Type.Integer({ minimum: 0 }),
    /** Hosts with their ports, each once. */
    tried: Names,
    /** Those of them that nobody asked to permit. */
    proposed: Names,
    read: Names,
    processes: Names,
    written: Names,
  }),
]);
export type BehaviourSummary = Static<typeof BehaviourSummary>;
