/** Under which licence a package says that it is: as an SPDX expression where its words are one, or mean exactly one. */
import parse from 'spdx-expression-parse';
import { isObject, type Json } from '../../schemas/common.ts';

export interface Licence {
  /** An SPDX expression in one written form; null where nothing that is said is one. */
  readonly expression: string | null;
  /** What is said, where it is no expression; null where nothing is. */
  readonly said: string | null;
  /** Read from the text of a file; absent for what the package says of itself. */
  readonly from?: 'text';
}

export const NO_LICENCE: Licence = { expression: null, said: null };

const MAX_EXPRESSION = 400;
const MAX_SAID = 100;

/** Names that people write for one licence and no other, without letter case and marks. Where two could be meant, none is. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  MIT: ['mit license', 'expat', 'expat license', 'mit expat'],
  'MIT-0': ['mit no attribution license mit 0'],
  ISC: ['isc license', 'isc license iscl'],
  'Apache-2.0': [
    'apache 2',
    'apache2',
    'apache2.0',
    'apache v2',
    'apache v2.0',
    'asl 2.0',
    'apache license 2.0',
    'apache license v2.0',
    'apache license version 2.0',
    'apache software license 2.0',
    'apache software license version 2.0',
  ],
  'BSD-3-Clause': ['3 clause bsd', '3 clause bsd license', 'bsd 3 clause license', 'new bsd', 'modified bsd'],
  'BSD-2-Clause': ['2 clause bsd', '2 clause bsd license', 'bsd 2 clause license', 'simplified bsd'],
  '0BSD': ['zero clause bsd 0bsd', 'zero clause bsd'],
  'MPL-2.0': ['mpl2', 'mozilla public license 2.0', 'mozilla public license 2.0 mpl 2.0'],
  'PSF-2.0': ['psf', 'python software foundation license'],
  'BSL-1.0': ['boost software license 1.0 bsl 1.0', 'boost software license 1.0'],
  'CC0-1.0': ['cc0', 'cc0 1.0 universal cc0 1.0 public domain dedication'],
  Unlicense: ['unlicense unlicense'],
  Zlib: ['zlib libpng license'],
  'EPL-2.0': ['eclipse public license 2.0 epl 2.0'],
  'EUPL-1.2': ['european union public licence 1.2 eupl 1.2'],
  PostgreSQL: ['postgresql license'],
  HPND: ['historical permission notice and disclaimer hpnd'],
  'GPL-2.0-or-later': ['gnu general public license v2 or later gplv2+', 'gplv2+'],
  'GPL-3.0-or-later': ['gnu general public license v3 or later gplv3+', 'gplv3+'],
  'LGPL-2.0-or-later': ['gnu lesser general public license v2 or later lgplv2+'],
  'LGPL-3.0-or-later': ['gnu lesser general public license v3 or later lgplv3+', 'lgplv3+'],
  'AGPL-3.0-or-later': ['gnu affero general public license v3 or later agplv3+', 'agplv3+'],
};

const BY_SPELLING = new Map(
  Object.entries(SPELLINGS).flatMap(([id, names]) =>
    [...names, loose(id)].map((name) => [name, id] as const),
  ),
);

function loose(text: string): string {
  const words = text
    .toLowerCase()
    .replace(/[^a-z0-9.+]+/g, ' ')
    .trim();
  return words.replace(/^the /, '');
}

/** Of one text. */
export function licenceIn(text: unknown): Licence {
  if (typeof text !== 'string') return NO_LICENCE;
  const said = text.trim();
  if (said === '') return NO_LICENCE;
  const expression = said.length > MAX_EXPRESSION ? null : (written(said) ?? BY_SPELLING.get(loose(said)));
  if (expression) return { expression, said: null };
  const [first = ''] = said.split(/[\r\n]/);
  const seen = first.replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, ' ').trim();
  return { expression: null, said: seen.slice(0, MAX_SAID).toWellFormed() };
}

/** Of a package.json: `license`, or the lists and objects that npm took before; of a list, any one may be chosen. */
export function licenceOfManifest({ license, licenses }: Readonly<Record<string, Json>>): Licence {
  const told = [license ?? licenses ?? null].flat().slice(0, 20);
  const all = told.map((one) => licenceIn(typeOf(one))).filter((one) => one !== NO_LICENCE);
  const [first = NO_LICENCE, ...others] = all;
  if (others.length === 0) return first;
  const known = all.flatMap(({ expression }) => expression ?? []);
  const words = all.map(({ expression, said }) => expression ?? said).join(', ');
  if (known.length < all.length) return { expression: null, said: words.slice(0, MAX_SAID) };
  return licenceIn([...new Set(known)].join(' OR '));
}

function typeOf(value: Json): Json {
  return isObject(value) ? (value.type ?? null) : value;
}

const CLASSIFIER = /^License :: (?:OSI Approved :: )?(.+)$/;

/** Of the fields of a Python package: the expression, else the older field, else a classifier that means one licence. */
export function licenceOfMetadata(fields: (name: string) => readonly string[]): Licence {
  const [exact] = fields('License-Expression');
  if (exact !== undefined) return licenceIn(exact);
  const [older] = fields('License').map((text) => licenceIn(text));
  if (older?.expression) return older;
  const classified = fields('Classifier').flatMap((line) => CLASSIFIER.exec(line)?.[1] ?? []);
  const [one, ...others] = [...new Set(classified)].map((text) => licenceIn(text));
  if (one && others.length === 0) return one.expression === null ? (older ?? one) : one;
  if (older && older !== NO_LICENCE) return older;
  return classified.length > 0
    ? { expression: null, said: classified.join(', ').slice(0, MAX_SAID) }
    : NO_LICENCE;
}

type Parsed = ReturnType<typeof parse>;

function parsed(text: string): Parsed | null {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

function written(text: string): string | null {
  const found = parsed(text);
  return found && render(found);
}

function render(node: Parsed): string {
  if ('license' in node) {
    const { license, plus, exception } = node;
    return `${license}${plus ? '+' : ''}${exception === undefined ? '' : ` WITH ${exception}`}`;
  }
  const side = (one: Parsed): string =>
    'conjunction' in one && one.conjunction !== node.conjunction ? `(${render(one)})` : render(one);
  return `${side(node.left)} ${node.conjunction.toUpperCase()} ${side(node.right)}`;
}

/** One id as it is written, with its exception where it has one. */
export function isLicenceId(text: string): boolean {
  const found = parsed(text);
  return found !== null && 'license' in found && render(found) === text;
}

/** Is it permitted by a list of ids? Of alternatives one has to be, of what holds together all. Ids count as they are written. */
export function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const judge = (node: Parsed): boolean => {
    if ('license' in node) return allowed.has(render(node));
    const [left, right] = [judge(node.left), judge(node.right)];
    return node.conjunction === 'or' ? left || right : left && right;
  };
  const found = parsed(expression);
  return found !== null && judge(found);
}
