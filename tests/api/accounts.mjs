// SPDX-License-Identifier: MIT
// Accounts when somebody guesses, hurries, or has very much.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { until } from './support/process.mjs';
import { World } from './support/world.mjs';

describe('J accounts under stress', () => {
  let w;
  const login = (username, password, headers = {}) => w.post('auth/login/', undefined, { username, password }, { headers });

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('J-01 guessing the current password of an account is rationed as a login is', async () => {
    await w.addUser('kim');
    const change = (password) => w.post('auth/passwd', 'kim', { password, new_password: 'other' });
    for (let i = 0; i < 10; i++) {
      (await change('guess')).detail(400, 'Current password does not match');
    }
    const refused = (await change('guess')).detail(429, /try again in \d+ seconds/);
    assert.match(refused.headers['retry-after'], /^\d+$/);
    (await change('pw-kim')).is(429);
    (await login('kim', 'pw-kim')).is(429);
    (await w.post('auth/passwd', 'admin', { username: 'kim', new_password: 'fresh' })).is(200);
    (await w.get('', 'kim')).is(200);
  });

  it('J-02 guesses that come at once are as few as those one after the other', async () => {
    await w.addUser('lou');
    const answers = await Promise.all(Array.from({ length: 60 }, () => login('lou', 'guess')));
    const looked = answers.filter((got) => got.status === 400).length;
    assert.ok(looked >= 10 && looked <= 11, `${looked} were looked at`); // two at a time
    assert.ok(answers.every((got) => [400, 429, 503].includes(got.status)));
  });

  it('J-03 new tokens instead of all others: none that was issued meanwhile is left', async () => {
    await w.addUser('mo');
    let going = true;
    const again = async (call) => {
      while (going) {
        await call();
      }
    };
    const work = [
      ...Array.from({ length: 4 }, () => again(() => w.post('auth/tokens/', 'admin', { username: 'mo' }))),
      ...Array.from({ length: 2 }, () => again(() => login('mo', 'pw-mo'))),
    ];
    const revisions = async (prefix, wanted) => {
      const rows = await w.etcd.rows(prefix);
      return rows.filter(({ value }) => wanted(JSON.parse(value))).map(({ created }) => created);
    };
    const renewed = () => revisions('/deis/audit/', ({ action, object }) => action === 'tokens.regenerate' && object === 'user/mo');
    await until('many new tokens', async () => (await renewed()).length > 40);
    going = false;
    await Promise.all(work);
    const last = Math.max(...await renewed());
    const older = (await revisions('/deis/tokens/', ({ user }) => user === 'mo')).filter((created) => created < last);
    assert.deepEqual(older, [], 'tokens older than the last revocation');
  });

  // Grants on 130 apps, which no transaction of etcd takes at once.
  const shares = (user) => Array.from({ length: 130 }, (_, i) => [`share-${String(i).padStart(3, '0')}`, user]);
  const left = async (user) => {
    const { docs } = await w.etcd.list('/deis/');
    return Object.keys(docs).filter((key) => key.split('/').includes(user) && !key.startsWith('/deis/config/'));
  };
  const share = (user) => w.etcd.change(Object.fromEntries(shares(user)
    .flatMap(([app]) => [[`/deis/apps/${app}/perms/${user}`, '{}'], [`/deis/index/shared/${user}/${app}`, '{}']])), []);

  it('J-04 who has very much leaves as a whole', async () => {
    await w.addUser('nan');
    await share('nan');
    (await w.delete('auth/cancel', 'nan')).is(204);
    assert.deepEqual(await left('nan'), []);
    await w.addUser('nan'); // the name is free again, and nothing comes with it
    (await w.get('apps', 'nan')).is(200);
    assert.equal(await w.count('apps', 'nan'), 0);
  });

  it('J-05 a departure that was cut is finished, by whichever controller runs; its name is not free before', async () => {
    await w.etcd.put('/deis/leaving/ole', '{}');
    await share('ole');
    const register = () => w.post('auth/register', undefined, { username: 'ole', password: 'pw-ole', email: '' });
    const early = await register();
    if (early.status !== 201) {
      early.detail(409, 'The account ole is just being removed, try again');
      await until('the rest', async () => (await left('ole')).length === 0);
      (await register()).is(201);
    }
    assert.deepEqual((await left('ole')).filter((key) => key !== '/deis/users/ole'), []);
  });

  it('J-07 a quota holds for things that come at once', async () => {
    await w.addUser('quin');
    await w.addUser('rae');
    await w.app('rae');
    await w.setting('controller/appsPerUser', '1', async () => (await w.post('apps', 'rae', {})).status === 413);
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => w.post('apps', 'quin', { id: `quin-${i}` })));
    assert.equal(await w.count('apps', 'quin'), 1);
    assert.deepEqual(answers.map((got) => got.status).sort(), [201, ...Array(29).fill(413)]);
    await w.etcd.change({}, ['/deis/config/controller/appsPerUser']);
  });

  it('J-06 failures count for the client that a router names, and for the peer when that is no router', async () => {
    await w.addUser('pat');
    const guess = (source) => login('pat', 'guess', { 'X-Forwarded-For': source });
    const spend = async (sources) => {
      for (let i = 0; i < 10; i++) {
        (await guess(sources[i % sources.length])).is(400);
      }
    };
    await spend(['192.0.2.1']);
    (await guess('192.0.2.1')).is(429);
    await spend(['2001:db8:1:2::1', '2001:db8:1:2:3:4:5:6']); // one client's /64
    (await guess('2001:db8:1:2::ffff')).is(429);
    (await guess('2001:db8:1:3::1')).is(400);
    (await login('pat', 'pw-pat', { 'X-Forwarded-For': '192.0.2.2' })).is(200);
    await spend(['no address']); // the peer's own
    (await guess('no address')).is(429);
    const source = async (claimed) => {
      const name = `source-${claimed.replaceAll('.', '-')}`;
      await w.post('apps', 'pat', { id: name }, { headers: { 'X-Forwarded-For': claimed } });
      (await w.delete(`apps/${name}`, 'pat')).is(204);
      return (await w.get(`audit?app=${name}&page_size=100`, 'admin')).json.results.find(({ action }) => action === 'app.create').source;
    };
    assert.equal(await source('192.0.2.3'), '192.0.2.3');
    await w.setting('controller/proxyFrom', '10.0.0.0/8', async () => await source('192.0.2.4') === '127.0.0.1');
    (await guess('192.0.2.5')).is(429); // of the peer
    assert.match(w.controller.log(), /X-Forwarded-For is not believed/);
    await w.setting('controller/proxyFrom', 'junk', () => /setting refused/.test(w.controller.log()));
    assert.equal(await source('192.0.2.6'), '127.0.0.1');
    await w.setting('controller/proxyFrom', '10.0.0.0/8,127.0.0.1', async () => await source('192.0.2.7') === '192.0.2.7');
  });
});
