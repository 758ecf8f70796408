import { resolve } from 'node:path';
import { ZIP_LIMITS, zipEntries, zipReader } from '../../runtime/store/zip.ts';
import { openArchive } from '../../scanner/advisories/archive.ts';
import { MAX_RECORD_BYTES } from '../../scanner/advisories/record.ts';
import { counted } from '../../scanner/text.ts';
import { AdvisoryList, ImportView } from '../../schemas/advisory.ts';
import { asLockkeeperError, LockkeeperError, quote } from '../../schemas/errors.ts';
import { advisoryLines, heldLines, locksText } from '../advisories.ts';
import type { Command, Context, Result } from '../command.ts';
import { plain } from '../output.ts';

export const advisories: Command = {
  summary: 'show which releases and locks known malware and vulnerabilities affect',
  words: '[import FILE.zip]',
  options: {},
  examples: ['lk advisories', 'lk advisories --json', 'lk advisories import all.zip'],
  arity: [0, 2],
  async run(context, [verb, file]) {
    if (verb === undefined) return list(context);
    if (verb === 'import' && file !== undefined) return bring(context, resolve(context.cwd, file));
    throw new LockkeeperError('USAGE', {
      expected: `lk advisories ${advisories.words}`,
      found: quote([verb, file].filter(Boolean).join(' ')),
      next: 'See: lk advisories --help',
    });
  },
};

async function list(context: Context): Promise<Result> {
  const { paint } = context;
  const view = await (await context.api()).call('advisories', AdvisoryList);
  const { feed, releases } = view;
  const age =
    feed.newest === null
      ? 'No advisories were ever loaded.'
      : `Newest advisory: ${feed.newest.slice(0, 16)}Z.`;
  const notes = `${age} ${counted(feed.advisories, 'record')} known${feed.skipped > 0 ? `, ${feed.skipped} could not be read` : ''}.`;
  if (releases.length === 0)
    return {
      data: view,
      text: `Nothing known affects a release that is in review or approved.\n${paint.dim(notes)}`,
    };
  const lines = releases.flatMap((release) => [
    `${paint.bold(plain(`${release.server} ${release.version}`))} (${release.state.replace('_', ' ')}; ${locksText([release])})`,
    ...heldLines(release, paint),
    ...advisoryLines(release.advisories),
  ]);
  const head = `${counted(releases.length, 'release is', 'releases are')} affected; ${locksText(releases)}.`;
  return { data: view, text: [head, '', ...lines, '', paint.dim(notes)].join('\n') };
}

/** Sent in parts: one is a request of some megabytes, whatever the archive holds. */
const PART_BYTES = 12 * 2 ** 20;
const PART_RECORDS = 500;
const PART_MS = 120_000;

async function bring(context: Context, file: string): Promise<Result> {
  const api = (await context.api()).within(PART_MS);
  const total = { stored: 0, known: 0, skipped: 0, revoked: [] as string[], held: [] as string[] };
  const send = async (records: readonly string[]): Promise<void> => {
    if (records.length === 0) return;
    const { stored, known, skipped, revoked, held } = await api.call('advisoryImport', ImportView, {
      body: { records },
    });
    total.stored += stored;
    total.known += known;
    total.skipped += skipped;
    total.revoked.push(...revoked);
    total.held.push(...held);
    context.progress(`${total.stored} stored, ${total.known} known, ${total.skipped} passed over`);
  };
  total.skipped += await inParts(file, send);
  const { stored, known, skipped, revoked, held } = total;
  const news = [
    revoked.length > 0 ? ` Known malware: revoked ${plain(revoked.join(', '))}.` : '',
    held.length > 0 ? ` Known malware, held for a person to decide: ${plain(held.join(', '))}.` : '',
  ].join('');
  return {
    data: total,
    text: `${counted(stored, 'record')} stored, ${known} known before, ${skipped} passed over.${news} What they affect: lk advisories`,
  };
}

/** Returns how many entries of the archive cannot be records. Throws ARCHIVE_HOSTILE. */
async function inParts(file: string, send: (records: readonly string[]) => Promise<void>): Promise<number> {
  const source = await openArchive(file);
  try {
    const reader = zipReader(source, { ...ZIP_LIMITS, entryBytes: MAX_RECORD_BYTES });
    let [part, bytes, spoilt]: [string[], number, number] = [[], 0, 0];
    for (const entry of await zipEntries(source)) {
      if (!entry.name.endsWith('.json')) continue;
      const text = await reader.bytes(entry).then((found) => found.toString('utf8'), passOver);
      const size = text === null ? 0 : Buffer.byteLength(JSON.stringify(text));
      if (text === null || text.length < 2 || size > PART_BYTES) {
        spoilt++;
        continue;
      }
      if (part.length >= PART_RECORDS || bytes + size > PART_BYTES) {
        await send(part);
        [part, bytes] = [[], 0];
      }
      part.push(text);
      bytes += size;
    }
    await send(part);
    return spoilt;
  } finally {
    await source.close();
  }
}

function passOver(error: unknown): null {
  if (asLockkeeperError(error).code !== 'ARCHIVE_HOSTILE') throw error;
  return null;
}
