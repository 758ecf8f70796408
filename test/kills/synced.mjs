// Loaded before a runtime that is to be killed: tells, in a file of its own, how much of each journal a finished sync
// covered. A kill loses nothing that was written; a loss of power may lose everything behind the last sync.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const told = fs.openSync(process.env.LK_TEST_SYNCED, 'a');
const { fdatasync, fdatasyncSync } = fs;
const before = (fd) => `${fs.fstatSync(fd).size} ${fs.readlinkSync(`/proc/self/fd/${fd}`)}\n`;
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
syncBuiltinESMExports();
