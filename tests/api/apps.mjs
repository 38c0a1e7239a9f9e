// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { NOT_FOUND, UNAVAILABLE } from './support/bus.mjs';
import { DOMAIN, World } from './support/world.mjs';

const DENIED = 'You do not have permission to perform this action.';
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC$/;

describe('A apps', () => {
  let w;
  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('A-01 an app without a name gets one', async () => {
    const got = (await w.post('apps', 'eve')).is(201);
    assert.match(got.json.id, /^[a-z]+-[a-z]+$/);
    assert.equal(await w.count('apps', 'eve'), 1);
    (await w.delete(`apps/${got.json.id}`, 'eve')).is(204);
  });

  it('A-02 get, no patch, delete', async () => {
    const app = await w.app();
    (await w.get(`apps/${app}`, 'ivo')).is(200);
    (await w.patch(`apps/${app}`, 'ivo', {})).is(405);
    (await w.put(`apps/${app}`, 'ivo', {})).is(405);
    const got = (await w.delete(`apps/${app}`, 'ivo')).is(204);
    assert.equal(got.text, '');
  });

  it('A-03 what an app looks like', async () => {
    const got = (await w.post('apps', 'ivo', { id: 'test', owner: 'eve', uuid: 'x' })).is(201);
    got.keysWithin('uuid', 'created', 'updated', 'id', 'owner', 'url', 'structure');
    assert.deepEqual([got.json.id, got.json.owner, got.json.url, got.json.structure], ['test', 'ivo', `test.${DOMAIN}`, {}]);
    assert.match(got.json.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.match(got.json.created, TIME);
    assert.match(got.json.updated, TIME);
    assert.deepEqual((await w.get('apps/test', 'ivo')).is(200).json, got.json);
  });

  it('A-04 a name is unique', async () => {
    (await w.post('apps', 'ivo', { id: 'myid' })).is(201);
    (await w.post('apps', 'ivo', { id: 'myid' })).is(400, { id: ['This field must be unique.'] });
    (await w.post('apps', 'eve', { id: 'myid' })).field('id', 'This field must be unique.');
  });

  it('A-05 a name has no capitals', async () => {
    (await w.post('apps', 'ivo', { id: 'camelCase' })).field('id', 'App IDs can only contain [a-z0-9-]');
  });

  it('A-06 the name of the API is reserved', async () => {
    (await w.post('apps', 'ivo', { id: 'deis' })).field('id', 'deis is a reserved name.');
  });

  it('A-07 a deleted app has no parts', async () => {
    const app = await w.built();
    (await w.delete(`apps/${app}`, 'ivo')).is(204);
    for (const part of ['containers', 'config', 'releases', 'builds']) {
      (await w.get(`apps/${app}/${part}`, 'ivo')).detail(404, 'Not found');
    }
    (await w.post('apps', 'eve', { id: app })).is(201);
    assert.equal(await w.count(`apps/${app}/releases`, 'eve'), 1);
    assert.equal(await w.count(`apps/${app}/builds`, 'eve'), 0);
  });

  it('A-08 logs: none, broken, and as they are', async () => {
    const app = await w.app();
    await w.platform.logged(app, 'created initial release');
    w.platform.forget({ app });
    const none = (await w.get(`apps/${app}/logs`, 'ivo')).is(204);
    assert.equal(none.text, '');
    const odd = 'a "quoted" line, 100% {braces} \u{1f980} \\n';
    w.platform.lines.push({ app, process: 'web.1', time_ms: 1767323045000, text: Buffer.from(odd) });
    const some = (await w.get(`apps/${app}/logs?log_lines=10`, 'ivo')).is(200);
    assert.match(some.type, /^text\/plain/);
    assert.equal(some.text, `2026-01-02T03:04:05UTC ${app}[web.1]: ${odd}\n`);
    for (const code of [UNAVAILABLE, NOT_FOUND, -10]) {
      w.platform.logMode = { fail: code };
      const got = await w.get(`apps/${app}/logs`, 'ivo');
      got.is(500);
      assert.equal(got.text, `Error accessing logs for ${app}`);
      assert.match(got.type, /^text\/plain/);
    }
    w.platform.logMode = {};
  });

  it('A-09 a new app says so in its log', async () => {
    const app = await w.app('eve');
    await w.platform.logged(app, 'eve created initial release');
    (await w.get(`apps/${app}/logs`, 'eve')).is(200, /\[deis-controller\]: eve created initial release/);
  });

  it('A-10 structure follows what is scaled', async () => {
    const app = await w.built();
    assert.deepEqual((await w.get(`apps/${app}`, 'ivo')).json.structure, { cmd: 1 });
    (await w.post(`apps/${app}/scale`, 'ivo', { cmd: 3 })).is(204);
    assert.deepEqual((await w.get(`apps/${app}`, 'ivo')).json.structure, { cmd: 3 });
  });

  it("A-11 an admin reads and deletes another's app", async () => {
    const app = await w.app('ivo');
    (await w.get(`apps/${app}`, 'admin')).is(200);
    (await w.delete(`apps/${app}`, 'admin')).is(204);
    (await w.get(`apps/${app}`, 'ivo')).is(404);
  });

  it("A-12 an admin's list has the apps of others", async () => {
    const before = await w.count('apps', 'admin');
    await w.app('eve');
    await w.app('admin');
    assert.equal(await w.count('apps', 'admin'), before + 2);
  });

  it('A-13 run where the platform has no machine', async () => {
    const apps = [await w.app(), await w.built()];
    await w.platform.leave();
    const answers = [];
    for (const app of apps) {
      answers.push(await w.post(`apps/${app}/run`, 'ivo', { command: 'true' }));
    }
    await w.platform.join();
    for (const answer of answers) {
      answer.detail(400, 'Support for admin commands is not configured');
    }
  });

  it('A-14 run without a build', async () => {
    const app = await w.app();
    (await w.post(`apps/${app}/run`, 'ivo', { command: 'true' }))
      .detail(400, 'No build associated with this release to run this command');
    (await w.post(`apps/${app}/run`, 'ivo', {})).field('command', 'This field is required.');
  });

  it('A-15 a stranger neither runs, reads logs, gets nor deletes', async () => {
    const app = await w.built();
    const answers = [
      await w.post(`apps/${app}/run`, 'eve', { command: 'true' }), await w.get(`apps/${app}/logs`, 'eve'),
      await w.get(`apps/${app}`, 'eve'), await w.delete(`apps/${app}`, 'eve'),
    ];
    for (const answer of answers) {
      answer.detail(403, DENIED);
    }
    (await w.get(`apps/${app}`, 'ivo')).is(200);
  });

  it('A-16 an unknown app is 404', async () => {
    for (const path of ['', '/config', '/builds', '/releases', '/containers', '/domains', '/perms', '/logs']) {
      (await w.get(`apps/no-such-app${path}`, 'ivo')).detail(404, 'Not found');
    }
    (await w.delete('apps/no-such-app', 'ivo')).is(404);
    (await w.post('apps/no-such-app/scale', 'ivo', { web: 1 })).is(404);
    (await w.get(`apps/${'a'.repeat(200)}`, 'ivo')).is(404);
  });

  it('A-17 the owner gives the app away', async () => {
    const app = await w.app('ivo');
    const got = (await w.post(`apps/${app}`, 'ivo', { owner: 'eve' })).is(200);
    assert.equal(got.text, '');
    (await w.get(`apps/${app}`, 'ivo')).is(403);
    assert.equal((await w.get(`apps/${app}`, 'eve')).is(200).json.owner, 'eve');
    const releases = await w.rows(`apps/${app}/releases`, 'eve');
    assert.equal(releases[0].owner, 'ivo');
  });

  it('A-18 a collaborator may not, an admin may', async () => {
    const app = await w.app('ivo');
    (await w.post(`apps/${app}/perms`, 'ivo', { username: 'eve' })).is(201);
    (await w.post(`apps/${app}`, 'eve', { owner: 'eve' })).detail(403, DENIED);
    (await w.post(`apps/${app}`, 'admin', { owner: 'eve' })).is(200);
    assert.equal((await w.get(`apps/${app}`, 'eve')).is(200).json.owner, 'eve');
  });

  it('A-19 names that are refused', async () => {
    const cases = {
      '': 'This field may not be blank.', 'a b': 'App IDs can only contain [a-z0-9-].', [`${'a'.repeat(65)}`]: 'Ensure this field has no more than',
      '-a': '', 'a-': '', ['a'.repeat(64)]: '', 'a.b': 'App IDs can only contain [a-z0-9-].', 'a\n': 'App IDs can only contain [a-z0-9-].',
    };
    for (const [id, words] of Object.entries(cases)) {
      (await w.post('apps', 'ivo', { id })).field('id', words);
    }
    (await w.post('apps', 'ivo', { id: null })).field('id', 'This field may not be null.');
    (await w.post('apps', 'ivo', { id: 'a b' })).field('id', "Enter a valid 'slug' consisting of letters, numbers, underscores or hyphens.");
    assert.equal((await w.post('apps', 'ivo', { id: 12 })).is(201).json.id, '12');
    (await w.post('apps', 'ivo', { id: 'a'.repeat(63) })).is(201);
  });

  it('A-20 to nobody is 404, of nothing is nothing', async () => {
    const app = await w.app('ivo');
    (await w.post(`apps/${app}`, 'ivo', { owner: 'nobody' })).detail(404, 'Not found');
    const got = (await w.post(`apps/${app}`, 'ivo', {})).is(200);
    assert.equal(got.text, '');
    assert.equal((await w.get(`apps/${app}`, 'ivo')).json.owner, 'ivo');
  });
});
