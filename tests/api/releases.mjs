// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BUILDPACK, DOCKERFILE, World } from './support/world.mjs';

const DENIED = 'You do not have permission to perform this action.';

describe('B builds, R releases', () => {
  let w;
  const build = (app, body, as = 'ivo') => w.post(`apps/${app}/builds`, as, body);
  const set = (app, body, as = 'ivo') => w.post(`apps/${app}/config`, as, body);
  const rollback = (app, body, as = 'ivo') => w.post(`apps/${app}/releases/rollback`, as, body);
  const release = async (app, n) => (await w.get(`apps/${app}/releases/v${n}`, 'ivo')).is(200).json;
  const units = async (app) => (await w.rows(`apps/${app}/containers`, 'ivo')).map((c) => `${c.type}.${c.num}`);
  const summary = async (app, n) => (await release(app, n)).summary;

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('B-01 a build is made, listed and read', async () => {
    const app = await w.app();
    assert.equal(await w.count(`apps/${app}/builds`, 'ivo'), 0);
    const got = (await build(app, { image: 'autotest/example' })).is(201);
    assert.equal(got.json.image, 'autotest/example');
    assert.deepEqual((await w.get(`apps/${app}/builds/${got.json.uuid}`, 'ivo')).is(200).json, got.json);
    (await w.get(`apps/${app}/builds/00000000-0000-4000-8000-000000000000`, 'ivo')).is(404);
  });

  it('B-02 the same image again is another build', async () => {
    const app = await w.app();
    const one = (await build(app, { image: 'autotest/example' })).is(201);
    const two = (await build(app, { image: 'autotest/example' })).is(201);
    assert.notEqual(one.json.uuid, two.json.uuid);
    assert.deepEqual([two.headers['deis-release'], two.headers['x-deis-release']], ['3', '3']);
    assert.deepEqual((await w.rows(`apps/${app}/builds`, 'ivo')).map((b) => b.uuid), [two.json.uuid, one.json.uuid]);
  });

  it('B-03 no put, patch, delete', async () => {
    const app = await w.app();
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      (await w.send(method, `apps/${app}/builds`, 'ivo', {})).is(405);
    }
  });

  it('B-04 what a build looks like', async () => {
    const app = await w.app();
    const got = (await build(app, { image: 'autotest/example' })).is(201);
    got.keysWithin('uuid', 'owner', 'created', 'updated', 'app', 'dockerfile', 'image', 'procfile', 'sha');
    const { dockerfile, sha, procfile, owner, app: of } = got.json;
    assert.deepEqual([dockerfile, sha, procfile, owner, of], ['', '', {}, 'ivo', app]);
  });

  it('B-05 image only: one cmd', async () => {
    const app = await w.built('ivo', { image: 'autotest/example' });
    assert.deepEqual(await units(app), ['cmd.1']);
  });

  it('B-06 sha and Dockerfile: one cmd', async () => {
    assert.deepEqual(await units(await w.built('ivo', DOCKERFILE)), ['cmd.1']);
  });

  it('B-07 sha, Dockerfile and a procfile without web: one cmd', async () => {
    assert.deepEqual(await units(await w.built('ivo', { ...DOCKERFILE, procfile: { worker: 'node worker.js' } })), ['cmd.1']);
  });

  it('B-08 sha and a procfile with web: one web', async () => {
    const app = await w.built('ivo', { ...BUILDPACK, procfile: JSON.stringify(BUILDPACK.procfile) });
    assert.deepEqual(await units(app), ['web.1']);
    assert.deepEqual((await w.rows(`apps/${app}/builds`, 'ivo'))[0].procfile, BUILDPACK.procfile);
  });

  it("B-09 an admin builds on another's app", async () => {
    const app = await w.app('ivo');
    assert.equal((await build(app, { image: 'autotest/example' }, 'admin')).is(201).json.owner, 'admin');
  });

  it('B-10 a stranger does not', async () => {
    (await build(await w.app('ivo'), { image: 'autotest/example' }, 'eve')).detail(403, DENIED);
  });

  it('B-11 what was scaled to nothing stays at nothing', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await w.post(`apps/${app}/scale`, 'ivo', { web: 0 })).is(204);
    (await build(app, BUILDPACK)).is(201);
    assert.deepEqual(await units(app), []);
  });

  it("B-12 the platform's own images are refused", async () => {
    const app = await w.app();
    for (const image of ['deis/controller', 'deis/builder:v1', 'registry.example.com:5000/deis/router:2']) {
      (await build(app, { image })).detail(403, /^Repository name deis\/[a-z]+ is not allowed$/);
    }
    assert.equal(await w.count(`apps/${app}/builds`, 'ivo'), 0);
    (await build(app, { image: 'deis/example-go' })).is(201);
  });

  it('B-13 which image runs, and with which environment', async () => {
    const app = await w.app();
    (await set(app, { values: { A: 'x\ny "z"' } })).is(201);
    const image = async (body) => {
      (await build(app, body)).is(201);
      return w.platform.formations.get(app).image;
    };
    assert.equal(await image({ image: 'quay.io/acme/shop:3' }), 'quay.io/acme/shop:3');
    assert.equal(await image({ image: 'quay.io/acme/shop' }), 'quay.io/acme/shop:latest');
    assert.equal(await image({ image: app, sha: 'abcdef12' }), `127.0.0.1:5555/${app}:git-abcdef12`);
    const formation = w.platform.formations.get(app);
    assert.match(formation.env, /^v1:[0-9a-f]{8}:/);
    assert.ok(!JSON.stringify(formation).includes('x\\ny'), 'the environment is in clear');
    assert.deepEqual(w.openEnv(formation), { A: 'x\ny "z"', DEIS_APP: app, DEIS_RELEASE: 'v5', GIT_SHA: 'abcdef12' });
  });

  it('B-14 bad builds', async () => {
    const app = await w.app();
    (await build(app, {})).is(400, { image: ['This field is required.'] });
    (await build(app, { image: '' })).is(400, { image: ['This field may not be blank.'] });
    (await build(app, { image: 'a'.repeat(257) })).field('image', 'Ensure this field has no more than 256 characters.');
    for (const image of ['sha256:3f', 'a b', '']) {
      (await build(app, { image })).field('image', '');
    }
    (await build(app, { image: 'x', sha: 'a'.repeat(41) })).field('sha', 'Ensure this field has no more than 40 characters.');
    (await build(app, { image: 'x', procfile: null })).is(400, { procfile: ['This field may not be null.'] });
    for (const procfile of ['{', '[]', 3, ['web'], { web: { a: 1 } }, { 'a/b': 'x' }]) {
      (await build(app, { image: 'x', procfile })).field('procfile', '');
    }
    assert.equal(await w.count(`apps/${app}/builds`, 'ivo'), 0);
  });

  it('R-01 a config change makes a release', async () => {
    const app = await w.app();
    (await set(app, { values: { A: '1' } })).is(201);
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 2);
    const [one, two] = [await release(app, 1), await release(app, 2)];
    assert.notEqual(one.uuid, two.uuid);
    assert.notEqual(one.config, two.config);
    assert.deepEqual([one.build, two.build], [null, null]);
    assert.deepEqual((await w.rows(`apps/${app}/releases`, 'ivo')).map((r) => r.version), [2, 1]);
  });

  it('R-02 a build makes a release', async () => {
    const app = await w.app();
    (await set(app, { values: { A: '1' } })).is(201);
    const two = await release(app, 2);
    const { uuid } = (await build(app, { image: 'x' })).is(201).json;
    const three = await release(app, 3);
    assert.deepEqual([three.build, three.config, three.version], [uuid, two.config, 3]);
    assert.deepEqual(await release(app, 2), two);
  });

  it('R-03 releases are not written', async () => {
    const app = await w.app();
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      (await w.send(method, `apps/${app}/releases`, 'ivo', {})).is(405);
    }
    (await w.get(`apps/${app}/releases/v99`, 'ivo')).detail(404, 'Not found');
  });

  it('R-04 what a release looks like', async () => {
    const app = await w.app();
    const { uuid } = (await set(app, { values: { NEW_URL: 'x' } })).is(201).json;
    const got = (await w.get(`apps/${app}/releases/v2`, 'ivo')).is(200);
    got.keysWithin('uuid', 'owner', 'created', 'updated', 'app', 'build', 'config', 'summary', 'version');
    const { build: of, config, summary: text, version, owner } = got.json;
    assert.deepEqual([of, config, text, version, owner], [null, uuid, 'ivo added NEW_URL', 2, 'ivo']);
  });

  it('R-05 nothing to go back to', async () => {
    const app = await w.app();
    (await rollback(app)).detail(400, 'version cannot be below 0');
    (await rollback(app, { version: -1 })).detail(400, 'version cannot be below 0');
    (await rollback(app, { version: 7 })).is(404);
    (await rollback(app, { version: 'x' })).is(400);
    (await rollback(app, { version: [1] })).is(400);
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 1);
  });

  // v1, config v2, build v3
  const three = async () => {
    const app = await w.app();
    (await set(app, { values: { NEW_URL1: 'x' } })).is(201);
    (await build(app, { image: 'x' })).is(201);
    return app;
  };

  it('R-06 back by one', async () => {
    const app = await three();
    (await rollback(app)).is(201, { version: 4 });
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 4);
    const [two, four] = [await release(app, 2), await release(app, 4)];
    assert.deepEqual([four.build, four.config], [two.build, two.config]);
    assert.notEqual(four.uuid, two.uuid);
    const other = await three();
    (await rollback(other, { version: 0 })).is(201, { version: 4 });
    (await rollback(other, { version: null })).is(201, { version: 5 });
  });

  it('R-07 back to the first', async () => {
    const app = await three();
    (await rollback(app)).is(201);
    (await rollback(app, { version: 1 })).is(201, { version: 5 });
    const [one, five] = [await release(app, 1), await release(app, 5)];
    assert.deepEqual([five.build, five.config], [one.build, one.config]);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, {});
  });

  it('R-08 and forth; what was rolled back stays away', async () => {
    const app = await three();
    (await rollback(app, { version: 1 })).is(201);
    (await set(app, { values: { B: '2' } })).is(201);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, { B: '2' });
    (await rollback(app, { version: 3 })).is(201, { version: 6 });
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, { NEW_URL1: 'x' });
  });

  it('R-09 the summary of a build', async () => {
    const app = await w.app();
    (await build(app, { image: 'acme/shop:3' })).is(201);
    (await build(app, { ...DOCKERFILE, sha: '0123456789abcdef' })).is(201);
    assert.deepEqual([await summary(app, 2), await summary(app, 3)], ['ivo deployed acme/shop:3', 'ivo deployed 0123456']);
  });

  it("R-10 an admin makes releases on another's app", async () => {
    const app = await three();
    (await rollback(app, {}, 'admin')).is(201);
    assert.equal((await release(app, 4)).owner, 'admin');
  });

  it('R-11 a stranger does not', async () => {
    (await rollback(await three(), {}, 'eve')).detail(403, DENIED);
  });

  it('R-12 summaries', async () => {
    const app = await w.app();
    const sums = [
      [{ values: { A: '1', B: '1' } }, /^ivo added (A, B|B, A)$/],
      [{ values: { A: '2', B: null, C: '1' } }, /^ivo added C, changed A, deleted B$/],
      [{ memory: { web: '1G' }, cpu: { web: 1 } }, /^ivo changed limits for memory, cpu$/],
      [{ cpu: { web: 2 } }, /^ivo changed limits for cpu$/],
      [{ tags: { rack: '1' } }, /^ivo added tag rack$/],
      [{ tags: { rack: '2', zone: 'a' } }, /^ivo added tag zone, changed tag rack$/],
      [{ tags: { rack: null } }, /^ivo deleted tag rack$/],
      [{ values: { K: '1' }, cpu: { web: 3 }, tags: { disk: 'ssd' } }, /^ivo added K and changed limits for cpu and added tag disk$/],
      [{ values: { K: '1' } }, /^ivo changed nothing$/],
    ];
    assert.equal(await summary(app, 1), 'ivo created initial release');
    for (let i = 0; i < sums.length; i++) {
      (await set(app, sums[i][0])).is(201);
      assert.match(await summary(app, i + 2), sums[i][1]);
    }
    (await rollback(app, { version: 3 })).is(201);
    assert.equal(await summary(app, sums.length + 2), 'ivo rolled back to v3');
    await w.platform.logged(app, 'ivo rolled back to v3');
  });

  it('R-13 a failed deploy spends no number', async () => {
    const app = await w.built();
    w.platform.mode(app, { judge: ({ formation, made }) => formation.release === 3 && { reason: 'cmd.1 exited with code 1 before it was ready', unit: made[0].unit } });
    (await build(app, { image: 'x' })).is(503);
    (await set(app, { values: { LEAK: '1' } })).is(503);
    (await rollback(app, { version: 1 })).is(201, { version: 3 });
    const versions = (await w.rows(`apps/${app}/releases`, 'ivo')).map((r) => r.version);
    assert.deepEqual(versions, [3, 2, 1]);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, {});
  });
});
