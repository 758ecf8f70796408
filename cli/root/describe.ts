/** A root in words: what changes against the one before it, and whose signatures are there. */
import { readRoot } from '../../runtime/trust/root.ts';
import type { Paint } from '../../scanner/text.ts';
import { sha256 } from '../../schemas/json.ts';
import { holdersOf, type RoleName, type Root } from '../../schemas/root.ts';
import { plain } from '../output.ts';
import { type Draft, type Standing, standing } from './draft.ts';
import { LEAST_DIGITS, previousDigest } from './known.ts';

/** What a registry that keeps its root key itself is called in the root. */
const SELF = 'lockkeeper';
const ROLES: readonly RoleName[] = ['root', 'approver', 'lock', 'scanner', 'revoker'];

/** One line for each thing that is not as it was; people decide by these lines. */
export function changesOf(before: Root, after: Root): string[] {
  return [
    ...ROLES.flatMap((role) => roleChanges(role, before, after)),
    ...dateChanges(before, after),
    ...value('name of the log', before.log.origin, after.log.origin),
    ...listed('log key', before.log.keys, after.log.keys),
    ...listed('witness', before.log.witnesses, after.log.witnesses),
    ...value('witnesses needed', before.log.threshold, after.log.threshold),
    ...value('locks live for hours', before.lifetimes.lockHours, after.lifetimes.lockHours),
    ...value('approvals live for days', before.lifetimes.approvalDays, after.lifetimes.approvalDays),
    ...value('hours of grace', said(before.lifetimes.graceHours), said(after.lifetimes.graceHours)),
    ...value('trial', before.trial, after.trial),
    ...value('least lock versions', said(before.minLockVersions), said(after.minLockVersions)),
    ...value('sigstore root of identities', sigstoreOf(before), sigstoreOf(after)),
    ...value('trust roots', said(before.trustRoots), said(after.trustRoots)),
  ].map(plain);
}

function roleChanges(role: RoleName, before: Root, after: Root): string[] {
  const names = (root: Root): string[] =>
    root.roles[role].keyids.map((keyid) => {
      const holder = holdersOf(root).find((one) => one.keyid === keyid);
      const identity = holder && 'san' in holder ? `${holder.san} by ${holder.issuer}, ` : 'key ';
      return `${holder?.person ?? 'nobody'} (${identity}${idOf(keyid)})`;
    });
  return [
    ...listed(role, names(before), names(after)),
    ...value(`${role}s needed`, before.roles[role].threshold, after.roles[role].threshold),
  ];
}

/** A key that lasted as long as its root lasts as long as the next one; every other date that moves is told. */
function dateChanges(before: Root, after: Root): string[] {
  const known = new Map(holdersOf(before).map((key) => [key.keyid, key]));
  return holdersOf(after).flatMap(({ keyid, person, notBefore, notAfter }) => {
    const key = known.get(keyid);
    if (key === undefined)
      return notAfter === after.expires ? [] : [`~ key ${idOf(keyid)} of ${person} counts until ${notAfter}`];
    const expected = key.notAfter === before.expires ? after.expires : key.notAfter;
    return [
      ...(notAfter === expected ? [] : [`~ key ${idOf(keyid)} of ${person} counts until ${notAfter}`]),
      ...(notBefore === key.notBefore ? [] : [`~ key ${idOf(keyid)} of ${person} counts from ${notBefore}`]),
    ];
  });
}

function sigstoreOf({ keyless }: Root): string {
  return keyless ? sha256(Buffer.from(keyless.trustedRoot, 'base64')) : 'none';
}

/** Whole: the first digits of a key can be had by trying. */
function idOf(keyid: string): string {
  return keyid.slice('sha256:'.length);
}

function listed(what: string, before: readonly string[], after: readonly string[]): string[] {
  return [
    ...after.filter((one) => !before.includes(one)).map((one) => `+ ${what} ${one}`),
    ...before.filter((one) => !after.includes(one)).map((one) => `- ${what} ${one}`),
  ];
}

function value(what: string, before: unknown, after: unknown): string[] {
  return before === after ? [] : [`~ ${what}: ${String(before)} -> ${String(after)}`];
}

function said(record: Readonly<Record<string, unknown>>): string {
  const items = Object.keys(record)
    .sort()
    .map((name) => `${name}=${String(record[name])}`);
  return items.join(', ') || 'none';
}

/** A root that nothing is known of: all that another one has is new against it. */
function nothingOf(root: Root): Root {
  const none = { keyids: [], threshold: 0 };
  const { keyless: _, ...rest } = root;
  return {
    ...rest,
    trial: false,
    keys: [],
    roles: { root: none, approver: none, lock: none, scanner: none, revoker: none },
    log: { origin: 'none', keys: [], witnesses: [], threshold: 0 },
    lifetimes: { lockHours: 0, approvalDays: 0, graceHours: {} },
    minLockVersions: {},
    trustRoots: {},
  };
}

/** `known`: whether this machine knows the root before it. If not, all of the next one is shown: a change could hide. */
export function describeDraft(draft: Draft, paint: Paint, known: boolean): { data: object; text: string } {
  const { root: before } = readRoot(draft.previous);
  const changes = changesOf(known ? before : nothingOf(draft.root), draft.root);
  const stand = standing(draft);
  const done = isComplete(stand.before) && isComplete(stand.own);
  const line = (by: string, { signed, needed, missing }: Standing): string =>
    `  ${by.padEnd(26)} ${signed.length} of ${needed}: ${signed.join(', ') || 'nobody yet'}${signed.length < needed ? ` (missing: any of ${missing.join(', ')})` : ''}`;
  const shown = [
    `${paint.bold(`Root version ${draft.root.version}`)} of ${plain(draft.registry)}, valid from ${draft.root.issuedAt} until ${draft.root.expires}.`,
    known
      ? `Against version ${before.version}:`
      : `This machine does not know version ${before.version}, digest ${previousDigest(draft).slice(7, 7 + LEAST_DIGITS)}. All that version ${draft.root.version} says:`,
    ...(changes.length ? changes : ['nothing but its dates']).map((one) => `  ${one}`),
    'Signed by holders',
    line(`of version ${before.version}`, stand.before),
    line(`of version ${draft.root.version} itself`, stand.own),
    done
      ? 'Next, as an administrator: lk keys root submit FILE'
      : 'Next, each on their own machine: lk keys root sign FILE',
  ];
  return {
    data: {
      version: draft.root.version,
      expires: draft.root.expires,
      known,
      previous: previousDigest(draft),
      changes,
      signatures: stand,
      complete: done,
    },
    text: shown.join('\n'),
  };
}

/** What the registry's own name would sign of the root before, it adds when the root is handed in. */
function isComplete({ signed, needed, missing }: Standing): boolean {
  return signed.length + (missing.includes(SELF) ? 1 : 0) >= needed;
}
