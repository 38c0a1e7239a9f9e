// SPDX-License-Identifier: MIT
// The client's lines, seen from outside: the real command against a server that answers as the test wants.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Person } from './support/deis.mjs';

const list = (results, count = results.length) => ({ body: { count, next: null, previous: null, results } });
const refuse = (status, phrase, body) => ({ status, phrase, body });
const TIMES = { created: '2026-01-02T03:04:05UTC', updated: '2026-01-02T03:04:05UTC' };

describe('T and V: the client', () => {
  let p;
  const ok = async (args, options) => {
    const got = await p.run(args, options);
    assert.equal(got.rc, 0, `deis ${args.join(' ')}: ${JSON.stringify(got)}`);
    return got;
  };
  // What the command asked for: "METHOD path body".
  const asked = async (args, options) => {
    await p.run(args, options);
    return p.requests.map(({ method, path, text }) => `${method} ${decodeURIComponent(path)}${text ? ` ${text}` : ''}`);
  };

  before(async () => {
    p = await Person.start();
  });
  after(() => p.stop());

  it('T-17 a shortened list says so', async () => {
    p.reply = () => list([{ id: 'b' }, { id: 'a' }], 4);
    assert.equal((await ok(['apps:list'])).out, '=== Apps (2 of 4)\na\nb\n');
    p.reply = () => list([{ id: 'b' }, { id: 'a' }]);
    assert.equal((await ok(['apps:list'])).out, '=== Apps\na\nb\n');
  });

  it('T-18 an error map is printed under the status line', async () => {
    p.reply = () => refuse(400, 'BAD REQUEST', { detail: 'one', id: ['two', 'three'] });
    const got = await p.run(['apps:info', '-a', 'x']);
    assert.equal(got.rc, 1);
    const lines = got.err.split('\n');
    assert.deepEqual([lines[0], lines[1]], ['Error: ', '400 BAD REQUEST']);
    assert.deepEqual(lines.slice(2).filter((l) => l).sort(), ['detail: one', 'id: three', 'id: two']);
  });

  it('T-19 an error that is no JSON is printed as it is', async () => {
    p.reply = () => ({ status: 500, phrase: 'INTERNAL SERVER ERROR', body: '<h1>Server Error (500)</h1>', type: 'text/html' });
    const got = await p.run(['apps:info', '-a', 'x']);
    assert.equal(got.rc, 1);
    assert.match(got.err, /^Error: \n500 INTERNAL SERVER ERROR\n<h1>Server Error \(500\)<\/h1>\n/);
  });

  it('T-20 200, 201 and 204 are no errors', async () => {
    const versions = { DEIS_API_VERSION: '1.7' };
    for (const [status, phrase] of [[200, 'OK'], [201, 'CREATED'], [204, 'NO CONTENT']]) {
      p.reply = () => ({ status, phrase, headers: versions });
      await ok(['perms:create', 'ivo', '-a', 'x']);
    }
    for (const [status, phrase] of [[199, 'ODD'], [400, 'BAD REQUEST'], [503, 'SERVICE UNAVAILABLE']].slice(1)) {
      p.reply = () => ({ status, phrase, headers: versions });
      assert.equal((await p.run(['perms:create', 'ivo', '-a', 'x'])).rc, 1);
    }
  });

  it('T-21 what each request carries', async () => {
    p.reply = () => list([]);
    await ok(['apps:list']);
    const { authorization, 'content-type': type, 'user-agent': agent } = p.requests[0].headers;
    assert.deepEqual([authorization, type, agent], ['token abc', 'application/json', 'Deis Client v1.13.4']);
  });

  it('T-22 another API version is warned of', async () => {
    for (const [headers, theirs] of [[{}, ''], [{ DEIS_API_VERSION: '2.0' }, '2.0'], [{ 'Deis-Api-Version': '1.7' }, '']]) {
      p.reply = () => ({ ...list([]), headers });
      const { out } = await ok(['apps:list']);
      assert.match(out, /^! {4}WARNING: Client and server API versions do not match\. Please consider upgrading\.$/m);
      assert.match(out, new RegExp(`^! {4}Client version: 1\\.7\\n! {4}Server version: ${theirs}\n`, 'm'));
    }
    p.reply = () => ({ ...refuse(404, 'NOT FOUND', { detail: 'Not found' }), headers: {} });
    assert.doesNotMatch((await p.run(['apps:info', '-a', 'x'])).out, /WARNING/);
  });

  it('V-01 help in its forms', async () => {
    const main = (await ok(['help'])).out;
    assert.equal((await ok(['--help'])).out, main);
    assert.equal((await ok(['-h'])).out, main);
    const apps = (await ok(['help', 'apps'])).out;
    assert.equal((await ok(['apps', '--help'])).out, apps);
    assert.equal((await ok(['-h', 'apps'])).out, apps);
    assert.notEqual(apps, main);
  });

  it('V-02 groups and shortcuts', async () => {
    p.reply = () => list([{ id: 'a' }]);
    assert.equal((await ok(['apps'])).out, (await ok(['apps:list'])).out);
    assert.deepEqual(await asked(['create', '--no-remote', 'blog']), await asked(['apps:create', '--no-remote', 'blog']));
    const unknown = await p.run(['no-such-thing']);
    assert.equal(unknown.rc, 1);
    assert.match(unknown.err, /Found no matching command, try 'deis help'/);
  });

  it('V-03 plugins', async () => {
    writeFileSync(join(p.path, 'deis-ssh'), '#!/bin/sh\necho "ssh[$*]"\nexit 7\n', { mode: 0o755 });
    assert.deepEqual([(await p.run(['ssh'])).out, (await p.run(['ssh:verb', 'a'])).out, (await p.run(['ssh'])).rc],
      ['ssh[]\n', 'ssh[verb a]\n', 7]);
  });

  it('V-04 which profile', async () => {
    p.login('testing');
    p.reply = () => list([]);
    p.writeProfile({ ...p.readProfile('testing'), token: 'other' }, 'testing');
    await ok(['apps'], { env: { DEIS_PROFILE: 'testing' } });
    assert.equal(p.requests[0].headers.authorization, 'token other');
    await ok(['apps']);
    assert.equal(p.requests[0].headers.authorization, 'token abc');
  });

  it('V-05 load, save, delete a profile', async () => {
    p.reply = () => list([]);
    assert.deepEqual(await asked(['apps']), ['GET /v1/apps/?page_size=100']);
    p.writeProfile({ ...p.readProfile(), response_limit: 7 });
    assert.deepEqual(await asked(['apps']), ['GET /v1/apps/?page_size=7']);
    p.writeProfile('{');
    assert.equal((await p.run(['apps'])).rc, 1);
    p.reply = ({ method, path }) => (method === 'GET' ? refuse(401, 'UNAUTHORIZED', { detail: 'x' })
      : { status: path.includes('login') ? 200 : 201, body: { token: 'fresh' } });
    assert.equal((await ok(['auth:login', p.controller, '--username=ivo', '--password=x'])).out, 'Logged in as ivo\n');
    assert.deepEqual(p.readProfile(), { username: 'ivo', ssl_verify: false, controller: p.controller, token: 'fresh', response_limit: 100 });
    assert.equal((await ok(['auth:logout'])).out, 'Logged out\n');
    assert.equal(p.readProfile(), undefined);
    const got = await p.run(['apps']);
    assert.deepEqual([got.rc, got.err], [1, "Error: Not logged in. Use 'deis login' or 'deis register' to get started.\n"]);
    p.login();
  });

  it('V-06 the remote has the port of git, not of the controller', async () => {
    execFileSync('git', ['init', '-q'], { cwd: p.folder });
    const { out } = await ok(['git:remote', '-a', 'blog']);
    assert.match(out, /^Git remote deis added\n/);
    const remote = execFileSync('git', ['remote', 'get-url', 'deis'], { cwd: p.folder }).toString();
    assert.equal(remote, 'ssh://git@127.0.0.1:2222/blog.git\n');
    p.reply = () => list([]);
    assert.deepEqual(await asked(['releases']), ['GET /v1/apps/blog/releases/?page_size=100']);
  });

  it('V-07 keys and their files', async () => {
    const ssh = join(p.home, '.ssh');
    mkdirSync(ssh);
    const blob = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7';
    writeFileSync(join(ssh, 'with.pub'), `${blob} mira@box\n`);
    writeFileSync(join(ssh, 'bare.pub'), blob);
    writeFileSync(join(ssh, 'other'), 'x');
    p.reply = () => ({ status: 201, phrase: 'CREATED', body: {} });
    assert.equal((await ok(['keys:add', join(ssh, 'with.pub')])).out, 'Uploading with.pub to deis... done\n');
    assert.deepEqual(p.requests[0].json, { id: 'mira@box', public: `${blob} mira@box\n` });
    await ok(['keys:add', join(ssh, 'bare.pub')]);
    assert.equal(p.requests[0].json.id, 'bare');
    const menu = await ok(['keys:add'], { input: '1\n' });
    assert.match(menu.out, /^Found the following SSH public keys:\n1\) bare\.pub bare\n2\) with\.pub mira@box\n0\) Enter path to pubfile/);
  });

  it('V-08 what is sorted how', async () => {
    p.reply = () => list(['b', 'c', 'a'].map((id) => ({ id, username: id, domain: id, public: `ssh-rsa ${'A'.repeat(40)} x\n` })));
    for (const args of [['apps'], ['users'], ['domains', '-a', 'x'], ['keys']]) {
      const lines = (await ok(args)).out.split('\n').slice(1).filter((l) => l).map((l) => l[0]);
      assert.deepEqual(lines, ['a', 'b', 'c'], args[0]);
    }
    const row = (type, num) => ({ type, num, release: 'v2', state: 'up', ...TIMES });
    p.reply = () => list([row('web', 10), row('worker', 1), row('web', 2), row('cmd', 1)]);
    const { out } = await ok(['ps', '-a', 'x']);
    assert.deepEqual(out.match(/^\w+\.\d+/gm), ['cmd.1', 'web.2', 'web.10', 'worker.1']);
  });

  it('V-09 log lines of any kind', async () => {
    const text = '2026-01-02T03:04:05UTC x[web.1]: \\n \\u0041 %s %d {} {{.}} \u001b[1m \u{1f980}\nno colon at all\n: \n';
    p.reply = () => ({ body: text, type: 'text/plain' });
    const { out } = await ok(['logs', '-a', 'x']);
    assert.ok(out.includes('\\n \\u0041 %s %d {} {{.}} \u001b[1m \u{1f980}'), out);
    assert.equal(out.split('\n').length - 1, 4);
    p.reply = () => ({ status: 204, phrase: 'NO CONTENT' });
    await ok(['logs', '-a', 'x']);
  });

  it('V-10 paths and bodies', async () => {
    p.reply = () => undefined;
    const cases = [
      [['apps:create', '--no-remote', 'x'], 'POST /v1/apps/ {"id":"x"}'], [['apps:create', '--no-remote'], 'POST /v1/apps/'],
      [['apps:destroy', '-a', 'x', '--confirm=x'], 'DELETE /v1/apps/x/'], [['apps:transfer', 'ivo', '-a', 'x'], 'POST /v1/apps/x/ {"owner":"ivo"}'],
      [['apps:run', '-a', 'x', 'ls', '/'], 'POST /v1/apps/x/run {"command":"ls /"}'], [['apps:logs', '-a', 'x', '-n', '5'], 'GET /v1/apps/x/logs?log_lines=5'],
      [['auth:passwd', '--password=a', '--new-password=b'], 'POST /v1/auth/passwd/ {"password":"a","new_password":"b"}'],
      [['auth:regenerate', '-u', 'ivo'], 'POST /v1/auth/tokens/ {"username":"ivo"}'], [['auth:regenerate', '--all'], 'POST /v1/auth/tokens/ {"all":true}'],
      [['builds:create', 'img:1', '-a', 'x', '-p', 'web: run it'], 'POST /v1/apps/x/builds/ {"image":"img:1","procfile":{"web":"run it"}}'],
      [['builds:create', 'img:1', '-a', 'x'], 'POST /v1/apps/x/builds/ {"image":"img:1"}'], [['builds:list', '-a', 'x'], 'GET /v1/apps/x/builds/?page_size=100'],
      [['certs:list'], 'GET /v1/certs/?page_size=100'], [['certs:remove', 'a.example.org'], 'DELETE /v1/certs/a.example.org'],
      [['certs:info', 'a.example.org'], 'GET /v1/certs/a.example.org'], [['certs:auto', 'a.example.org'], 'POST /v1/autocerts/ {"domain":"a.example.org"}'],
      [['certs:auto:off', 'a.example.org'], 'DELETE /v1/autocerts/a.example.org'], [['certs:auto:list'], 'GET /v1/autocerts/?page_size=100'],
      [['config:set', 'A=1', '-a', 'x'], 'POST /v1/apps/x/config/ {"values":{"A":"1"}}'], [['config:list', '-a', 'x'], 'GET /v1/apps/x/config/'],
      [['domains:add', 'a.example.org', '-a', 'x'], 'POST /v1/apps/x/domains/ {"domain":"a.example.org"}'],
      [['domains:remove', 'a.example.org', '-a', 'x'], 'DELETE /v1/apps/x/domains/a.example.org'], [['keys:remove', 'mira@box'], 'DELETE /v1/keys/mira@box'],
      [['limits:set', 'web=1G', '-a', 'x'], 'POST /v1/apps/x/config/ {"memory":{"web":"1G"}}'],
      [['limits:set', '-c', 'web=512', '-a', 'x'], 'POST /v1/apps/x/config/ {"cpu":{"web":"512"}}'],
      [['perms:create', 'ivo', '-a', 'x'], 'POST /v1/apps/x/perms/ {"username":"ivo"}'], [['perms:delete', 'ivo', '-a', 'x'], 'DELETE /v1/apps/x/perms/ivo'],
      [['perms:create', 'ivo', '--admin'], 'POST /v1/admin/perms/ {"username":"ivo"}'], [['perms:delete', 'ivo', '--admin'], 'DELETE /v1/admin/perms/ivo'],
      [['ps:scale', 'web=2', 'worker=0', '-a', 'x'], 'POST /v1/apps/x/scale/ {"web":2,"worker":0}'],
      [['ps:restart', '-a', 'x'], 'POST /v1/apps/x/containers/restart/'], [['ps:restart', 'web', '-a', 'x'], 'POST /v1/apps/x/containers/web/restart/'],
      [['ps:restart', 'web.2', '-a', 'x'], 'POST /v1/apps/x/containers/web/2/restart/'], [['releases:info', '3', '-a', 'x'], 'GET /v1/apps/x/releases/v3/'],
      [['releases:rollback', '-a', 'x'], 'POST /v1/apps/x/releases/rollback/'], [['releases:rollback', 'v2', '-a', 'x'], 'POST /v1/apps/x/releases/rollback/ {"version":2}'],
      [['routing:list', '-a', 'x'], 'GET /v1/apps/x/routing/'],
      [['routing:set', 'timeout=30s', 'whitelist=10.0.0.1,::1', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"timeout":"30s","whitelist":"10.0.0.1,::1"}}'],
      [['routing:unset', 'timeout', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"timeout":null}}'],
      [['maintenance:on', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"maintenance":true}}'],
      [['maintenance:off', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"maintenance":null}}'],
      [['whitelist:add', '10.0.0.1', '::1', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"whitelist":{"add":["10.0.0.1","::1"]}}}'],
      [['whitelist:remove', '10.0.0.1', '-a', 'x'], 'POST /v1/apps/x/routing/ {"settings":{"whitelist":{"remove":["10.0.0.1"]}}}'],
      [['tags:set', 'rack=1', '-a', 'x'], 'POST /v1/apps/x/config/ {"tags":{"rack":"1"}}'], [['users:list', '-l', '3'], 'GET /v1/users/?page_size=3'],
    ];
    for (const [args, wanted] of cases) {
      assert.equal((await asked(args))[0], wanted, args.join(' '));
    }
  });

  it('V-11 what is unset is null', async () => {
    const cases = { 'config:unset A': 'values', 'limits:unset A': 'memory', 'limits:unset -c A': 'cpu', 'tags:unset A': 'tags' };
    for (const [words, map] of Object.entries(cases)) {
      assert.deepEqual((await asked([...words.split(' '), '-a', 'x']))[0], `POST /v1/apps/x/config/ {"${map}":{"A":null}}`);
    }
  });

  it("V-12 a group's help is asked for by the second word only", async () => {
    assert.equal((await ok(['apps', '--help'])).out, (await ok(['help', 'apps'])).out);
    p.reply = () => ({ body: [0, 'out'] });
    await p.run(['apps:run', '-a', 'x', '--', 'ls', '--help']);
    assert.deepEqual(p.requests[0].json, { command: 'ls --help' });
  });
});
