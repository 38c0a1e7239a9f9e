// SPDX-License-Identifier: MIT
// The engine decides what fails; the stand-in reports it in the engine's words.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BusFailure, UNAVAILABLE } from './support/bus.mjs';
import { until } from './support/process.mjs';
import { BUILDPACK, World } from './support/world.mjs';

const CREATE = /^aborting, failed to create some containers/;
const DESTROY = /^aborting, failed to destroy some containers/;
const HEALTH = /^aborting, app containers failed to respond to health check/;

describe('S scheduler failures, H health checks', () => {
  let w;
  const scale = (app, body) => w.post(`apps/${app}/scale`, 'ivo', body);
  const set = (app, values) => w.post(`apps/${app}/config`, 'ivo', { values });
  const list = (app) => w.rows(`apps/${app}/containers`, 'ivo');
  const states = (rows) => [...new Set(rows.map((c) => c.state))].sort();
  const releases = (app) => w.count(`apps/${app}/releases`, 'ivo');
  // A new unit can't be made: the rollout fails as the engine says it.
  const cannotStart = ({ made }) => made.length > 0 && {
    reason: `${made[0].type}.${made[0].num} could not be started: no such image`, unit: made[0].unit, machine: 'machine-1',
  };
  const notReady = (why) => ({ made }) => made.length > 0 && {
    reason: `${made[0].type}.${made[0].num} was not ready within 60 s${why}`, unit: made[0].unit, machine: 'machine-1',
  };
  // web=n on a buildpack app whose containers are all gone before.
  const scaled = async (n, worker = 0) => {
    const app = await w.built('ivo', BUILDPACK);
    (await scale(app, { web: n, worker })).is(204);
    return app;
  };

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('S-01 scale up where some can not be created', async () => {
    const app = await scaled(0);
    w.platform.mode(app, { judge: cannotStart });
    const got = (await scale(app, { web: 20 })).detail(503, CREATE);
    assert.equal(got.type, 'application/json');
    assert.match(got.json.detail, /no such image/);
    assert.deepEqual(await list(app), []);
    assert.deepEqual((await w.get(`apps/${app}`, 'ivo')).json.structure.web, 0);
  });

  it('S-02 scale up where some do not come up', async () => {
    const app = await scaled(0);
    w.platform.mode(app, { hurt: (unit) => (unit.num % 3 === 0 ? 'crashed' : 'up') });
    (await scale(app, { web: 20 })).is(204);
    const rows = await list(app);
    assert.equal(rows.length, 20);
    assert.deepEqual(states(rows), ['crashed', 'up']);
  });

  it('S-03 restart of a type where it does not come up', async () => {
    const app = await scaled(20, 20);
    w.platform.mode(app, { hurt: () => 'crashed' });
    (await w.post(`apps/${app}/containers/web/restart`, 'ivo')).is(200);
    const rows = await list(app);
    assert.equal(rows.length, 40);
    assert.deepEqual(new Set(rows.filter((c) => c.state === 'crashed').map((c) => c.type)), new Set(['web']));
    assert.deepEqual(states(rows.filter((c) => c.type === 'worker')), ['up']);
  });

  it('S-04 restart of all where some do not come up', async () => {
    const app = await scaled(20, 20);
    w.platform.mode(app, { hurt: (unit) => (unit.num % 2 === 0 ? 'crashed' : 'up') });
    const got = (await w.post(`apps/${app}/containers/restart`, 'ivo')).is(200);
    assert.equal(got.json.length, 40);
    assert.deepEqual(new Set((await list(app)).map((c) => c.type)), new Set(['web', 'worker']));
  });

  it('S-05 scale down where some do not go away', async () => {
    const app = await scaled(20);
    w.platform.mode(app, { judge: ({ gone }) => gone.length > 0 && {
      reason: 'web.1 could not be stopped: the machine does not answer', left: gone.slice(0, 7), machine: 'machine-1',
    } });
    (await scale(app, { web: 0 })).detail(503, DESTROY);
    await w.platform.queue;
    assert.ok(states(await list(app)).includes('error'));
    w.platform.mode(app);
    (await scale(app, { web: 0 })).is(204);
    assert.deepEqual(await list(app), []);
  });

  it('S-06 a build that can not be started', async () => {
    const app = await scaled(20);
    w.platform.mode(app, { judge: cannotStart });
    const got = (await w.post(`apps/${app}/builds`, 'ivo', BUILDPACK)).detail(503, CREATE);
    assert.match(got.json.detail, /its last words/);
    assert.equal(await releases(app), 2);
    const rows = await list(app);
    assert.deepEqual([rows.length, states(rows), rows[0].release], [20, ['up'], 'v2']);
  });

  it('S-07 a config that can not be started', async () => {
    const app = await scaled(20);
    w.platform.mode(app, { judge: cannotStart });
    (await set(app, { A: '1' })).detail(503, CREATE);
    assert.equal(await releases(app), 2);
    const rows = await list(app);
    assert.deepEqual([rows.length, states(rows), rows[0].release], [20, ['up'], 'v2']);
    assert.deepEqual((await w.get(`apps/${app}/config`, 'ivo')).json.values, {});
  });

  it('S-08 run that the machine refuses', async () => {
    const app = await scaled(1);
    w.platform.runResult = () => ({ refuse: 'exit code 1' });
    const got = await w.post(`apps/${app}/run`, 'ivo', { command: 'ls' });
    w.platform.runResult = () => ({ code: 0, output: '' });
    got.detail(503, 'exit code 1');
  });

  it('S-09 a machine that fails at once is not asked all the time', async () => {
    const app = await scaled(1);
    const { runOutput } = w.platform;
    let asked = 0;
    let ended = false;
    w.platform.runOutput = (request) => {
      asked += 1;
      if (!ended) {
        throw new BusFailure(UNAVAILABLE, 'busy');
      }
      return runOutput.call(w.platform, request);
    };
    const running = w.post(`apps/${app}/run`, 'ivo', { command: 'ls' });
    await until('it is asked', () => asked > 0);
    await new Promise((resolve) => setTimeout(resolve, 2000)); // time in which it could ask
    ended = true;
    (await running).is(200);
    w.platform.runOutput = runOutput;
    assert.ok(asked <= 10, `${asked} times`);
  });

  it('H-01 a health check that passes', async () => {
    const app = await scaled(1);
    const got = (await set(app, { HEALTHCHECK_URL: '/healthz' })).is(201);
    assert.equal(got.headers['deis-release'], '3');
    assert.deepEqual(w.platform.formations.get(app).health, { path: '/healthz', delay_ms: 0, timeout_ms: 1000 });
  });

  it('H-02 a health check that does not', async () => {
    const app = await scaled(1);
    w.platform.mode(app, { judge: notReady(": health check of /: got '404', wanted 200") });
    const got = (await set(app, { HEALTHCHECK_URL: '/' })).detail(503, HEALTH);
    assert.match(got.json.detail, /'404'/);
    assert.equal(await releases(app), 2);
    assert.deepEqual((await list(app)).map((c) => [c.release, c.state]), [['v2', 'up']]);
    await w.platform.logged(app, "got '404'");
  });

  it('H-03 a health check that nobody answers', async () => {
    const app = await scaled(1);
    w.platform.mode(app, { judge: notReady(': connection refused') });
    (await set(app, { HEALTHCHECK_URL: '/' })).detail(503, HEALTH);
    assert.equal(await releases(app), 2);
  });

  it('H-04 its time limit', async () => {
    const app = await scaled(1);
    (await set(app, { HEALTHCHECK_URL: '/', HEALTHCHECK_TIMEOUT: '10' })).is(201);
    assert.equal(w.platform.formations.get(app).health.timeout_ms, 10000);
  });

  it('H-05 its initial delay', async () => {
    const app = await scaled(1);
    const before = w.platform.formations.get(app).start_timeout_ms;
    (await set(app, { HEALTHCHECK_URL: 'ready', HEALTHCHECK_INITIAL_DELAY: 25 })).is(201);
    const { health, start_timeout_ms: limit } = w.platform.formations.get(app);
    assert.deepEqual([health.path, health.delay_ms], ['/ready', 25000]);
    assert.ok(limit >= before, 'the delay does not eat into the time to start');
  });

  it('H-06 the old containers stay through a failed check', async () => {
    const app = await scaled(2);
    const before = (await list(app)).map((c) => c.uuid);
    let seen = 0;
    w.platform.mode(app, { judge: (now) => {
      seen = w.platform.units.get(app).length;
      return notReady('')(now);
    } });
    (await set(app, { HEALTHCHECK_URL: '/' })).is(503);
    assert.equal(seen, 2);
    await w.platform.queue;
    assert.deepEqual((await list(app)).map((c) => c.uuid), before);
    w.platform.mode(app);
    (await scale(app, { web: 3 })).is(204);
    (await scale(app, { web: 2 })).is(204);
    assert.deepEqual((await list(app)).map((c) => c.uuid), before);
  });
});
