/** One connection of this process that hears what commits announce, for as long as the process lives. */
import type { PoolClient } from 'pg';
import type { Pool } from './pool.ts';

const AGAIN_MS = 1000;

export interface Listening {
  /** Settles once the connection answered; rejects while there is none. */
  ping(withinMs: number): Promise<void>;
  close(): void;
}

/**
 * `wake` is called at each announcement, with what it says, and without a word after each (re)connection, since
 * announcements are not kept for anyone.
 */
export function listen(pool: Pool, channel: string, wake: (said?: string) => void): Listening {
  let client: PoolClient | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const drop = (gone: PoolClient): void => {
    if (client !== gone) return;
    client = null;
    gone.removeAllListeners('notification');
    gone.release(true);
    if (!closed) timer = setTimeout(connect, AGAIN_MS);
  };
  const connect = (): void => {
    pool.connect().then(
      (fresh) => {
        client = fresh;
        if (closed) return drop(fresh);
        fresh.on('notification', ({ payload }) => wake(payload));
        for (const event of ['error', 'end'] as const) fresh.once(event, () => drop(fresh));
        fresh.query(`listen ${channel}`).then(
          () => wake(),
          () => drop(fresh),
        );
      },
      () => {
        if (!closed) timer = setTimeout(connect, AGAIN_MS);
      },
    );
  };
  connect();
  return {
    ping: async (withinMs) => {
      const asked = client;
      if (!asked) throw new Error('no connection listens');
      // A connection that was cut without a word looks open until it is asked.
      const late = setTimeout(() => drop(asked), withinMs);
      await asked.query('select 1').finally(() => clearTimeout(late));
    },
    close: () => {
      closed = true;
      clearTimeout(timer);
      if (client) drop(client);
    },
  };
}
