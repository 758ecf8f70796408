/** The composition: every control at every face. */
import type { Row } from './row.ts';
import { tasks } from './tasks.ts';
import { toClient } from './to-client.ts';
import { toServer } from './to-server.ts';

export const rows: readonly Row[] = [...toServer, ...toClient, ...tasks];
