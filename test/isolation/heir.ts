/** A runtime that inherited an open file: starts the probe and tells whether it could read it. argv: driver, secret. */
import { closeInherited } from '../../runtime/isolation/descriptors.ts';
import { allDrivers } from '../../runtime/isolation/select.ts';
import { barePlace, sandboxPlace } from './place.ts';

const [, , name, secret = ''] = process.argv;
if (name !== 'bare') closeInherited();
let driver = null;
for (const one of allDrivers(process.execPath))
  if (one.name === name && (await one.detect()).available) driver ??= one;
const place = driver ? sandboxPlace(driver) : barePlace();
const found = await (await place.probe()).attempt('descriptors', secret);
await place.close();
process.stdout.write(JSON.stringify(found));
process.exit(0);
