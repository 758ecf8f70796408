/** What a release is made of: packages, sizes, licences, and the whole list as a file. */
import type { Measure } from '../schemas/diff/view.ts';
import type { Report } from '../schemas/finding.ts';
import type { Release } from '../schemas/release.ts';
import { save } from './api.ts';
import { type Child, card, el, facts } from './dom.ts';

const SHOWN_LICENCES = 20;

export function materials(release: Release, { closure, image, installed }: Report): HTMLElement | null {
  if (!installed) return null;
  const { packages, licences, gaps } = installed;
  const unpacked = image ? { files: image.files, bytes: image.unpacked } : installed.unpacked;
  const said = licences
    .slice(0, SHOWN_LICENCES)
    .map(({ licence, packages: count }) => `${licence ?? 'unknown'} ${count}`);
  const more = licences.length > SHOWN_LICENCES ? `, and ${licences.length - SHOWN_LICENCES} more` : '';
  return card(
    'What it is made of',
    facts([
      ['Packages', `${packages}`],
      ['Size', sizes({ bytes: closure.bytes, unpacked })],
      ...(closure.built
        ? ([
            [
              'Built from source',
              el(
                'ul',
                {},
                ...closure.built.map(({ purl, from, reproducible }) =>
                  el(
                    'li',
                    {},
                    `${purl} from ${from}, ${reproducible ? 'twice the same' : 'another each time'}`,
                  ),
                ),
              ),
            ],
          ] as const)
        : []),
      ['Licences', said.length > 0 ? `${said.join(', ')}${more}` : 'none that is known'],
      ...(gaps.length > 0
        ? ([
            ['Not listed', el('ul', { class: 'findings' }, ...gaps.map((gap) => el('li', {}, gap)))],
          ] as const)
        : []),
    ]),
    download(release),
  );
}

/** A button and not a link: what is asked for needs the token of this tab. */
function download({ id, name, version }: Release): HTMLElement {
  const button = el('button', { type: 'button', class: 'quiet' }, 'Bill of materials (CycloneDX)');
  const said = el('small', { role: 'status' });
  button.addEventListener('click', () => {
    said.replaceChildren();
    const file = `${name.replaceAll('/', '-')}-${version}.cdx.json`;
    save(`/v1/releases/${id}/sbom`, file).catch((error: Error) => said.replaceChildren(error.message));
  });
  return el('p', {}, button, ' ', said);
}

/** How a measure changed, in lines; licences that came and went have a sign. */
export function measured({ before, after }: { before: Measure | null; after: Measure }): Child[] {
  const [was, is] = [before && sizes(before), sizes(after)];
  const sign = (mark: string, kind: string, list: (string | null)[]): Child[] =>
    list.map((one) => el('span', { class: kind }, `${mark} ${one ?? 'a licence that could not be read'}\n`));
  const [old, fresh] = [before?.licences ?? after.licences, after.licences];
  return [
    was === null || was === is ? `${is}\n` : `${was} -> ${is}\n`,
    ...sign(
      '+',
      'after',
      fresh.filter((one) => !old.includes(one)),
    ),
    ...sign(
      '-',
      'before',
      old.filter((one) => !fresh.includes(one)),
    ),
  ];
}

function sizes({ bytes, unpacked }: Pick<Measure, 'bytes' | 'unpacked'>): string {
  const whole = unpacked === null ? '' : `, ${sized(unpacked.bytes)} in ${unpacked.files} files unpacked`;
  return `${sized(bytes)}${whole}`;
}

function sized(bytes: number): string {
  const mib = bytes / 1024 / 1024;
  return mib < 1 ? `${(bytes / 1024).toFixed(1)} KiB` : `${mib.toFixed(1)} MiB`;
}
