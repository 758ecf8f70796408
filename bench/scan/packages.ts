/** Servers as people publish them, made up: an entry point, and dependencies with code to read. Each package is its own. */
import type { LocalPackage } from '../../test/helpers/npm-registry.ts';
import { plain } from '../../test/scanner/harness.ts';

export interface Sizes {
  readonly servers: number;
  /** Of each server. */
  readonly dependencies: number;
  /** Approved releases. */
  readonly releases: number;
}

/** Files of each dependency, and functions in each file. */
const FILES = 10;
const FUNCTIONS = 25;
const TOOLS = 8;

export const serverName = (index: number): string => `@acme/server-${index}`;

/** A server and all that it depends on. */
export function serverOf(index: number, dependencies: number): LocalPackage[] {
  const own = Array.from({ length: dependencies }, (_, n) => `dependency-${index}-${n}`);
  const tools = Array.from({ length: TOOLS }, (_, n) => ({
    name: `read_${n}`,
    description: `Reads record ${n} of collection ${index} and gives it back as text. Returns an error when there is none.`,
    inputSchema: { type: 'object', properties: { id: { type: 'string', description: 'Which record' } } },
    annotations: { readOnlyHint: true },
  }));
  return [
    plain(
      { tools },
      {
        name: serverName(index),
        manifest: { dependencies: Object.fromEntries(own.map((name) => [name, '1.0.0'])) },
      },
    ),
    ...own.map((name) => ({ name, version: '1.0.0', files: filesOf(name), manifest: { license: 'MIT' } })),
  ];
}

function filesOf(name: string): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: FILES }, (_, file) => [
      `lib/${file}.js`,
      Array.from({ length: FUNCTIONS }, (_item, n) => codeOf(`${name} ${file}`, n)).join('\n'),
    ]),
  );
}

/** Ordinary code: branches, calls, a require, no two files alike. */
function codeOf(of: string, n: number): string {
  return `'use strict';
const path${n} = require('node:path');
/** ${of}, function ${n}: joins what it is given below a folder. */
function join${n}(folder, names) {
  if (!Array.isArray(names) || names.length === 0) return folder;
  const whole = names.map((name) => String(name).trim()).filter((name) => name !== '');
  for (const one of whole) if (one.includes('..')) throw new TypeError('a name with dots: ' + one);
  return path${n}.join(folder, ...whole.slice(0, ${n + 1}));
}
exports.join${n} = join${n};
`;
}
