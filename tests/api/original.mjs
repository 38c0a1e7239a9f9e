// SPDX-License-Identifier: MIT
// Every request of the original client v1.13.4, byte for byte as it is put on the wire, and what its decoder demands of
// the answer: a field of another type ends the command there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKNtDRxJNKlcIBLHOhbGBJV1XlhwrTuBAtVtKMtyKoBq mira@box\n';

// Field types of the documents that it decodes; null is taken for any of them, an unknown field too.
const texts = (...names) => Object.fromEntries(names.map((name) => [name, 'string']));
const APP = texts('created', 'id', 'owner', 'updated', 'url', 'uuid');
const BUILD = { ...texts('app', 'created', 'dockerfile', 'image', 'owner', 'sha', 'updated', 'uuid'), procfile: 'map of string' };
const CERT = { ...texts('owner', 'expires', 'common_name', 'created', 'updated'), id: 'number' };
const CONFIG = { ...texts('owner', 'app', 'created', 'updated', 'uuid'), values: 'map of string', memory: 'map of string', cpu: 'map of number', tags: 'map of string' };
const DOMAIN = texts('app', 'created', 'domain', 'owner', 'updated');
const PUBLIC = texts('created', 'id', 'owner', 'public', 'updated', 'uuid');
const PROCESS = { ...texts('owner', 'app', 'release', 'created', 'updated', 'uuid', 'type', 'state'), num: 'number' };
const RELEASE = { ...texts('app', 'created', 'owner', 'summary', 'updated', 'uuid', 'build', 'config'), version: 'number' };
const USER = { ...texts('last_login', 'username', 'first_name', 'last_name', 'email', 'date_joined'), is_superuser: 'boolean', is_staff: 'boolean', is_active: 'boolean', id: 'number' };

function decode(shape, value, where) {
  for (const [name, type] of Object.entries(shape)) {
    const got = value[name];
    if (got === undefined || got === null) {
      continue;
    }
    if (type.startsWith('map of ')) {
      assert.equal(typeof got, 'object', `${where}: ${name}`);
      for (const [key, item] of Object.entries(got)) {
        assert.equal(typeof item, type.slice(7), `${where}: ${name}.${key}`);
      }
    } else {
      assert.equal(typeof got, type, `${where}: ${name}`);
      assert.ok(type !== 'number' || Number.isInteger(got), `${where}: ${name} is no integer`);
    }
  }
}

// What each command does with the body of a good answer.
const one = (shape) => (json, where) => decode(shape, json, where);
const list = (shape) => (json, where) => {
  assert.ok(Array.isArray(json.results) && Number.isInteger(json.count), `${where}: results and count`);
  json.results.forEach((row) => decode(shape, row, where));
};
const nothing = () => {};

