/** The code of a closure's packages, read when it is first asked for. */
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { withSources } from '../../schemas/built.ts';
import type { Artifact } from '../../schemas/release.ts';
import { codeOf } from './analyse.ts';
import { CODE_VERSION, type CodeFacts } from './facts.ts';
import { openReader } from './reader.ts';

/** Of a server that runs elsewhere: there is none to read. */
export const NO_CODE: CodeFacts = {
  version: CODE_VERSION,
  ...{ files: 0, bytes: 0, minified: [], uses: [], flows: [], hidden: [], secrets: [], tools: [] },
  ...{ unread: [], unfollowed: [] },
};

export interface CodeSource {
  readonly code: (purl: string) => Promise<CodeFacts>;
  readonly done: () => Promise<void>;
}

interface Place {
  readonly files: (purl: string) => Promise<readonly UnpackedFile[]>;
  /** Facts are kept here. */
  readonly dir: string;
}

/** One process for all of them; `done` ends it. A package that is not among the artifacts has no code. */
export function openCode(artifacts: readonly Artifact[], { files, dir }: Place): CodeSource {
  const reader = openReader();
  const digests = new Map(withSources(artifacts).map(({ purl, sha256 }) => [purl, sha256]));
  const known = new Map<string, Promise<CodeFacts>>();
  const read = async (purl: string): Promise<CodeFacts> => {
    const sha256 = digests.get(purl);
    if (sha256 === undefined) return NO_CODE;
    return codeOf(sha256, () => files(purl), { reader, dir });
  };
  return {
    code: (purl) => {
      const found = known.get(purl) ?? read(purl);
      known.set(purl, found);
      return found;
    },
    done: reader.close,
  };
}
