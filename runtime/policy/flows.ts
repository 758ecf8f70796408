/** What a client's session has read so far, over all of its servers. It only ever grows. */
import type { FlowMemory } from './remembered.ts';

/** What was read. */
export interface Read {
  readonly untrusted: boolean;
  readonly private: boolean;
}

/** The call whose answer it was. */
export interface Reader {
  readonly call: string;
  /** `server/tool`, or the server alone. */
  readonly what: string;
}

/** The first call that brought text of strangers, and the first that brought private data. */
export interface Readers {
  readonly untrusted: Reader | null;
  readonly private: Reader | null;
}

export class FlowState {
  readonly #memory: FlowMemory | null;
  #untrusted: Reader | null = null;
  #private: Reader | null = null;

  /** `memory`: what whoever it is has read in other sessions, before and beside this one. */
  constructor(memory: FlowMemory | null = null) {
    this.#memory = memory;
  }

  get read(): Read {
    const { untrusted, private: secret } = this.readers;
    return { untrusted: untrusted !== null, private: secret !== null };
  }

  get readers(): Readers {
    const own = { untrusted: this.#untrusted, private: this.#private };
    if (this.#memory === null || (own.untrusted && own.private)) return own;
    const { untrusted, private: secret } = this.#memory.readers;
    return { untrusted: own.untrusted ?? untrusted, private: own.private ?? secret };
  }

  /** What other processes remembered up to now counts from here on, however lately was looked. */
  look(): void {
    this.#memory?.look();
  }

  saw(read: Read, reader: Reader): void {
    if (read.untrusted) this.#untrusted ??= reader;
    if (read.private) this.#private ??= reader;
    this.#memory?.saw(read, reader);
  }

  /** An answer may bring that: it is on the disk before `kept` settles, so that no restart forgets it. */
  keep(read: Read, reader: Reader): void {
    this.#memory?.keep(read, reader);
  }

  /** What is still on its way to the disk; null where nothing is. Rejects with FLOWS_BROKEN. */
  get kept(): Promise<unknown> | null {
    return this.#memory?.kept ?? null;
  }
}
