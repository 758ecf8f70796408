/** The steps of verifying evidence, as they are printed: what is checked, what was found. */
import type { LockkeeperError } from '../../schemas/errors.ts';

const TITLES = [
  'the archive is whole and in its one written form',
  'the root chain leads from the pinned keys, and every root is in the log',
  'the newest checkpoint is signed by the log and its witnesses',
  'the log of the period lies inside it: begin and end, consistency proofs, cosignatures',
  'the entries of the period are all there: added to the log at its begin they give its root at the end',
  'every submission and scan report that was logged is there, with the logged digest',
  'every approval, rejection and revocation that was logged is there, signed by a key that counted then',
  'every lock that was logged is there, signed, and rests on logged approvals of enough people',
  'every batch of audit records that was logged is there, each journal’s chain unbroken from the batch before',
  'the manifest names every member, and who exported signed it',
] as const;

export interface Step {
  readonly step: number;
  readonly checks: string;
  readonly found: string;
  /** Null where it was not reached. */
  readonly ok: boolean | null;
}

export interface Steps {
  /** What is checked from now on, until told otherwise: where a refusal belongs. */
  at(step: number): void;
  /** What a step found, once it is done. */
  found(step: number, text: string): void;
  list(error: LockkeeperError | null): Step[];
}

export function newSteps(): Steps {
  const done = new Map<number, string>();
  let current = 1;
  return {
    at: (step) => {
      current = step;
    },
    found: (step, text) => void done.set(step, text),
    list: (error) =>
      TITLES.map((checks, index) => {
        const step = index + 1;
        if (error !== null && step === current)
          return { step, checks, found: `expected ${error.expected}; found ${error.found}`, ok: false };
        const found = done.get(step);
        return { step, checks, found: found ?? 'not reached', ok: found === undefined ? null : true };
      }),
  };
}
