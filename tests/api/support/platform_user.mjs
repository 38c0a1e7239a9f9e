// SPDX-License-Identifier: MIT
// Somebody with a home, an SSH key, git and the deis command, and a platform that runs on this machine as
// deploy/quickstart starts it (same environment: DEIS_DOMAIN, DEIS_HTTP_PORT, DEIS_HTTPS_PORT, DEIS_SSH_PORT, DEIS_DATA).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { request as requestSecurely } from 'node:https';
import { join } from 'node:path';
import { makeFolder, removeFolder } from './process.mjs';
import { bin, root } from './world.mjs';

const env = process.env;
const domain = env.DEIS_DOMAIN || 'localhost';
const port = Number(env.DEIS_HTTP_PORT || 80);
const securePort = Number(env.DEIS_HTTPS_PORT || 443);
const adminFile = join(env.DEIS_DATA || '/var/lib/deis', 'quickstart', 'admin');
export const controller = `http://deis.${domain}${port === 80 ? '' : `:${port}`}`;

// Names that no other run uses.
export const unique = (word) => `${word}-${randomBytes(3).toString('hex')}`;

// {status, text} of a request; status 0: text says why there is no answer.
function answerOf(ask, options) {
  return new Promise((resolve) => {
    const req = ask({ host: '127.0.0.1', agent: false, timeout: 60000, ...options }, (res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () => resolve({ status: res.statusCode, text: Buffer.concat(chunks).toString('utf8') }));
    });
    req.on('timeout', () => req.destroy());
    req.on('error', (error) => resolve({ status: 0, text: error.message }));
    req.end();
  });
}

// One request to the router.
export const fetchHost = (host, path = '/') => answerOf(request, { port, path, headers: { Host: host } });
// Over HTTPS, with a certificate that this authority has signed.
export const fetchSecurely = (host, ca) => answerOf(requestSecurely, { port: securePort, servername: host, ca, headers: { Host: host } });

export const fetchApp = (app, path) => fetchHost(`${app}.${domain}`, path);

// Why the scenarios don't run, or undefined. They revoke everybody's tokens, so they run only when asked.
export async function whyNot() {
  if (!env.DEIS_SCENARIOS) {
    return 'real cluster, CLI only: DEIS_SCENARIOS=1 runs it on the platform that deploy/quickstart started';
  }
  const { status } = await fetchHost(`deis.${domain}`, '/v1/');
  if (status !== 401) {
    return `real cluster: no platform answers at ${controller}; deploy/quickstart starts one`;
  }
  return existsSync(adminFile) ? undefined : `real cluster: its administrator is not in ${adminFile}`;
}

export class PlatformUser {
  constructor(name) {
    this.name = name;
    this.password = `pw-${name}`;
    this.home = makeFolder();
    this.folder = join(this.home, 'elsewhere');
    mkdirSync(this.folder);
    mkdirSync(join(this.home, '.ssh'));
    this.key = join(this.home, '.ssh', 'id_rsa');
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-C', `${name}@test`, '-f', this.key]);
    this.env = {
      PATH: `${bin}:${env.PATH}`, HOME: this.home, LANG: 'C.UTF-8', GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: 'a@example.net', GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: 'a@example.net',
      GIT_SSH_COMMAND: `ssh -i ${this.key} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=${this.home}/known_hosts -o StrictHostKeyChecking=accept-new`,
    };
  }

  static admin() {
    const [name, password] = readFileSync(adminFile, 'utf8').split('\n');
    const admin = new PlatformUser(name);
    admin.password = password;
    return admin;
  }

  remove() {
    removeFolder(this.home);
  }

  // A shell command as the original's helper runs it: {rc, text}, output and errors together.
  sh(command, cwd = this.folder, more = {}) {
    return new Promise((resolve, reject) => {
      const child = spawn('bash', ['-c', command], { cwd, env: { ...this.env, ...more }, timeout: 300000, stdio: ['ignore', 'pipe', 'pipe'] });
      const chunks = [];
      child.stdout.on('data', (chunk) => chunks.push(chunk));
      child.stderr.on('data', (chunk) => chunks.push(chunk));
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ rc: signal || code, text: Buffer.concat(chunks).toString('utf8') }));
    });
  }

  async ok(command, cwd, more) {
    const { rc, text } = await this.sh(command, cwd, more);
    assert.equal(rc, 0, `${command}: status ${rc}\n${text.slice(-2000)}`);
    assert.ok(!text.includes('WARNING'), `${command}:\n${text}`);
    return text;
  }

  async fails(command, words, cwd, more) {
    const { rc, text } = await this.sh(command, cwd, more);
    assert.notEqual(rc, 0, `${command} succeeded:\n${text}`);
    assert.ok(text.includes(words), `${command}: no '${words}' in\n${text}`);
    return text;
  }

  async shows(command, words, cwd, more) {
    const text = await this.ok(command, cwd, more);
    assert.ok(text.includes(words), `${command}: no '${words}' in\n${text}`);
    return text;
  }

  async hides(command, words, cwd) {
    const text = await this.ok(command, cwd);
    assert.ok(!text.includes(words), `${command}: '${words}' in\n${text}`);
  }

  register() {
    return this.ok(`deis auth:register ${controller} --username=${this.name} --password=${this.password} --email=${this.name}@example.net`);
  }

  login() {
    return this.ok(`deis auth:login ${controller} --username=${this.name} --password=${this.password}`);
  }

  addKey() {
    return this.ok(`deis keys:add ${this.key}.pub`);
  }

  // A git repository with an example of ours; its folder.
  repository(name, example = 'web') {
    const folder = join(this.home, name);
    cpSync(join(root, 'examples', example), folder, { recursive: true });
    const git = (...args) => execFileSync('git', args, { cwd: folder, env: this.env, stdio: 'ignore' });
    git('init', '-q', '-b', 'master');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    return folder;
  }

  write(folder, name, text) {
    writeFileSync(join(folder, name), text);
  }
}
