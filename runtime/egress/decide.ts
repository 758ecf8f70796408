/** Whether one connection may be made, and the record of it, which is on the disk before the connection is. */
import { isIP } from 'node:net';
import { inTime } from '../deadline.ts';
import type { EgressEvent } from '../ports.ts';
import { ownAddresses, resolveHost } from './resolve.ts';
import { isInside, isName, permits } from './rules.ts';

export interface Decider {
  /** `host:port` or `*.suffix:port`; empty allows nothing. */
  readonly allow: readonly string[];
  /** Must make the event durable before it resolves. A rejection refuses the connection. */
  readonly onEvent: (event: EgressEvent) => Promise<void>;
  /** All addresses of a name, the preferred first; asked for once for each connection. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** What somebody inside asks for. `refused` says why it is not even looked at. */
export interface Wish {
  readonly host: string;
  readonly port: number;
  readonly refused?: string;
}

interface Verdict {
  readonly address: string | null;
  readonly reason: string;
}

export interface Desk {
  decide(wish: Wish): Promise<Verdict>;
  record(event: EgressEvent): Promise<void>;
}

/** A server that asks without end is not to fill the disk: refusals recorded in one minute, at most. */
const MAX_REFUSALS = 600;
/** Nor is one that is permitted much: connections to permitted hosts in one minute. */
const MAX_ALLOWED = 6000;
const MINUTE_MS = 60_000;
const RESOLVE_MS = 10_000;

/** One to each proxy, which counts. Its record throws when enough was refused in this minute. */
export function openDesk(options: Decider): Desk {
  let since = Date.now();
  let refusals = 0;
  let permitted = 0;
  const look = (): void => {
    if (Date.now() - since < MINUTE_MS) return;
    since = Date.now();
    refusals = permitted = 0;
  };
  const record: Desk['record'] = async (event) => {
    if (event.outcome === 'refused' && !(await counted(event))) throw new Error('enough for this minute');
    await options.onEvent({ ...event, host: event.host.slice(0, 253) });
  };
  const counted = async (event: EgressEvent): Promise<boolean> => {
    look();
    if (++refusals === MAX_REFUSALS + 1) {
      const reason = `more than ${MAX_REFUSALS} refusals in a minute: the rest of it has no record of each`;
      await options.onEvent({ ...event, host: '(many)', port: 0, reason });
    }
    return refusals <= MAX_REFUSALS;
  };
  return {
    record,
    decide: async (wish) => {
      const verdict = await judge(wish, options, () => {
        look();
        return ++permitted > MAX_ALLOWED;
      });
      const outcome = verdict.address === null ? 'refused' : 'allowed';
      await record({ host: wish.host, port: wish.port, via: 'proxy', outcome, reason: verdict.reason });
      return verdict;
    },
  };
}

/** A name, not an address in any spelling -> allowed -> not too often -> resolved once -> outside, wherever it leads. */
async function judge(
  { host, port, refused }: Wish,
  options: Decider,
  isTooOften: () => boolean,
): Promise<Verdict> {
  const no = (reason: string): Verdict => ({ address: null, reason });
  if (refused !== undefined) return no(refused);
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0 || /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/.test(host))
    return no('addresses are not names');
  if (!isName(host)) return no('this is not a name');
  if (!permits(options.allow, host, port)) return no('not among the permitted hosts');
  if (isTooOften()) return no(`more than ${MAX_ALLOWED} connections in a minute`);
  const resolve = options.resolve ?? resolveHost;
  const addresses = (await inTime(resolve(host), RESOLVE_MS).catch(() => undefined)) ?? [];
  const [address] = addresses;
  if (address === undefined) return no('the name does not resolve');
  const inside = addresses.find(isInside);
  if (inside !== undefined) return no(`the name leads inside, to ${inside}`);
  const own = ownAddresses();
  const here = addresses.find((one) => own.has(one));
  if (here !== undefined) return no(`the name leads to this machine itself, by ${here}`);
  return { address, reason: `permitted, ${address}` };
}
