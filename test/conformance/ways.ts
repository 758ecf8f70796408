/** Every way to the server that is held against the direct one, in the order it is printed. */
import type { Way } from './command.ts';
import { openPassthrough } from './hops.ts';

export const ways: readonly Way[] = [{ name: 'passthrough', open: (direct) => openPassthrough(direct) }];
