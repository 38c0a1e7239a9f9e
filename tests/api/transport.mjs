// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const UNKNOWN_TOKEN = '0123456789012345678901234567890123456789';

describe('T transport', () => {
  let w;
  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('T-01 healthz answers OK without a token, HEAD too', async () => {
    const got = (await w.client.send('GET', '/healthz')).is(200);
    assert.equal(got.text, 'OK');
    const head = (await w.client.send('HEAD', '/healthz')).is(200);
    assert.equal(head.text, '');
  });

  it('T-02 healthz takes no other method', async () => {
    for (const method of ['PUT', 'POST', 'PATCH', 'DELETE']) {
      (await w.client.send(method, '/healthz')).is(405);
    }
  });

  it('T-03 the right major version is accepted', async () => {
    const got = (await w.get('apps', 'ivo', { headers: { 'Deis-Version': '1' } })).is(200);
    assert.equal(got.headers.deis_api_version, '1.7');
  });

  it('T-04 another version is 405', async () => {
    for (const version of ['1234.5678', '1.7', '2']) {
      (await w.get('apps', 'ivo', { headers: { 'Deis-Version': version } })).is(405);
    }
    (await w.get('apps', 'ivo', { headers: { DEIS_VERSION: '2' } })).is(405);
  });

  it('T-05 no version is accepted', async () => {
    (await w.get('apps', 'ivo')).is(200);
  });

  it('T-06 the version is judged before the token and the route', async () => {
    for (const path of ['apps', 'no-such-route']) {
      (await w.get(path, undefined, { headers: { 'Deis-Version': '1234.5678' } })).is(405, {
        error: 'Client and server versions do not match. Client version: 1234.5678 Server version: 1',
      });
    }
  });

  it('T-07 the API root without a token is 401: this is a controller', async () => {
    const got = (await w.get('')).detail(401, 'Authentication credentials were not provided.');
    assert.equal(got.headers.deis_api_version, '1.7');
  });

  it('T-08 the API root with a token is {}', async () => {
    (await w.get('', 'ivo')).is(200, {});
  });

  it('T-09 an unknown token is 401 everywhere', async () => {
    for (const path of ['apps', 'keys', 'certs', 'users', 'admin/perms', 'apps/x/builds']) {
      const got = (await w.get(path, UNKNOWN_TOKEN)).detail(401, 'Invalid token');
      assert.equal(got.phrase, 'UNAUTHORIZED');
    }
    const odd = { 'token': /No credentials provided/, 'token ': /No credentials provided/, 'token a b': /should not contain spaces/ };
    for (const [value, text] of Object.entries(odd)) {
      (await w.get('apps', undefined, { headers: { Authorization: value } })).detail(401, text);
    }
    (await w.get('apps', undefined, { headers: { Authorization: `TOKEN ${w.tokens.ivo}` } })).is(200);
  });

  it('T-10 an error is exactly application/json', async () => {
    const answers = [
      await w.get('apps'), await w.get('apps/none', 'ivo'), await w.post('auth/register', undefined, {}),
      await w.put('apps', 'ivo'), await w.get('users', 'ivo'), await w.post('apps', 'ivo', { id: 'No' }),
    ];
    assert.deepEqual(answers.map((a) => a.status), [401, 404, 400, 405, 403, 400]);
    for (const answer of answers) {
      assert.equal(answer.type, 'application/json', `${answer}`);
    }
  });

  it('T-11 the four version headers are on every answer', async () => {
    const paths = ['/healthz', '/v1/', '/v1/apps', '/nowhere', '/v1/nowhere', '/v1/apps/none/logs'];
    for (const path of paths) {
      for (const token of [undefined, w.tokens.ivo]) {
        (await w.client.send('GET', path, { token })).checkFrame();
      }
    }
    (await w.client.send('PUT', '/healthz')).checkFrame();
  });

  it('T-12 a wrong method is 405 with a token and 401 without', async () => {
    const got = (await w.put('apps/x/config', 'ivo')).detail(405, "Method 'PUT' not allowed.");
    assert.deepEqual(got.headers.allow.split(', ').sort(), ['GET', 'HEAD', 'POST']);
    (await w.put('apps/x/config')).is(401);
    const unknown = (await w.client.send('GET', '/v1/nothing-here', { token: w.tokens.ivo })).is(404);
    assert.match(unknown.type, /^text\/html/);
  });

  it('T-13 malformed JSON is 400, XML is 415, a list is no object', async () => {
    (await w.post('apps', 'ivo', undefined, { text: '{"id":' })).detail(400, /^JSON parse error - /);
    (await w.post('apps', 'ivo', undefined, { text: '<id/>', type: 'text/xml' }))
      .detail(415, "Unsupported media type 'text/xml' in request.");
    (await w.post('apps', 'ivo', [])).is(400, { non_field_errors: ['Invalid data. Expected a dictionary, but got list.'] });
  });

  it('T-14 an empty body is an empty object', async () => {
    const got = (await w.post('apps', 'ivo', undefined, { text: '' })).is(201);
    (await w.delete(`apps/${got.json.id}`, 'ivo')).is(204);
  });

  it('T-15 a final slash is optional', async () => {
    const app = await w.app();
    const reads = [
      '', 'apps', `apps/${app}`, `apps/${app}/config`, `apps/${app}/builds`, `apps/${app}/releases`, `apps/${app}/releases/v1`,
      `apps/${app}/containers`, `apps/${app}/containers/web`, `apps/${app}/logs`, `apps/${app}/domains`, `apps/${app}/perms`,
      'keys', 'certs', 'users', 'admin/perms',
    ];
    for (const path of reads) {
      for (const form of path ? [path, `${path}/`] : ['']) {
        const got = await w.get(form, 'admin');
        assert.ok(got.status < 300, `${got}`);
      }
    }
    for (const path of ['auth/login', 'auth/login/', 'auth/tokens', 'auth/tokens/', 'auth/passwd', 'auth/passwd/', 'auth/register/']) {
      const got = await w.post(path, undefined, {});
      assert.ok([400, 401].includes(got.status), `${got}`);
    }
    (await w.delete(`apps/${app}/`, 'ivo')).is(204);
  });

  it('T-16 lists come in pages', async () => {
    await w.addUser('pat');
    for (let i = 0; i < 4; i++) {
      await w.app('pat', `pat-${i}`);
    }
    const one = (await w.get('apps?page_size=2', 'pat')).is(200).json;
    const two = (await w.get('apps?page_size=2&page=2', 'pat')).is(200).json;
    assert.deepEqual([one.count, one.results.length, one.previous], [4, 2, null]);
    const next = new URL(one.next);
    assert.equal(next.host, 'deis.example.net');
    assert.deepEqual([next.searchParams.get('page'), next.searchParams.get('page_size')], ['2', '2']);
    assert.deepEqual([two.count, two.results.length, two.next], [4, 2, null]);
    assert.ok(new URL(two.previous).searchParams.get('page_size') === '2');
    assert.deepEqual([...one.results, ...two.results].map((a) => a.id), ['pat-0', 'pat-1', 'pat-2', 'pat-3']);
    (await w.get('apps?page=99', 'pat')).detail(404, 'Not found');
    for (const size of ['0', '-1', 'x', '']) {
      const got = (await w.get(`apps?page_size=${size}`, 'pat')).is(200).json;
      assert.deepEqual([got.results.length, got.next], [4, null]);
    }
    assert.equal((await w.get('apps?page_size=3&page=last', 'pat')).is(200).json.results.length, 1);
    assert.deepEqual((await w.get('keys', 'pat')).is(200).json, { count: 0, next: null, previous: null, results: [] });
  });
});
