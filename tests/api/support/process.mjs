// SPDX-License-Identifier: MIT
// Child processes, free ports and folders that are gone when the tests end, however they end.
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { createServer, connect } from 'node:net';
import { mkdtempSync, rmSync, openSync, closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const children = new Set();
const folders = new Set();

process.on('exit', () => {
  for (const child of children) {
    child.kill('SIGKILL');
  }
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  }
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => process.exit(130));
}

export function makeFolder() {
  const folder = mkdtempSync(join(process.env.DEIS_TEST_DIR || tmpdir(), 'deis-api-'));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
  folders.delete(folder);
}

// A port below those of outgoing connections, none of which can take it before a server does.
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const attempt = () => server.listen(randomInt(10000, 30000), '127.0.0.1');
    server.on('error', (error) => (error.code === 'EADDRINUSE' ? attempt() : reject(error)));
    server.on('listening', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
    attempt();
  });
}

// One patience for all: a busy machine may take it, what is broken fails a little later.
export async function until(what, probe, timeoutMs = 60000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const got = await probe();
    if (got) {
      return got;
    }
    if (Date.now() > end) {
      throw new Error(`${what}: not within ${timeoutMs} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

export function portAnswers(port) {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

// Starts a program whose output goes to a file; it dies with this process even if that is killed.
export class Program {
  constructor(argv, logFile, env = {}) {
    const log = openSync(logFile, 'a');
    this.logFile = logFile;
    this.name = argv[0].split('/').pop();
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    });
    closeSync(log);
    children.add(this.child);
    this.ended = new Promise((resolve) => {
      const end = (code, signal) => {
        children.delete(this.child);
        this.status = signal || code;
        resolve(this.status);
      };
      this.child.on('exit', end);
      this.child.on('error', (error) => end(error.message));
    });
  }

  log() {
    return readFileSync(this.logFile, 'utf8');
  }

  async waitPort(port) {
    await until(`${this.name} on port ${port}`, async () => {
      if (this.status !== undefined) {
        throw new Error(`${this.name} ended with ${this.status}:\n${this.log()}`);
      }
      return portAnswers(port);
    });
  }

  async stop(signal = 'SIGTERM') {
    const late = setTimeout(() => this.child.kill('SIGKILL'), 60000);
    this.child.kill(signal);
    const status = await this.ended;
    clearTimeout(late);
    return status;
  }
}
