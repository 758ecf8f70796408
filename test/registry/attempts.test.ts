import { describe, expect, it } from 'vitest';
import { attempts } from '../../registry/auth.ts';

describe('attempts', () => {
  it('of one address are not forgotten for those of ten thousand others that came before it last did something', () => {
    const { check, count } = attempts(2, 'attempts');
    for (let n = 0; n < 9999; n++) count(`2001:db8::${n.toString(16)}`);
    count('192.0.2.1');
    for (let n = 0; n < 5000; n++) count(`2001:db8:1::${n.toString(16)}`);
    count('192.0.2.1');
    expect(() => check('192.0.2.1')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
    for (let n = 0; n < 9000; n++) count(`2001:db8:2::${n.toString(16)}`);
    expect(() => check('192.0.2.1')).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
    expect(() => check('192.0.2.2')).not.toThrow();
  });
});
