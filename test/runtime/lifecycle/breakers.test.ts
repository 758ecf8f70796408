import { describe, expect, it } from 'vitest';
import { Breakers } from '../../../runtime/lifecycle/breakers.ts';

function made() {
  let now = 0;
  const breakers = new Breakers({ now: () => now, random: () => 0 });
  const may = (caller: string, by: object = {}): boolean => breakers.of(caller).refusal('acme', by) === null;
  const fails = (caller: string, times = 1): void => {
    for (let n = 0; n < times; n++) breakers.of(caller).failed('it ended', {});
  };
  const pass = (ms: number): void => {
    now += ms;
  };
  return { breakers, may, fails, pass };
}

describe('the breakers of one server', () => {
  it('open for the caller whose calls fail, however often, and for nobody else', () => {
    const { breakers, may, fails, pass } = made();
    for (let n = 0; n < 50; n++) {
      fails('eve');
      pass(n % 2 ? 60_000 : 1);
      may('eve');
      fails('eve');
    }
    expect([may('eve'), may('ada'), may('bob')]).toEqual([false, true, true]);
    expect(breakers.state).toBe('open');
  });

  it('open for everybody once three callers failed in a row, and close with the first good answer', () => {
    const { breakers, may, fails, pass } = made();
    fails('ada');
    fails('bob');
    expect(may('cleo')).toBe(true);
    fails('cleo');
    expect([may('dan'), may('ada')]).toEqual([false, false]);
    pass(500);
    expect(breakers.state).toBe('half-open');
    expect([may('dan'), may('ada')]).toEqual([true, false]);
    breakers.of('dan').succeeded();
    expect([may('ada'), may('cleo'), breakers.state]).toEqual([true, true, 'closed']);
  });

  it('are not opened by three callers between whom somebody was answered', () => {
    const { breakers, may, fails } = made();
    fails('ada', 2);
    fails('bob', 2);
    breakers.of('dan').succeeded();
    fails('cleo', 2);
    expect(may('erin')).toBe(true);
  });

  it('are kept open by a trial that failed, and not by whoever fails beside it', () => {
    const { breakers, may, fails, pass } = made();
    for (const caller of ['ada', 'bob', 'cleo']) fails(caller);
    pass(500);
    fails('ada', 40);
    const trial = {};
    expect(may('dan', trial)).toBe(true);
    fails('ada', 40);
    expect(may('erin')).toBe(false);
    breakers.of('dan').failed('it ended', trial);
    pass(999);
    expect(may('erin')).toBe(false);
    pass(1);
    expect(may('erin')).toBe(true);
  });

  it('let another try once the one that tried is gone, or was held back by its own', () => {
    const { breakers, may, fails, pass } = made();
    fails('eve', 3);
    for (const caller of ['ada', 'bob']) fails(caller);
    pass(500);
    const trial = {};
    expect(may('ada', trial)).toBe(true);
    expect(may('eve')).toBe(false);
    breakers.of('ada').left(trial);
    expect(may('eve')).toBe(true);
  });

  it('remember callers in bounds', () => {
    const { breakers, may, fails } = made();
    fails('eve', 3);
    breakers.of('eve').succeeded();
    expect([may('eve'), breakers.state]).toEqual([true, 'closed']);
  });
});
