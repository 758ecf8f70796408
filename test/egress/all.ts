/** Every row, in the order it is printed. */
import { directRows } from './direct.ts';
import { loadRows } from './load.ts';
import { nameRows } from './names.ts';
import { plainRows } from './plain.ts';
import type { Row } from './row.ts';
import { tlsRows } from './tls.ts';

export const egressRows: readonly Row[] = [...nameRows, ...tlsRows, ...plainRows, ...loadRows, ...directRows];
