import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openPeer } from '../../../runtime/session/peer.ts';
import type { LockkeeperError } from '../../../schemas/errors.ts';

describe('a message that cannot be handled', () => {
  it('ends the session that it came to, once, and nothing else', async () => {
    const stdout = new PassThrough();
    const process = {
      stdin: new PassThrough(),
      stdout,
      stderr: new PassThrough(),
      exited: new Promise<never>(() => undefined),
    };
    const ends: LockkeeperError[] = [];
    let heard = 0;
    const peer = openPeer(process as never, {
      message: () => {
        heard += 1;
        throw new TypeError('names that are one');
      },
      badLine: () => undefined,
      gone: (error) => ends.push(error),
    });
    const asked = peer.ask('ping', {}, 60_000).catch((error: LockkeeperError) => error);
    const notice = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n';
    stdout.write(notice + notice);
    expect(await asked).toMatchObject({ code: 'INTERNAL' });
    expect(ends).toHaveLength(1);
    expect(ends[0]?.message).toContain('names that are one');
    expect(heard).toBe(1);
  });
});
