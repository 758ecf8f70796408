/** The dashboard's files, read once at start. TypeScript is stripped here, so that the page needs no build. */
import { existsSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import type { FastifyInstance } from 'fastify';
import type { Call, Handlers } from '../app.ts';

const FOLDER = new URL('../../web/', import.meta.url);
const SCRIPTS = ['main', 'views', 'dom', 'api'];
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** A module as the browser takes it: compiled in a published package, stripped in the repository. */
function scriptText(name: string): string {
  const compiled = new URL(`${name}.js`, FOLDER);
  if (existsSync(compiled)) return readFileSync(compiled, 'utf8');
  return stripTypeScriptTypes(readFileSync(new URL(`${name}.ts`, FOLDER), 'utf8')).replaceAll(
    /from '\.\/(\w+)\.ts'/g,
    "from './$1.js'",
  );
}

export function dashboardRoutes(app: FastifyInstance): Handlers {
  const page = readFileSync(new URL('index.html', FOLDER), 'utf8');
  const assets: Record<string, { type: string; text: string }> = {
    'style.css': {
      type: 'text/css; charset=utf-8',
      text: readFileSync(new URL('style.css', FOLDER), 'utf8'),
    },
  };
  for (const name of SCRIPTS)
    assets[`${name}.js`] = { type: 'text/javascript; charset=utf-8', text: scriptText(name) };
  for (const [name, asset] of Object.entries(assets)) {
    app.get(`/assets/${name}`, (_request, reply) =>
      reply
        .type(asset.type)
        .header('x-content-type-options', 'nosniff')
        .header('cache-control', 'no-cache')
        .send(asset.text),
    );
  }
  return {
    dashboard: async ({ reply }: Call) => {
      void reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', POLICY)
        .header('x-content-type-options', 'nosniff')
        .header('referrer-policy', 'no-referrer')
        .header('cache-control', 'no-cache');
      return page;
    },
  };
}
