import type { Finding } from '../../schemas/finding.ts';
import { type Check, finding, firedOr, gravest } from './check.ts';
import { type Fresh, freshIn, moved } from './fresh.ts';
import { place } from './packages.ts';

/** Bytes that a package may newly have in files no person has read, before it is told. */
const MACHINE_BYTES = 64 * 1024;
/** Each of these is something by itself; of the others a whole file is made. */
const ONE_BY_ONE = /decoded|pushed|not shown/;
const TEST_FILE = /(?:^|\/)(?:__tests__|tests?|fixtures?|examples?|benchmarks?)\//;

/** Shapes that only hide: obfuscators, escapes, decoded programs, code beyond the window, characters that are not shown. */
export const hiddenCode: Check = {
  id: 'LK-COD-01',
  title: 'Code is written so that people can read it',
  owasp: 'MCP04',
  about: 'package',
  readsCode: true,
  run: async (facts) => {
    const fresh = await freshIn(
      facts,
      ({ hidden }) => hidden,
      ({ kind, path, excerpt }) => [
        ...(ONE_BY_ONE.test(kind) ? [`${kind} at ${excerpt}`] : [`${kind} in ${path}`]),
        ...moved(`${kind} at ${excerpt}`, excerpt),
      ],
    );
    const findings = fresh.flatMap((one) => marks(one));
    return firedOr(gravest(findings), `nothing hidden is new in ${fresh.length} packages`);
  },
};

function marks({
  purl,
  name,
  items,
}: Fresh<Fresh<never>['facts']['hidden'][number]>): Omit<Finding, 'check'>[] {
  const groups = Map.groupBy(items, ({ kind }) => kind);
  return [...groups].map(([kind, places]) =>
    finding(
      places.every(({ path }) => TEST_FILE.test(path)) ? 'low' : 'critical',
      `${name} has ${kind}`,
      places.map((mark) => place(purl, mark)),
    ),
  );
}

/** Advises: bundling is a habit of honest packages as well, but nobody has read what came of it. */
export const unreadableCode: Check = {
  id: 'LK-COD-06',
  title: 'What could be read by people still can',
  owasp: 'MCP04',
  about: 'package',
  readsCode: true,
  run: async (facts) => {
    const fresh = await freshIn<never>(
      facts,
      () => [],
      () => [],
    );
    return firedOr(
      gravest(fresh.flatMap((one) => jump(one))),
      `true of ${fresh.length} packages that changed`,
    );
  },
};

/** A package that people could read, and that now has large files only a machine has. Bundles have always been so. */
function jump({ purl, name, facts, before }: Fresh<unknown>): Omit<Finding, 'check'>[] {
  const [old] = before;
  if (!old || old.minified.length > 0) return [];
  const large = facts.minified.filter(({ bytes, path }) => bytes >= MACHINE_BYTES && !TEST_FILE.test(path));
  if (large.length === 0) return [];
  const kib = (bytes: number): number => Math.round(bytes / 1024);
  const message = `${name} had no minified code and now has ${kib(large.reduce((sum, { bytes }) => sum + bytes, 0))} KiB of it`;
  return [
    finding(
      'high',
      message,
      large.map(({ path }) => place(purl, { path, line: 1, excerpt: '' })),
    ),
  ];
}
