import { describe, expect, it, vi } from 'vitest';
import { MUCH_NOISE, Noise, Rate, Recent, Rereads, Waiting } from '../../../runtime/session/limits.ts';
import type { Message } from '../../../runtime/wire/message.ts';

const MIB = 1024 * 1024;
const messageOf = (bytes: Buffer): Message => ({ kind: 'notification', method: 'n', params: {}, bytes });
const small = messageOf(Buffer.alloc(1));

describe('messages that wait', () => {
  it('are at most a thousand, and all come out in order', () => {
    const waiting = new Waiting();
    const messages = Array.from({ length: 1000 }, () => messageOf(Buffer.alloc(1)));
    expect(messages.every((message) => waiting.push(message))).toBe(true);
    expect(waiting.push(small)).toBe(false);
    expect(waiting.length).toBe(1000);
    expect(waiting.take()).toEqual(messages);
    expect([waiting.length, waiting.push(small)]).toEqual([0, true]);
  });

  it('are at most 32 MiB together, and leave their room when they are taken', () => {
    const waiting = new Waiting();
    const half = messageOf(Buffer.alloc(16 * MIB));
    expect([waiting.push(half), waiting.push(half), waiting.push(small)]).toEqual([true, true, false]);
    expect(waiting.take()).toHaveLength(2);
    expect([waiting.push(half), waiting.push(half), waiting.push(small)]).toEqual([true, true, false]);
  });

  it('give way to one that goes first, whose bytes count', () => {
    const waiting = new Waiting();
    const whole = messageOf(Buffer.alloc(32 * MIB));
    waiting.unshift(whole);
    expect(waiting.push(small)).toBe(false);
    expect(waiting.take()).toEqual([whole]);
  });
});

describe('recent keys', () => {
  it('are the newest thousand, each answered once', () => {
    const recent = new Recent();
    for (let n = 0; n <= 1000; n++) recent.add(`k${n}`);
    expect(recent.delete('k0')).toBe(false);
    expect([recent.delete('k1'), recent.delete('k1'), recent.delete('k1000')]).toEqual([true, false, true]);
  });
});

describe('a rate', () => {
  it('lets so many through in a window, and again in the next', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const rate = new Rate(2, 1000);
    const take = (): boolean[] => [rate.take(), rate.take(), rate.take()];
    expect(take()).toEqual([true, true, false]);
    vi.advanceTimersByTime(999);
    expect(rate.take()).toBe(false);
    vi.advanceTimersByTime(2);
    expect(take()).toEqual([true, true, false]);
    vi.useRealTimers();
  });
});

describe('noise', () => {
  it('is recorded one by one, then as what has no record of each, and again in the next window', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const noise = new Noise();
    const told = (): (string | null)[] => Array.from({ length: 250 }, (_, n) => noise.told(`${n}`));
    for (const _ of [1, 2]) {
      const all = told();
      expect(all.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, n) => `${n}`));
      expect(all.slice(200).filter(Boolean)).toEqual([MUCH_NOISE]);
      vi.advanceTimersByTime(10_001);
    }
    vi.useRealTimers();
  });
});

describe('readings again', () => {
  it('are one for several notices in a row, and none once there were twenty in ten seconds', () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] });
    const rereads = new Rereads();
    const read: string[] = [];
    const ask = (...sections: ('tools' | 'prompts')[]): string =>
      rereads.ask(sections, (fresh) => read.push(fresh.join()));
    expect([ask('tools'), ask('tools'), ask('tools', 'prompts')]).toEqual(['soon', 'already', 'soon']);
    expect(read).toEqual([]);
    vi.runAllTimers();
    expect(read).toEqual(['tools', 'prompts']);
    for (let n = 3; n <= 20; n++) {
      expect(ask('tools')).toBe('soon');
      vi.runAllTimers();
    }
    expect(ask('tools')).toBe('too often');
    expect(read).toHaveLength(20);
    vi.advanceTimersByTime(10_001);
    expect(ask('tools')).toBe('soon');
    vi.useRealTimers();
  });
});
