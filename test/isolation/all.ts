/** Every proof, in the order it is printed. */
import { fileProofs } from './files.ts';
import { networkProofs } from './network.ts';
import { privilegeProofs } from './privileges.ts';
import { processProofs } from './processes.ts';
import type { Proof } from './proof.ts';
import { resourceProofs } from './resources.ts';

export const proofs: readonly Proof[] = [
  ...fileProofs,
  ...resourceProofs,
  ...privilegeProofs,
  ...processProofs,
  ...networkProofs,
];
