/** `lk sbom` where whoever answers gives another list, or another report, than the scan made. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApi } from '../../cli/api.ts';
import type { Context, Result } from '../../cli/command.ts';
import { ascii, sbom } from '../../cli/commands/sbom.ts';
import { loadCliConfig } from '../../cli/config.ts';
import { openHome } from '../../cli/home.ts';
import { makePaint } from '../../cli/output.ts';
import { sbomOf } from '../../scanner/sbom/sbom.ts';
import { canonical, digestOf } from '../../schemas/json.ts';
import type { Sbom } from '../../schemas/sbom.ts';
import { tempDir } from '../helpers/session.ts';
import { refusalOf } from '../scanner/harness.ts';

const EXAMPLES = join(import.meta.dirname, '../fixtures/examples/valid');
const example = (kind: string) => JSON.parse(readFileSync(join(EXAMPLES, kind, 'plain.json'), 'utf8'));
const release = example('release');
const packages = [
  {
    ...{ ecosystem: 'npm', name: 'weather', version: '1.2.3', purl: 'pkg:npm/weather@1.2.3' },
    ...{ at: 'node_modules/weather', needs: [], unpacked: null },
    licence: { expression: null, said: 'ours \u009b2J é' },
    digests: { sha256: 'a'.repeat(64), sha512: 'b'.repeat(128) },
  },
];
const bill = sbomOf({
  ...{ submission: release, closure: release.closure, rootPurl: release.purl },
  installed: { packages, unpacked: null, gaps: [] },
});
const report = { ...example('report'), evidence: { sbom: digestOf(bill) } };
const reportDigest = digestOf(report);

describe('lk sbom', () => {
  let answers: Record<string, unknown>;
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(answers[request.url?.split('/').at(-1) ?? ''] ?? null));
  });
  const dir = tempDir();
  beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)));
  afterAll(() => void server.close());

  const ask = (change: Record<string, unknown>, out?: string): Promise<Result | null> => {
    answers = { 1: { ...release, reportDigest }, report, sbom: bill, ...change };
    const context: Context = {
      config: { ...loadCliConfig({}, false), home: dir },
      ...{ home: openHome(dir), cwd: dir, paint: makePaint(false), json: false, now: () => new Date() },
      ...{ say: () => undefined, progress: () => undefined },
      api: async () => openApi(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'secret'),
    };
    return sbom.run(context, ['1'], out === undefined ? {} : { out });
  };

  it('prints the list that the report names, in letters that no terminal acts on', async () => {
    const text = (await ask({}))?.text ?? '';
    expect(text).toMatch(/^[ -~]+$/);
    expect(JSON.parse(text)).toEqual(bill);
    expect(ascii('"é😀"')).toBe('"\\u00e9\\ud83d\\ude00"');
    await ask({}, 'bill.json');
    expect(readFileSync(join(dir, 'bill.json'), 'utf8')).toBe(canonical(bill));
  });

  it.each<[string, Record<string, unknown>]>([
    ['a list that says less of needs', { sbom: { ...bill, dependencies: [] } }],
    ['a list that does not say whether it is whole', { sbom: { ...bill, compositions: [] } satisfies Sbom }],
    ['another report', { report: { ...report, evidence: { sbom: `sha256:${'0'.repeat(64)}` } } }],
    [
      'a report that names none',
      { report: example('report'), 1: { ...release, reportDigest: digestOf(example('report')) } },
    ],
  ])('refuses %s, and writes nothing', async (_, change) => {
    const { code } = await refusalOf(ask(change, 'none.json'));
    expect(code).toBe('ARTIFACT_MISMATCH');
    expect(() => readFileSync(join(dir, 'none.json'))).toThrow('ENOENT');
  });
});
