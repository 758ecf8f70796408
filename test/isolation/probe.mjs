// An MCP server that tries to break out of where it runs. Its one tool makes one attempt and tells whether it got
// through and what it saw. It is started bare as well, to show that each attempt gets through where nothing stands in
// its way: so everything here is bounded, and undone at once.
import { spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { lookup, Resolver } from 'node:dns/promises';
import fs from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

const MIB = 1024 * 1024;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const told = (broke, seen) => ({ broke: Boolean(broke), seen: String(seen).slice(0, 200) });

/** The same for each: got through if one did. */
function each(items, attempt) {
  const all = items.map((item) => {
    try {
      const got = attempt(item);
      return { item, got: got !== false, word: got === false ? 'nothing' : 'done' };
    } catch (error) {
      return { item, got: false, word: error.code ?? error.message };
    }
  });
  const through = all.filter(({ got }) => got);
  if (through.length > 0) return told(true, through.map(({ item }) => item).join(' '));
  return told(false, [...new Set(all.map(({ word }) => word))].join(' '));
}

function connected(options) {
  return new Promise((resolve) => {
    const socket = net.connect(options);
    const end = (broke, seen) => {
      socket.destroy();
      resolve(told(broke, seen));
    };
    socket.setTimeout(2000, () => end(false, 'silence'));
    socket.on('connect', () => end(true, 'connected'));
    socket.on('error', (error) => end(false, error.code));
  });
}

function processesWith(file, needle) {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/${file}`, 'utf8').includes(needle);
      } catch {
        return false;
      }
    });
}

const attempts = {
  create: (...paths) =>
    each(paths, (path) => {
      fs.writeFileSync(path, '', { flag: 'wx' });
      fs.rmSync(path);
    }),
  openForWriting: (...paths) => each(paths, (path) => fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY))),
  open: (...paths) =>
    each(paths, (path) => fs.closeSync(fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK))),
  read: (needle, ...paths) => each(paths, (path) => fs.readFileSync(path, 'utf8').includes(needle)),
  bytes: (...paths) =>
    each(paths, (path) => {
      const file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      try {
        return fs.readSync(file, Buffer.alloc(4096)) > 0;
      } finally {
        fs.closeSync(file);
      }
    }),
  keep: (path, text) => {
    fs.writeFileSync(path, text);
    return told(true, path);
  },
  sees: (file, needle) => {
    const found = processesWith(file, needle);
    return told(found.length > 0, found.length > 0 ? `process ${found[0]}` : 'no such process');
  },
  descriptors: (needle) =>
    each(fs.readdirSync('/proc/self/fd'), (fd) => {
      const path = `/proc/self/fd/${fd}`;
      return fs.statSync(path).isFile() && fs.readFileSync(path, 'utf8').includes(needle);
    }),
  fill: (path, mib, limit) => {
    let size = 0;
    let word = '';
    try {
      for (; size < mib; size++) fs.appendFileSync(path, Buffer.alloc(MIB, 1));
    } catch (error) {
      word = ` ${error.code}`;
    }
    fs.rmSync(path, { force: true });
    return told(size > limit, `${size} MiB${word}`);
  },
  eat: async (mib, limit) => {
    const all = [];
    for (let size = 0; size < mib; size += 16) {
      all.push(Buffer.alloc(16 * MIB, 1));
      fs.writeSync(2, `${size + 16} MiB\n`);
      await wait(5);
    }
    return told(all.length * 16 > limit, `${all.length * 16} MiB`);
  },
  eatTogether: async (count, mib) => {
    const code = `const all = Buffer.alloc(${mib} * 1048576, 1); console.log('held'); setInterval(() => all[0], 1000);`;
    const children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', code]));
    const held = await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve) => {
            child.on('error', () => resolve(false));
            child.on('exit', () => resolve(false));
            child.stdout.on('data', () => resolve(true));
          }),
      ),
    );
    await wait(200);
    const alive = children.filter(
      (child, index) => held[index] && child.exitCode === null && child.signalCode === null,
    );
    for (const child of children) child.kill('SIGKILL');
    return told(alive.length === count, `${alive.length} of ${count} held ${mib} MiB each`);
  },
  spin: async (threads, limit) => {
    const workers = Array.from({ length: threads }, () => new Worker('for (;;);', { eval: true }));
    await wait(300);
    const before = process.cpuUsage();
    const at = performance.now();
    await wait(1000);
    const { user, system } = process.cpuUsage(before);
    const used = (user + system) / 1000 / (performance.now() - at);
    await Promise.all(workers.map((worker) => worker.terminate()));
    return told(used > limit, `${used.toFixed(2)} processors`);
  },
  fork: (count, limit) => {
    const children = [];
    let word = '';
    for (let i = 0; i < count; i++) {
      const child = spawn('./pause', { stdio: 'ignore' });
      child.on('error', (error) => {
        word = ` ${error.code}`;
      });
      if (child.pid === undefined) break;
      children.push(child);
    }
    for (const child of children) child.kill('SIGKILL');
    return wait(50).then(() => told(children.length >= limit, `${children.length} children${word}`));
  },
  openMany: (count, limit) => {
    const files = [];
    let word = '';
    try {
      for (let i = 0; i < count; i++) files.push(fs.openSync('/dev/null'));
    } catch (error) {
      word = ` ${error.code}`;
    }
    for (const file of files) fs.closeSync(file);
    return told(files.length > limit, `${files.length} files${word}`);
  },
  hardLimit: (name) => {
    const line = fs
      .readFileSync('/proc/self/limits', 'utf8')
      .split('\n')
      .find((text) => text.startsWith(name));
    const [, hard] = line.slice(name.length).trim().split(/\s+/);
    return told(hard !== '0', `${hard}`);
  },
  status: (name, wanted) => {
    const line = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(fs.readFileSync('/proc/self/status', 'utf8'));
    return told(line?.[1] !== wanted, line?.[1] ?? 'not told');
  },
  uid: () => told(process.getuid() === 0, `user ${process.getuid()}`),
  run: (file) => {
    const { status, signal, error } = spawnSync(`./${file}`, { timeout: 5000 });
    return told(status === 0, error?.code ?? signal ?? `errno ${status}`);
  },
  runAll: (...files) => {
    const ends = files.map((file) => spawnSync(`./${file}`, { timeout: 5000 }));
    const codes = ends.map(({ status, signal, error }) => status ?? signal ?? error?.code);
    return { ...told(false, ''), codes };
  },
  becomeRoot: (file) => {
    const user = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
    const { status, error } = spawnSync(`./${file}`, user);
    return told(status === 0, error?.code ?? `user ${status === 0 ? 'root' : 'as before'}`);
  },
  runCopy: (file, to) => {
    try {
      fs.copyFileSync(file, to);
      fs.chmodSync(to, 0o755);
      const { status, error } = spawnSync(to);
      return told(status === 0, error?.code ?? `ended with ${status}`);
    } finally {
      fs.rmSync(to, { force: true });
    }
  },
  kill: (pid) => each([pid], (one) => void process.kill(one, 'SIGKILL')),
  daemon: async (file) => {
    const code = `require('node:child_process').spawn('./${file}', { detached: true, stdio: 'ignore' }).unref()`;
    const child = spawn(process.execPath, ['-e', code], { detached: true, stdio: 'ignore' });
    await new Promise((resolve) => child.on('exit', resolve));
    const there = processesWith('cmdline', file);
    return told(there.length > 0, `process ${there[0]}`);
  },
  ignoreSignals: () => {
    for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGPIPE', 'SIGQUIT'])
      process.on(name, () => undefined);
    setInterval(() => undefined, 1000);
    ignoring = true;
    return told(true, 'ignoring');
  },
  connect: (host, port) => connected({ host, port }),
  // Serves for as long as the probe lives; whether that gets through is seen by who calls there.
  serve: (word) =>
    new Promise((resolve) => {
      const server = net.createServer((socket) => socket.on('error', () => undefined).end(word));
      server.on('error', (error) => resolve(told(false, error.code)));
      server.listen(0, '0.0.0.0', () => resolve(told(false, server.address().port)));
    }),
  connectPath: (path) => connected({ path: path.replace(/^@/, '\0') }),
  // Without the variables and the preload that Node would look at.
  connectAlone: (host, port) => {
    const code = `require('node:net').connect(${port}, '${host}').on('connect', () => process.exit(0)).on('error', (error) => { console.log(error.code); process.exit(1); })`;
    const { status, stdout, error } = spawnSync(process.execPath, ['-e', code], { env: {}, timeout: 3000 });
    return told(status === 0, status === 0 ? 'connected' : (error?.code ?? String(stdout).trim()));
  },
  lookup: (name) =>
    lookup(name).then(
      ({ address }) => told(true, address),
      (error) => told(false, error.code),
    ),
  route: () => {
    const words = ['203.0.113.0/24', 'dev', 'lo'];
    const { status, stderr, error } = spawnSync('ip', ['route', 'add', ...words]);
    if (status === 0) spawnSync('ip', ['route', 'del', ...words]);
    return told(status === 0, error?.code ?? (status === 0 ? 'added' : String(stderr).trim()));
  },
  udp: async (port, host = '127.0.0.1') => {
    const socket = dgram.createSocket('udp4');
    const answered = new Promise((resolve) => {
      socket.on('message', () => resolve(told(true, 'answered')));
      socket.on('error', (error) => resolve(told(false, error.code)));
      socket.send('hello', port, host, (error) => error && resolve(told(false, error.code)));
    });
    const found = await Promise.race([answered, wait(1000).then(() => told(false, 'silence'))]);
    socket.close();
    return found;
  },
  resolve: async (name, port, host = '127.0.0.1') => {
    const resolver = new Resolver({ timeout: 500, tries: 1 });
    resolver.setServers([`${host}:${port}`]);
    return resolver.resolve4(name).then(
      (found) => told(true, found.join(' ')),
      (error) => told(false, error.code),
    );
  },
  interfaces: () => {
    const found = Object.keys(networkInterfaces()).filter((name) => name !== 'lo');
    const listed = fs.readFileSync('/proc/net/dev', 'utf8').match(/^\s*[^\s:|]+:/gm) ?? [];
    const all = new Set([...found, ...listed.map((name) => name.trim().slice(0, -1))]);
    all.delete('lo');
    return told(all.size > 0, all.size > 0 ? [...all].join(' ') : 'lo alone');
  },
};

let ignoring = false;
const answer = (message) => void process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const lines = createInterface({ input: process.stdin });
lines.on('close', () => ignoring || process.exit(0));
lines.on('line', async (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize') {
    const serverInfo = { name: 'probe', version: '1' };
    return answer({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } });
  }
  if (method !== 'tools/call') return;
  const { name, words } = params.arguments;
  let structuredContent;
  try {
    structuredContent = await attempts[name](...words);
  } catch (error) {
    structuredContent = told(false, error.code ?? error.message);
  }
  answer({ id, result: { content: [], structuredContent } });
});
