/** Licences that are read from texts: of packages that are installed here, and of texts that are almost one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnpackedFile } from '../../runtime/store/unpack.ts';
import { licences } from '../../scanner/checks/licences.ts';
import { type Licence, NO_LICENCE } from '../../scanner/installed/licence.ts';
import { licenceOfText, withText } from '../../scanner/installed/licence-text.ts';
import { TEXTS } from '../../scanner/installed/licence-texts.ts';
import { installedIn } from '../../scanner/installed/list.ts';
import { toldByManifest } from '../../scanner/installed/npm.ts';
import type { Installed } from '../../scanner/installed/package.ts';
import { sbomOf } from '../../scanner/sbom/sbom.ts';
import { sha256 } from '../../schemas/json.ts';
import { DEFAULT_POLICY } from '../../schemas/policy.ts';
import { type Artifact, closureDigest } from '../../schemas/release.ts';
import { Sbom } from '../../schemas/sbom.ts';
import { assertValid } from '../../schemas/validate.ts';
import { cycloneDxErrors } from '../helpers/cyclonedx.ts';

const MODULES = join(import.meta.dirname, '../../node_modules');
const MIT = readFileSync(join(MODULES, 'fastify/LICENSE'), 'utf8');
const GPL = TEXTS['GPL-3.0']?.[0];
const file = (path: string, text: string | Buffer): UnpackedFile => ({
  ...{ path, bytes: Buffer.from(text), executable: false },
});
const told = (licence: Licence, ...files: UnpackedFile[]): Licence =>
  withText({ licence }, files, ['.']).licence;
const said = (text: string): Licence => ({ expression: null, said: text });
const READ: Licence = { expression: 'MIT', said: null, from: 'text' };

interface Brought {
  readonly name: string;
  readonly declared: string;
  readonly read: string | null;
}

/** Every package here that names one licence and brings one text. */
function packagesHere(): Brought[] {
  const folders = readdirSync(MODULES).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(MODULES, name)).map((inner) => `${name}/${inner}`) : [name],
  );
  return folders.flatMap((name) => {
    const manifest = join(MODULES, name, 'package.json');
    const declared = existsSync(manifest) ? toldByManifest(readFileSync(manifest))?.licence.expression : null;
    const texts = (declared ? readdirSync(join(MODULES, name)) : []).filter((one) =>
      /^licen[cs]e(?:\.md|\.txt)?$/i.test(one),
    );
    const [text] = texts;
    if (!declared || / /.test(declared) || text === undefined || texts.length > 1) return [];
    return [{ name, declared, read: licenceOfText(readFileSync(join(MODULES, name, text), 'utf8')) }];
  });
}

describe('the text of a licence', () => {
  it('is that of what the package says of itself, for most packages here and for none another one', () => {
    const all = packagesHere();
    const read = all.filter((one) => one.read !== null);
    // Says ISC, and brings the text of MIT.
    const other = read.filter(({ name, declared, read: id }) => id !== declared && name !== '@npmcli/redact');
    expect(other).toEqual([]);
    expect(read.length / all.length).toBeGreaterThan(0.8);
    const ids = new Set(read.map((one) => one.read));
    expect(['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause'].filter((id) => !ids.has(id))).toEqual(
      [],
    );
  });

  it('is the same whoever has the copyright, however its lines are broken and marked', () => {
    const [, body = ''] = MIT.split(/^(?=Permission is)/m);
    const lines = body.replace(/\n/g, ' ').replace(/(.{40,60}) /g, '$1\n');
    const others = [
      MIT,
      `# The MIT License (MIT)\r\n\r\nCopyright © 2026 Some-One, Ltd. <a@example.com>\r\n\r\n${body.replace(/\n/g, '\r\n')}`,
      `\ufeff${body}`,
      lines,
      lines.replace(/^/gm, ' * '),
      body.toUpperCase(),
    ];
    expect(others.map(licenceOfText)).toEqual(others.map(() => 'MIT'));
  });

  it.each<[string, string]>([
    ['nothing', ''],
    ['a word more', `${MIT} Amen.`],
    ['a word less', MIT.replace('sublicense, ', '')],
    ['another text behind', `${MIT}\n${MIT}`],
    ['a condition in front', `The Software shall be used for good.\n${MIT}`],
    ['a condition that looks like a notice', `Copyright 2026 us, not for commercial use\n${MIT}`],
    ['the title of another one', `GPL-3.0-only\n\n${MIT}`],
    ['another text far below', `${MIT}${'\n'.repeat(2000)}and more`],
    ['titles of two', `Apache License 2.0\n\n${MIT}`],
    ['a notice that goes on', `Copyright 2026 us ${'and us '.repeat(40)}\n${MIT}`],
    [
      'a condition in the place of a name',
      MIT.replace(/IN NO EVENT SHALL [\s\S]*? BE/, 'IN NO EVENT SHALL those who may use it BE'),
    ],
  ])('with %s is none', (_, text) => {
    expect(licenceOfText(text)).toBeNull();
  });
});

