/** The thread that reads code: one package at a time, a word before and after each file, so that what it dies of is known. */
import { parentPort } from 'node:worker_threads';
import type { FileFacts } from './facts.ts';
import { readCode } from './javascript/file.ts';
import { secretsIn } from './secrets.ts';
import type { SourceFile } from './select.ts';

export interface ReaderWork {
  readonly files: readonly SourceFile[];
}

export type ReaderAnswer =
  | { readonly at: number }
  | { readonly index: number; readonly facts: FileFacts }
  | { readonly end: true };

const post = (answer: ReaderAnswer): void => parentPort?.postMessage(answer);
const EMPTY: FileFacts = { uses: [], flows: [], hidden: [], secrets: [], tools: [], unread: [] };

parentPort?.on('message', ({ files }: ReaderWork) => {
  for (const [index, file] of files.entries()) {
    post({ at: index });
    post({ index, facts: read(file) });
  }
  post({ end: true });
});

function read({ path, language, bytes }: SourceFile): FileFacts {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (language === 'text') return { ...EMPTY, secrets: secretsIn(path, text) };
  if (language === 'python') return { ...EMPTY, unread: [{ path, reason: 'it is Python' }] };
  const { tree: _, ...facts } = readCode(path, text);
  return facts;
}
