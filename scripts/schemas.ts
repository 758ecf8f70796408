// npm run schemas: writes schemas/json/ from the TypeBox values. A test fails when the files are not what this writes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { documents } from '../schemas/documents.ts';

const out = join(dirname(import.meta.dirname), 'schemas/json');
mkdirSync(out, { recursive: true });
for (const [name, text] of Object.entries(documents())) writeFileSync(join(out, name), text);
