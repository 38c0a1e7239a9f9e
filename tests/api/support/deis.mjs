// SPDX-License-Identifier: MIT
// The real deis command with a home and a folder of its own, and a server that answers as a test wants.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, removeFolder } from './process.mjs';
import { bin } from './world.mjs';

const VERSIONS = { DEIS_API_VERSION: '1.7', DEIS_PLATFORM_VERSION: '1.13.4' };

export class Person {
  static async start() {
    const person = new Person();
    person.root = makeFolder();
    person.home = join(person.root, 'home');
    person.folder = join(person.root, 'project');
    person.path = join(person.root, 'path');
    for (const folder of [person.home, person.folder, person.path, join(person.home, '.deis')]) {
      mkdirSync(folder);
    }
    person.requests = [];
    person.reply = () => ({ status: 404, phrase: 'NOT FOUND', body: { detail: 'Not found' } });
    person.server = createServer((req, res) => person.serve(req, res));
    await new Promise((resolve) => {
      person.server.listen(0, '127.0.0.1', resolve);
    });
    person.controller = `http://127.0.0.1:${person.server.address().port}`;
    person.login();
    return person;
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
    removeFolder(this.root);
  }

  login(name = 'client') {
    this.writeProfile({ username: 'mira', ssl_verify: false, controller: this.controller, token: 'abc', response_limit: 0 }, name);
  }

  profileFile(name = 'client') {
    return join(this.home, '.deis', `${name}.json`);
  }

  writeProfile(profile, name) {
    writeFileSync(this.profileFile(name), typeof profile === 'string' ? profile : JSON.stringify(profile), { mode: 0o600 });
  }

  readProfile(name) {
    return existsSync(this.profileFile(name)) ? JSON.parse(readFileSync(this.profileFile(name), 'utf8')) : undefined;
  }

  serve(req, res) {
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const seen = { method: req.method, path: req.url, headers: req.headers, text, json: text ? JSON.parse(text) : undefined };
      this.requests.push(seen);
      const { status = 200, phrase = 'OK', body = '', headers = VERSIONS, type = 'application/json' } = this.reply(seen) || {};
      const bytes = typeof body === 'string' ? body : JSON.stringify(body);
      res.writeHead(status, phrase, { ...headers, ...(bytes ? { 'Content-Type': type } : {}), Connection: 'close' });
      res.end(bytes);
    });
  }

  // {rc, out, err}; options: env, input, cwd
  run(args, options = {}) {
    this.requests = [];
    return new Promise((resolve, reject) => {
      const child = spawn(join(bin, 'deis'), args, {
        cwd: options.cwd || this.folder,
        env: { PATH: `${this.path}:${process.env.PATH}`, HOME: this.home, LANG: 'C.UTF-8', ...options.env },
        timeout: 60000,
      });
      const out = [];
      const err = [];
      child.stdout.on('data', (chunk) => out.push(chunk));
      child.stderr.on('data', (chunk) => err.push(chunk));
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({
        rc: signal || code, out: Buffer.concat(out).toString('utf8'), err: Buffer.concat(err).toString('utf8'),
      }));
      child.stdin.on('error', () => {});
      child.stdin.end(options.input || '');
    });
  }
}
