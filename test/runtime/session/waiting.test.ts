import { describe, expect, it } from 'vitest';
import { codeOf, INITIALIZE, startSession } from '../../helpers/session.ts';

describe('before a session is open', () => {
  it('a client’s messages wait up to a bound, and what is beyond is told so', async () => {
    const session = await startSession({ how: 'silent', handshakeMs: 3000 });
    session.send({ id: 0, method: 'initialize', params: INITIALIZE });
    for (let id = 1; id <= 1001; id++) session.send({ id, method: 'ping' });
    expect(codeOf(await session.next(({ id }) => id === 1001))).toBe('RATE_LIMITED');
    expect(session.received.filter((message) => codeOf(message) === 'RATE_LIMITED')).toHaveLength(1);
    await session.close();
  });

  it('a server’s requests wait up to a bound, beyond which the session is refused', async () => {
    const session = await startSession({ how: 'eager' });
    session.send({ id: 0, method: 'initialize', params: INITIALIZE });
    expect((await session.end).error?.code).toBe('RATE_LIMITED');
    expect(session.received.filter(({ method }) => method !== undefined)).toEqual([]);
  });
});
