/** What there is to know of a client: where it comes from, how it is kept quiet, how it is made to call one tool. */

/** `lk run`, one server of `lk gateway`, and all its servers at one address. */
export const FACES = ['stdio', 'http', 'all'] as const;
export type Face = (typeof FACES)[number];

/** What a client is pointed at in one run. */
export interface Target {
  readonly face: Face;
  /** `lk run …` or the gateway's address. */
  readonly at: string;
  /** The line of docs/clients.md for this face; '' where a client has none. */
  readonly line: string;
  /** What the tool is called there. */
  readonly tool: string;
  /** Where the stand-in for the model listens. */
  readonly model: string;
}

export type Opening = 'server/discover' | 'initialize';

export interface Client {
  /** Its heading in docs/clients.md, for those that have one. */
  readonly name: string;
  /** What makes this one of several with the same name. */
  readonly mode?: string;
  readonly package: string;
  readonly version: string;
  /** What is run, below the folder of node_modules that it is in. */
  readonly program: string;
  /** What people type. */
  readonly command: string;
  /** Whether package.json installs it; else it comes into the cache at first use. */
  readonly here: boolean;
  /** What it calls itself towards servers. */
  readonly calls: string;
  /** Its first word to a server that it does not know, and over stdio where that is another. */
  readonly opens: Opening;
  readonly opensStdio?: Opening;
  readonly environment?: (target: Target) => Readonly<Record<string, string>>;
  /** Files in its home before it starts. */
  readonly files?: (target: Target) => Readonly<Record<string, string>>;
  /** Shell lines that connect it and have it call echo with "$MESSAGE". */
  readonly script: (target: Target) => string;
  /** Why the journal may lack how its last call over stdio ended. */
  readonly leaves?: string;
}
