// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const FIELDS = ['email', 'username', 'first_name', 'last_name', 'is_superuser', 'is_staff', 'groups', 'user_permissions',
  'last_login', 'date_joined', 'is_active'];

describe('U users and auth', () => {
  let w;
  let first;
  let second;

  const register = (body, as) => w.post('auth/register', as, body);
  const person = (username) => ({ username, password: `pw-${username}`, email: '' });
  const logs = async (username, password, status) => (await w.post('auth/login/', undefined, { username, password })).is(status);
  // Registration answers {} with 400 where it is open, and otherwise where it is not.
  const mode = (value, open) => w.setting('controller/registrationMode', value, async () => {
    const got = await register({});
    return (got.status === 400) === open && (open || got.text.includes(value === 'disabled' ? 'disabled' : ''));
  });

  before(async () => {
    w = await World.start({ users: [] });
    first = await register(person('admin'));
    second = await register({ ...person('ivo'), is_superuser: true, is_staff: true, first_name: 'Ivo', last_name: 'Berg' });
    w.tokens.admin = await w.login('admin');
    w.tokens.ivo = await w.login('ivo');
    await w.addUser('eve');
  });
  after(() => w.stop());

  it('U-01 registration ignores rights and shows no password', () => {
    second.is(201).keysWithin(...FIELDS);
    const { username, first_name: name, is_superuser: superuser, is_staff: staff, is_active: active } = second.json;
    assert.deepEqual([username, name, superuser, staff, active], ['ivo', 'Ivo', false, false, true]);
    for (const field of ['last_login', 'date_joined']) {
      assert.match(second.json[field], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z$/);
    }
    assert.deepEqual([second.json.groups, second.json.user_permissions], [[], []]);
  });

  it('U-02 the first registrant is superuser, the second is not', () => {
    first.is(201);
    assert.equal(first.json.is_superuser, true);
    assert.equal(second.json.is_superuser, false);
  });

  it('U-03 login with a form', async () => {
    const got = await w.post('auth/login/', undefined, undefined, {
      type: 'application/x-www-form-urlencoded', text: 'username=ivo&password=pw-ivo',
    });
    assert.match(got.is(200).json.token, /^[0-9a-f]{40}$/);
    const boundary = 'xxBOUNDARYxx';
    const part = (name, value) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    (await w.post('auth/login/', undefined, undefined, {
      type: `multipart/form-data; boundary=${boundary}`,
      text: `${part('username', 'ivo')}${part('password', 'pw-ivo')}--${boundary}--\r\n`,
    })).is(200);
  });

  it('U-04 mode disabled: nobody registers', async () => {
    await mode('disabled', false);
    (await register(person('late'))).detail(403, 'Registration is disabled');
    (await register(person('late'), 'admin')).is(403);
    await mode('enabled', true);
  });

  it('U-05 mode admin_only: not without an admin', async () => {
    await mode('admin_only', false);
    (await register(person('late'))).detail(403, 'You do not have permission to perform this action.');
    (await register(person('late'), 'ivo')).is(403);
    await mode('enabled', true);
  });

  it('U-06 mode admin_only: an admin registers others', async () => {
    await mode('admin_only', false);
    const got = (await register(person('hired'), 'admin')).is(201);
    assert.equal(got.json.is_superuser, false);
    await logs('hired', 'pw-hired', 200);
    await mode('enabled', true);
  });

  it('U-07 an unknown mode is an error that names it', async () => {
    await mode('whatever', false);
    const got = await register(person('late'));
    assert.ok(got.status >= 400 && got.text.includes('whatever'), `${got}`);
    await mode('enabled', true);
  });

  it('U-08 to cancel oneself', async () => {
    await w.addUser('kim');
    (await w.delete('auth/cancel', 'kim')).is(204);
    (await w.get('apps', 'kim')).is(401);
    await logs('kim', 'pw-kim', 400);
  });

  it('U-09 to cancel another as a plain user', async () => {
    (await w.delete('auth/cancel', 'ivo', { username: 'eve' })).is(403);
    (await w.delete('auth/cancel', 'ivo', { username: 'nobody' })).is(403);
    (await w.get('apps', 'eve')).is(200);
  });

  it('U-10 an admin cancels another', async () => {
    await w.addUser('kim');
    (await w.delete('auth/cancel', 'admin', { username: 'kim' })).is(204);
    (await w.delete('auth/cancel', 'admin', { username: 'kim' })).is(404);
    (await w.get('apps', 'kim')).is(401);
  });

  it('U-11 who owns an app is not cancelled', async () => {
    const apps = [await w.app('ivo'), await w.app('admin')];
    const text = (name) => `${name} still has applications assigned. Delete or transfer ownership`;
    (await w.delete('auth/cancel', 'ivo')).detail(409, text('ivo'));
    (await w.delete('auth/cancel', 'admin', { username: 'ivo' })).detail(409, text('ivo'));
    (await w.delete('auth/cancel', 'admin', { username: 'admin' })).detail(409, text('admin'));
    for (const app of apps) {
      (await w.delete(`apps/${app}`, 'admin')).is(204);
    }
  });

  it('U-12 a password change with the wrong current one', async () => {
    (await w.post('auth/passwd', 'ivo', { password: 'wrong', new_password: 'other' })).detail(400, 'Current password does not match');
    (await w.post('auth/passwd', 'ivo', { new_password: 'other' })).detail(400, 'Current password does not match');
    (await w.post('auth/passwd', 'ivo', { password: 'pw-ivo' })).field('new_password', 'This field is required.');
  });

  it('U-13 a password change with the right one', async () => {
    (await w.post('auth/passwd', 'ivo', { password: 'pw-ivo', new_password: 'other' })).is(200, { status: 'password set' });
    await logs('ivo', 'pw-ivo', 400);
    await logs('ivo', 'other', 200);
    (await w.get('apps', 'ivo')).is(200);
    (await w.post('auth/passwd', 'ivo', { password: 'other', new_password: 'pw-ivo' })).is(200);
  });

  it("U-14 an admin sets another's password", async () => {
    (await w.post('auth/passwd', 'admin', { username: 'eve', new_password: 'fresh' })).is(200);
    await logs('eve', 'pw-eve', 400);
    await logs('eve', 'fresh', 200);
    (await w.post('auth/passwd', 'admin', { username: 'eve', password: 'wrong', new_password: 'x' })).is(400);
    (await w.post('auth/passwd', 'admin', { username: 'nobody', new_password: 'x' })).detail(404, 'Not found');
    (await w.post('auth/passwd', 'admin', { username: 'eve', new_password: 'pw-eve' })).is(200);
  });

  it("U-15 a plain user may not set another's password", async () => {
    (await w.post('auth/passwd', 'ivo', { username: 'eve', password: 'pw-ivo', new_password: 'x' })).is(403);
    await logs('eve', 'pw-eve', 200);
  });

  it('U-16 naming oneself in a password change', async () => {
    (await w.post('auth/passwd', 'ivo', { username: 'ivo', password: 'pw-ivo', new_password: 'pw-ivo' })).is(200);
  });

  it('U-17 a new token replaces the old', async () => {
    const old = w.tokens.eve;
    w.tokens.eve = (await w.post('auth/tokens/', 'eve', {})).is(200).json.token;
    assert.notEqual(w.tokens.eve, old);
    (await w.get('', old)).is(401);
    (await w.get('', 'eve')).is(200);
    w.tokens.eve = (await w.post('auth/tokens/', 'eve')).is(200).json.token;
  });

  it('U-18 an admin makes a new token for another', async () => {
    const got = (await w.post('auth/tokens/', 'admin', { username: 'eve' })).is(200);
    (await w.get('', 'eve')).is(401);
    w.tokens.eve = got.json.token;
    (await w.get('', 'eve')).is(200);
    (await w.post('auth/tokens/', 'admin', { username: 'nobody' })).is(404);
  });

  it('U-20 a plain user names nobody, not even himself, when making tokens', async () => {
    for (const body of [{ username: 'ivo' }, { username: 'eve' }, { all: true }, { all: false }]) {
      (await w.post('auth/tokens/', 'ivo', body)).is(403);
    }
    (await w.get('', 'ivo')).is(200);
  });

  it('U-21 the list of users is for admins', async () => {
    const got = (await w.get('users', 'admin')).is(200).json;
    assert.deepEqual(got.results.map((u) => u.username), ['admin', 'ivo', 'eve', 'hired']);
    for (const user of got.results) {
      assert.deepEqual(Object.keys(user).filter((key) => !FIELDS.includes(key)), []);
    }
    (await w.get('users', 'ivo')).detail(403, 'You do not have permission to perform this action.');
    (await w.get('users')).is(401);
    (await w.post('users', 'admin', {})).is(405);
  });

  it('U-22 all faults of a registration at once', async () => {
    const none = (await register({})).is(400);
    assert.deepEqual([none.json.username, none.json.password], [['This field is required.'], ['This field is required.']]);
    const bad = (await register({ username: 'a b', password: '', email: 'nowhere' })).is(400);
    assert.deepEqual(bad.json, {
      username: ['Enter a valid username.'], password: ['This field may not be blank.'], email: ['Enter a valid email address.'],
    });
    const long = (await register({ username: 'a'.repeat(31), password: 'b'.repeat(129), email: `a@${'b'.repeat(72)}.de`, first_name: 'c'.repeat(31) })).is(400);
    assert.deepEqual(long.json.username, ['Ensure this field has no more than 30 characters.']);
    assert.deepEqual(long.json.password, ['Ensure this field has no more than 128 characters.']);
    assert.deepEqual(long.json.first_name, ['Ensure this field has no more than 30 characters.']);
    assert.ok(long.json.email.includes('Ensure this field has no more than 75 characters.'), `${long}`);
    (await register({ username: null, password: null, email: null })).field('username', 'This field may not be null.');
    const odd = (await register({ username: 'o.d@d+1-2_3', password: 'x' })).is(201);
    assert.equal(odd.json.email, '');
    (await w.delete('auth/cancel', 'admin', { username: 'o.d@d+1-2_3' })).is(204);
  });

  it('U-23 a taken name', async () => {
    (await register(person('ivo'))).is(400, { username: ['This field must be unique.'] });
  });

  it('U-24 a wrong login', async () => {
    const text = 'Unable to log in with provided credentials.';
    (await logs('ivo', 'wrong', 400)).is(400, { non_field_errors: [text] });
    (await logs('nobody', 'wrong', 400)).is(400, { non_field_errors: [text] });
    (await w.post('auth/login/', undefined, { username: 'ivo' })).is(400, { password: ['This field is required.'] });
    (await w.post('auth/login/', undefined, {})).field('username', 'This field is required.');
    (await w.get('auth/login/', 'ivo')).is(405);
  });

  let all;
  it("U-19 an admin replaces every user's token", async () => {
    all = (await w.post('auth/tokens/', 'admin', { all: 'true' })).is(200);
    for (const name of ['admin', 'ivo', 'eve']) {
      (await w.get('', name)).detail(401, 'Invalid token');
    }
  });

  it('U-25 the answer to that is an empty string', () => {
    assert.equal(all.text, '""');
  });
});
