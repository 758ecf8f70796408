// Preloaded before a command to measure it without the disk: what it writes is not synced. There is no such way in the
// product; the difference to the same command without this is what durable records cost.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

fs.fdatasync = (_fd, done) => queueMicrotask(() => done(null));
fs.fdatasyncSync = () => undefined;
const { openSync } = fs;
fs.openSync = (path, flags, mode) =>
  openSync(path, typeof flags === 'number' ? flags & ~fs.constants.O_DSYNC : flags, mode);
syncBuiltinESMExports();
