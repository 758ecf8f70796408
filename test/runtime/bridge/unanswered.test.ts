/** A server that answers nothing, and clients that go: what is remembered of them is bounded. */
import { expect, it } from 'vitest';
import { Following } from '../../../runtime/bridge/following.ts';
import { Handles } from '../../../runtime/bridge/handles.ts';
import { MAX_UNANSWERED } from '../../../runtime/bridge/open-call.ts';
import type { BridgeOptions } from '../../../runtime/bridge/ports.ts';
import type { Call } from '../../../runtime/bridge/rounds.ts';
import { parseMessage, type Request, type Response } from '../../../runtime/wire/message.ts';

const MANY = MAX_UNANSWERED + 500;
const exchange = { fromClient: new Map(), record: (_: unknown, effect: () => void) => effect() };
const bridge = { exchange, heard: () => undefined } as unknown as BridgeOptions;
const answer = (id: unknown): Response =>
  parseMessage(Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, error: { code: 1 } }))) as Response;

it('of a task that a client looks after again and again', () => {
  const asked: unknown[] = [];
  const handles = new Handles(bridge, (bytes) => void asked.push(JSON.parse(bytes.toString()).id));
  for (let id = 1; id <= MANY; id++)
    handles.take({ kind: 'request', id, method: 'tasks/get', params: { taskId: 'a' } } as unknown as Request);
  expect(asked.length).toBe(MANY);
  expect([asked[0], asked.at(-1)].map((id) => handles.heard(answer(id)))).toEqual([false, true]);
});

it('of tasks whose calls nobody waits for any more', () => {
  const asked: unknown[] = [];
  const following = new Following(bridge, {
    notes: { round: () => ({}) },
    say: (id: string) => void asked.push(id),
  } as unknown as ConstructorParameters<typeof Following>[1]);
  for (let id = 1; id <= MANY; id++) {
    const call = { id, call: `s/${id}`, method: 'tools/call', round: 0 } as unknown as Call;
    expect(following.begin(call, { taskId: `t${id}`, status: 'working' })).toBe(null);
    following.drop(call);
  }
  expect([asked[0], asked.at(-1)].map((id) => following.heard(answer(id)))).toEqual([false, true]);
});
