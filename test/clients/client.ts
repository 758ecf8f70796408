/** What there is to know of a client: where it comes from, how it is kept quiet, how it is made to call one tool. */

/** `lk run`, one server of `lk gateway`, all its servers at one address; and the first two as `lk adopt` writes them. */
export const FACES = ['stdio', 'http', 'all', 'adopted', 'adopted http'] as const;
export type Face = (typeof FACES)[number];

export const isAdopted = (face: Face): boolean => face.startsWith('adopted');
export const isStdio = (face: Face): boolean => face === 'stdio' || face === 'adopted';

/** The faces of a client before one of the servers. */
export function facesOf({ adopts }: Client, server: string): Face[] {
  return FACES.filter(
    (face) =>
      (face === 'stdio' || face === 'http' || server === 'docs') &&
      (adopts !== undefined || !isAdopted(face)),
  );
}

/** What a client is pointed at in one run. */
export interface Target {
  readonly face: Face;
  /** `lk run …` or the gateway's address. */
  readonly at: string;
  /** The line of docs/clients.md for this face; '' where a client has none, and where its file was written. */
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
  /** A file of it below its home, and what is in there while its server is started by npx. */
  readonly adopts?: { readonly file: string; readonly text: (target: Target) => string };
  /** Shell lines that connect it and have it call echo with "$MESSAGE". */
  readonly script: (target: Target) => string;
  /** Why the journal may lack how its last call over stdio ended. */
  readonly leaves?: string;
}
