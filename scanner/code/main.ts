/** The process that reads code: one package at a time, a word before and after each file, so that what it dies of is known. */
import { flushCompileCache } from 'node:module';
import type { FileFacts } from './facts.ts';
import { readCode } from './javascript/file.ts';
import type { FlowFacts } from './javascript/follow.ts';
import { followPackage } from './javascript/package.ts';
import { secretsIn } from './secrets.ts';
import type { SourceFile } from './select.ts';

export interface ReaderWork {
  readonly files: readonly SourceFile[];
  /** Index of the file to begin with; as many as there are: none is left to read, and what flows is followed. */
  readonly from: number;
}

export type ReaderAnswer =
  | {
      readonly at: number;
      /** Processor time in milliseconds that the reader took until now. */
      readonly spentMs: number;
    }
  | { readonly index: number; readonly facts: FileFacts }
  | { readonly end: FlowFacts };

const post = (answer: ReaderAnswer): void => void process.send?.(answer);
const spent = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const EMPTY: FileFacts = { uses: [], hidden: [], secrets: [], unread: [] };

process.on('message', ({ files, from }: ReaderWork) => {
  for (const [index, file] of files.entries()) {
    if (index < from) continue;
    post({ at: index, spentMs: spent() });
    post({ index, facts: read(file) });
  }
  post({ at: files.length, spentMs: spent() });
  post({ end: followPackage(files) });
  // This process is killed when it is done: what Node compiled of its modules is there for the next one now, or never.
  flushCompileCache();
});

function read({ path, language, bytes }: SourceFile): FileFacts {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  if (language === 'text') return { ...EMPTY, secrets: secretsIn(path, text) };
  const { tree: _, ...facts } = readCode(path, text);
  return facts;
}
