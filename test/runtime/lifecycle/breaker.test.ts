import { describe, expect, it } from 'vitest';
import { Breaker } from '../../../runtime/lifecycle/breaker.ts';

function opened(): { breaker: Breaker; pass: (ms: number) => void; may: () => boolean } {
  let now = 0;
  const breaker = new Breaker({ now: () => now, random: () => 0 });
  for (let n = 0; n < 3; n++) breaker.failed('it ended');
  return {
    breaker,
    pass: (ms) => {
      now += ms;
    },
    may: () => breaker.refusal('acme') === null,
  };
}

describe('a breaker that is half open', () => {
  it('lets one trial through, however many ask', () => {
    const { breaker, pass, may } = opened();
    expect([breaker.state, may()]).toEqual(['open', false]);
    pass(500);
    expect(breaker.state).toBe('half-open');
    expect([may(), may(), may()]).toEqual([true, false, false]);
    expect(breaker.refusal('acme')?.code).toBe('SERVER_RESTING');
  });

  it('lets everybody through once the trial answered, and nobody once it failed', () => {
    const { breaker, pass, may } = opened();
    pass(500);
    may();
    breaker.failed('it ended again');
    expect(may()).toBe(false);
    pass(1000);
    expect([may(), may()]).toEqual([true, false]);
    breaker.succeeded();
    expect([may(), may(), breaker.state]).toEqual([true, true, 'closed']);
  });

  it('lets another try where nobody hears how a trial ended', () => {
    const { pass, may } = opened();
    pass(500);
    expect([may(), may()]).toEqual([true, false]);
    pass(10_000);
    expect([may(), may()]).toEqual([true, false]);
  });
});
