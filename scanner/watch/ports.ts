/** What becomes of a source after it was approved: newer versions, and whether its name still means the same bytes. */
import type { Github } from '../github/client.ts';
import type { OciOptions } from '../oci/options.ts';
import type { NpmOptions } from '../ports.ts';
import type { PypiOptions } from '../pypi/options.ts';

/** A version that there is beside it, as releases name it. */
export interface Offered {
  readonly version: string;
  /** What it would come from; a digest that is not in the list is asked for only of the one that is wanted. */
  readonly source: string | (() => Promise<string>);
}

/** What the name that was approved means now. */
export interface Pointed {
  readonly state: 'same' | 'moved' | 'gone';
  /** In words, for people. */
  readonly found: string;
  /** What to ask with the next time, such as an ETag; null for nothing. */
  readonly keep: string | null;
}

export interface Release {
  readonly source: string;
  readonly version: string;
}

export interface WatchPorts {
  readonly npm: NpmOptions;
  readonly pypi: () => Promise<PypiOptions>;
  readonly oci: () => Promise<OciOptions>;
  /** Null where it is not to be asked. */
  readonly github: Github | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Folder for empty folders that git is run in. */
  readonly tmp: string;
}
