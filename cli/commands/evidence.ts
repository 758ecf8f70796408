import { resolve } from 'node:path';
import { openRoot, type RootPin } from '../../runtime/trust/root.ts';
import { Me } from '../../schemas/api.ts';
import type { readPrivateKey } from '../../schemas/dsse.ts';
import { LockkeeperError, quote } from '../../schemas/errors.ts';
import type { EvidenceFile } from '../../schemas/evidence.ts';
import {
  type Command,
  type Context,
  instant,
  option,
  type Result,
  required,
  text,
  type Values,
} from '../command.ts';
import { exportEvidence } from '../evidence/export.ts';
import { renderVerdict } from '../evidence/render.ts';
import { type Verdict, verifyEvidence } from '../evidence/verify.ts';
import { givenPin, pinsFor } from '../pins.ts';

export const evidence: Command = {
  summary: 'make or verify an archive that proves what happened in a period',
  words: '--from DATE --to DATE | verify FILE',
  options: {
    from: option.text('begin of the period: 2026-11-01, or an instant'),
    to: option.text('its end, which is not part of it any more: 2026-12-01, or an instant'),
    out: { ...option.text('the file to write, also -o (default: evidence-FROM-TO.lke)'), short: 'o' },
    key: option.text(
      'the key of yours that signs the manifest (default: the one named after you, if there is one)',
    ),
    pin: option.text(
      'verify: file with the root to believe (lk export pin); else the one that this machine pinned',
    ),
    'root-key': option.list(
      'verify: the id of a root key that has to have signed, instead of a file; repeat for each',
    ),
    'signed-by': option.text('verify: the id of the key that must have signed the manifest'),
  },
  examples: [
    'lk evidence --from 2026-11-01 --to 2026-12-01 -o november.lke',
    'lk evidence verify november.lke --pin root-pin.json',
    'lk evidence verify november.lke --json',
  ],
  arity: [0, 2],
  async run(context, [verb, file], values) {
    if (verb === undefined) return write(context, values);
    if (verb === 'verify' && file !== undefined) return verify(context, resolve(context.cwd, file), values);
    throw new LockkeeperError('USAGE', {
      expected: `lk evidence ${evidence.words}`,
      found: quote([verb, file].filter(Boolean).join(' ')),
      next: 'See: lk evidence --help',
    });
  },
};

async function write(context: Context, values: Values): Promise<Result> {
  const from = edge(values, 'from');
  const to = edge(values, 'to');
  const name = `evidence-${from.slice(0, 10)}-${to.slice(0, 10)}.lke`;
  const path = resolve(context.cwd, text(values, 'out') ?? name);
  const api = await context.api();
  const { person: exportedBy } = await api.call('me', Me);
  const key = await signer(context, values, exportedBy);
  let verdict: Verdict | null = null;
  const check = async (written: string): Promise<void> => {
    verdict = await verifyEvidence(written, {
      pin: (head) => pinOf(context, head, values),
      signedBy: key?.keyid,
      progress: context.progress,
    });
    if (verdict.error) throw verdict.error;
  };
  const exportedAt = context.now().toISOString();
  const { progress } = context;
  await exportEvidence({ api, from, to, path, exportedAt, exportedBy, key, progress, check });
  progress('');
  return renderVerdict(context, verdict as unknown as Verdict, path);
}

async function verify(context: Context, path: string, values: Values): Promise<Result> {
  const verdict = await verifyEvidence(path, {
    pin: (head) => pinOf(context, head, values),
    signedBy: text(values, 'signed-by'),
    progress: context.progress,
  });
  context.progress('');
  return renderVerdict(context, verdict, path);
}

/** A day is its beginning. */
function edge(values: Values, name: string): string {
  required(values, name, 'a day such as 2026-11-01');
  return instant(values, name) ?? '';
}

/** The key named, or the person's own; without one the archive stands on the log's signature alone. */
async function signer(
  context: Context,
  values: Values,
  person: string,
): Promise<ReturnType<typeof readPrivateKey> | null> {
  const given = text(values, 'key');
  if (given !== undefined) return context.home.readKey(given);
  return (await context.home.keyNames()).includes(person) ? context.home.readKey(person) : null;
}

/** What was given, else the first pin of this machine from which the roots follow. */
async function pinOf(context: Context, file: EvidenceFile, values: Values): Promise<RootPin> {
  const given = await givenPin(context, file, values);
  if (given) return given;
  const { registry, head } = file;
  const pins = await pinsFor(context, { registry });
  const [first] = pins;
  if (!first)
    throw new LockkeeperError('ROOT_UNPINNED', {
      expected: `a root pinned for ${quote(registry, 200)} on this machine`,
      found: 'none',
      next: 'Give it: lk evidence verify FILE --pin root-pin.json',
    });
  return (
    pins.find((pin) =>
      follows(
        pin,
        file,
        head.roots.map(({ envelope }) => envelope),
      ),
    ) ?? first
  );
}

function follows(
  pin: RootPin,
  { exportedAt }: EvidenceFile,
  roots: readonly EvidenceFile['head']['roots'][number]['envelope'][],
): boolean {
  const root = roots.at(-1);
  if (!root) return false;
  try {
    openRoot({ root, rootChain: roots.slice(0, -1) }, pin, new Date(exportedAt));
    return true;
  } catch {
    return false;
  }
}
