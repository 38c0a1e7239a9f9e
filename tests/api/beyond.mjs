// SPDX-License-Identifier: MIT
// What the contract says beside its checklist, and where this platform is stricter than the original.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { BUILDPACK, DOMAIN, World } from './support/world.mjs';
import { until } from './support/process.mjs';

describe('E beside the checklist', () => {
  let w;
  const set = (app, values, as = 'ivo') => w.post(`apps/${app}/config`, as, { values });
  const login = (username, password) => w.post('auth/login/', undefined, { username, password });

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('E-01 HEAD answers as GET, without the body', async () => {
    const app = await w.built();
    for (const path of ['', 'apps', `apps/${app}`, `apps/${app}/config`, `apps/${app}/releases/v1`, 'keys', 'users']) {
      const [get, head] = [await w.get(path, 'admin'), await w.send('HEAD', path, 'admin')];
      assert.deepEqual([head.status, head.text, head.type, head.headers['content-length']],
        [get.status, '', get.type, String(get.bytes.length)], path);
    }
  });

  it('E-02 browsers of any origin may ask', async () => {
    const Origin = 'https://console.example.org';
    const got = (await w.get('apps', 'ivo', { headers: { Origin } })).is(200);
    assert.ok(['*', Origin].includes(got.headers['access-control-allow-origin']), `${got}`);
    assert.match(got.headers['access-control-expose-headers'], /DEIS_API_VERSION/i);
    const asked = await w.send('OPTIONS', 'apps', undefined, undefined,
      { headers: { Origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization, content-type' } });
    assert.ok(asked.status === 200 || asked.status === 204, `${asked}`);
    for (const name of ['content-type', 'accept', 'origin', 'authorization', 'host']) {
      assert.ok(asked.headers['access-control-allow-headers'].toLowerCase().includes(name), `${name} in ${asked.headers['access-control-allow-headers']}`);
    }
    assert.match(asked.headers['access-control-allow-methods'], /POST/);
  });

  it('E-03 links do not follow the Host of the request', async () => {
    const app = await w.app('eve');
    await w.app('eve');
    const got = (await w.get('apps?page_size=1', 'eve', { headers: { Host: 'evil.example.org' } })).is(200);
    assert.equal(new URL(got.json.next).host, 'deis.example.net');
    assert.equal((await w.get(`apps/${app}`, 'eve', { headers: { Host: 'evil.example.org' } })).json.url, `${app}.example.net`);
  });

  it('E-04 each login has a token of its own', async () => {
    await w.addUser('kim');
    const [one, two] = [await w.login('kim'), await w.login('kim')];
    assert.notEqual(one, two);
    (await w.get('', one)).is(200);
    (await w.get('', two)).is(200);
    const { token } = (await w.post('auth/tokens/', two, {})).is(200).json;
    for (const [old, status] of [[one, 401], [two, 401], [w.tokens.kim, 401], [token, 200]]) {
      (await w.get('', old)).is(status);
    }
  });

  it('E-05 no secret is stored or logged in clear', async () => {
    const app = await w.built();
    (await set(app, { SECRET: 'open-sesame-4711' })).is(201);
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'env' })).is(200);
    const stored = JSON.stringify((await w.etcd.list('/deis/')).docs);
    const logged = w.controller.log();
    for (const secret of ['open-sesame-4711', 'pw-ivo', w.tokens.ivo, w.tokens.admin]) {
      assert.ok(!stored.includes(secret) && !logged.includes(secret), secret);
    }
    const { password } = JSON.parse(await w.etcd.get('/deis/users/ivo'));
    assert.match(password, /^scrypt\$/);
  });

  it('E-06 a login is noted', async () => {
    const row = async () => (await w.rows('users')).find((user) => user.username === 'eve');
    const before = await row();
    await w.login('eve');
    const now = await row();
    assert.ok(now.last_login > before.last_login, `${before.last_login} ${now.last_login}`);
    assert.equal(now.date_joined, before.date_joined);
  });

  it('E-07 too many failed logins are held off, others are not', async () => {
    await w.addUser('lee');
    let refused;
    for (let i = 0; i < 30 && !refused; i++) {
      const got = await login('lee', 'wrong');
      refused = got.status === 429 ? got : undefined;
    }
    assert.ok(refused, 'thirty failures in a row');
    assert.match(refused.json.detail, /try again in \d+ second/);
    (await login('lee', 'pw-lee')).is(429);
    (await login('ivo', 'pw-ivo')).is(200);
    (await w.get('', 'lee')).is(200);
  });

  it('E-19 an image of another app is for those who may use that app', async () => {
    const [mine, other] = [await w.app('ivo'), await w.app('eve')];
    const hash = 'sha256:'.padEnd(71, 'a');
    const images = [`127.0.0.1:5555/${other}:git-12345678`, `localhost:5555/${other}@${hash}`, `127.1:5555/${other}:x`, `0x7f.1:5555/${other}:x`];
    const deploy = (body) => w.post(`apps/${mine}/builds`, 'ivo', body);
    for (const body of [...images.map((image) => ({ image })), { image: other, sha: '12345678' }]) {
      (await deploy(body)).detail(403, `Repository name ${other} is not allowed`);
    }
    assert.equal(await w.count(`apps/${mine}/builds`, 'ivo'), 0);
    (await deploy({ image: `127.0.0.1:5555/${mine}:git-12345678` })).is(201);
    (await w.post(`apps/${other}/perms`, 'eve', { username: 'ivo' })).is(201);
    (await deploy({ image: images[0] })).is(201);
  });

  it('E-20 how many of each a user and an app may have', async () => {
    await w.addUser('nia');
    const app = await w.app('nia');
    const keys = ['oBq', 'oBr', 'oBs'].map((end) => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKNtDRxJNKlcIBLHOhbGBJV1XlhwrTuBAtVtKMtyK${end}`);
    const until = async (name, attempt) => {
      await w.setting(`controller/${name}`, '1', async () => (await attempt()).status === 413);
      const answer = await attempt();
      answer.is(413);
      assert.match(answer.json.detail, /^(You have|The app has) \d+ [a-z ]+; that is the limit$/);
      await w.etcd.change({}, [`/deis/config/controller/${name}`]);
    };
    let n = 0;
    await until('appsPerUser', () => w.post('apps', 'nia', {}));
    (await w.post('apps', 'admin', {})).is(201);
    await until('keysPerUser', () => w.post('keys', 'nia', { id: 'k', public: keys[n++ % 3] }));
    await until('domainsPerApp', () => w.post(`apps/${app}/domains`, 'nia', { domain: `d${n++}.example.org` }));
    (await w.post(`apps/${app}/perms`, 'nia', { username: 'eve' })).is(201);
    await until('usersPerApp', () => w.post(`apps/${app}/perms`, 'nia', { username: 'ivo' }));
  });

  it('E-21 the audit says who, from where, and what, but no secret', async () => {
    const app = await w.built('ivo');
    (await set(app, { SECRET: 'audited-4711' })).is(201);
    const headers = { 'X-Forwarded-For': '198.51.100.9, 203.0.113.7' }; // the last one is the router's word
    (await w.post(`apps/${app}/domains`, 'ivo', { domain: `${app}.example.org` }, { headers })).is(201);
    const entries = (await w.get(`audit?app=${app}&page_size=100`, 'admin')).is(200).json.results;
    const of = (action) => entries.find((e) => e.action === action);
    assert.deepEqual([of('app.create').user, of('app.create').source, of('domain.add').source], ['ivo', '127.0.0.1', '203.0.113.7']);
    assert.equal(of('app.config').user, 'ivo');
    assert.ok(!JSON.stringify(entries).includes('audited-4711'));
  });

  it("E-08 who leaves takes along only what is the own", async () => {
    await w.addUser('max');
    const app = await w.app('ivo');
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'max' })).is(201);
    (await set(app, { A: '1' }, 'max')).is(201);
    (await w.post(`apps/${app}/builds`, 'max', { image: 'x:1' })).is(201);
    (await w.post(`apps/${app}/domains`, 'max', { domain: 'max.example.org' })).is(201);
    (await w.delete('auth/cancel', 'max')).is(204);
    assert.equal(await w.count(`apps/${app}/builds`, 'ivo'), 1);
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 3);
    assert.equal(await w.count(`apps/${app}/containers`, 'ivo'), 1);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, { A: '1' });
    assert.deepEqual((await w.rows(`apps/${app}/domains`, 'ivo')).map((d) => d.domain), ['max.example.org']);
    assert.deepEqual((await w.get(`apps/${app}/perms`, 'ivo')).json, { users: [] });
    await w.addUser('max');
    (await w.get(`apps/${app}`, 'max')).is(403);
  });

  it('E-09 limits and tags reach what runs', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await w.post(`apps/${app}/config`, 'ivo', { memory: { web: '256MB' }, cpu: { web: 512 }, tags: { rack: '2' } })).is(201);
    const { web } = w.platform.formations.get(app).processes;
    assert.deepEqual([web.memory_bytes, web.cpu_shares, web.tags, web.routable], [268435456, 512, { rack: '2' }, true]);
  });

  it('E-10 how many log lines', async () => {
    const app = await w.app();
    await w.platform.logged(app, 'initial release');
    for (let i = 0; i < 250; i++) {
      w.platform.lines.push({ app, process: i % 2 ? 'web.1' : 'worker.1', time_ms: 0, text: Buffer.from(`line ${i}`) });
    }
    const lines = async (query) => (await w.get(`apps/${app}/logs${query}`, 'ivo')).is(200).text.split('\n').length - 1;
    assert.deepEqual([await lines(''), await lines('?log_lines=1'), await lines('?log_lines=7'), await lines('?log_lines=x'), await lines('?log_lines=0')],
      [251, 1, 7, 100, 100]);
    assert.equal(await lines('?process=web'), 125);
  });

  it('E-11 a destroyed app leaves nothing', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await set(app, { A: '1' })).is(201);
    (await w.post(`apps/${app}/domains`, 'ivo', { domain: `${app}.example.org` })).is(201);
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'ls' })).is(200);
    (await w.delete(`apps/${app}`, 'ivo')).is(204);
    await w.platform.queue;
    const { docs } = await w.etcd.list('/deis/');
    const left = Object.keys(docs).filter((key) => key.includes(app) && !/^\/deis\/(rollouts|audit)\//.test(key));
    assert.deepEqual(left, []);
    assert.ok(!w.platform.lines.some((line) => line.app === app && line.text.includes('initial release')), 'its log is gone');
  });

  // Adds again and again, four at a time, until what it belongs to is gone; how that was answered.
  const during = async (goes, add) => {
    let gone = false;
    const ended = goes().finally(() => {
      gone = true;
    });
    await Promise.all([0, 1, 2, 3].map(async (lane) => {
      for (let i = 0; !gone; i++) {
        await add(`${lane}-${i}`);
      }
    }));
    return ended;
  };
  // All that etcd has of these names, but for what tells of the past.
  const found = async (...names) => Object.entries((await w.etcd.list('/deis/')).docs).filter(([key, doc]) => names
    .some((name) => key.includes(name) || doc.includes(`"${name}"`)) && !/^\/deis\/(rollouts|outcomes|audit)\//.test(key));

  it('E-24 what is added while an app is destroyed is not left behind', async () => {
    for (let round = 0; round < 10; round++) {
      const [one, two] = [await w.app(), await w.app()];
      const domain = (name) => w.post(`apps/${one}/domains`, 'ivo', { domain: `d${name}.${one}.org` });
      (await during(() => w.delete(`apps/${one}`, 'ivo'), domain)).is(204);
      const grant = () => w.post(`apps/${two}/perms`, 'ivo', { username: 'eve' });
      (await during(() => w.delete(`apps/${two}`, 'ivo'), grant)).is(204);
      assert.deepEqual(await found(one, two), [], `round ${round}`);
    }
  });

  it('E-25 who leaves while adding something leaves nothing behind', async () => {
    const key = () => `ssh-ed25519 ${Buffer.concat([Buffer.from('0000000b7373682d6564323535313900000020', 'hex'), randomBytes(32)]).toString('base64')}`;
    for (let round = 0; round < 10; round++) {
      const user = `leaver-${round}`;
      await w.addUser(user);
      (await during(() => w.delete('auth/cancel', user), (name) => w.post('keys', user, { id: name, public: key() }))).is(204);
      assert.deepEqual(await found(user), [], `round ${round}`);
    }
  });

  it('E-23 an app has no lines of an earlier one of its name', async () => {
    const app = await w.app('ivo');
    await w.platform.logged(app, 'ivo created initial release');
    (await w.delete(`apps/${app}`, 'ivo')).is(204);
    w.platform.lines.push({ app, process: 'web.1', time_ms: 1767323045000, text: Buffer.from('of ivo, sent late') });
    (await w.post('apps', 'eve', { id: app })).is(201);
    await w.platform.logged(app, 'eve created initial release');
    const log = (await w.get(`apps/${app}/logs`, 'eve')).is(200).text;
    assert.doesNotMatch(log, /ivo/);
  });

  it('E-28 a live log ends with the right to read it', async () => {
    const app = await w.app('ivo');
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    const follow = (as) => new Promise((resolve, reject) => {
      const stream = { text: '', ended: false };
      request({
        port: w.port, path: `/v1/apps/${app}/logs?follow=true`, headers: { Authorization: `token ${w.tokens[as]}` }, agent: false,
      }, (res) => {
        res.on('data', (data) => {
          stream.text += data;
        }).on('end', () => {
          stream.ended = true;
        });
        resolve(stream);
      }).on('error', reject).end();
    });
    let n = 0;
    const say = (words) => w.platform.lines.push({ app, process: 'web.1', time_ms: 1767323045000, position: n += 1, text: Buffer.from(words) });
    const [eve, ivo] = [await follow('eve'), await follow('ivo')];
    say('before');
    await until('a line for both', () => eve.text.includes('before') && ivo.text.includes('before'));
    (await w.delete(`apps/${app}/perms/eve`, 'ivo')).is(204);
    await until("the end of the collaborator's", () => say('in between') && eve.ended);
    say('for the owner');
    await until('the line for the owner', () => ivo.text.includes('for the owner'));
    assert.ok(!ivo.ended);
    (await w.delete(`apps/${app}`, 'ivo')).is(204);
    (await w.post('apps', 'eve', { id: app })).is(201);
    await until("the end of the former owner's", () => say('another app') && ivo.ended);
    assert.doesNotMatch(eve.text, /for the owner/);
    (await w.delete(`apps/${app}`, 'eve')).is(204);
  });

  it("E-29 a new app's structure has its limits", async () => {
    const create = (structure) => w.post('apps', 'ivo', { structure });
    const types = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`t${i}`, 1]));
    (await create(types(62))).field('structure', 'At most 61 process types are allowed');
    for (const name of ['a'.repeat(64), 'Web', '', 'a b']) {
      (await create({ [name]: 1 })).field('structure', `'${name}' is not a valid process type`);
    }
    assert.deepEqual((await create(types(61))).is(201).json.structure, types(61));
  });

  it('E-30 a config of control characters is too large, or works', async () => {
    const app = await w.built();
    const values = (n) => ({ A: '\u0001'.repeat(n) });
    for (const n of [130000, 70000, 50001]) {
      (await set(app, values(n))).field('values', '300000 bytes at most, written as JSON');
    }
    (await set(app, values(49000))).is(201);
    (await set(app, { ...values(49000), B: '"\n'.repeat(1000) })).is(201);
    (await set(app, { A: '"\n'.repeat(60000) })).is(201);
    assert.equal((await w.get(`apps/${app}/config`, 'ivo')).is(200).json.values.A.length, 120000);
  });

  it('E-31 a name that is cut within a character', async () => {
    const app = await w.app('ivo');
    const name = `x${'é'.repeat(150)}`;
    (await w.post(`apps/${app}/routing`, 'ivo', { settings: { maintenance: true, [name]: null } })).is(200);
    const [entry] = (await w.get(`audit?app=${app}`, 'admin')).is(200).json.results;
    assert.match(entry.object, /^app\/.*\/routing \(.*xé+\ufffd/);
    (await w.post(`apps/${app}/scale`, 'ivo', { web: name })).detail(400, /^Invalid scaling format: invalid literal .*'xé+\ufffd'$/);
    (await w.post('apps', 'ivo', { structure: { [name]: 1 } })).field('structure', "é\ufffd' is not a valid process type");
    (await w.post(`apps/${app}/routing`, 'ivo', { settings: { [name]: 1 } })).field('settings', 'xéé');
    (await w.post(`apps/${app}/routing`, 'ivo', { settings: { whitelist: [name] } })).field('settings', 'xéé');
  });

  it('E-12 a deploy outlives its controller', async () => {
    const app = await w.built();
    let release;
    w.platform.mode(app, { hold: new Promise((resolve) => {
      release = resolve;
    }) });
    const lost = set(app, { SURVIVES: 'yes' }).catch((error) => error);
    await until('the operation', () => w.etcd.get(`/deis/operations/${app}`));
    await w.controller.stop('SIGKILL');
    assert.match(String(await lost), /ECONNRESET|socket hang up/);
    w.client.close();
    await w.startController();
    release();
    await until('the end of the operation', async () => !(await w.etcd.get(`/deis/operations/${app}`)));
    assert.deepEqual((await w.rows(`apps/${app}/releases`, 'ivo')).map((r) => r.version), [3, 2, 1]);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, { SURVIVES: 'yes' });
    assert.deepEqual((await w.rows(`apps/${app}/containers`, 'ivo')).map((c) => c.release), ['v3']);
  });

  it('E-26 a command that is waited for outlives its controller', async () => {
    const app = await w.built();
    let end;
    w.platform.runResult = () => ({ code: 3, output: '', hold: new Promise((resolve) => {
      end = resolve;
    }) });
    const asked = w.post(`apps/${app}/run`, 'ivo', { command: 'rake db:migrate' });
    await until('the command', () => end);
    w.platform.runResult = () => ({ code: 0, output: '' });
    const stopped = w.controller.stop();
    (await asked).detail(503, /run\.1 goes on/);
    assert.equal(await stopped, 0);
    w.client.close();
    await w.startController();
    const run = async () => (await w.get(`apps/${app}/containers/run/1?detail=true`, 'ivo')).is(200).json;
    assert.equal((await run()).state, 'up');
    end();
    await until('its end', async () => (await run()).state === 'down');
    assert.equal((await run()).exit.code, 3);
  });

  it('E-27 who waits for commands leaves the API to the others', async () => {
    const [app, other] = [await w.built(), await w.built('eve')];
    let end;
    const hold = new Promise((resolve) => {
      end = resolve;
    });
    w.platform.runResult = () => ({ code: 0, output: '', hold });
    const asked = [];
    const refused = [];
    const crowd = (user, size) => {
      const before = refused.length;
      asked.push(...Array.from({ length: size }, async () => {
        const got = await w.post(`apps/${app}/run`, user, { command: 'sleep 1000' });
        if (got.status === 503) {
          refused.push(got);
        }
        return got;
      }));
      return until('those beyond the bound', () => refused.length === before + size - 24);
    };
    try {
      await crowd('ivo', 60);
      assert.match(refused[0].json.detail, /^you wait for 24 commands and changes already/);
      (await w.post(`apps/${other}/config`, 'eve', { values: { B: 'c' } })).is(201);
      await crowd('admin', 30);
      (await w.get(`apps/${other}`, 'eve')).is(200);
      (await w.post(`apps/${other}/config`, 'eve', { values: { A: 'b' } })).is(409, /too many changes are under way/);
    } finally {
      end();
      w.platform.runResult = () => ({ code: 0, output: '' });
    }
    const answers = await Promise.all(asked);
    assert.equal(answers.filter((got) => got.status === 200).length, 48);
    assert.ok(answers.every((got) => got.status === 200 || got.headers['retry-after'] === '5'));
    (await w.post(`apps/${other}/config`, 'eve', { values: { A: 'b' } })).is(201);
    (await w.delete(`apps/${other}`, 'eve')).is(204);
  });

  it('E-32 nobody has all live logs and attached commands', async () => {
    const app = await w.built();
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    const open = [];
    // The status and, when that is an error, the reason of what goes on without an end.
    const begin = (method, path, as, headers = {}) => new Promise((resolve, reject) => {
      const taken = (res) => {
        res.on('error', () => {});
        let body = '';
        if (res.statusCode < 400) {
          resolve({ status: res.statusCode });
        }
        res.on('data', (chunk) => {
          body += chunk;
        });
        res.on('end', () => resolve({ status: res.statusCode, detail: res.statusCode < 400 || JSON.parse(body).detail }));
      };
      const req = request({ host: '127.0.0.1', port: w.port, method, path: `/v1/apps/${app}/${path}`, agent: false,
        headers: { Authorization: `token ${w.tokens[as]}`, ...headers } }, taken);
      req.on('upgrade', (res, socket) => {
        socket.on('error', () => {});
        open.push(socket);
        resolve({ status: res.statusCode });
      });
      req.on('error', reject);
      req.end();
      open.push(req);
    });
    const follow = (as) => begin('GET', 'logs?follow=true', as);
    const attach = (as) => begin('POST', 'run', as, { Connection: 'Upgrade', Upgrade: 'deis-run' });
    try {
      for (const [start, most, status, text] of [[follow, 64, 200, 'You follow 64 logs already'], [attach, 32, 101, 'You are attached to 32 commands already']]) {
        const answers = [];
        for (let i = 0; i < most; i++) {
          answers.push(await start('ivo'));
        }
        assert.ok(answers.every((got) => got.status === status), JSON.stringify(answers));
        const refused = await start('ivo');
        assert.equal(refused.status, 503);
        assert.ok(refused.detail.startsWith(text), refused.detail);
        assert.equal((await start('eve')).status, status);
      }
    } finally {
      for (const one of open) {
        one.on('error', () => {});
        one.destroy();
      }
    }
  });

  it('E-33 lists of large builds leave etcd to the others, and say when they are too long', async () => {
    const app = await w.app();
    const letters = Array.from('abcdefghijklmnopqrstuvwxyz').flatMap((one) => [`${one}a`, `${one}b`]);
    const build = JSON.stringify({ uuid: 'u', app, owner: 'ivo', image: 'acme/x', sha: '', dockerfile: '', created: '', updated: '',
      procfile: Object.fromEntries(letters.map((type) => [type, 'x'.repeat(16000)])) });
    for (let i = 0; i < 40; i++) {
      await w.etcd.put(`/deis/apps/${app}/builds/${randomBytes(4).toString('hex')}-0000-4000-8000-00000000000${i % 10}`, build);
    }
    const list = (query) => w.get(`apps/${app}/builds${query}`, 'ivo');
    (await list('')).detail(413, 'The page is too large, ask for a smaller page_size');
    const answers = await Promise.all([...Array.from({ length: 16 }, () => list('?page_size=10')), ...Array.from({ length: 4 }, () => w.get('apps', 'eve'))]);
    assert.deepEqual(answers.map((got) => got.status), Array(20).fill(200));
    assert.ok(answers.slice(0, 16).every((got) => got.json.results.length === 10 && got.json.count === 40));
  });

  it('E-13 many changes of one config at once: each that is taken is one release', async () => {
    const app = await w.app();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => set(app, { [`K${i}`]: String(i) })));
    const taken = answers.filter((a) => a.status === 201);
    for (const answer of answers.filter((a) => a.status !== 201)) {
      answer.is(409, /Config changes already in progress/);
    }
    assert.ok(taken.length > 0);
    const rows = await w.rows(`apps/${app}/releases`, 'ivo');
    assert.deepEqual(rows.map((r) => r.version), Array.from({ length: taken.length + 1 }, (_, i) => taken.length + 1 - i));
    assert.equal(new Set(taken.map((a) => a.headers['deis-release'])).size, taken.length);
    const { values } = (await w.get(`apps/${app}/config`, 'ivo')).json;
    assert.deepEqual(Object.keys(values).length, taken.length);
  });

  it('E-14 without etcd: 503 with a reason, at once; afterwards all is well', async () => {
    const app = await w.app();
    const { pid } = w.etcd.program.child;
    process.kill(pid, 'SIGSTOP');
    const isStopped = (thread) => / T /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    await until('etcd has stopped', () => readdirSync(`/proc/${pid}/task`).every(isStopped));
    // It stands still until they have their answers.
    const answers = await Promise.all([w.get(`apps/${app}`, 'ivo'), set(app, { A: '1' })].map((p) => p.catch((error) => error)));
    process.kill(pid, 'SIGCONT');
    for (const answer of answers) {
      assert.ok(!(answer instanceof Error), answer);
      answer.detail(503, /./);
    }
    await until('the API', async () => (await w.get(`apps/${app}`, 'ivo')).status === 200);
    (await set(app, { B: '2' })).is(201);
  });

  it('E-15 the last admin gone, the next to register is one', async () => {
    (await w.delete('admin/perms/admin', 'admin')).is(204);
    (await w.get('users', 'admin')).is(403);
    const got = (await w.post('auth/register', undefined, { username: 'heir', password: 'x', email: '' })).is(201);
    assert.equal(got.json.is_superuser, true);
    const heir = await w.login('heir', 'x');
    (await w.post('admin/perms', heir, { username: 'admin' })).is(201); // as it was, for what follows
    (await w.get('users', 'admin')).is(200);
  });

  it('E-16 two who register first at once: one admin', async () => {
    const fresh = await World.start({ users: [] });
    try {
      const answers = await Promise.all(['a', 'b', 'c', 'd'].map((username) =>
        fresh.post('auth/register', undefined, { username, password: 'x', email: '' })));
      assert.deepEqual(answers.map((a) => a.status), [201, 201, 201, 201]);
      assert.equal(answers.filter((a) => a.json.is_superuser).length, 1);
    } finally {
      await fresh.stop();
    }
  });

  it('E-17 what an operator set holds from the first request on', async () => {
    const closed = await World.start({ users: [], settings: { 'controller/registrationMode': 'disabled' } });
    try {
      (await closed.post('auth/register', undefined, { username: 'a', password: 'x', email: '' })).detail(403, 'Registration is disabled');
    } finally {
      await closed.stop();
    }
    const fresh = await World.start({ users: [], settings: { 'controller/bootstrap': 'operator' } });
    try {
      const got = (await fresh.post('auth/register', undefined, { username: 'a', password: 'x', email: '' })).is(201);
      assert.equal(got.json.is_superuser, false);
    } finally {
      await fresh.stop();
    }
  });

  it('E-18 a list of apps shows what another controller has just acknowledged', async () => {
    const own = await World.start();
    const { controller: first, port, client, openapi } = own;
    const names = async (as) => (await own.rows('apps?page_size=1000', as)).map((app) => app.id);
    await own.startController('two');
    const second = own.controller;
    const here = () => Object.assign(own, { controller: first, port, client, openapi });
    const there = { controller: second, port: own.port, client: own.client, openapi: own.openapi };
    try {
      for (const as of ['ivo', 'eve', 'admin']) {
        const seen = await names(as);
        here();
        const app = await own.app(as);
        Object.assign(own, there);
        assert.deepEqual(await names(as), [...seen, app], `${as}: created`);
        here();
        (await own.post(`apps/${app}`, as, { owner: 'ivo' })).is(200);
        Object.assign(own, there);
        assert.equal((await names(as)).includes(app), as !== 'eve', `${as}: transferred`);
        here();
        (await own.delete(`apps/${app}`, 'ivo')).is(204);
        Object.assign(own, there);
        assert.deepEqual(await names(as), seen, `${as}: destroyed`);
      }
      here();
      const scaled = await own.built('ivo', BUILDPACK);
      for (const web of [2, 3]) { // a document that changes, in a list that does not
        here();
        (await own.post(`apps/${scaled}/scale`, 'ivo', { web })).is(204);
        Object.assign(own, there);
        const row = (await own.rows('apps?page_size=1000', 'ivo')).find((app) => app.id === scaled);
        assert.equal(row.structure.web, web);
      }
      const mine = await names('eve');
      here();
      const app = await own.app('ivo');
      (await own.post(`apps/${app}/perms/`, 'ivo', { username: 'eve' })).is(201);
      Object.assign(own, there);
      assert.deepEqual(await names('eve'), [...mine, app], 'shared');
      here();
      (await own.delete(`apps/${app}/perms/eve/`, 'ivo')).is(204);
      Object.assign(own, there);
      assert.deepEqual(await names('eve'), mine, 'no longer shared');
      here();
      await own.addUser('kim');
      (await own.post(`apps/${app}/perms/`, 'ivo', { username: 'kim' })).is(201);
      Object.assign(own, there);
      assert.deepEqual(await names('kim'), [app], 'shared with one who leaves');
      here();
      (await own.delete('auth/cancel', 'kim')).is(204);
      await own.addUser('kim');
      Object.assign(own, there);
      assert.deepEqual(await names('kim'), [], 'another one of the same name');
    } finally {
      there.client.close();
      await second.stop();
      here();
      await own.stop();
    }
  });

  it('E-22 three calls of etcd at most for the common requests', async () => {
    const app = await w.app();
    const calls = async () => (await (await fetch(`${w.etcd.url}/metrics`)).text()).split('\n')
      .filter((line) => /^grpc_server_started_total.*grpc_type="unary"/.test(line)).reduce((n, line) => n + Number(line.split(' ').pop()), 0);
    const cost = async (method, path, json) => { // the least of several: the controller has work of its own, too
      const counts = [];
      for (let i = 0; i < 6; i++) {
        const start = await calls();
        assert.ok((await w.send(method, path, 'ivo', json)).status < 300);
        counts.push(await calls() - start);
      }
      return Math.min(...counts);
    };
    for (const [most, method, path, json] of [
      [1, 'GET', 'apps'], [1, 'GET', `apps/${app}`], [1, 'GET', `apps/${app}/config`], [1, 'GET', `apps/${app}/releases`],
      [3, 'GET', `apps/${app}/containers`], [3, 'GET', `apps/${app}/domains`], [3, 'GET', 'keys'], [3, 'POST', `apps/${app}/config`, { values: { A: 'b' } }],
    ]) {
      assert.ok(await cost(method, path, json) <= most, `${method} ${path}`);
    }
  });

  it("E-19 a certificate for somebody else's domain", async () => {
    const [app, name, later] = [await w.app('ivo'), 'Shop.example.org', 'later.example.org'];
    const pem = execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
      '-keyout', '-', '-subj', '/CN=x.example.org'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const part = (what) => pem.match(new RegExp(`-----BEGIN ${what}-----[^]*-----END ${what}-----\n`))[0];
    const pair = { certificate: part('CERTIFICATE'), key: part('PRIVATE KEY') };
    const add = (as, domain) => w.post('certs', as, { ...pair, common_name: domain });
    const held = async (as) => (await w.rows('certs', as)).map((cert) => cert.common_name);
    (await w.post(`apps/${app}/domains`, 'ivo', { domain: name.toLowerCase() })).is(201);
    (await add('eve', name)).detail(403, `${name} is a domain of an app that you may not use.`);
    (await add('eve', `${name}.`)).is(400);
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    (await add('eve', name)).is(201);
    (await add('ivo', name)).is(400); // a collaborator's stays
    (await w.delete(`apps/${app}/perms/eve`, 'ivo')).is(204);
    (await add('ivo', name)).is(201);
    assert.deepEqual([await held('eve'), await held('ivo')], [[], [name]]);
    (await add('eve', later)).is(201); // nobody's domain yet
    (await add('ivo', later)).is(400);
    (await w.post(`apps/${app}/domains`, 'ivo', { domain: later })).is(201);
    (await add('ivo', later)).is(201);
    assert.deepEqual([await held('eve'), await held('ivo')], [[], [name, later]]);
    const [own, api] = [`${app}.${DOMAIN}`, `Deis.${DOMAIN}`]; // names that nobody has to add
    (await add('eve', own)).detail(403, `${own} is a domain of an app that you may not use.`);
    (await add('ivo', own)).is(201);
    (await add('ivo', api)).detail(403, `${api} is a name of the platform: it is for administrators.`);
    (await add('admin', api)).is(201);
    (await w.delete(`certs/${api}`, 'admin')).is(204);
    for (const cert of [name, later, own]) {
      (await w.delete(`certs/${cert}`, 'ivo')).is(204);
    }
  });
});
