/** What a client's session has read so far, over all of its servers. It only ever grows. */
import type { Read } from './open.ts';

/** The call whose answer it was. */
export interface Reader {
  readonly call: string;
  /** `server/tool`, or the server alone. */
  readonly what: string;
}

export class FlowState {
  #untrusted: Reader | null = null;
  #private: Reader | null = null;

  get read(): Read {
    return { untrusted: this.#untrusted !== null, private: this.#private !== null };
  }

  /** The first call that brought text of strangers, and the first that brought private data. */
  get readers(): { readonly untrusted: Reader | null; readonly private: Reader | null } {
    return { untrusted: this.#untrusted, private: this.#private };
  }

  saw(read: Read, reader: Reader): void {
    if (read.untrusted) this.#untrusted ??= reader;
    if (read.private) this.#private ??= reader;
  }
}
