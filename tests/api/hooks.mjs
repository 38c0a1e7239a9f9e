// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DOMAIN, World } from './support/world.mjs';

const DENIED = 'You do not have permission to perform this action.';

describe('W builder hooks', () => {
  let w;
  // as the builder; options as: a user's token beside or instead of the key
  const hook = (name, body, { as, key = true } = {}) => w.post(`hooks/${name}`, as, body,
    key ? { headers: { 'X-Deis-Builder-Auth': key === true ? w.builderKey : key } } : {});
  const about = (app, more = {}, user = 'ivo') => ({ receive_user: user, receive_repo: app, ...more });
  const push = (app, user) => about(app, {
    sha: 'ecdff91c57a0b9ab82e89634df87e293d259a3aa', fingerprint: '95:e8:bb:6e:fa:c3:15:89:76:41:47:9b:2f:f7:51:76',
    ssh_connection: '10.0.1.10 50337 172.17.0.143 22', ssh_original_command: `git-receive-pack '${app}.git'`,
  }, user);
  const list = (app) => w.rows(`apps/${app}/containers`, 'ivo');

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('W-01 a push is recorded with the key only', async () => {
    const app = await w.app();
    (await hook('push', push(app), { as: 'ivo', key: false })).detail(403, DENIED);
    (await hook('push', push(app), { as: 'ivo', key: 'wrong' })).is(403);
    (await hook('push', push(app), { key: 'wrong' })).is(401);
    const got = (await hook('push', push(app), { as: 'ivo' })).is(201).json;
    for (const [name, value] of Object.entries(push(app))) {
      assert.equal(got[name], value, name);
    }
    assert.deepEqual([got.owner, got.app], ['ivo', app]);
    (await hook('push', push(app))).is(201);
    (await hook('push', about(app))).field('sha', 'This field is required.');
    assert.equal(await w.count(`apps/${app}/releases`, 'ivo'), 1);
  });

  it('W-02 a push of a user without rights', async () => {
    const app = await w.app('ivo');
    (await hook('push', push(app, 'eve'), { as: 'eve' })).detail(403, DENIED);
  });

  it('W-03 a build makes a release', async () => {
    const app = await w.app();
    const body = about(app, { image: app });
    (await hook('builds', body, { key: false })).is(401);
    (await hook('builds', body)).is(200, { release: { version: 2 }, domains: [`${app}.${DOMAIN}`] });
    (await hook('build', body)).is(200, { release: { version: 3 }, domains: [`${app}.${DOMAIN}`] });
    (await w.get('hooks/build', 'admin')).is(403);
    (await hook('build', about(app))).field('image', 'This field is required.');
  });

  it('W-04 a build with a procfile', async () => {
    const app = await w.app();
    const build = { image: app, sha: 'ecdff91c57a0b9ab82e89634df87e293d259a3aa', procfile: { web: 'node server.js', worker: 'node worker.js' } };
    (await hook('build', about(app, build))).is(200);
    const [row] = await w.rows(`apps/${app}/builds`, 'ivo');
    assert.deepEqual([row.sha, row.procfile, row.owner], [build.sha, build.procfile, 'ivo']);
    assert.deepEqual((await list(app)).map((c) => `${c.type}.${c.num} ${c.state}`), ['web.1 up']);
  });

  it('W-05 a build with a Dockerfile', async () => {
    const app = await w.app();
    const dockerfile = 'FROM busybox\nENTRYPOINT /bin/true\n\n# "verbatim"\n';
    (await hook('build', about(app, { image: app, sha: 'ecdff91c', dockerfile }))).is(200);
    assert.equal((await w.rows(`apps/${app}/builds`, 'ivo'))[0].dockerfile, dockerfile);
    assert.deepEqual((await list(app)).map((c) => `${c.type}.${c.num}`), ['cmd.1']);
    w.platform.mode(app, { judge: ({ made }) => made.length > 0 && { reason: 'cmd.1 exited with code 1 before it was ready', unit: made[0].unit } });
    (await hook('build', about(app, { image: app, sha: 'ecdff91c' }))).detail(503, /exited with code 1/);
  });

  it('W-06 the config', async () => {
    const app = await w.app();
    (await w.post(`apps/${app}/config`, 'ivo', { values: { A: 'x' } })).is(201);
    (await hook('config', about(app), { key: false })).is(401);
    const got = (await hook('config', about(app))).is(200).json;
    assert.deepEqual(got, (await w.get(`apps/${app}/config`, 'ivo')).json);
    assert.deepEqual(got.values, { A: 'x' });
  });

  it("W-07 an admin pushes to another's app", async () => {
    const app = await w.app('ivo');
    (await hook('build', about(app, { image: app }, 'admin'))).is(200, /"version": ?2/);
    assert.equal((await w.rows(`apps/${app}/releases`, 'ivo'))[0].owner, 'admin');
  });

  it('W-08 unknown users and apps', async () => {
    const app = await w.app();
    for (const name of ['push', 'config', 'build']) {
      (await hook(name, about(app, { image: 'x' }, 'nobody'))).detail(404, 'Not found');
      (await hook(name, about('no-such-app', { image: 'x' }))).detail(404, 'Not found');
      (await hook(name, { receive_repo: app })).field('receive_user', 'This field is required.');
    }
  });
});
