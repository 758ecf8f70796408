/** Where arguments lead: nothing that is not ours. */
export interface Places {
  /** Inside the sandbox; what is in it is ours. */
  readonly folder: string;
  /** A file in it. */
  readonly file: string;
  /** A host that there is none of. */
  readonly host: string;
}

/** A name that is nobody's and never will be (RFC 6761 6.4). */
export const SINKHOLE_HOST = 'sinkhole.invalid';
/** The folder where the release asks for none. */
export const WORK = '/tmp/work';
