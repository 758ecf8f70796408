/** What lk try asks for, what it tells, and what it refuses with. */
import { describe, expect, it } from 'vitest';
import { dataOf, wantedCall } from '../../cli/drill/try.ts';

describe('the call', () => {
  it('is none, or a tool with arguments', () => {
    expect(wantedCall({})).toBe(null);
    expect(wantedCall({ call: 'read' })).toEqual({ name: 'read', arguments: {} });
    expect(wantedCall({ call: 'read', arguments: '{"a":1}' })).toEqual({ name: 'read', arguments: { a: 1 } });
  });

  it.each(['', '[]', 'null', '"a"', '{', '{"a":1,"a":2}'])('takes no %j for arguments', (given) =>
    expect(() => wantedCall({ call: 'read', arguments: given })).toThrow('a JSON object'),
  );

  it('takes no arguments without a tool', () =>
    expect(() => wantedCall({ arguments: '{}' })).toThrow('--call TOOL'));
});

describe('a step that is refused', () => {
  const said = { exit: 3, data: {}, stderr: '' };
  const [type, title, status, detail] = ['urn:x', 't', 403, 'd'];

  it('is refused in its own words and by its own code', () => {
    const problem = { expected: 'a', found: 'b', next: 'Do c', code: 'TOOL_REFUSED', error: 'e' };
    const data = { error: { type, title, status, detail, ...problem } };
    expect(() => dataOf({ ...said, data }, ['lock'])).toThrow(
      expect.objectContaining({ code: 'TOOL_REFUSED', expected: 'a', found: 'b', next: 'Do c' }),
    );
  });

  it('is refused in the words that its release was rejected with', () => {
    const reason =
      'The source is not understood: expected a@9.9.9; found "ETARGET No match for a@9.9.9.". Check the name. [SOURCE_INVALID]';
    expect(() => dataOf({ ...said, data: { release: { reason } } }, ['publish'])).toThrow(
      expect.objectContaining({
        ...{ code: 'SOURCE_INVALID', expected: 'a@9.9.9', next: 'Check the name' },
        found: '"ETARGET No match for a@9.9.9."',
      }),
    );
  });

  it.each([
    [{ release: { reason: 'No such package.' } }, 'found No such package. Look'],
    [{ conclusion: 'refused', sentence: 'The lock has expired.' }, 'found The lock has expired. Look'],
    [{}, 'expected lk publish to go through'],
  ])('is told where it has no error of its own: %j', (data, words) =>
    expect(() => dataOf({ ...said, data }, ['publish'])).toThrow(words),
  );
});