describe('Q the original client', () => {
  let w;

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  // No keep-alive, a content type even without a body, a length for POST alone when there is none.
  async function ask(method, path, token, body) {
    const text = body === undefined ? '' : JSON.stringify(body);
    const head = [`${method} /v1/${path} HTTP/1.1`, `Host: 127.0.0.1:${w.port}`, 'User-Agent: Deis Client v1.13.4'];
    if (text || method === 'POST') {
      head.push(`Content-Length: ${Buffer.byteLength(text)}`);
    }
    if (token) {
      head.push(`Authorization: token ${token}`);
    }
    head.push('Content-Type: application/json', 'Accept-Encoding: gzip', 'Connection: close', '', text);
    const raw = await w.client.raw(head.join('\r\n'));
    const [top, ...rest] = raw.split('\r\n\r\n');
    const [first, ...fields] = top.split('\r\n');
    const headers = Object.fromEntries(fields.map((f) => [f.slice(0, f.indexOf(':')).toLowerCase(), f.slice(f.indexOf(':') + 1).trim()]));
    assert.equal(headers.deis_api_version, '1.7', `${method} ${path}: ${raw.slice(0, 300)}`);
    assert.equal(headers.connection, 'close', `${method} ${path} is answered on a connection that ends`);
    assert.equal(headers['content-encoding'], undefined);
    return { status: Number(first.split(' ')[1]), phrase: first.split(' ').slice(2).join(' '), headers, text: rest.join('\r\n\r\n') };
  }

  async function good(status, method, path, token, body, take = nothing) {
    const answer = await ask(method, path, token, body);
    const where = `${method} /v1/${path}`;
    assert.equal(answer.status, status, `${where}: ${answer.status} ${answer.text}`);
    if (take !== nothing) {
      take(JSON.parse(answer.text), where);
    }
    return answer;
  }

  it('Q-01 accounts', async () => {
    assert.equal((await ask('GET', '')).status, 401); // how it knows a controller
    await good(201, 'POST', 'auth/register/', undefined, { username: 'mira', password: 'secret', email: 'mira@example.org' });
    const answer = await good(200, 'POST', 'auth/login/', undefined, { username: 'mira', password: 'secret' }, one({ token: 'string' }));
    const { token } = JSON.parse(answer.text);
    await good(200, 'POST', 'auth/passwd/', token, { password: 'secret', new_password: 'secret2' });
    await good(200, 'POST', 'auth/passwd/', w.tokens.admin, { username: 'mira', new_password: 'secret3' });
    const again = await good(200, 'POST', 'auth/login/', undefined, { username: 'mira', password: 'secret3' });
    const fresh = await good(200, 'POST', 'auth/tokens/', JSON.parse(again.text).token, undefined, one({ token: 'string' }));
    await good(200, 'GET', 'users/?page_size=100', w.tokens.admin, undefined, list(USER));
    await good(204, 'DELETE', 'auth/cancel/', JSON.parse(fresh.text).token);
    await good(201, 'POST', 'auth/register/', undefined, { username: 'mira', password: 'secret', email: 'mira@example.org' });
    await good(204, 'DELETE', 'auth/cancel/', w.tokens.admin, { username: 'mira' });
  });

  it('Q-02 apps, builds, releases and processes', async () => {
    const t = w.tokens.ivo;
    await good(201, 'POST', 'apps/', t, undefined, one(APP));
    await good(201, 'POST', 'apps/', t, { id: 'shop' }, one(APP));
    await good(200, 'GET', 'apps/?page_size=100', t, undefined, list(APP));
    await good(200, 'GET', 'apps/shop/', t, undefined, one(APP));
    await good(201, 'POST', 'apps/shop/builds/', t, { image: 'acme/shop:3' }, one(BUILD));
    await good(201, 'POST', 'apps/shop/builds/', t, { image: 'acme/shop:4', procfile: { web: 'run web', worker: 'run worker' } }, one(BUILD));
    await good(200, 'GET', 'apps/shop/builds/?page_size=100', t, undefined, list(BUILD));
    await good(204, 'POST', 'apps/shop/scale/', t, { web: 2, worker: 1 });
    await good(200, 'GET', 'apps/shop/containers/?page_size=100', t, undefined, list(PROCESS));
    for (const path of ['restart/', 'web/restart/', 'web/1/restart/']) {
      await good(200, 'POST', `apps/shop/containers/${path}`, t, undefined, (json, where) => {
        assert.ok(Array.isArray(json), where);
        json.forEach((row) => decode(PROCESS, row, where));
      });
    }
    await good(200, 'GET', 'apps/shop/releases/?page_size=100', t, undefined, list(RELEASE));
    await good(200, 'GET', 'apps/shop/releases/v2/', t, undefined, one(RELEASE));
    await good(201, 'POST', 'apps/shop/releases/rollback/', t, { version: 2 }, one({ version: 'number' }));
    await good(201, 'POST', 'apps/shop/releases/rollback/', t, undefined, one({ version: 'number' }));
    await good(200, 'POST', 'apps/shop/run', t, { command: 'ls /' }, ([code, output], where) => {
      assert.deepEqual([typeof code, typeof output], ['number', 'string'], where);
    });
    assert.ok([200, 204].includes((await ask('GET', 'apps/shop/logs', t)).status));
    assert.ok([200, 204].includes((await ask('GET', 'apps/shop/logs?log_lines=5', t)).status));
    await good(200, 'POST', 'apps/shop/', t, { owner: 'eve' });
    await good(204, 'DELETE', 'apps/shop/', w.tokens.eve);
  });

  it('Q-03 config, limits, tags', async () => {
    const t = w.tokens.ivo;
    const app = await w.built();
    // It sends the maps that it knows; what it leaves out is absent, what it unsets is null.
    await good(201, 'POST', `apps/${app}/config/`, t, { values: { A: '1', B: 'x=y' } }, (json, where) => {
      decode(CONFIG, json, where);
      assert.match(json.values.DEIS_RELEASE, /^v\d+$/);
    });
    await good(201, 'POST', `apps/${app}/config/`, t, { values: { A: null } }, one(CONFIG));
    await good(201, 'POST', `apps/${app}/config/`, t, { memory: { web: '1G' } }, one(CONFIG));
    await good(201, 'POST', `apps/${app}/config/`, t, { cpu: { web: '512' } }, one(CONFIG));
    await good(201, 'POST', `apps/${app}/config/`, t, { memory: { web: null } }, one(CONFIG));
    await good(201, 'POST', `apps/${app}/config/`, t, { tags: { rack: '1' } }, one(CONFIG));
    await good(201, 'POST', `apps/${app}/config/`, t, { tags: { rack: null } }, one(CONFIG));
    await good(200, 'GET', `apps/${app}/config/`, t, undefined, (json, where) => {
      decode(CONFIG, json, where);
      assert.deepEqual([json.values, json.memory, json.cpu, json.tags], [{ B: 'x=y' }, {}, { web: 512 }, {}], where);
    });
  });

  it('Q-04 domains, certificates, keys, perms', async () => {
    const t = w.tokens.ivo;
    const app = await w.app();
    await good(201, 'POST', `apps/${app}/domains/`, t, { domain: 'q.example.org' }, one(DOMAIN));
    await good(200, 'GET', `apps/${app}/domains/?page_size=100`, t, undefined, list(DOMAIN));
    await good(204, 'DELETE', `apps/${app}/domains/q.example.org`, t);
    const [key, cert] = ['q.key', 'q.pem'].map((name) => join(w.folder, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30',
      '-subj', '/CN=q.example.org', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const pair = { certificate: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
    await good(201, 'POST', 'certs/', t, pair, one(CERT));
    await good(201, 'POST', 'certs/', t, { ...pair, common_name: 'also.example.org' }, one(CERT));
    await good(200, 'GET', 'certs/?page_size=100', t, undefined, list(CERT));
    await good(204, 'DELETE', 'certs/q.example.org', t);
    await good(201, 'POST', 'keys/', t, { id: 'mira@box', public: KEY }, one(PUBLIC));
    await good(200, 'GET', 'keys/?page_size=100', t, undefined, list(PUBLIC));
    await good(204, 'DELETE', 'keys/mira@box', t);
    await good(201, 'POST', `apps/${app}/perms/`, t, { username: 'eve' });
    await good(200, 'GET', `apps/${app}/perms/`, t, undefined, (json, where) => {
      assert.deepEqual(json.users, ['eve'], where);
    });
    await good(204, 'DELETE', `apps/${app}/perms/eve`, t);
    await good(201, 'POST', 'admin/perms/', w.tokens.admin, { username: 'eve' });
    await good(200, 'GET', 'admin/perms/?page_size=100', w.tokens.admin, undefined, list({ username: 'string' }));
    await good(204, 'DELETE', 'admin/perms/eve', w.tokens.admin);
  });

  it('Q-05 what it can show of a refusal: an object of texts and lists of texts', async () => {
    const app = await w.app();
    const cases = [
      ['GET', 'apps/none/', 'ivo'], ['GET', `apps/${app}/`, 'eve'], ['POST', 'apps/', 'ivo', { id: 'Bad Name' }], ['POST', 'apps/', 'ivo', { id: app }],
      ['POST', `apps/${app}/scale/`, 'ivo', { web: 1 }], ['POST', `apps/${app}/config/`, 'ivo', { memory: { web: 'much' } }],
      ['POST', `apps/${app}/domains/`, 'ivo', { domain: '-.x' }], ['POST', 'keys/', 'ivo', { id: 'k', public: 'no key' }],
      ['POST', 'certs/', 'ivo', { certificate: 'x', key: 'y' }], ['POST', `apps/${app}/releases/rollback/`, 'ivo', { version: -3 }],
      ['POST', `apps/${app}/builds/`, 'ivo', { image: '' }], ['GET', 'apps/', 'nobody'], ['POST', 'auth/login/', undefined, { username: 'ivo', password: 'wrong' }],
      ['DELETE', `apps/${app}/perms/eve`, 'ivo'], ['GET', 'users/?page_size=100', 'ivo'], ['GET', `apps/${app}/releases/v77/`, 'ivo'],
      ['POST', `apps/${app}/run`, 'ivo', { command: 'ls' }],
    ];
    for (const [method, path, as, body] of cases) {
      const answer = await ask(method, path, w.token(as), body);
      assert.ok(answer.status >= 400 && answer.status < 500, `${method} ${path}: ${answer.status}`);
      assert.equal(answer.phrase, answer.phrase.toUpperCase());
      const json = JSON.parse(answer.text);
      assert.ok(json && typeof json === 'object' && !Array.isArray(json), `${method} ${path}: ${answer.text}`);
      for (const value of Object.values(json)) {
        assert.ok([value].flat().every((text) => typeof text === 'string'), `${method} ${path}: ${answer.text}`);
      }
    }
  });
});
