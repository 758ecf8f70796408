/** Where notes lie for others to see. */
export interface Shown {
  readonly note: string;
  /** Names what was read, so that it is replaced only while it is there. */
  readonly tag: string;
}

export interface Shelf {
  /** The note of that name, or null. */
  read(name: string): Promise<Shown | null>;
  /** Lays a note over what was read there, null for nothing. False: somebody else was faster, and nothing was written. */
  lay(name: string, note: string, over: Shown | null): Promise<boolean>;
  /** After all notes of a checkpoint are there. */
  finish(names: readonly string[], size: number): Promise<void>;
}
