// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from './support/process.mjs';
import { World } from './support/world.mjs';

describe('C config, L limits, G tags', () => {
  let w;
  const set = (app, body, as = 'ivo') => w.post(`apps/${app}/config`, as, body);
  const config = async (app) => (await w.get(`apps/${app}/config`, 'ivo')).is(200).json;

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it("C-01 a new app's config is empty", async () => {
    assert.deepEqual((await config(await w.app())).values, {});
  });

  it('C-02 values may be a string of JSON', async () => {
    const app = await w.app();
    const before = await config(app);
    const got = (await set(app, { values: JSON.stringify({ NEW_URL1: 'http://localhost:8080/' }) })).is(201);
    assert.notEqual(got.json.uuid, before.uuid);
    assert.equal(got.json.values.NEW_URL1, 'http://localhost:8080/');
    assert.deepEqual(await config(app), got.json);
  });

  it('C-03 a second key joins the first', async () => {
    const app = await w.app();
    (await set(app, { values: { A: '1' } })).is(201);
    assert.deepEqual((await set(app, { values: { B: '2' } })).is(201).json.values, { A: '1', B: '2' });
  });

  it('C-04 null removes one key', async () => {
    const app = await w.app();
    (await set(app, { values: { A: '1', B: '2' } })).is(201);
    assert.deepEqual((await set(app, { values: { A: null } })).is(201).json.values, { B: '2' });
    assert.deepEqual((await set(app, { values: { B: null, ABSENT: null } })).is(201).json.values, {});
  });

  it('C-05 no put, patch, delete', async () => {
    const app = await w.app();
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      (await w.send(method, `apps/${app}/config`, 'ivo', {})).is(405);
    }
  });

  it('C-06 a change while another is under way is 409', async () => {
    const app = await w.built();
    const before = await config(app);
    let release;
    w.platform.mode(app, { hold: new Promise((resolve) => {
      release = resolve;
    }) });
    const first = set(app, { values: { FIRST: '1' } });
    await until('the first change', () => w.etcd.get(`/deis/operations/${app}`));
    const refused = await set(app, { values: { SECOND: '2' } }).finally(release); // the first is under way until then
    (await first).is(201);
    refused.is(409);
    assert.match(refused.json.error, /^Config changes already in progress\.\n/);
    assert.ok(!('values' in refused.json) && !('uuid' in refused.json), `${refused}`);
    assert.deepEqual((await config(app)).values, { FIRST: '1' });
    assert.deepEqual(before.values, {});
  });

  it('C-07 what a config looks like', async () => {
    const app = await w.app();
    const got = (await set(app, { values: { A: '1' } })).is(201);
    got.keysWithin('uuid', 'owner', 'created', 'updated', 'app', 'values', 'memory', 'cpu', 'tags');
    assert.deepEqual([got.json.memory, got.json.cpu, got.json.tags, got.json.owner, got.json.app], [{}, {}, {}, 'ivo', app]);
  });

  it('C-08 a number becomes text, a cpu text a number', async () => {
    const app = await w.app();
    const got = (await set(app, { values: { PORT: 5000, ON: true }, cpu: { web: '1024' } })).is(201).json;
    assert.deepEqual([got.values.PORT, typeof got.values.ON, got.cpu], ['5000', 'string', { web: 1024 }]);
  });

  it('C-09 cpu must be a number', async () => {
    const app = await w.app();
    (await set(app, { cpu: { web: 'this will fail' } })).field('cpu', 'CPU shares must be an integer');
    assert.deepEqual((await config(app)).cpu, {});
  });

  it('C-10 a key again replaces it', async () => {
    const app = await w.app();
    (await set(app, { values: { A: '1' } })).is(201);
    assert.deepEqual((await set(app, { values: { A: '2' } })).is(201).json.values, { A: '2' });
  });

  it('C-11 values are any text', async () => {
    const app = await w.app();
    const values = { GREEK: 'Διακόπτης', EMOJI: '\u{1f980}', LINES: 'a\nb\r\nc', QUOTES: '"\'`$(x)\\', SPACES: '  x  ' };
    (await set(app, { values: { ...values, ONE: 1 } })).is(201);
    assert.deepEqual((await config(app)).values, { ...values, ONE: '1' });
  });

  it('C-12 good keys', async () => {
    const values = { FOO: 'x', _foo: 'x', f001: 'x', FOO_BAR_BAZ_: 'x' };
    assert.deepEqual((await set(await w.app(), { values })).is(201).json.values, values);
  });

  it('C-13 bad keys', async () => {
    const app = await w.app();
    const text = 'Config keys must start with a letter or underscore and only contain [A-z0-9_]';
    for (const key of ['123', '../../foo', 'FOO/', 'FOO-BAR', '', 'Ä', 'A B', 'A\n']) {
      (await set(app, { values: { [key]: 'x' } })).field('values', text);
    }
    assert.deepEqual((await config(app)).values, {});
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 1);
  });

  it("C-14 an admin sets another's config and owns it", async () => {
    const app = await w.app('ivo');
    assert.equal((await set(app, { values: { A: '1' } }, 'admin')).is(201).json.owner, 'admin');
  });

  it('C-15 a stranger does not', async () => {
    (await set(await w.app('ivo'), { values: { A: '1' } }, 'eve')).detail(403, 'You do not have permission to perform this action.');
  });

  it('C-16 with a build the answer names app and release, a reading does not', async () => {
    const app = await w.built();
    const got = (await set(app, { values: { A: '1' } })).is(201).json;
    assert.deepEqual(got.values, { A: '1', DEIS_APP: app, DEIS_RELEASE: 'v3' });
    assert.deepEqual((await config(app)).values, { A: '1' });
  });

  it('C-17 nothing changed is a release too', async () => {
    const app = await w.app();
    (await set(app, {})).is(201);
    assert.equal((await w.get(`apps/${app}/releases/v2`, 'ivo')).is(200).json.summary, 'ivo changed nothing');
  });

  it('C-18 all bad maps are reported at once, nothing changed', async () => {
    const app = await w.app();
    const got = (await set(app, { values: { '1': 'x' }, memory: { web: '300' }, cpu: { web: 2000 }, tags: { 'a.b': 'c' } })).is(400);
    assert.deepEqual(Object.keys(got.json).sort(), ['cpu', 'memory', 'tags', 'values']);
    (await set(app, { values: { GOOD: '1' }, memory: { web: '300' } })).is(400);
    assert.deepEqual((await config(app)).values, {});
    for (const name of ['values', 'memory', 'cpu', 'tags']) {
      (await set(app, { [name]: null })).field(name, 'This field may not be null.');
      for (const bad of ['{', '[]', '1', [], 1, true]) {
        (await set(app, { [name]: bad })).field(name, '');
      }
    }
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 1);
  });

  it('C-19 the answer carries the release number', async () => {
    const app = await w.app();
    const { headers } = (await set(app, { values: { A: '1' } })).is(201);
    assert.deepEqual([headers['deis-release'], headers['x-deis-release']], ['2', '2']);
  });

  it('C-20 empty values, and removals of odd names', async () => {
    const app = await w.app();
    assert.deepEqual((await set(app, { values: { EMPTY: '' } })).is(201).json.values, { EMPTY: '' });
    (await set(app, { memory: { 'Odd!': null }, cpu: { 'Odd!': null }, tags: { 'odd.': null } })).is(201);
    (await set(app, { values: { 'FOO-BAR': null } })).field('values', 'Config keys must start');
  });

  it('L-01 memory: none at first, then set', async () => {
    const app = await w.app();
    assert.deepEqual((await config(app)).memory, {});
    (await set(app, { memory: JSON.stringify({ web: '1G' }) })).is(201);
    assert.deepEqual((await config(app)).memory, { web: '1G' });
  });

  it('L-02 another type joins', async () => {
    const app = await w.app();
    const one = (await set(app, { memory: { web: '1G' } })).is(201).json;
    const two = (await set(app, { memory: { worker: '512M' } })).is(201).json;
    assert.deepEqual(two.memory, { web: '1G', worker: '512M' });
    assert.notEqual(one.uuid, two.uuid);
  });

  it('L-03 values keep memory', async () => {
    const app = await w.app();
    (await set(app, { memory: { web: '1G' } })).is(201);
    const got = (await set(app, { values: { A: '1' } })).is(201).json;
    assert.deepEqual([got.memory, got.values], [{ web: '1G' }, { A: '1' }]);
  });

  it('L-04 null removes one type', async () => {
    const app = await w.app();
    (await set(app, { memory: { web: '1G', worker: '512M' } })).is(201);
    assert.deepEqual((await set(app, { memory: { worker: null } })).is(201).json.memory, { web: '1G' });
  });

  it('L-05 cpu likewise, as numbers', async () => {
    const app = await w.app();
    assert.deepEqual((await config(app)).cpu, {});
    assert.deepEqual((await set(app, { cpu: { web: '1024' } })).is(201).json.cpu, { web: 1024 });
    assert.deepEqual((await set(app, { cpu: { worker: 512 } })).is(201).json.cpu, { web: 1024, worker: 512 });
    assert.deepEqual((await set(app, { cpu: { worker: null, none: null } })).is(201).json.cpu, { web: 1024 });
    assert.deepEqual((await set(app, { cpu: { zero: 0 } })).is(201).json.cpu, { web: 1024, zero: 0 });
  });

  it('L-06 memory patterns', async () => {
    const app = await w.app();
    for (const limit of ['20MB', '20gb', '1b', '5K', '2g', '512m', '7KB']) {
      assert.equal((await set(app, { memory: { web: limit } })).is(201).json.memory.web, limit);
    }
    for (const limit of ['20MK', '20gK', 'M', '', '-1M', '1.5G', '1 G', '1G\n']) {
      (await set(app, { memory: { web: limit } })).field('memory', 'Limit format: <number><unit>, where unit = B, K, M or G');
    }
    (await set(app, { memory: { Web: '1G' } })).field('memory', 'Process types can only contain [a-z]');
  });

  it('L-07 bounds', async () => {
    const app = await w.app();
    (await set(app, { memory: { web: '300' } })).field('memory', 'Limit format');
    (await set(app, { memory: { web: 300 } })).field('memory', 'Limit format');
    (await set(app, { cpu: { web: 2000 } })).field('cpu', 'CPU shares must be between 0 and 1024');
    (await set(app, { cpu: { web: 1025 } })).field('cpu', 'CPU shares must be between 0 and 1024');
    (await set(app, { cpu: { web: -1 } })).field('cpu', 'CPU shares must be an integer');
    (await set(app, { cpu: { web: 1e30 } })).field('cpu', 'CPU shares must be');
    (await set(app, { cpu: { Web: 1 } })).field('cpu', 'Process types can only contain [a-z]');
    assert.deepEqual((await config(app)).cpu, {});
  });

  it('G-01 tags: set, join, remove', async () => {
    const app = await w.app();
    assert.deepEqual((await config(app)).tags, {});
    (await set(app, { tags: JSON.stringify({ environ: 'dev' }) })).is(201);
    assert.deepEqual((await config(app)).tags, { environ: 'dev' });
    assert.deepEqual((await set(app, { tags: { rack: '1' } })).is(201).json.tags, { environ: 'dev', rack: '1' });
    assert.deepEqual((await set(app, { tags: { environ: null } })).is(201).json.tags, { rack: '1' });
    assert.deepEqual((await set(app, { values: { A: '1' } })).is(201).json.tags, { rack: '1' });
  });

  it('G-02 bad tags', async () => {
    const app = await w.app();
    for (const value of ['in\nvalid', 'a b', '', 'a.b', 'ä']) {
      (await set(app, { tags: { valid: value } })).field('tags', 'Invalid tag value');
    }
    for (const key of ['in.valid', '1', '', 'a_b']) {
      (await set(app, { tags: { [key]: 'valid' } })).field('tags', 'Tag keys can only contain [a-z]');
    }
    assert.deepEqual((await config(app)).tags, {});
  });
});
