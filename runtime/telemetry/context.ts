/** W3C trace context: which trace a call belongs to, by `traceparent` in a message's `_meta` or in a header. */
import { randomBytes } from 'node:crypto';
import type { Json } from '../../schemas/common.ts';
import { isObject } from '../wire/message.ts';

export interface TraceContext {
  /** 32 hex digits. */
  readonly trace: string;
  /** 16 hex digits; null for the first span of a trace. */
  readonly parent: string | null;
  readonly sampled: boolean;
  readonly state: string;
}

const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
/** Longest tracestate that is carried on, characters. */
const MAX_STATE = 512;

/** Null where there is none, or one that is malformed: then a call begins its own trace. */
export function contextOf(traceparent: unknown, tracestate: unknown = ''): TraceContext | null {
  const [, version, trace = '', parent = '', flags = '', rest] =
    (typeof traceparent === 'string' && traceparent.length <= 200 && PARENT.exec(traceparent)) || [];
  if (version === undefined || version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (/^0+$/.test(trace) || /^0+$/.test(parent)) return null;
  const state = typeof tracestate === 'string' && /^[\x20-\x7e]*$/.test(tracestate) ? tracestate : '';
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { trace, parent, sampled, state: state.length <= MAX_STATE ? state : '' };
}

/** As a record keeps it. */
export function contextIn(detail: Json | undefined): TraceContext | null {
  const meta = isObject(detail) ? detail._meta : undefined;
  return isObject(meta) ? contextOf(meta.traceparent, meta.tracestate) : null;
}

export function newContext(): TraceContext {
  return { trace: randomBytes(16).toString('hex'), parent: null, sampled: true, state: '' };
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}
