// node scripts/train.ts [--data DIR] [--out FILE | --unseen]: the weights of the second opinion, the same bytes for the same texts.
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readSets } from '../bench/quality/records.ts';
import { toolsOfManifests } from './train/manifests.ts';
import { train, windowsOfMade, windowsOfTools } from './train/model.ts';
import { unseen } from './train/unseen.ts';

const root = dirname(import.meta.dirname);
const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(root, 'test/fixtures/tool-texts') },
    unseen: { type: 'boolean' },
    out: { type: 'string', default: join(root, 'scanner/reading/weights.ts') },
  },
});
const tools = [...readSets(values.data).tools, ...toolsOfManifests(join(root, 'test/fixtures/manifests'))];
if (values.unseen) {
  process.stdout.write(`${await unseen(tools)}\n`);
  process.exit(0);
}
const of = (malicious: boolean) =>
  tools.filter((record) => record.malicious === malicious && (!malicious || record.scope === 'tool'));
const made = windowsOfMade();
const { data, scale, bias } = train(
  [...made.attacks, ...windowsOfTools(of(true))],
  [...made.honest, ...windowsOfTools(of(false))],
);
writeFileSync(
  values.out,
  `/** Written by scripts/train.ts from test/fixtures/tool-texts and texts made of templates; one signed byte a bucket. */
export const SCALE = ${scale};
export const BIAS = ${bias};
export const DATA =
  '${Buffer.from(data.buffer).toString('base64')}';
`,
);
