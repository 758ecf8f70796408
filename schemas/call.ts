/** A call that waits for people: what a runtime asks, what people sign, what the registry shows. */
import { AnyObject, Closed, Digest, Instant, Person, ServerName, Version } from './common.ts';
import { Envelope } from './dsse.ts';
import { Alias } from './intent.ts';
import { digestOf } from './json.ts';
import { type Static, Type } from './type.ts';

const CALL_PREDICATE = 'https://lockkeeper.dev/call-approval/v1';

/** The longest that a call waits, minutes. */
export const CALL_MINUTES = 15;
/** Of the arguments as canonical JSON, bytes: what nobody can read nobody approves. */
export const MAX_CALL_ARGUMENTS = 32 * 1024;

const Reason = Type.String({ minLength: 3, maxLength: 1000 });
const CallId = Type.String({
  pattern: '^[0-9a-f]{32}$',
  description: 'the id of a call: 32 hex digits',
});

/** Everything that an approval is bound to, as the runtime knows it by itself. */
export const CallFacts = Closed({
  /** Made by the runtime for this one question: an approval of it fits no other, though all else were the same. */
  nonce: Type.String({ pattern: '^[0-9a-f]{32}$', description: '32 hex digits' }),
  runtime: Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: 'id of a journal' }),
  session: Type.String({ minLength: 1, maxLength: 200 }),
  user: Type.String({ minLength: 1, maxLength: 200 }),
  /** What the lock calls it: two of its servers may be one release, with other folders and secrets. Older runtimes do not say. */
  alias: Type.Optional(Alias),
  server: ServerName,
  version: Version,
  closureDigest: Digest,
  tool: Type.String({ minLength: 1, maxLength: 256 }),
  /** Over the arguments as they are shown: secrets replaced by a keyed hash, nothing cut. */
  argumentsDigest: Digest,
  /** What is shown are all parameters of the request, `arguments` among them, as it says more than those. */
  shown: Type.Optional(Type.Literal('parameters')),
  /** How many distinct people it takes, the user not among them. */
  people: Type.Integer({ minimum: 1, maximum: 2 }),
  expires: Instant,
});
export type CallFacts = Static<typeof CallFacts>;

/** A call is named by what it is, so that whoever decides on a name decides on what they were shown under it. */
export function callId(facts: CallFacts): string {
  return digestOf(facts).slice('sha256:'.length, 'sha256:'.length + 32);
}

/** An in-toto statement whose one subject is the arguments of the call. */
export const CallApproval = Closed({
  _type: Type.Literal('https://in-toto.io/Statement/v1'),
  subject: Type.Array(
    Closed({
      name: Type.String({ pattern: '^call:[0-9a-f]{32}$' }),
      digest: Closed({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
    }),
    { minItems: 1, maxItems: 1 },
  ),
  predicateType: Type.Literal(CALL_PREDICATE),
  predicate: Closed({
    decision: Type.Literal('approved'),
    call: CallFacts,
    approvedBy: Person,
    at: Instant,
  }),
});
export type CallApproval = Static<typeof CallApproval>;

/** The statement of this person about this call. */
export function callApprovalOf(
  call: CallFacts,
  { approvedBy, at }: { approvedBy: string; at: string },
): CallApproval {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: callSubject(call), digest: { sha256: call.argumentsDigest.slice('sha256:'.length) } }],
    predicateType: CALL_PREDICATE,
    predicate: { decision: 'approved', call, approvedBy, at },
  };
}

/** What the log's entries about a call are about. */
export function callSubject(call: CallFacts): string {
  return `call:${callId(call)}`;
}

/** `used` once the runtime took the approval; nothing leaves the last four. */
export const CallState = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('approved'),
  Type.Literal('used'),
  Type.Literal('rejected'),
  Type.Literal('expired'),
  Type.Literal('withdrawn'),
]);
export type CallState = Static<typeof CallState>;

const Rejection = Closed({ person: Person, reason: Reason });

/** POST /v1/calls (runtime). Asking the same again is no second question. */
export const CallAskBody = Closed({ facts: CallFacts, arguments: AnyObject });

/** GET /v1/calls/:id/answer?wait= (who asked): what became of it, after at most `wait` seconds. */
export const CallAnswerQuery = Closed({
  wait: Type.Optional(Type.String({ pattern: '^(?:[0-9]|1[0-9]|20)$', description: 'seconds, at most 20' })),
});
export const CallAnswer = Closed({
  id: CallId,
  state: CallState,
  rejected: Type.Union([Type.Null(), Rejection]),
  /** Of each person who approved it so far; whoever asked verifies them. */
  envelopes: Type.Array(Envelope, { maxItems: 2 }),
});
export type CallAnswer = Static<typeof CallAnswer>;

/** POST /v1/calls/:id/use: takes the approval, once. POST /v1/calls/:id/withdraw: nobody waits any more. */
export const CallTaken = Closed({ id: CallId, state: CallState });

/** GET /v1/calls/:id, and GET /v1/calls?state= newest last. */
export const CallView = Closed({
  id: CallId,
  facts: CallFacts,
  /** Null once it waits no longer: the audit has them. */
  arguments: Type.Union([Type.Null(), AnyObject]),
  state: CallState,
  /** Whose token the runtime asked with. */
  askedBy: Person,
  askedAt: Instant,
  approvedBy: Type.Array(Person, { maxItems: 2 }),
  rejected: Type.Union([Type.Null(), Rejection]),
});
export type CallView = Static<typeof CallView>;

export const CallQuery = Closed({
  state: Type.Optional(Type.Union([Type.Literal('waiting'), Type.Literal('all')])),
});
export const CallList = Closed({ calls: Type.Array(CallView, { maxItems: 1000 }) });
export type CallList = Static<typeof CallList>;

/** POST /v1/calls/:id/approvals (reviewer), and POST /v1/calls/:id/reject, which needs no signature: to deny is cheap. */
export const CallApproveBody = Closed({ envelope: Envelope });
export const CallRejectBody = Closed({ reason: Reason });

const READERS = ['admin', 'reviewer', 'auditor'] as const;
const ASKERS = ['runtime', 'developer'] as const;

/** Part of the table in api.ts. Arguments are for those who decide, and for those who read the audit anyway. */
export const CALL_ROUTES = {
  calls: { method: 'GET', path: '/v1/calls', roles: READERS },
  call: { method: 'GET', path: '/v1/calls/:id', roles: READERS },
  callAsk: { method: 'POST', path: '/v1/calls', roles: ASKERS },
  callAnswer: { method: 'GET', path: '/v1/calls/:id/answer', roles: ASKERS },
  callUse: { method: 'POST', path: '/v1/calls/:id/use', roles: ASKERS },
  callWithdraw: { method: 'POST', path: '/v1/calls/:id/withdraw', roles: ASKERS },
  callApprove: { method: 'POST', path: '/v1/calls/:id/approvals', roles: ['reviewer'] },
  callReject: { method: 'POST', path: '/v1/calls/:id/reject', roles: ['admin', 'reviewer'] },
} as const;
