/** A policy as one session meets it: its caller, its server, what it has read. */
import type { Json } from '../../schemas/common.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { Section } from '../../schemas/surface.ts';
import type { Caller } from '../gate/caller.ts';
import type { CallApprovals } from '../gate/people.ts';
import type { FlowState, Read, Reader, Readers } from './flows.ts';
import type { Decision, Policy } from './open.ts';
import type { Full } from './rates.ts';
import { FLOWS_RULE } from './rules.ts';

export interface SessionPolicy {
  readonly policy: Policy;
  /** Alias of the session's server in the lock. */
  readonly server: string;
  /** One for all sessions behind one client: what is read from one server must not leave by another. */
  readonly flow: FlowState;
  /** Where people are asked; `NOBODY_TO_ASK` refuses. */
  readonly approvals: CallApprovals;
}

export interface ItemCall {
  readonly section: Section;
  readonly name: string;
  readonly arguments: Json;
}

export interface Bounded {
  readonly rule: string;
  readonly error: LockkeeperError;
}

/** What the gate needs of it. */
export interface GatePolicy {
  readonly digest: string;
  readonly approvals: CallApprovals;
  /** What the session has read so far. */
  readonly read: Read;
  /** `read`: as of another moment than now. */
  judge(call: ItemCall, read?: Read): Decision;
  /** Why no more such calls pass for now; null: they do. `count`: it is one more. */
  bounded(items: readonly Omit<ItemCall, 'arguments'>[], count: boolean): Bounded | null;
  /** Whether some call of it could pass: what lists show. */
  sees(section: Section, name: string): boolean;
  refusal(call: Omit<ItemCall, 'arguments'>, decision: Decision): LockkeeperError;
  /** The refusal of what a client's model is asked to say to the server; null where it may. */
  unsaid(method: string): LockkeeperError | null;
  /** An answer about this item, or of the server as such, is about to be asked for: `kept` waits until that is on the disk. */
  asks(call: string, item: Omit<ItemCall, 'arguments'> | null): void;
  /** As of `FlowState`. */
  readonly kept: Promise<unknown> | null;
  /** An answer about this item goes to the client; without one, something that the server said by itself. */
  heard(call: string, item: Omit<ItemCall, 'arguments'> | null): void;
  /** For the record of a refusal that rests on what was read: the calls that did. */
  readers(decision: Decision): Readers | undefined;
}

export function gatePolicyOf({ policy, server, flow, approvals }: SessionPolicy, caller: Caller): GatePolicy {
  const itemOf = (section: Section, name: string): { server: string; kind: Section; name: string } => ({
    server,
    kind: section,
    name,
  });
  const broughtBy = (call: string, item: Omit<ItemCall, 'arguments'> | null): [Read, Reader] => [
    policy.reads(item === null ? { server } : itemOf(item.section, item.name)),
    { call, what: item === null ? server : `${server}/${item.name}` },
  ];
  return {
    digest: policy.digest,
    approvals,
    get read() {
      return flow.read;
    },
    judge: ({ section, name, arguments: args }, before) => {
      const item = itemOf(section, name);
      // What goes out now is judged by what was read a moment ago as well, in whichever process.
      if (before === undefined && policy.reads(item).sends) flow.look();
      const read = before ?? flow.read;
      return policy.judge({ caller, item, arguments: args, now: new Date(), read });
    },
    bounded: (items, count) => {
      const of = items.map(({ section, name }) => itemOf(section, name));
      const full = policy.bounded(caller, of, count);
      return full && { rule: full.rule, error: tooOften(full, caller) };
    },
    sees: (section, name) => {
      const { effect } = policy.canSee(caller, itemOf(section, name));
      return effect === 'allow' || (effect === 'ask' && section === 'tools');
    },
    refusal: ({ name }, decision) =>
      decision.rule === FLOWS_RULE
        ? flowRefused(name, flow)
        : new LockkeeperError('POLICY_REFUSED', {
            expected: `something that the policy permits ${quote(caller.user, 64)}`,
            found: `${quote(name, 128)} of ${server}, refused by ${quote(decision.rule, 240)}`,
            next: 'Do without it, or ask those who keep lockkeeper.policy',
          }),
    unsaid: (method) => {
      flow.look();
      const { untrusted, private: secret } = flow.read;
      const may = !untrusted || !secret || policy.sends(caller, server, flow.read) !== false;
      return may ? null : flowRefused(method, flow);
    },
    asks: (call, item) => flow.keep(...broughtBy(call, item)),
    get kept() {
      return flow.kept;
    },
    heard: (call, item) => {
      const [read, reader] = broughtBy(call, item);
      flow.keep(read, reader);
      flow.saw(read, reader);
    },
    readers: ({ rule }) => (rule === FLOWS_RULE ? flow.readers : undefined),
  };
}

function tooOften({ rule, rate, waitMs }: Full, { user }: Caller): LockkeeperError {
  const { calls, ms, together } = rate;
  return new LockkeeperError('RATE_LIMITED', {
    expected: `at most ${calls} calls in ${ms / 1000} s ${together ? 'of all together' : `of ${quote(user, 64)}`}, by ${quote(rule, 240)}`,
    found: 'one more',
    next: `Call again in ${Math.ceil(waitMs / 1000)} s`,
    retryAfterMs: waitMs,
  });
}

function flowRefused(name: string, { readers }: FlowState): LockkeeperError {
  const told = (reader: typeof readers.untrusted): string =>
    reader === null ? 'nothing' : `${quote(reader.what, 160)} in call ${reader.call}`;
  return new LockkeeperError('POLICY_REFUSED', {
    expected: `${quote(name, 128)}, which sends out, of somebody who has not read both text of strangers and private data`,
    found: `strangers' text from ${told(readers.untrusted)}, private data from ${told(readers.private)}`,
    next: 'Wait until that is forgotten (docs/policy.md), or have a line let you: "TEAM: ask one person before sending out after reading", or "TEAM: may send out after reading"',
  });
}
