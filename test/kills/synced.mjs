// Loaded before a runtime that is to be killed: tells, in a file of its own, how much of each journal a finished sync
// covered. A kill loses nothing that was written; a loss of power may lose everything behind the last sync.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const told = fs.openSync(process.env.LK_TEST_SYNCED, 'a');
const { fdatasync, fdatasyncSync, openSync, write, writeSync } = fs;
/** Descriptors whose writes the kernel syncs before it returns from them. */
const durable = new Set();
const known = new Map();
/** Bytes of whole lines: behind them a journal has room for more. */
const wholeOf = (path) => {
  const from = known.get(path) ?? 0;
  const file = fs.openSync(path, 'r');
  const bytes = Buffer.alloc(fs.fstatSync(file).size - from);
  fs.readSync(file, bytes, 0, bytes.length, from);
  fs.closeSync(file);
  const end = from + bytes.lastIndexOf(10) + 1;
  known.set(path, end);
  return end;
};
const before = (fd) => {
  const path = fs.readlinkSync(`/proc/self/fd/${fd}`);
  return path.endsWith('.ndjson') ? `${wholeOf(path)} ${path}\n` : '';
};
const after = (line) => void (line.endsWith('.ndjson\n') && fs.writeSync(told, line));

fs.fdatasyncSync = (fd) => {
  const line = before(fd);
  fdatasyncSync(fd);
  after(line);
};
fs.fdatasync = (fd, done) => {
  const line = before(fd);
  fdatasync(fd, (error) => {
    if (!error) after(line);
    done(error);
  });
};
fs.openSync = (path, flags, mode) => {
  const fd = openSync(path, flags, mode);
  if (typeof flags === 'number' && flags & fs.constants.O_DSYNC) durable.add(fd);
  else durable.delete(fd);
  return fd;
};
fs.writeSync = (fd, ...words) => {
  const written = writeSync(fd, ...words);
  if (durable.has(fd)) after(before(fd));
  return written;
};
const writing = (fd, ...words) => {
  const done = words.pop();
  write(fd, ...words, (error, ...rest) => {
    if (!error && durable.has(fd)) after(before(fd));
    done(error, ...rest);
  });
};
// The names of what it answers with, as `promisify` finds them.
fs.write = Object.defineProperties(writing, Object.getOwnPropertyDescriptors(write));
syncBuiltinESMExports();
