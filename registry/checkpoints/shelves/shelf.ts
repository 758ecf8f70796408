/** Where notes lie for others to see. */
interface Shown {
  readonly note: string;
  /** Names what was read, so that it is replaced only while it is there. */
  readonly tag: string;
}

export interface Shelf {
  /** The note of that name, or null. Throws PUBLISHED_FOREIGN for what is none. */
  read(name: string): Promise<Shown | null>;
  /** Lays a note over what was read there, null for nothing. False: something else is there now, and nothing was written. */
  lay(name: string, note: string, over: Shown | null): Promise<boolean>;
  /** Names of what was laid and never finished: somebody was killed in between. */
  unfinished(): Promise<string[]>;
  /** After all notes of a checkpoint are there; by name. */
  finish(notes: ReadonlyMap<string, string>, size: number): Promise<void>;
}
