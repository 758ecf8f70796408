/** `lk keys root set`: thresholds, lifetimes, witnesses and least versions, each from its own option. */
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import { readNoteKey } from '../../schemas/note.ts';
import type { Root } from '../../schemas/root.ts';
import { list, text, type Values } from '../command.ts';
import { lasting, roleNamed, setThreshold } from './changes.ts';

const DAY_MS = 86_400_000;

/** Throws USAGE when nothing is set, or a number is none. */
export function settings(root: Root, values: Values): Root {
  const next = [thresholds, lifetimes, witnesses, leastVersions, trustRoots, expiry].reduce(
    (so, change) => change(so, values),
    root,
  );
  if (next !== root) return next;
  throw new LockkeeperError('USAGE', {
    expected: 'one of --threshold, --lock-hours, --approval-days, --witness, --min-lock and the like',
    found: 'none',
    next: 'See: lk keys root --help',
  });
}

function wholeNumber(value: string, what: string): number {
  if (/^(?:0|[1-9][0-9]{0,8})$/.test(value)) return Number(value);
  throw new LockkeeperError('USAGE', {
    expected: `${what} as a whole number`,
    found: quote(value),
    next: 'Correct it and run the command again',
  });
}

/** `NAME=VALUE`, split at the last =. */
function pair(word: string, what: string): [string, string] {
  const at = word.lastIndexOf('=');
  if (at > 0 && at < word.length - 1) return [word.slice(0, at), word.slice(at + 1)];
  throw new LockkeeperError('USAGE', {
    expected: what,
    found: quote(word),
    next: 'See: lk keys root --help',
  });
}

function thresholds(root: Root, values: Values): Root {
  return list(values, 'threshold').reduce((so, word) => {
    const [name, count] = pair(word, '--threshold ROLE=COUNT');
    return setThreshold(so, roleNamed(name), wholeNumber(count, 'a threshold'));
  }, root);
}

function lifetimes(root: Root, values: Values): Root {
  const [hours, days] = [text(values, 'lock-hours'), text(values, 'approval-days')];
  const grace = list(values, 'grace').map((word) => pair(word, '--grace ENVIRONMENT=HOURS'));
  if (hours === undefined && days === undefined && grace.length === 0) return root;
  const granted = Object.fromEntries(grace.map(([name, count]) => [name, wholeNumber(count, '--grace')]));
  return {
    ...root,
    lifetimes: {
      graceHours: { ...root.lifetimes.graceHours, ...granted },
      lockHours: hours === undefined ? root.lifetimes.lockHours : wholeNumber(hours, '--lock-hours'),
      approvalDays: days === undefined ? root.lifetimes.approvalDays : wholeNumber(days, '--approval-days'),
    },
  };
}

function witnesses(root: Root, values: Values): Root {
  const [more, fewer] = [list(values, 'witness'), list(values, 'no-witness')];
  const needed = text(values, 'witnesses-needed');
  if (more.length + fewer.length === 0 && needed === undefined) return root;
  for (const key of more) readNoteKey(key);
  const kept = root.log.witnesses.filter(
    (key) => !fewer.includes(key) && !fewer.includes(readNoteKey(key).name),
  );
  const threshold = needed === undefined ? root.log.threshold : wholeNumber(needed, '--witnesses-needed');
  return { ...root, log: { ...root.log, witnesses: [...new Set([...kept, ...more])], threshold } };
}

function leastVersions(root: Root, values: Values): Root {
  const named = list(values, 'min-lock').map((word) => pair(word, '--min-lock PROJECT=VERSION'));
  if (named.length === 0) return root;
  const added = Object.fromEntries(
    named.map(([name, version]) => [name, wholeNumber(version, '--min-lock')]),
  );
  return { ...root, minLockVersions: { ...root.minLockVersions, ...added } };
}

function trustRoots(root: Root, values: Values): Root {
  const named = list(values, 'trust-root').map((word) => pair(word, '--trust-root NAME=sha256:DIGEST'));
  if (named.length === 0) return root;
  return { ...root, trustRoots: { ...root.trustRoots, ...Object.fromEntries(named) } };
}

function expiry(root: Root, values: Values): Root {
  const days = text(values, 'valid-days');
  if (days === undefined) return root;
  const until = Date.parse(root.issuedAt) + wholeNumber(days, '--valid-days') * DAY_MS;
  const expires = new Date(until).toISOString();
  return lasting({ ...root, expires }, root.expires);
}
