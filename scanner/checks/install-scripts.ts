import { type Check, finding, firedOr } from './check.ts';

const HOOKS = ['preinstall', 'install', 'postinstall'];

/** Scripts that npm would run at install time. Lockkeeper never runs them, but they say what a package is ready to do. */
export const installScripts: Check = {
  id: 'LK-ART-02',
  title: 'Install scripts anywhere in the closure',
  owasp: 'MCP04',
  run: async ({ closure, files }) => {
    const findings = [];
    for (const { purl } of closure.artifacts) {
      const all = await files(purl);
      const manifest = all.find((file) => file.path === 'package.json');
      const scripts = scriptsOf(manifest?.bytes.toString('utf8') ?? '');
      for (const hook of HOOKS) {
        const script = scripts[hook];
        if (typeof script !== 'string') continue;
        findings.push(
          finding('high', `${purl} has the install script ${hook}`, [
            {
              kind: 'file',
              artifact: purl,
              path: 'package.json',
              line: 0,
              excerpt: `${hook}: ${script}`.slice(0, 300),
            },
          ]),
        );
      }
      if (all.some((file) => file.path === 'binding.gyp')) {
        findings.push(
          finding('medium', `${purl} builds native code when installed`, [
            { kind: 'file', artifact: purl, path: 'binding.gyp', line: 0, excerpt: 'binding.gyp' },
          ]),
        );
      }
    }
    return firedOr(findings, `none in ${closure.artifacts.length} packages`);
  },
};

function scriptsOf(text: string): Record<string, unknown> {
  try {
    const { scripts } = JSON.parse(text) as { scripts?: unknown };
    return scripts !== null && typeof scripts === 'object' ? (scripts as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
