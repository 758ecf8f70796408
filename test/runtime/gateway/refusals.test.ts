/** What is said of a session that is not there stands in the record as it was said: nothing in it is taken for a secret. */
import { expect, it } from 'vitest';
import { unknownSession } from '../../../runtime/gateway/refusals.ts';
import { redactText } from '../../../runtime/journal/redact.ts';

it('is told to the audit in words', () => {
  const { message } = unknownSession().error;
  expect(redactText(message, Buffer.alloc(32))).toBe(message);
});
