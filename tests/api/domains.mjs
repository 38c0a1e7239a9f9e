// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const DENIED = 'You do not have permission to perform this action.';

describe('D domains', () => {
  let w;
  const add = (app, domain, as = 'ivo') => w.post(`apps/${app}/domains`, as, { domain });
  const remove = (app, domain, as = 'ivo') => w.delete(`apps/${app}/domains/${domain}`, as);
  const names = async (app) => (await w.rows(`apps/${app}/domains`, 'ivo')).map((d) => d.domain);

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('D-01 what a domain looks like', async () => {
    const app = await w.app();
    const got = (await add(app, 'test-domain.example.com')).is(201);
    got.keysWithin('uuid', 'owner', 'app', 'domain', 'created', 'updated');
    assert.deepEqual([got.json.owner, got.json.app, got.json.domain], ['ivo', app, 'test-domain.example.com']);
    await w.platform.logged(app, 'domain test-domain.example.com added');
    (await remove(app, 'test-domain.example.com')).is(204);
  });

  it('D-02 names that are taken', async () => {
    const app = await w.app();
    const good = ['test-domain.example.com', 'django.paas-sandbox', 'domain', `not.too.${'l'.repeat(63)}`, '3com.com',
      'w3.example.com', 'MYDOMAIN.NET', 'autotest.127.0.0.1.xip.io'];
    for (const domain of good) {
      assert.equal((await add(app, domain)).is(201).json.domain, domain);
      assert.deepEqual(await names(app), [domain]);
      assert.equal((await remove(app, domain)).is(204).text, '');
      assert.deepEqual(await names(app), []);
    }
  });

  it('D-03 removing one of two', async () => {
    const app = await w.app();
    (await add(app, 'one.example.org')).is(201);
    (await add(app, 'two.example.org')).is(201);
    (await remove(app, 'one.example.org')).is(204);
    assert.deepEqual(await names(app), ['two.example.org']);
    (await remove(app, 'one.example.org')).detail(404, 'Not found');
    (await w.get(`apps/${app}/domains/two.example.org`, 'ivo')).is(405);
  });

  it('D-04 of an unknown app', async () => {
    (await add('no-such-app', 'x.example.org')).is(404);
    (await w.get('apps/no-such-app/domains', 'ivo')).is(404);
  });

  it('D-05 names that are refused', async () => {
    const app = await w.app();
    const bad = ['this_is_an.invalid.domain', 'this-is-an.invalid.1', 'django.pass--sandbox', 'domain1', '3333.com',
      `too.${'l'.repeat(64)}`, 'a_b.com', 'x--y.com', '-a.com', 'a-.com', 'a..com', '.com', 'a b.com', 'ä.com', 'a.com\n', 'a.com/', '..'];
    for (const domain of bad) {
      (await add(app, domain)).field('domain', 'Hostname does not look valid.');
    }
    (await add(app, `${'a.'.repeat(127)}com`)).field('domain', 'Hostname must be 255 characters or less.');
    (await add(app, '')).field('domain', 'This field may not be blank.');
    (await w.post(`apps/${app}/domains`, 'ivo', {})).field('domain', 'This field is required.');
    assert.deepEqual(await names(app), []);
  });

  it('D-06 no wildcard', async () => {
    (await add(await w.app(), '*.deis.example.com')).field('domain', 'Adding a wildcard subdomain is currently not supported.');
  });

  it("D-07 an admin adds to another's app, a stranger does not", async () => {
    const app = await w.app('ivo');
    (await add(app, 'admin.example.org', 'admin')).is(201);
    (await add(app, 'eve.example.org', 'eve')).detail(403, DENIED);
    (await remove(app, 'admin.example.org', 'eve')).detail(403, DENIED);
    (await remove(app, 'admin.example.org', 'admin')).is(204);
  });

  it('D-08 a name belongs to one app', async () => {
    const [one, two] = [await w.app('ivo'), await w.app('eve')];
    assert.equal((await add(one, 'b.com.')).is(201).json.domain, 'b.com');
    (await add(one, 'b.com')).is(400, { domain: ['This field must be unique.'] });
    (await add(two, 'b.com', 'eve')).is(400, { domain: ['This field must be unique.'] });
    (await add(two, 'b.com.', 'eve')).field('domain', 'The domain b.com is already in use by another app');
    (await w.delete(`apps/${one}`, 'ivo')).is(204);
    (await add(two, 'b.com', 'eve')).is(201);
  });
});

