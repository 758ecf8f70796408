/** Calls that wait for people: asked by runtimes, shown to and decided by people, taken once. */
import type { FastifyInstance } from 'fastify';
import { NothingBody } from '../../schemas/api.ts';
import {
  type CallAnswer,
  CallAnswerQuery,
  CallApproveBody,
  CallAskBody,
  CallQuery,
  CallRejectBody,
  type CallView,
} from '../../schemas/call.ts';
import type { Call, Handlers } from '../app.ts';
import { assertSpeaksFor } from '../auth.ts';
import { approveCall, askAbout, assertAsker, endCall, missing, rejectCall } from '../calls.ts';
import { CALLS_CHANNEL, callEnvelopes, findCall, listCalls } from '../db/calls.ts';
import type { Deps } from '../deps.ts';
import { Waiters } from '../waiters.ts';

const SHOWN = 1000;

export function callRoutes(app: FastifyInstance, deps: Deps): Handlers {
  const { pool } = deps;
  const waiters = new Waiters(pool, CALLS_CHANNEL);
  app.addHook('preClose', async () => waiters.close());
  return {
    calls: async (call) => ({ calls: await listCalls(pool, call.query(CallQuery).state === 'all', SHOWN) }),
    call: (call) => shown(call, deps),
    callAsk: (call) => ask(call, deps),
    callAnswer: (call) => answer(call, deps, waiters),
    callUse: (call) => end(call, deps, 'used'),
    callWithdraw: (call) => end(call, deps, 'withdrawn'),
    callApprove: (call) => approve(call, deps),
    callReject: (call) => {
      const { reason } = call.body(CallRejectBody);
      return rejectCall(pool, call.param('id'), { person: call.actor.person, reason });
    },
  };
}

async function shown(call: Call, { pool }: Deps): Promise<CallView> {
  const id = call.param('id');
  const found = await findCall(pool, id);
  if (found) return found;
  throw missing(id);
}

async function ask(call: Call, { pool }: Deps): Promise<unknown> {
  const { facts, arguments: args } = call.body(CallAskBody);
  const { actor } = call;
  assertSpeaksFor(actor, facts.user);
  const { id, state } = await askAbout(pool, { facts, arguments: args, askedBy: actor.person });
  return { id, state };
}

async function approve(call: Call, { pool, trust }: Deps): Promise<unknown> {
  const { envelope } = call.body(CallApproveBody);
  const { trusted } = await trust.current();
  return approveCall(pool, call.param('id'), { envelope, person: call.actor.person, trusted });
}

async function end(call: Call, { pool }: Deps, to: 'used' | 'withdrawn'): Promise<unknown> {
  call.body(NothingBody);
  const id = call.param('id');
  await endCall(pool, id, { to, by: call.actor.person });
  return { id, state: to };
}

/** Held until it is decided, or the time is over: then it says that it waits still. */
async function answer(call: Call, { pool }: Deps, waiters: Waiters): Promise<CallAnswer> {
  const { wait = '0' } = call.query(CallAnswerQuery);
  const id = call.param('id');
  const by = call.actor.person;
  const gone = new AbortController();
  // A registry that ends lets go of whoever waits, with their connections.
  call.reply.header('connection', 'close');
  // Of the answer: a request without a body is closed as soon as it was read.
  call.reply.raw.once('close', () => gone.abort());
  const look = async (): Promise<CallView> => assertAsker(await findCall(pool, id), id, by);
  const { state, rejected } =
    (await waiters.until({ key: id, holder: by, ms: Number(wait) * 1000, gone: gone.signal }, async () => {
      const found = await look();
      return found.state === 'waiting' ? null : found;
    })) ?? (await look());
  return { id, state, rejected, envelopes: state === 'approved' ? await callEnvelopes(pool, id) : [] };
}
