// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const DENIED = 'You do not have permission to perform this action.';

describe('M permissions', () => {
  let w;
  const ids = async (as) => (await w.rows('apps', as)).map((app) => app.id);
  const grant = (app, username, as) => w.post(`apps/${app}/perms`, as, { username });
  const revoke = (app, username, as) => w.delete(`apps/${app}/perms/${username}`, as);

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('M-01 an admin lists the admins', async () => {
    (await w.get('admin/perms', 'admin')).is(200, {
      count: 1, next: null, previous: null, results: [{ username: 'admin', is_superuser: true }],
    });
  });

  it('M-02 a plain user does not', async () => {
    (await w.get('admin/perms', 'ivo')).detail(403, DENIED);
    (await w.get('admin/perms')).is(401);
  });

  it('M-03 an admin makes another admin', async () => {
    (await w.post('admin/perms', 'ivo', { username: 'ivo' })).is(403);
    const got = (await w.post('admin/perms', 'admin', { username: 'ivo' })).is(201);
    assert.equal(got.text, '');
    assert.equal(await w.count('admin/perms', 'ivo'), 2);
    (await w.post('admin/perms', 'admin', { username: 'ivo' })).is(201);
    (await w.post('admin/perms', 'admin', {})).field('username', 'This field is required.');
  });

  it('M-04 and takes it away', async () => {
    (await w.delete('admin/perms/ivo', 'admin')).is(204);
    assert.equal(await w.count('admin/perms', 'admin'), 1);
    (await w.get('admin/perms', 'ivo')).is(403);
  });

  it('M-05 twice is fine, an unknown user is 404', async () => {
    (await w.delete('admin/perms/ivo', 'admin')).is(204);
    (await w.delete('admin/perms/nobody', 'admin')).detail(404, 'Not found');
    (await w.post('admin/perms', 'admin', { username: 'nobody' })).detail(404, 'Not found');
  });

  it('M-06 an admin sees all apps, a plain user the own ones', async () => {
    const mine = await w.app('ivo');
    const theirs = await w.app('admin');
    assert.deepEqual(await ids('admin'), [mine, theirs]);
    assert.deepEqual(await ids('ivo'), [mine]);
    assert.deepEqual(await ids('eve'), []);
  });

  it('M-07 a stranger is refused on every part of an app', async () => {
    const app = await w.app('ivo');
    for (const part of ['builds', 'config', 'containers', 'releases']) {
      (await w.get(`apps/${app}/${part}`, 'eve')).detail(403, DENIED);
    }
  });

  it('M-08 a grant makes the app visible', async () => {
    const app = await w.app('ivo');
    const got = (await grant(app, 'eve', 'ivo')).is(201);
    assert.equal(got.text, '');
    assert.ok((await ids('eve')).includes(app));
    (await grant(app, 'eve', 'ivo')).is(201);
    (await grant(app, 'nobody', 'ivo')).is(404);
    await w.platform.logged(app, 'User eve was granted access to');
  });

  it('M-09 the grantee reads builds, containers, releases', async () => {
    const app = await w.app('ivo');
    (await grant(app, 'eve', 'ivo')).is(201);
    for (const part of ['builds', 'containers', 'releases', 'config', 'domains', 'logs']) {
      const got = await w.get(`apps/${app}/${part}`, 'eve');
      assert.ok(got.status < 300, `${got}`);
    }
  });

  it('M-10 a stranger grants nothing', async () => {
    const app = await w.app('ivo');
    (await grant(app, 'eve', 'eve')).detail(403, DENIED);
    (await w.get(`apps/${app}`, 'eve')).is(403);
  });

  it('M-11 to revoke a grant', async () => {
    const app = await w.app('ivo');
    (await grant(app, 'eve', 'ivo')).is(201);
    const got = (await revoke(app, 'eve', 'ivo')).is(204);
    assert.equal(got.text, '');
    assert.ok(!(await ids('eve')).includes(app));
    (await revoke(app, 'eve', 'ivo')).is(403);
    (await revoke(app, 'nobody', 'ivo')).is(404);
    (await revoke('no-such-app', 'eve', 'ivo')).is(404);
    await w.platform.logged(app, 'was revoked access to');
  });

  it('M-12 the list names the grantees, not the owner', async () => {
    const app = await w.app('ivo');
    await w.addUser('autotest-2');
    (await grant(app, 'autotest-2', 'ivo')).is(201);
    (await w.get(`apps/${app}/perms`, 'ivo')).is(200, { users: ['autotest-2'] });
  });

  it('M-13 a stranger does not list them', async () => {
    const app = await w.app('ivo');
    (await w.get(`apps/${app}/perms`, 'eve')).detail(403, DENIED);
  });

  it('M-14 a collaborator lists, but grants nothing', async () => {
    const app = await w.app('ivo');
    (await grant(app, 'eve', 'ivo')).is(201);
    (await grant(app, 'admin', 'eve')).is(403);
    (await w.get(`apps/${app}/perms`, 'eve')).is(200, { users: ['eve'] });
  });

  it('M-15 a collaborator revokes only the own grant', async () => {
    const app = await w.app('ivo');
    await w.addUser('pat');
    (await grant(app, 'eve', 'ivo')).is(201);
    (await grant(app, 'pat', 'ivo')).is(201);
    (await revoke(app, 'pat', 'eve')).is(403);
    (await revoke(app, 'eve', 'eve')).is(204);
    (await w.get(`apps/${app}/perms`, 'ivo')).is(200, { users: ['pat'] });
    (await w.get(`apps/${app}`, 'eve')).is(403);
  });

  it('M-16 what a collaborator may do and what not', async () => {
    const app = await w.app('ivo');
    (await grant(app, 'eve', 'ivo')).is(201);
    (await w.post(`apps/${app}/config`, 'eve', { values: { A: '1' } })).is(201);
    (await w.post(`apps/${app}/builds`, 'eve', { image: 'acme/shop:1' })).is(201);
    (await w.post(`apps/${app}/releases/rollback`, 'eve')).is(201);
    (await w.post(`apps/${app}/builds`, 'eve', { image: 'acme/shop:2' })).is(201);
    (await w.post(`apps/${app}/scale`, 'eve', { cmd: 2 })).is(204);
    (await w.post(`apps/${app}/containers/restart`, 'eve')).is(200);
    (await w.post(`apps/${app}/run`, 'eve', { command: 'true' })).is(200);
    (await w.post(`apps/${app}/domains`, 'eve', { domain: 'eve.example.org' })).is(201);
    (await w.delete(`apps/${app}/domains/eve.example.org`, 'eve')).is(403);
    (await w.delete(`apps/${app}`, 'eve')).is(403);
    (await w.post(`apps/${app}`, 'eve', { owner: 'eve' })).is(403);
  });
});
