// SPDX-License-Identifier: MIT
// The first administrator where the operator makes it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { World, bin } from './support/world.mjs';

describe('Z bootstrap by the operator', () => {
  let w;
  const deisctl = (args, input) => new Promise((resolve) => {
    const child = execFile(join(bin, 'deisctl'), ['--endpoint', w.etcd.url, ...args], (error, out, err) => {
      resolve({ rc: error ? error.code : 0, out, err });
    });
    child.stdin.end(input);
  });

  before(async () => {
    w = await World.start({ users: [], settings: { 'controller/bootstrap': 'operator' } });
  });
  after(() => w.stop());

  it('Z-01 who registers first is an ordinary user', async () => {
    await w.addUser('ivo');
    (await w.get('users', 'ivo')).is(403);
  });

  it('Z-02 deisctl makes the administrator, once', async () => {
    for (const [args, input] of [[['bad name'], 'pw\n'], [['root'], '\n'], [[], 'pw\n'], [['root', '--email', 'x'], 'pw\n']]) {
      const refused = await deisctl(['users:bootstrap', ...args], input);
      assert.deepEqual([refused.rc, refused.out], [1, ''], `${args}`);
    }
    const made = await deisctl(['users:bootstrap', 'root', '--email', 'root@example.net'], 'pw-root\n');
    assert.deepEqual(made, { rc: 0, out: 'root is the administrator: deis login\n', err: '' });
    w.tokens.root = await w.login('root', 'pw-root');
    const users = (await w.get('users', 'root')).is(200).json.results;
    assert.deepEqual(users.map((u) => [u.username, u.is_superuser]).sort(), [['ivo', false], ['root', true]]);
    assert.equal((await w.get('audit?user=deisctl', 'root')).is(200).json.results[0].action, 'user.bootstrap');
    assert.equal((await deisctl(['users:bootstrap', 'other'], 'pw\n')).rc, 1);
  });
});
