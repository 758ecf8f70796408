import { expect, it } from 'vitest';
import { StandingWishes } from '../../../runtime/session/standing.ts';

it('what a client wished is remembered, and nothing that only looks like a part of it', () => {
  const wishes = new StandingWishes();
  wishes.answered({ method: 'logging/setLevel', params: { level: 'info', uri: { toString: 1 } } });
  wishes.answered({ method: 'resources/subscribe', params: { uri: 'note://one' } });
  expect([...wishes.all].map(({ method }) => method)).toEqual(['logging/setLevel', 'resources/subscribe']);
  wishes.answered({ method: 'resources/unsubscribe', params: { uri: 'note://one' } });
  expect([wishes.subscribed, [...wishes.all].length]).toEqual([false, 1]);
});
