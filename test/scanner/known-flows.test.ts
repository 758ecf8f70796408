/**
 * What was wrong with servers that people run, each in a few lines of its own: the version that was wrong, and the one that mended
 * it. A flow is told of the first alone, or nothing as grave of the second.
 */
import { describe, expect, it } from 'vitest';
import { followPackage } from '../../scanner/code/javascript/package.ts';
import { readPython } from '../../scanner/code/python.ts';

import { JAVASCRIPT } from './known-javascript.ts';
import { PYTHON } from './known-python.ts';

const GRAVE = ['shell', 'program', 'code', 'query'];
const shown = (flow: { origin: string; what: string; tool: string; sink: string }): string =>
  flow.origin === 'argument'
    ? `${flow.what} of ${flow.tool} -> ${flow.sink}`
    : `${flow.origin} ${flow.what} -> ${flow.sink}`;

describe('flows that were found in servers by others', () => {
  const javascript = (files: Readonly<Record<string, string>>): string[] =>
    followPackage(
      Object.entries(files).map(([path, text]) => ({
        ...{ path, language: 'javascript' as const },
        bytes: Buffer.from(text),
      })),
    ).flows.map(shown);

  it.each(JAVASCRIPT)('$name', ({ flow, before, after, still }) => {
    expect(javascript(before)).toContain(flow);
    expect(javascript(after)).toEqual(still === undefined ? [] : [still]);
  });

  it('in Python as well', async () => {
    const files = PYTHON.flatMap(({ before, after }, at) =>
      Object.entries({ before, after }).flatMap(([which, texts]) =>
        Object.entries(texts).map(([path, text]) => ({
          ...{ path: `p${at}/${which}/${path}`, language: 'python' as const },
          bytes: Buffer.from(text),
        })),
      ),
    );
    const { flows } = await readPython(files, 20_000);
    const told = (folder: string): string[] => [
      ...new Set(flows.flows.filter(({ path }) => path.startsWith(folder)).map(shown)),
    ];
    const found = PYTHON.map(({ name, flow }, at) => [
      name,
      told(`p${at}/before/`).includes(flow),
      told(`p${at}/after/`),
    ]);
    expect(found).toEqual(PYTHON.map(({ name, still }) => [name, true, still === undefined ? [] : [still]]));
  });

  it('never tells as much of what was mended', () => {
    for (const { still } of [...JAVASCRIPT, ...PYTHON])
      expect(GRAVE.some((sink) => still?.endsWith(`-> ${sink}`))).toBe(false);
  });
});
