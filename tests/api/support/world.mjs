// SPDX-License-Identifier: MIT
// A real controller on an etcd of its own, with a stand-in platform around it and three users: admin (the
// first to register, so administrator), ivo (a plain user), eve (a stranger).
import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Etcd } from './etcd.mjs';
import { Client } from './http.mjs';
import { OpenApi } from './openapi.mjs';
import { Platform } from './platform.mjs';
import { Program, freePort, makeFolder, removeFolder, until } from './process.mjs';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const bin = process.env.DEIS_BIN || join(root, 'build/asan/bin');
export const DOMAIN = 'example.net';

export class World {
  // options: users (names to register, in order), settings ({"controller/bootstrap": "operator"}, there before it starts)
  static async start({ users = ['admin', 'ivo', 'eve'], settings = {} } = {}) {
    const world = new World();
    try {
      await world.fill(users, settings);
    } catch (error) {
      await world.abandon();
      throw error;
    }
    return world;
  }

  async fill(users, settings) {
    this.folder = makeFolder();
    this.key = randomBytes(32);
    this.keyFile = join(this.folder, 'cluster.key');
    writeFileSync(this.keyFile, `${this.key.toString('hex')}\n`, { mode: 0o600 });
    this.etcd = await Etcd.start(this.folder);
    this.platform = await Platform.start(this.etcd, this.key);
    this.tokens = {};
    for (const [name, value] of Object.entries(settings)) {
      await this.etcd.put(`/deis/config/${name}`, value);
    }
    await this.startController();
    for (const name of users) {
      await this.addUser(name);
    }
  }

  // What a start that failed leaves would keep the tests from ending.
  async abandon() {
    if (this.client) {
      this.client.close();
    }
    if (this.platform) {
      await this.platform.stop();
    }
    for (const program of [this.controller, this.etcd && this.etcd.program]) {
      if (program) {
        await program.stop('SIGKILL');
      }
    }
    removeFolder(this.folder);
  }

  async startController(instance = 'one') {
    const program = join(bin, 'deis-controller');
    if (!existsSync(program)) {
      throw new Error(`${program} is not built`);
    }
    const port = await freePort();
    const bus = await freePort();
    this.controller = new Program([
      program, '--http', `127.0.0.1:${port}`, '--bus', `tcp://127.0.0.1:${bus}`, '--etcd', this.etcd.url,
      '--cluster-key', this.keyFile, '--instance', instance, '--domain', DOMAIN,
    ], join(this.folder, 'controller.log'));
    await this.controller.waitPort(port);
    this.port = port;
    this.client = new Client(port);
    this.openapi = new OpenApi((await this.client.send('GET', '/v1/openapi.json')).is(200).json);
  }

  // Fails when the controller did not end well or a sanitizer complained.
  async stop() {
    this.client.close();
    await this.platform.stop();
    const alive = this.controller.status === undefined;
    const status = await this.controller.stop();
    const log = this.controller.log();
    await this.etcd.stop();
    removeFolder(this.folder);
    if (!alive || status !== 0 || /Sanitizer|runtime error/.test(log)) {
      throw new Error(`the controller ended with ${status}:\n${log.slice(-8000)}`);
    }
  }

  // as: a user's name, or undefined for nobody.
  token(as) {
    return as === undefined ? undefined : this.tokens[as] || as;
  }

  async send(method, path, as, json, options = {}) {
    const answer = await this.client.send(method, `/v1/${path}`, { token: this.token(as), json, ...options });
    answer.checkFrame();
    this.openapi.check(method, `/v1/${path}`, answer);
    return answer;
  }

  get(path, as, options) {
    return this.send('GET', path, as, undefined, options);
  }

  post(path, as, json, options) {
    return this.send('POST', path, as, json, options);
  }

  put(path, as, json) {
    return this.send('PUT', path, as, json);
  }

  patch(path, as, json) {
    return this.send('PATCH', path, as, json);
  }

  delete(path, as, json) {
    return this.send('DELETE', path, as, json);
  }

  // Registers and logs in; tokens[name] is set.
  async addUser(name, password = `pw-${name}`) {
    (await this.post('auth/register', undefined, { username: name, password, email: `${name}@example.net` })).is(201);
    this.tokens[name] = await this.login(name, password);
  }

  async login(name, password = `pw-${name}`) {
    return (await this.post('auth/login/', undefined, { username: name, password })).is(200).json.token;
  }

  // A new app; its name.
  async app(as = 'ivo', id = `app-${randomBytes(4).toString('hex')}`) {
    (await this.post('apps', as, { id })).is(201);
    return id;
  }

  // A new app with a build.
  async built(as = 'ivo', build = { image: 'acme/shop:3' }) {
    const id = await this.app(as);
    (await this.post(`apps/${id}/builds`, as, build)).is(201);
    return id;
  }

  async count(path, as) {
    return (await this.get(path, as)).is(200).json.count;
  }

  // All rows of a list.
  async rows(path, as = 'admin') {
    return (await this.get(`${path}?page_size=1000`, as)).is(200).json.results;
  }

  // The environment of a formation, which is sealed for the agents.
  openEnv({ app, env }) {
    const box = Buffer.from(env.split(':')[2], 'base64');
    const key = Buffer.from(hkdfSync('sha256', this.key, Buffer.alloc(32), 'at-rest', 32));
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, 12));
    decipher.setAAD(Buffer.from(`env/${app}`));
    decipher.setAuthTag(box.subarray(box.length - 16));
    return JSON.parse(Buffer.concat([decipher.update(box.subarray(12, box.length - 16)), decipher.final()]));
  }

  // What the builder shows at the hooks.
  get builderKey() {
    return Buffer.from(hkdfSync('sha256', this.key, Buffer.alloc(32), 'builder-hook', 32)).toString('hex');
  }

  // Writes a platform setting as deisctl does and waits until `applied` says that it took effect.
  async setting(name, value, applied) {
    await this.etcd.put(`/deis/config/${name}`, value);
    await until(`setting ${name}=${value}`, applied);
  }
}

export const BUILDPACK = { image: 'acme/shop', sha: 'a'.repeat(40), procfile: { web: 'node server.js', worker: 'node worker.js' } };
export const DOCKERFILE = { image: 'acme/shop', sha: 'b'.repeat(40), dockerfile: 'FROM scratch\nCMD /app\n' };
