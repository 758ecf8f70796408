/** The whole matrix, in the order it is printed. */
import { approvalRows } from './approval.ts';
import { artifactRows } from './artifact.ts';
import { clockRows } from './clock.ts';
import { databaseRows } from './database.ts';
import { documentRows } from './document.ts';
import { forgedRows } from './forged.ts';
import { handoverRows } from './handover.ts';
import { keylessRows } from './keyless.ts';
import { lockRows } from './lock.ts';
import { logRows } from './log.ts';
import { publishedRows } from './published.ts';
import { registryRows } from './registry.ts';
import { rewrittenRows } from './rewritten.ts';
import { rootRows } from './root.ts';
import type { Row } from './row.ts';
import { sizeRows } from './size.ts';
import { stateRows } from './state.ts';

export const rows: readonly Row[] = [
  ...rootRows,
  ...handoverRows,
  ...lockRows,
  ...forgedRows,
  ...approvalRows,
  ...keylessRows,
  ...logRows,
  ...publishedRows,
  ...registryRows,
  ...databaseRows,
  ...rewrittenRows,
  ...clockRows,
  ...documentRows,
  ...sizeRows,
  ...stateRows,
  ...artifactRows,
];
