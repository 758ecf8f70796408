import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';
import { type LifeEvent, next, type State } from '../../../runtime/lifecycle/states.ts';

const STATES: State[] = ['COLD', 'STARTING', 'READY', 'DEGRADED', 'DEAD', 'DRAINING', 'QUARANTINED'];
const EVENTS: LifeEvent[] = [
  'wanted',
  'greeted',
  'failed',
  'ended',
  'unwell',
  'well',
  'rest',
  'stopped',
  'revoked',
];

describe('the life of a server', () => {
  it('serves only after it was greeted', () => {
    const into = STATES.flatMap((from) =>
      EVENTS.filter((event) => next(from, event) === 'READY').map((event) => `${from} ${event}`),
    );
    expect(into).toEqual(['STARTING greeted', 'DEGRADED well']);
  });

  it('is never left once it is quarantined, and quarantined from everywhere', () => {
    for (const event of EVENTS) expect(next('QUARANTINED', event)).toBeNull();
    for (const state of STATES.slice(0, -1)) expect(next(state, 'revoked')).toBe('QUARANTINED');
  });
});

describe('the breaker', () => {
  const made = (): { breaker: Breaker; at: (ms: number) => void } => {
    let now = 0;
    return {
      breaker: new Breaker({ now: () => now, random: () => 0 }),
      at: (ms) => {
        now = ms;
      },
    };
  };

  it('opens on three failures in a row, and says when it tries again', () => {
    const { breaker } = made();
    breaker.failed('one');
    breaker.failed('two');
    expect(breaker.refusal('acme', breaker)).toBeNull();
    breaker.failed('it ended (exit 1)');
    expect(breaker.refusal('acme', breaker)).toMatchObject({
      code: 'SERVER_RESTING',
      found: '3 failures in a row, the last: it ended (exit 1)',
    });
  });

  it('half-opens after its time, opens for longer on another failure, and closes on a good answer', () => {
    const { breaker, at } = made();
    for (const why of ['one', 'two', 'three']) breaker.failed(why);
    at(499);
    expect(breaker.state).toBe('open');
    at(500);
    expect(breaker.state).toBe('half-open');
    breaker.failed('four');
    at(1499);
    expect(breaker.state).toBe('open');
    at(1500);
    expect(breaker.refusal('acme', breaker)).toBeNull();
    breaker.succeeded();
    expect(breaker.state).toBe('closed');
  });

  it('never rests for more than a minute', () => {
    const { breaker, at } = made();
    for (let n = 0; n < 40; n++) breaker.failed('again');
    at(60_001);
    expect(breaker.state).toBe('half-open');
  });
});
