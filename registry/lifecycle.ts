/** The states of a release and the moves between them; nothing else moves one. */
import { LockkeeperError } from '../schemas/errors.ts';
import type { ReleaseState } from '../schemas/release.ts';

export const MOVES = {
  claim: { from: ['submitted'], to: 'scanning' },
  retry: { from: ['scanning'], to: 'submitted' },
  scanned: { from: ['scanning'], to: 'in_review' },
  scanFailed: { from: ['submitted', 'scanning'], to: 'rejected' },
  approve: { from: ['in_review'], to: 'approved' },
  reject: { from: ['submitted', 'in_review'], to: 'rejected' },
  deprecate: { from: ['approved'], to: 'deprecated' },
  /** Its approvals no longer suffice. */
  lapse: { from: ['approved'], to: 'in_review' },
  /** What lapsed may still run somewhere, under a lock that is older than the root. */
  revokeLapsed: { from: ['approved', 'deprecated', 'in_review'], to: 'revoked' },
  revoke: { from: ['approved', 'deprecated'], to: 'revoked' },
} as const satisfies Record<string, { from: readonly ReleaseState[]; to: ReleaseState }>;

export type Move = keyof typeof MOVES;

/** The refusal of a move from a state it does not start in. */
export function wrongState(move: Move, found: ReleaseState): LockkeeperError {
  return new LockkeeperError('STATE_CONFLICT', {
    expected: `a release that is ${MOVES[move].from.join(' or ')}, to ${move} it`,
    found: `one that is ${found}`,
    next: 'Look at it again with: lk review',
  });
}
