import { resolve } from 'node:path';
import { writeAtomic } from '../../runtime/store/atomic.ts';
import { counted } from '../../scanner/text.ts';
import { LockkeeperError } from '../../schemas/errors.ts';
import { Report } from '../../schemas/finding.ts';
import { canonical, digestOf } from '../../schemas/json.ts';
import { Sbom } from '../../schemas/sbom.ts';
import { type Command, option, text } from '../command.ts';
import { plain } from '../output.ts';
import { findRelease } from '../releases.ts';

export const sbom: Command = {
  summary: 'print the bill of materials of a release (CycloneDX 1.6)',
  words: 'NAME[@VERSION] | ID',
  options: {
    out: option.text('write it to this file, byte for byte as the report names it'),
  },
  examples: ['lk sbom filesystem@2025.8.21', 'lk sbom 4 --out filesystem.cdx.json'],
  arity: [1, 1],
  async run(context, [spec = ''], values) {
    const api = await context.api();
    const release = await findRelease(api, spec);
    const at = { parameters: { id: release.id } };
    const report = await api.call('report', Report, at);
    const document = await api.call('sbom', Sbom, at);
    const wanted = report.evidence.sbom ?? 'none';
    assertSame(release.reportDigest ?? 'none', digestOf(report), 'the report of this release');
    assertSame(wanted, digestOf(document), 'the bill of materials that its report names');
    const bytes = canonical(document);
    const out = text(values, 'out');
    if (out === undefined) return { data: document, text: ascii(bytes) };
    await writeAtomic(resolve(context.cwd, out), bytes);
    const count = counted(document.components.length + 1, 'component');
    const data = { path: out, digest: wanted, components: document.components.length + 1 };
    return {
      data,
      text: `${count} of ${plain(release.name)} ${release.version} in ${plain(out)}: ${wanted}`,
    };
  },
};

function assertSame(wanted: string, found: string, what: string): void {
  if (wanted === found) return;
  throw new LockkeeperError('ARTIFACT_MISMATCH', {
    expected: `${what}: ${wanted}`,
    found,
    next: 'Do not use it, and tell whoever runs the registry',
  });
}

/** The same document in letters that no terminal acts on. */
export function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
