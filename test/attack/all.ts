/** The whole matrix, in the order it is printed. */
import { approvalRows } from './approval.ts';
import { lockRows } from './lock.ts';
import type { Row } from './row.ts';

export const rows: readonly Row[] = [...lockRows, ...approvalRows];
