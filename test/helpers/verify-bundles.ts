/** Prints the verdict on every upstream case and the network interfaces it had; run where there is no network. */
import { networkInterfaces } from 'node:os';
import { cases, verdictOf } from './signature-bundles.ts';

const verdicts = cases.map((given) => verdictOf(given));
process.stdout.write(JSON.stringify({ interfaces: Object.keys(networkInterfaces()), verdicts }));
