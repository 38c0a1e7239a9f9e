// SPDX-License-Identifier: MIT
// How routers treat an app: GET and POST /v1/apps/<app>/routing, DEIS_WHITELIST, and what stands in etcd.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

describe('Q routing of an app', () => {
  let w;
  const set = (app, settings, as = 'ivo') => w.post(`apps/${app}/routing`, as, { settings });
  const get = async (app, as = 'ivo') => (await w.get(`apps/${app}/routing`, as)).is(200).json;
  const kept = async (app) => JSON.parse((await w.etcd.get(`/deis/routing/${app}`)) || 'null');
  const config = (app, values) => w.post(`apps/${app}/config`, 'ivo', { values });

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('Q-01 nothing is set at first, and nothing stands in etcd', async () => {
    const app = await w.app();
    assert.deepEqual(await get(app), { app, settings: {}, config_whitelist: [], updated: null });
    assert.equal(await kept(app), null);
  });

  it('Q-02 settings are merged, null unsets', async () => {
    const app = await w.app();
    let got = (await set(app, { maintenance: 'on', timeout: '30s', whitelist: '10.0.0.0/8:office, ::1', bodySize: '20m' })).is(200).json;
    assert.deepEqual(got.settings, { maintenance: true, timeout: '30s', whitelist: ['10.0.0.0/8:office', '::1'], bodySize: '20m' });
    assert.match(got.updated, /^20/);
    got = (await set(app, { maintenance: null, timeout: 5, 'weight.web.2': '0', affinityArg: null })).is(200).json;
    assert.deepEqual(got.settings, { timeout: 5, whitelist: ['10.0.0.0/8:office', '::1'], bodySize: '20m', 'weight.web.2': 0 });
    assert.deepEqual(await get(app), got);
    const doc = await kept(app);
    assert.deepEqual(doc, { settings: got.settings, updated: got.updated });
    await w.platform.logged(app, 'ivo changed the routing: maintenance, timeout, weight.web.2, affinityArg');
    (await set(app, { timeout: null, whitelist: null, bodySize: null, 'weight.web.2': null })).is(200);
    assert.equal(await kept(app), null);
  });

  it('Q-10 entries of the whitelist one by one', async () => {
    const app = await w.app();
    const edit = async (whitelist) => (await set(app, { whitelist })).is(200).json.settings.whitelist;
    assert.deepEqual(await edit({ add: ['10.0.0.0/8:office', '192.0.2.7'] }), ['10.0.0.0/8:office', '192.0.2.7']);
    assert.deepEqual(await edit({ add: ['192.0.2.7', '::1'] }), ['10.0.0.0/8:office', '192.0.2.7', '::1']);
    assert.deepEqual(await edit({ add: ['10.0.0.0/8:home'] }), ['10.0.0.0/8:home', '192.0.2.7', '::1']);
    assert.deepEqual(await edit({ add: ['::2'], remove: ['10.0.0.0/8'] }), ['192.0.2.7', '::1', '::2']);
    const bad = [{ remove: ['10.0.0.0/8'] }, { remove: ['192.0.2'] }, { remove: [7] }, { add: ['x'] }, { add: [7] }, { add: 'x' }, { drop: ['::1'] }, {}, { add: [] },
      { add: Array(257).fill('::9') }];
    for (const whitelist of bad) {
      const got = (await set(app, { whitelist })).is(400);
      assert.ok(got.json.settings[0].startsWith('whitelist '), got.text);
    }
    assert.equal(await edit({ remove: ['::1', '::2', '192.0.2.7'] }), undefined);
    assert.equal(await kept(app), null);
  });

  it('Q-03 what changes nothing writes nothing', async () => {
    const app = await w.app();
    const first = (await set(app, { sticky: true })).is(200).json;
    const audit = async () => (await w.get(`audit?app=${app}`, 'admin')).is(200).json.count;
    const entries = await audit();
    assert.deepEqual((await set(app, { sticky: true, hsts: null })).is(200).json, first);
    assert.equal(await audit(), entries);
  });

  it('Q-04 what is no setting, and no value of one, is refused and changes nothing', async () => {
    const app = await w.app();
    (await set(app, { sticky: true })).is(200);
    const before = await kept(app);
    const bad = {
      colour: 'red', Maintenance: true, 'weight.web': 1, 'page.200': 'x', '': true, ['x'.repeat(5000)]: 1, __proto__x: 1,
      maintenance: 'yes', sticky: 1, timeout: '0.5', connectTimeout: '2m', bodySize: '-1', slowStart: [], maxRequests: 1.5,
      rateLimit: 0, rateBurst: '1e3', affinityArg: 'a=b', whitelist: '10.0.0.0/33', 'page.503': '', 'weight.web.1': 101, h2c: {}, gzip: 9,
    };
    for (const [name, value] of Object.entries(bad)) {
      const got = (await set(app, { maxRequests: 7, [name]: value })).is(400);
      assert.equal(Object.keys(got.json)[0], 'settings', name);
      assert.ok(got.json.settings[0].startsWith(name.slice(0, 64)), got.text);
      assert.ok(got.text.length < 700);
    }
    (await set(app, { 'page.503': 'x'.repeat(16385) })).is(400);
    (await set(app, { whitelist: Array(257).fill('10.0.0.1') })).is(400);
    (await set(app, Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`weight.web.${i + 1}`, 1])))).is(400);
    (await w.post(`apps/${app}/routing`, 'ivo', {})).field('settings', 'This field is required.');
    (await w.post(`apps/${app}/routing`, 'ivo', { settings: 'x' })).is(400);
    assert.deepEqual(await kept(app), before);
  });

  it('Q-05 a collaborator may, a stranger may not; the change is audited', async () => {
    const app = await w.app();
    (await set(app, { maintenance: true }, 'eve')).is(403);
    (await w.get(`apps/${app}/routing`, 'eve')).is(403);
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    (await set(app, { maintenance: true }, 'eve')).is(200);
    const rows = (await w.get(`audit?app=${app}`, 'admin')).is(200).json.results;
    const entry = rows.find((row) => row.action === 'routing.set');
    assert.deepEqual([entry.user, entry.object, entry.result], ['eve', `app/${app}/routing (maintenance)`, 'done']);
  });

  it('Q-06 it goes with its app', async () => {
    const app = await w.app();
    (await set(app, { maintenance: true })).is(200);
    (await w.delete(`apps/${app}`, 'ivo')).is(204);
    assert.equal(await kept(app), null);
    await w.app('ivo', app);
    assert.deepEqual((await get(app)).settings, {});
  });

  it('Q-07 DEIS_WHITELIST of the config joins it with the release, and goes back with it', async () => {
    for (const app of [await w.app(), await w.built()]) {
      (await set(app, { whitelist: '192.0.2.1' })).is(200);
      (await config(app, { DEIS_WHITELIST: '10.0.0.0/8:office,[2001:db8::/32]:home' })).is(201);
      assert.deepEqual((await get(app)).config_whitelist, ['10.0.0.0/8:office', '[2001:db8::/32]:home']);
      assert.deepEqual((await get(app)).settings, { whitelist: ['192.0.2.1'] });
      assert.deepEqual((await kept(app)).configWhitelist, ['10.0.0.0/8:office', '[2001:db8::/32]:home']);
      (await config(app, { OTHER: '1' })).is(201);
      assert.equal((await get(app)).config_whitelist.length, 2);
      (await config(app, { DEIS_WHITELIST: '10.0.0.9' })).is(201);
      assert.deepEqual((await get(app)).config_whitelist, ['10.0.0.9']);
      (await config(app, { DEIS_WHITELIST: null })).is(201);
      assert.deepEqual((await get(app)).config_whitelist, []);
      const releases = await w.rows(`apps/${app}/releases`, 'ivo');
      const version = releases[0].version - 1;
      (await w.post(`apps/${app}/releases/rollback`, 'ivo', { version })).is(201);
      assert.deepEqual((await get(app)).config_whitelist, ['10.0.0.9']);
    }
  });

  it('Q-08 a DEIS_WHITELIST that can not be read is refused', async () => {
    const app = await w.app();
    const got = (await config(app, { DEIS_WHITELIST: '10.0.0.1,office' })).is(400);
    assert.match(got.json.values[0], /^DEIS_WHITELIST: 'office' is no address or network/);
    assert.equal(await kept(app), null);
    (await config(app, { DEIS_WHITELIST: '' })).is(201);
    assert.equal(await kept(app), null);
  });

  it('Q-09 changes at once: each is in the end', async () => {
    const app = await w.app();
    const names = Array.from({ length: 6 }, (_, i) => `weight.web.${i + 1}`);
    const answers = await Promise.all(names.map((name, i) => set(app, { [name]: i })));
    const done = names.filter((_, i) => answers[i].status === 200);
    assert.ok(done.length >= 1);
    assert.ok(answers.every((a) => a.status === 200 || a.status === 409));
    assert.deepEqual(Object.keys((await get(app)).settings).sort(), done.sort());
  });
});