describe('D wildcard domains, where the platform takes them', () => {
  let w;
  const add = (app, domain, as = 'ivo') => w.post(`apps/${app}/domains`, as, { domain });
  const remove = (app, domain, as = 'ivo') => w.delete(`apps/${app}/domains/${domain}`, as);
  const inUse = (domain) => `The domain ${domain} is already in use by another app`;

  before(async () => {
    w = await World.start({ settings: { 'controller/wildcardDomains': 'true' } });
  });
  after(() => w.stop());

  it('D-20 a wildcard comes and goes', async () => {
    const app = await w.app();
    assert.equal((await add(app, '*.Shop.test.')).is(201).json.domain, '*.Shop.test');
    assert.deepEqual(JSON.parse(await w.etcd.get('/deis/domains/*.shop.test')).app, app);
    assert.deepEqual((await w.rows(`apps/${app}/domains`, 'ivo')).map((d) => d.domain), ['*.Shop.test']);
    (await add(app, '*.shop.test')).field('domain', inUse('*.shop.test'));
    (await remove(app, '*.shop.test')).is(204);
    assert.equal(await w.etcd.get('/deis/domains/*.shop.test'), undefined);
    (await remove(app, '*.shop.test')).is(404);
  });

  it('D-21 what is no wildcard', async () => {
    const app = await w.app();
    for (const domain of ['*', '*.com', '*a.shop.test', '*shop.test']) {
      (await add(app, domain)).field('domain', 'A wildcard looks like *.example.com.');
    }
    for (const domain of ['*.', '*.*.shop.test', '*.a_b.com', '*..com', '*.-a.com', 'a.*.com']) {
      assert.equal((await add(app, domain)).status, 400, domain);
    }
    assert.deepEqual(await w.rows(`apps/${app}/domains`, 'ivo'), []);
  });

  it("D-22 the platform's names can not be covered", async () => {
    const app = await w.app();
    for (const domain of ['*.example.net', '*.EXAMPLE.net', '*.blog.example.net', '*.deis.example.net', `*.${app}.example.net`]) {
      (await add(app, domain)).field('domain', 'A wildcard must not cover names of the platform (example.net).');
    }
    (await add(app, '*.xexample.net')).is(201);
  });

  it('D-23 a wildcard and the names within it belong to one owner', async () => {
    const [mine, also, hers] = [await w.app('ivo'), await w.app('ivo'), await w.app('eve')];
    (await add(mine, '*.one.test')).is(201);
    (await add(hers, 'www.one.test', 'eve')).field('domain', inUse('*.one.test'));
    (await add(hers, '*.one.test', 'eve')).is(400, { domain: ['This field must be unique.'] });
    (await add(also, 'www.one.test')).is(201);
    (await add(hers, 'one.test', 'eve')).is(201);
    (await add(hers, 'a.b.one.test', 'eve')).is(201);
    (await add(hers, '*.b.one.test', 'eve')).is(201);
    (await add(hers, 'www.two.test', 'eve')).is(201);
    (await add(mine, '*.two.test')).field('domain', inUse('www.two.test'));
    (await remove(hers, 'www.two.test', 'eve')).is(204);
    (await add(mine, '*.two.test')).is(201);
    // With the app goes the wildcard.
    (await w.delete(`apps/${mine}`, 'ivo')).is(204);
    (await add(hers, 'www.two.test', 'eve')).is(201);
  });

  it('D-24 of two who claim at the same moment one is refused', async () => {
    for (let i = 0; i < 15; i++) {
      const [mine, hers] = [await w.app('ivo'), await w.app('eve')];
      const answers = await Promise.all([add(mine, `*.race${'abcdefghijklmno'[i]}.test`), add(hers, `www.race${'abcdefghijklmno'[i]}.test`, 'eve')]);
      const statuses = answers.map((a) => a.status);
      assert.ok(statuses.every((s) => s === 201 || s === 400), statuses.join());
      assert.ok(statuses.filter((s) => s === 201).length <= 1, statuses.join());
      const kept = [await w.rows(`apps/${mine}/domains`, 'ivo'), await w.rows(`apps/${hers}/domains`, 'eve')].map((r) => r.length);
      assert.deepEqual(kept, statuses.map((s) => (s === 201 ? 1 : 0)));
    }
  });
});
