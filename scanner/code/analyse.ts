/** The facts of one package: its files read within limits, put together, and kept by the digest of its bytes. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { isValid } from '../../schemas/validate.ts';
import { CODE_VERSION, CodeFacts, MAX_FACTS, type Mark } from './facts.ts';
import type { Reader, Reading } from './reader.ts';
import { type Selection, select } from './select.ts';

/** Reads a package that was never read before by this version of the reader, or recalls what it read. */
export async function codeOf(
  sha256: string,
  files: () => Promise<readonly UnpackedFile[]>,
  { reader, dir }: { readonly reader: Reader; readonly dir: string },
): Promise<CodeFacts> {
  const path = join(dir, `${sha256}.v${CODE_VERSION}.json`);
  const known = await recall(path);
  if (known) return known;
  const facts = await analyse(await files(), reader);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const half = `${path}.${process.pid}.${performance.now()}`;
  await writeFile(half, JSON.stringify(facts), { mode: 0o600 });
  await rename(half, path);
  return facts;
}

/** What was kept, if it is whole; anything else is read anew. */
async function recall(path: string): Promise<CodeFacts | null> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isValid(CodeFacts, value) ? value : null;
  } catch {
    return null;
  }
}

export async function analyse(files: readonly UnpackedFile[], reader: Reader): Promise<CodeFacts> {
  const selection = select(files);
  return together(selection, await reader.read(selection.files));
}

/** Endings under which nobody looks for code. */
const NO_CODE =
  /\.(?:png|jpe?g|gif|ico|svg|webp|bmp|woff2?|ttf|eot|pdf|txt|md|dat|bin|log|css|mp[34]|wav|zip|gz)$/i;

/** Files that others run, that reach something, and that are called what no code is called. */
function disguised({ files }: Selection, read: Reading['files']): Mark[] {
  return files.flatMap(({ path }, at) => {
    const one = read[at];
    const reaches = typeof one === 'object' && one.uses.length > 0;
    return reaches && NO_CODE.test(path)
      ? [{ kind: 'code in a file that is called something else', grave: true, path, line: 1, excerpt: '' }]
      : [];
  });
}

function together(selection: Selection, { files: read, flows }: Reading): CodeFacts {
  const facts = read.filter((one) => typeof one !== 'string');
  const most = <T>(what: string, items: readonly T[]): T[] => {
    if (items.length > MAX_FACTS) unread.push({ path: '', reason: `it has more than ${MAX_FACTS} ${what}` });
    return items.slice(0, MAX_FACTS);
  };
  const code = selection.files.filter(({ language }) => language !== 'text');
  const unread = [
    ...selection.unread,
    ...facts.flatMap((one) => one.unread),
    ...read.flatMap((reason, at) =>
      typeof reason === 'string' ? [{ path: selection.files[at]?.path ?? '', reason }] : [],
    ),
  ];
  return {
    version: CODE_VERSION,
    files: code.length,
    bytes: code.reduce((sum, { bytes }) => sum + bytes.length, 0),
    minified: selection.files.flatMap(({ path, bytes }, at) => {
      const one = read[at];
      return typeof one === 'object' && one.minified === true ? [{ path, bytes: bytes.length }] : [];
    }),
    uses: most('uses of what is outside it', [...selection.native, ...facts.flatMap(({ uses }) => uses)]),
    flows: most('flows', flows.flows),
    hidden: most('hidden places', [...facts.flatMap(({ hidden }) => hidden), ...disguised(selection, read)]),
    secrets: most(
      'secrets',
      facts.flatMap(({ secrets }) => secrets),
    ),
    tools: [...new Set(flows.tools)].sort().slice(0, MAX_FACTS),
    unread: unread.slice(0, MAX_FACTS),
    unfollowed: flows.unfollowed.slice(0, MAX_FACTS),
  };
}
