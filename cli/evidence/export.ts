/** Writing evidence as it comes from the registry: a chunk of the log, then what its entries name, then its records. */
import { createPublicKey } from 'node:crypto';
import { type ArchiveWriter, writeArchive } from '../../runtime/store/archive.ts';
import type { Json } from '../../schemas/common.ts';
import { type readPrivateKey, seal } from '../../schemas/dsse.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import {
  EVIDENCE_TYPE,
  EvidenceEntries,
  type EvidenceFile,
  EvidenceHead,
  EvidenceRecords,
  EVIDENCE_FILE as FILE,
  MANIFEST_FILE as MANIFEST,
  SIGNATURE_FILE as SIGNATURE,
} from '../../schemas/evidence.ts';
import { canonical, pretty, sha256 } from '../../schemas/json.ts';
import type { LogEntry } from '../../schemas/log.ts';
import { parseNote, readCheckpoint } from '../../schemas/note.ts';
import type { Api } from '../api.ts';

/** A member is closed at this size, bytes. */
const PART = 4 << 20;

export interface ExportOptions {
  readonly api: Api;
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly exportedAt: string;
  readonly exportedBy: string;
  readonly key: ReturnType<typeof readPrivateKey> | null;
  readonly progress: (line: string) => void;
  /** Sees the whole archive before it is put in its place. */
  readonly check: (path: string) => Promise<void>;
}

interface Writing {
  readonly options: ExportOptions;
  readonly archive: ArchiveWriter;
  readonly members: { path: string; size: number; sha256: string }[];
  readonly cut: { readonly begin: string; readonly end: string; readonly size: string };
  /** The number of the last record written, by journal. */
  readonly written: Map<string, number>;
}

/** Streams the period into `path`. Nothing is there unless `check` was content. */
export async function exportEvidence(options: ExportOptions): Promise<void> {
  const { api, from, to, exportedAt, exportedBy, path } = options;
  const head = await api.call('evidence', EvidenceHead, { query: { from, to } });
  const sizeOf = (note: string | null): string =>
    `${note === null ? 0 : readCheckpoint(parseNote(note).text).size}`;
  const { begin, end, newest } = head.checkpoints;
  const archive = await writeArchive(path);
  const cut = { begin: sizeOf(begin), end: sizeOf(end), size: sizeOf(newest) };
  const writing: Writing = { options, archive, members: [], cut, written: new Map() };
  try {
    const file: EvidenceFile = {
      lockkeeper: 'evidence/v1',
      registry: api.registry,
      exportedAt,
      exportedBy,
      head,
    };
    await put(writing, FILE, pretty(file as unknown as Json));
    for (let start = Number(cut.begin); start < Number(cut.end); ) start += await chunk(writing, start);
    await seals(writing);
  } catch (error) {
    await archive.abort();
    throw error;
  }
  await archive.close(options.check);
}

async function put({ archive, members }: Writing, path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'utf8');
  await archive.put(path, bytes);
  members.push({ path, size: bytes.length, sha256: sha256(bytes) });
}

/** Lines in members of bounded size: FOLDER/START-PART.ndjson. */
function linesInto(
  writing: Writing,
  folder: string,
  start: number,
): { add(value: unknown): Promise<void>; end(): Promise<void> } {
  let lines: string[] = [];
  let size = 0;
  let part = 0;
  const end = async (): Promise<void> => {
    if (lines.length === 0) return;
    const name = `${folder}/${String(start).padStart(15, '0')}-${String(++part).padStart(5, '0')}.ndjson`;
    await put(writing, name, `${lines.join('\n')}\n`);
    lines = [];
    size = 0;
  };
  return {
    add: async (value) => {
      const line = JSON.stringify(value);
      lines.push(line);
      size += line.length;
      if (size >= PART) await end();
    },
    end,
  };
}

/** As many entries as one answer holds, and all that belongs to them. Returns how many. */
async function chunk(writing: Writing, start: number): Promise<number> {
  const { options, cut } = writing;
  const query = { start: `${start}`, ...cut };
  const { entries, things, earlier } = await options.api.call('evidenceEntries', EvidenceEntries, { query });
  if (entries.length === 0)
    throw new LockkeeperError('LOG_BROKEN', {
      expected: `the entries ${start} to ${cut.end} of the log`,
      found: 'none',
      next: 'The log was changed outside of Lockkeeper: keep the database as it is and tell your security team',
    });
  const log = `log/${String(start).padStart(15, '0')}.ndjson`;
  await put(writing, log, entries.map((entry) => `${canonical(entry)}\n`).join(''));
  for (const [folder, values] of [
    ['earlier', earlier],
    ['things', things],
  ] as const) {
    const lines = linesInto(writing, folder, start);
    for (const value of values) await lines.add(value);
    await lines.end();
  }
  const lines = linesInto(writing, 'audit', start);
  for (const entry of entries) if (entry.kind === 'audit') await batch(writing, entry, lines.add);
  await lines.end();
  options.progress(`writing: ${start + entries.length} of ${cut.end} entries`);
  return entries.length;
}

/** The records of one batch, a page at a time; before a journal's first ones, where its chain stood. */
async function batch(
  writing: Writing,
  { subject }: LogEntry,
  add: (value: unknown) => Promise<void>,
): Promise<void> {
  const { options, cut, written } = writing;
  const at = subject.lastIndexOf('#');
  const [runtime, upTo] = [subject.slice(0, at), Number(subject.slice(at + 1))];
  for (let done = false; !done; ) {
    const after = written.get(runtime);
    const query = {
      runtime,
      upTo: `${upTo}`,
      begin: cut.begin,
      size: cut.size,
      ...(after === undefined ? {} : { after: `${after}` }),
    };
    const { previous, records } = await options.api.call('evidenceRecords', EvidenceRecords, { query });
    if (after === undefined) await add({ runtime, previous });
    for (const record of records) await add(record);
    written.set(runtime, records.at(-1)?.seq ?? after ?? 0);
    // What is missing shows when the archive is verified, before it is put in its place.
    done = records.length === 0 || (records.at(-1)?.seq ?? 0) >= upTo;
  }
}

async function seals(writing: Writing): Promise<void> {
  const { options, archive, members } = writing;
  const manifest = Buffer.from(pretty({ lockkeeper: 'evidence-manifest/v1', members }), 'utf8');
  await archive.put(MANIFEST, manifest);
  if (options.key === null) return;
  const { key } = options.key;
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const envelope = seal(EVIDENCE_TYPE, Buffer.from(sha256(manifest)), [key]);
  await archive.put(SIGNATURE, Buffer.from(pretty({ publicKey, envelope } as unknown as Json)));
}
