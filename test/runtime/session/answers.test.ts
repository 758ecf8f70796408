import { describe, expect, it } from 'vitest';
import { answerFor } from '../../../runtime/session/answers.ts';
import { LARGE_PARTS } from '../../../runtime/wire/message.ts';

describe('an answer that is compared with the lock', () => {
  it('is as large as what the lock has, once it was read', () => {
    const hello = {
      instructions: 'x'.repeat(LARGE_PARTS),
      capabilities: { x: Array(LARGE_PARTS + 1).fill(0) },
    };
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, result: hello }));
    const known = { live: {} as never, hello, tasks: { methods: new Set(['tasks/get']) } };
    const passed = answerFor({ kind: 'response', id: 1, result: hello, bytes }, { greets: true }, known);
    expect(passed.bytes).toBe(bytes);
    const other = answerFor({ kind: 'response', id: 1, result: {}, bytes }, { greets: true }, known);
    expect(other.bytes.toString()).toContain('SURFACE_DRIFT');
  });
});
