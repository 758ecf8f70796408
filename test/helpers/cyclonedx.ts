/** The CycloneDX 1.6 schema itself, compiled once. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Schema from 'typebox/schema';

const FOLDER = join(import.meta.dirname, '../fixtures/cyclonedx');

function read(name: string): { definitions?: Record<string, unknown>; $id?: string } {
  return JSON.parse(
    readFileSync(join(FOLDER, `${name}.SNAPSHOT.schema.json`), 'utf8')
      .replaceAll('"spdx.SNAPSHOT.schema.json"', '"#/definitions/spdx"')
      .replaceAll('jsf-0.82.SNAPSHOT.schema.json#', '#'),
  );
}

/** The three documents as one, so that no reference leads out of it. */
function whole(): object {
  const [bom, { $id: _, ...spdx }, jsf] = [read('bom-1.6'), read('spdx'), read('jsf-0.82')];
  return { ...bom, definitions: { ...bom.definitions, ...jsf.definitions, spdx } };
}

const compiled = Schema.Compile(whole());

/** What of a document is not CycloneDX 1.6: places with what is wrong there. */
export function cycloneDxErrors(document: unknown): string[] {
  if (compiled.Check(document)) return [];
  const [, errors] = compiled.Errors(document);
  return [...errors].map(({ instancePath, message }) => `${instancePath} ${message}`);
}