describe('a package without an expression', () => {
  it.each<[string, Licence, UnpackedFile[], Licence]>([
    ['is under the text that it brings', NO_LICENCE, [file('LICENSE', MIT)], READ],
    ['may call it so or so', NO_LICENCE, [file('licence.md', MIT)], READ],
    ['may say where it is', said('SEE LICENSE IN LICENSE.txt'), [file('LICENSE.txt', MIT)], READ],
    ['may name its family', said('MIT-style'), [file('COPYING', MIT)], READ],
    ['may bring it twice', NO_LICENCE, [file('LICENSE', MIT), file('LICENSE.md', MIT)], READ],
    ['says something else', said('GPL'), [file('LICENSE', MIT)], said('GPL')],
    ['keeps it to itself', said('UNLICENSED'), [file('LICENSE', MIT)], said('UNLICENSED')],
    ['says more than that', said('MIT, ours'), [file('LICENSE', MIT)], said('MIT, ours')],
    ['brings another one too', NO_LICENCE, [file('LICENSE', MIT), file('LICENSE.ours', 'ours')], NO_LICENCE],
    ['brings it in another folder', NO_LICENCE, [file('lib/LICENSE', MIT)], NO_LICENCE],
    ['brings it under another name', NO_LICENCE, [file('README', MIT)], NO_LICENCE],
    ['brings a long one', NO_LICENCE, [file('LICENSE', `${MIT}${' '.repeat(100_000)}`)], NO_LICENCE],
    ['brings bytes', NO_LICENCE, [file('LICENSE', Buffer.alloc(9000, 0xff))], NO_LICENCE],
    [
      'brings very many',
      NO_LICENCE,
      Array.from({ length: 30 }, (_, i) => file(`LICENSE.${i}`, MIT)),
      NO_LICENCE,
    ],
  ])('%s', (_, licence, files, expected) => {
    expect(told(licence, ...files)).toEqual(expected);
  });

  it('that names one is under that one, whatever it brings', () => {
    const isc: Licence = { expression: 'ISC', said: null };
    expect(told(isc, file('LICENSE', MIT))).toEqual(isc);
  });

  it('does not tell by the text of a GPL whether later ones hold', () => {
    const path = '/usr/share/common-licenses/GPL-3';
    const text = existsSync(path) ? readFileSync(path, 'utf8') : null;
    expect(GPL).toMatch(/^[0-9a-f]{64}$/);
    if (text !== null) expect(told(NO_LICENCE, file('COPYING', text))).toEqual(said('the text of GPL-3.0'));
  });
});

const artifact = (location: string, purl: string): Artifact => {
  const digest = sha256(location);
  return { location, purl, sha256: digest, sha512: digest.slice(7).repeat(2), size: 10, optional: false };
};

describe('what is installed', () => {
  it('has licences of texts, said as such in the bill of materials and in the check', async () => {
    const [npm, wheel] = [
      artifact('node_modules/a', 'pkg:npm/a@1.0.0'),
      artifact('wheels/b-1.0-py3-none-any.whl', 'pkg:pypi/b@1.0'),
    ];
    const inside: Record<string, UnpackedFile[]> = {
      [npm.purl]: [
        file('package.json', '{"name":"a"}'),
        file('LICENSE', MIT),
        file('node_modules/c/package.json', '{"name":"c","version":"1.0.0"}'),
        file('node_modules/d/package.json', '{"name":"d","version":"1.0.0"}'),
        file('node_modules/d/LICENSE', MIT),
      ],
      [wheel.purl]: [
        file('b-1.0.dist-info/METADATA', 'Name: b\nVersion: 1.0\n'),
        file('b-1.0.dist-info/licenses/LICENSE', MIT),
        file('b/_vendor/e-2.0.dist-info/METADATA', 'Name: e\nVersion: 2.0\n'),
        file('b/_vendor/e-2.0.dist-info/COPYING', MIT),
      ],
    };
    const closure = { digest: closureDigest([npm, wheel]), artifacts: [npm, wheel] };
    const found: Installed = await installedIn(closure, async (purl) => inside[purl] ?? []);
    expect(found.packages.map(({ name, licence }) => [name, licence])).toEqual([
      ['a', READ],
      ['c', NO_LICENCE],
      ['d', READ],
      ['b', READ],
      ['e', READ],
    ]);
    const submission = { name: 'acme/a', version: '1.0.0', source: 'npm:a@1.0.0' };
    const made = assertValid(
      Sbom,
      sbomOf({ submission, closure, rootPurl: npm.purl, installed: found }),
      'a bill',
    );
    expect(cycloneDxErrors(made)).toEqual([]);
    expect(made.metadata.component.licenses).toEqual([{ expression: 'MIT', acknowledgement: 'concluded' }]);
    const policy = { ...DEFAULT_POLICY, scan: { ...DEFAULT_POLICY.scan, licences: ['ISC'] } };
    const outcome = await licences.run({ installed: found, policy, baseline: null } as unknown as Parameters<
      typeof licences.run
    >[0]);
    expect(JSON.stringify(outcome)).toContain('MIT, read from its text');
  });
});
