import type { Finding } from '../../schemas/finding.ts';
import type { BundleFacts } from '../mcpb/source.ts';
import { type Check, type Facts, finding, firedOr, gravest, ok, unknown } from './check.ts';

type Found = Omit<Finding, 'check'>;

/** Whoever installs a bundle is shown its manifest; the model is shown the server. */
export const manifest: Check = {
  id: 'LK-MCB-01',
  title: 'The bundle declares what its server shows',
  owasp: 'MCP03',
  about: 'bundle',
  run: ({ bundle, surface }) => {
    if (bundle === null) return unknown('it is no bundle');
    const { tools, tools_generated: moreTools, prompts, prompts_generated: morePrompts } = bundle.manifest;
    const found = [
      ...differences('tool', { declared: tools, more: moreTools === true, shown: surface.tools }),
      ...differences('prompt', { declared: prompts, more: morePrompts === true, shown: surface.prompts }),
      ...answersElsewhere(bundle.manifest),
    ];
    const count = (tools?.length ?? 0) + (prompts?.length ?? 0);
    return firedOr(
      gravest(found),
      count === 0 ? 'it declares nothing' : `${count} declared, each as it is shown`,
    );
  },
};

interface Compared {
  readonly declared: BundleFacts['manifest']['tools'];
  /** It says that there are more than it names. */
  readonly more: boolean;
  readonly shown: Facts['surface']['tools'];
}

function differences(what: 'tool' | 'prompt', { declared, more, shown }: Compared): Found[] {
  if (declared === undefined) return [];
  const found: Found[] = [];
  const at = (name: string): string => `manifest.json, ${what} ${name.slice(0, 100)}`;
  for (const { name, description } of declared) {
    const live = Object.hasOwn(shown, name) ? shown[name] : undefined;
    const evidence = (value: string) => [{ kind: 'fact', source: at(name), value }] as const;
    if (live === undefined) {
      found.push(
        finding(
          'low',
          `the manifest declares the ${what} ${name}, which the server does not show`,
          evidence('declared'),
        ),
      );
      continue;
    }
    const text = typeof live.description === 'string' ? live.description : '';
    if (description === undefined || same(description, text)) continue;
    const change = {
      kind: 'change',
      at: at(name),
      before: description.slice(0, 1000),
      after: text.slice(0, 1000),
    } as const;
    found.push(finding('low', `the ${what} ${name} is described otherwise than in the manifest`, [change]));
  }
  if (more) return found;
  const names = new Set(declared.map(({ name }) => name));
  for (const name of Object.keys(shown).filter((one) => !names.has(one))) {
    const evidence = { kind: 'fact', source: at(name), value: 'not declared' } as const;
    found.push(
      finding('medium', `the server shows the ${what} ${name}, which the manifest does not declare`, [
        evidence,
      ]),
    );
  }
  return found;
}

function same(a: string, b: string): boolean {
  const plain = (text: string): string => text.replace(/\s+/g, ' ').trim();
  return plain(a) === plain(b);
}

/** Some hosts believe lists that stand in the manifest, and do not ask the server. */
function answersElsewhere({ _meta: meta }: BundleFacts['manifest']): Found[] {
  if (meta === null || typeof meta !== 'object') return [];
  return Object.entries(meta as Record<string, unknown>).flatMap(([host, own]) => {
    if (own === null || typeof own !== 'object' || !('static_responses' in own)) return [];
    const value = JSON.stringify(own.static_responses).slice(0, 1000);
    const message = `the manifest has answers of its own for ${host.slice(0, 100)}, which were not compared with the server's`;
    return [finding('medium', message, [{ kind: 'fact', source: 'manifest.json, _meta', value }])];
  });
}

/** Its own tool verifies none of them, and whoever appends to a signed bundle keeps its signature. */
export const bundleSignature: Check = {
  id: 'LK-MCB-02',
  title: 'The signature that the bundle carries',
  owasp: 'MCP04',
  about: 'bundle',
  run: ({ bundle }) => {
    if (bundle === null) return unknown('it is no bundle');
    if (bundle.signature === 0) return ok('none; its digest is what pins it');
    return unknown(
      `${bundle.signature} bytes, not verified: nothing is believed of it, its digest is what pins it`,
    );
  },
};
