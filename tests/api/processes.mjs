// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BUILDPACK, DOCKERFILE, World } from './support/world.mjs';

describe('P processes', () => {
  let w;
  const scale = (app, body, as = 'ivo') => w.post(`apps/${app}/scale`, as, body);
  const list = (app) => w.rows(`apps/${app}/containers`, 'ivo');
  const names = (rows) => rows.map((c) => `${c.type}.${c.num}`);
  const structure = async (app) => (await w.get(`apps/${app}`, 'ivo')).is(200).json.structure;
  const command = (app, type) => w.platform.formations.get(app).processes[type].command;

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('P-01 states follow what the machine says', async () => {
    const app = await w.built();
    const unit = w.platform.units.get(app)[0];
    const key = `/deis/states/${unit.machine}/${unit.unit}`;
    const states = { created: 'created', starting: 'down', up: 'up', crashed: 'crashed', stopping: 'down', error: 'error' };
    for (const [state, shown] of Object.entries(states)) {
      await w.etcd.put(key, w.platform.stateOf(unit, state));
      assert.equal((await list(app))[0].state, shown, state);
    }
    await w.etcd.delete(key);
    assert.equal((await list(app))[0].state, 'initialized');
    await w.etcd.delete(`/deis/units/${unit.unit}`);
    assert.deepEqual(await list(app), []);
  });

  it('P-02 a state is not set from outside', async () => {
    const app = await w.built();
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      (await w.send(method, `apps/${app}/containers`, 'ivo', { state: 'down' })).is(405);
      (await w.send(method, `apps/${app}/containers/cmd/1`, 'ivo', { state: 'down' })).is(405);
    }
    assert.equal((await list(app))[0].state, 'up');
  });

  it('P-03 a new app has none', async () => {
    (await w.get(`apps/${await w.app()}/containers`, 'ivo')).is(200, { count: 0, next: null, previous: null, results: [] });
  });

  it('P-04 scale web and worker', async () => {
    const app = await w.built('ivo', BUILDPACK);
    assert.equal((await scale(app, { web: 4 })).is(204).text, '');
    (await scale(app, { worker: 2 })).is(204);
    assert.deepEqual(names(await list(app)).sort(), ['web.1', 'web.2', 'web.3', 'web.4', 'worker.1', 'worker.2']);
    assert.deepEqual(await structure(app), { web: 4, worker: 2 });
    await w.platform.logged(app, 'ivo scaled containers web=4');
  });

  it('P-05 containers by type and number', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 4 })).is(204);
    assert.equal(await w.count(`apps/${app}/containers/web`, 'ivo'), 4);
    const got = (await w.get(`apps/${app}/containers/web/3`, 'ivo')).is(200);
    got.keysWithin('owner', 'app', 'release', 'type', 'num', 'state', 'created', 'updated', 'uuid');
    assert.deepEqual([got.json.num, got.json.type, got.json.app, got.json.owner], [3, 'web', app, 'ivo']);
    (await w.get(`apps/${app}/containers/web/5`, 'ivo')).detail(404, 'Not found');
    (await w.get(`apps/${app}/containers/worker/1`, 'ivo')).is(404);
  });

  it('P-06 scale down takes the highest numbers', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 4, worker: 2 })).is(204);
    const before = await list(app);
    (await scale(app, { web: 2, worker: 1 })).is(204);
    const rows = await list(app);
    assert.deepEqual(names(rows).sort(), ['web.1', 'web.2', 'worker.1']);
    assert.deepEqual(await structure(app), { web: 2, worker: 1 });
    for (const row of rows) {
      assert.ok(before.some((old) => old.uuid === row.uuid), 'a container that stays is the same one');
    }
  });

  it('P-07 scale to nothing', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 4, worker: 2 })).is(204);
    (await scale(app, { web: 0, worker: 0 })).is(204);
    assert.deepEqual(await list(app), []);
    assert.deepEqual(await structure(app), { web: 0, worker: 0 });
    (await scale(app, { web: 1 })).is(204);
    assert.deepEqual(await structure(app), { web: 1 });
  });

  it('P-08 a Dockerfile app scales cmd', async () => {
    const app = await w.built('ivo', DOCKERFILE);
    for (const n of [6, 3, 0]) {
      (await scale(app, { cmd: n })).is(204);
      assert.deepEqual((await list(app)).map((c) => c.num).sort(), [1, 2, 3, 4, 5, 6].slice(0, n));
    }
  });

  it('P-09 containers carry the release', async () => {
    const app = await w.built('ivo', BUILDPACK);
    const releases = async () => (await list(app)).map((c) => c.release);
    (await scale(app, { web: 3 })).is(204);
    assert.deepEqual(await releases(), ['v2', 'v2', 'v2']);
    (await w.post(`apps/${app}/builds`, 'ivo', BUILDPACK)).is(201);
    assert.deepEqual(await releases(), ['v3', 'v3', 'v3']);
    (await w.post(`apps/${app}/config`, 'ivo', { values: { A: '1' } })).is(201);
    assert.deepEqual(await releases(), ['v4', 'v4', 'v4']);
  });

  it('P-10 a type that left the procfile is gone', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 2, worker: 1 })).is(204);
    (await w.post(`apps/${app}/builds`, 'ivo', { ...BUILDPACK, procfile: { worker: 'node worker.js' } })).is(201);
    assert.deepEqual(names(await list(app)), ['worker.1']);
  });

  it('P-11 a count that is no number', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 'not_an_int' }))
      .detail(400, "Invalid scaling format: invalid literal for int() with base 10: 'not_an_int'");
    (await scale(app, { web: null })).detail(400, /^Invalid scaling format: int\(\) argument must be a string or a number/);
  });

  it('P-12 an unknown type', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { bogus: 1 })).detail(400, 'Container type bogus does not exist in application');
    assert.deepEqual(names(await list(app)), ['web.1']);
  });

  it('P-13 counts out of bounds', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: -1 })).detail(400, /Must be greater than or equal to zero/);
    (await scale(app, { web: 'one' })).detail(400, /^Invalid scaling format: /);
    (await scale(app, { web: [1] })).detail(400, /^Invalid scaling format: int\(\) argument must be a string or a number/);
    (await scale(app, [1])).is(400);
    (await scale(app, { web: 1 })).is(204);
  });

  it("P-14 an admin scales another's app, a stranger does not", async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 2 }, 'admin')).is(204);
    (await scale(app, { web: 3 }, 'eve')).detail(403, 'You do not have permission to perform this action.');
    assert.equal((await list(app)).length, 2);
  });

  it('P-15 nothing scales without a build', async () => {
    (await scale(await w.app(), { web: 1 })).detail(400, 'No build associated with this release');
  });

  it('P-16 the command of each kind of build', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { worker: 1, cmd: 1 })).is(204);
    assert.deepEqual([command(app, 'web'), command(app, 'worker')], [['start', 'web'], ['start', 'worker']]);
    const docker = await w.built('ivo', { ...DOCKERFILE, procfile: { web: "node 'a b'.js", worker: 'w' } });
    assert.deepEqual(command(docker, 'web').slice(1), ['-c', "node 'a b'.js"]);
    const pulled = await w.built('ivo', { image: 'x', procfile: { cmd: 'override', worker: 'w' } });
    (await scale(pulled, { worker: 1 })).is(204);
    assert.deepEqual([command(pulled, 'cmd').slice(1), command(pulled, 'worker').slice(1)], [['-c', 'override'], ['-c', 'w']]);
    const plain = await w.built('ivo', { image: 'x' });
    assert.equal(command(plain, 'cmd'), null);
  });

  it('P-17 the entry point of run', async () => {
    const entry = async (build, line) => {
      const app = await w.built('ivo', build);
      (await w.post(`apps/${app}/run`, 'ivo', { command: line })).is(200);
      return [w.platform.lastRun.entrypoint, w.platform.lastRun.command];
    };
    const bash = await entry({ ...DOCKERFILE, procfile: { web: 'x' } }, "echo 'it''s' {1..3}");
    assert.match(bash[0][0], /^\/bin\/(ba)?sh$/);
    assert.equal(bash[1][bash[1].length - 1], "echo 'it''s' {1..3}");
    assert.match([...bash[0], ...bash[1]].join(' '), /bash/);
    assert.deepEqual(await entry({ image: 'x' }, 'ls'), [bash[0], [...bash[1].slice(0, -1), 'ls']]);
    assert.deepEqual(await entry(BUILDPACK, 'ls -al'), [['/runner/init'], ['ls -al']]);
  });

  it('P-18 a run is not part of the structure', async () => {
    const app = await w.built();
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'ls' })).is(200);
    assert.deepEqual(await structure(app), { cmd: 1 });
    (await scale(app, { cmd: 2 })).is(204);
    assert.deepEqual(await structure(app), { cmd: 2 });
  });

  it('P-19 restart all, a type, one', async () => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: 2, worker: 3 })).is(204);
    const restart = async (path) => (await w.post(`apps/${app}/containers/${path}`, 'ivo')).is(200).json;
    const before = await list(app);
    const all = await restart('restart');
    assert.deepEqual(names(all).sort(), ['web.1', 'web.2', 'worker.1', 'worker.2', 'worker.3']);
    assert.deepEqual(new Set(all.map((c) => c.release)), new Set(['v2']));
    const moved = (old, now) => now.filter((c) => !old.some((o) => o.uuid === c.uuid)).map((c) => `${c.type}.${c.num}`).sort();
    const second = await list(app);
    assert.equal(moved(before, second).length, 5, 'all are new processes');
    assert.deepEqual(names(await restart('worker/restart')).sort(), ['worker.1', 'worker.2', 'worker.3']);
    const third = await list(app);
    assert.deepEqual(moved(second, third), ['worker.1', 'worker.2', 'worker.3']);
    assert.deepEqual(names(await restart('web/1/restart')), ['web.1']);
    assert.deepEqual(moved(third, await list(app)), ['web.1']);
    (await w.get(`apps/${app}/containers/web/1/restart`, 'ivo')).is(405);
    (await w.post('apps/no-such-app/containers/restart', 'ivo')).is(404);
    (await w.post(`apps/${app}/containers/restart`, 'eve')).is(403);
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 2);
  });

  it('P-20 no number is listed twice', async () => {
    const app = await w.built('ivo', BUILDPACK);
    const unit = w.platform.units.get(app)[0];
    const old = { ...unit, unit: `${app}_v1.web.1-00000000`, release: 1, desired: 'drain' };
    await w.etcd.put(`/deis/units/${old.unit}`, JSON.stringify(old));
    assert.deepEqual((await list(app)).map((c) => `${c.type}.${c.num} ${c.release}`), ['web.1 v2']);
    (await w.get(`apps/${app}/containers/web/1`, 'ivo')).is(200, /"release": ?"v2"/);
    await w.etcd.delete(`/deis/units/${old.unit}`);
  });

  it('P-21 restart of an unknown type is an empty list', async () => {
    const app = await w.built();
    for (const path of ['bogus/restart', 'cmd/9/restart']) {
      (await w.post(`apps/${app}/containers/${path}`, 'ivo')).is(200, []);
    }
  });

  it('P-22 scale by nothing, by text, by a fraction', async () => {
    const app = await w.built();
    (await scale(app, {})).is(204);
    assert.deepEqual(await structure(app), { cmd: 1 });
    (await scale(app, { cmd: '2' })).is(204);
    assert.deepEqual(await structure(app), { cmd: 2 });
    (await scale(app, { cmd: 1.7 })).is(204);
    assert.deepEqual(await structure(app), { cmd: 1 });
  });

  it('P-23 one-off records are listed only by their type', async () => {
    const app = await w.built();
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'ls' })).is(200);
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'ls' })).is(200);
    assert.deepEqual(names(await w.rows(`apps/${app}/containers/run`, 'ivo')), ['run.1', 'run.2']);
    assert.deepEqual(names(await list(app)), ['cmd.1']);
    (await w.get(`apps/${app}/containers/run/2`, 'ivo')).is(200);
  });

  it('P-24 run answers the status and all output', async () => {
    const app = await w.built();
    const outputs = ['hi "there"\n\u{1f980}\ttab', '', 'x'.repeat(65536)];
    for (const output of outputs) {
      w.platform.runResult = () => ({ code: 3, output });
      const got = (await w.post(`apps/${app}/run`, 'ivo', { command: "echo 'x'" })).is(200);
      assert.deepEqual(got.json, [3, output]);
      assert.match(got.type, /^(text\/plain|application\/json)/);
    }
    w.platform.runResult = () => ({ code: 0, output: '' });
    await w.platform.logged(app, "ivo runs 'echo 'x''");
  });
});
