/** One row of the table of egress: an attack, what must not come of it, and how both ways out are judged. */
import type { World } from './world.ts';

/** `lockkeeper`: our proxy and our sandbox; `bare`: a proxy with the usual faults, and no sandbox. */
export type WayName = 'lockkeeper' | 'bare';

export interface Row {
  readonly id: string;
  readonly attack: string;
  /** What must not happen. */
  readonly refuses: string;
  /** What the records of our way have to say of it; null where there is nobody to say it. */
  readonly recorded: RegExp | null;
  /** How it ends where no record says so. */
  readonly end?: string;
  /** Both ways at once: it is about time. */
  readonly timed?: boolean;
  /** It needs a sandbox that is started by root. */
  readonly root?: boolean;
  run(way: WayName, world: World): Promise<Found>;
}

export interface Found {
  readonly broke: boolean;
  readonly seen: string;
  /** `outcome host:port reason` of each record. */
  readonly records: readonly string[];
}

export interface EgressVerdict {
  readonly row: string;
  readonly attack: string;
  readonly refuses: string;
  readonly code: string;
  readonly verdict: 'held' | 'explained' | 'BROKEN';
  readonly seen: string;
  /** What the same attack came to without the controls. */
  readonly control: string;
  readonly why: string;
}

/** A connection that is allowed goes to where it was judged to go, without what was not. */
function codeOf(record: string): string {
  return record.startsWith('refused') ? 'EGRESS_REFUSED' : 'egress.allowed';
}

/** Held only if it gets through bare, does not get through ours, and our records say so. */
export function judgeRow(row: Row, ours: Found | Error, bare: Found | Error): EgressVerdict {
  const { id, attack, refuses, recorded } = row;
  const said = ours instanceof Error ? [] : ours.records;
  const record = recorded === null ? undefined : said.find((line) => recorded.test(line));
  const word = (verdict: EgressVerdict['verdict'], why = ''): EgressVerdict => ({
    row: id,
    attack,
    refuses,
    code: record === undefined ? (row.end ?? '-') : codeOf(record),
    verdict,
    seen: ours instanceof Error ? ours.message : [ours.seen, record].filter(Boolean).join('; '),
    control: bare instanceof Error ? bare.message : bare.seen,
    why,
  });
  if (ours instanceof Error) return word('BROKEN', 'the attempt could not be made');
  if (ours.broke) return word('BROKEN', 'it got through');
  if (bare instanceof Error || !bare.broke)
    return word('BROKEN', 'it gets through nowhere, and proves nothing');
  if (recorded !== null && record === undefined)
    return word('BROKEN', `no record says so: ${said.join('; ') || 'there is none'}`);
  return word('held');
}
