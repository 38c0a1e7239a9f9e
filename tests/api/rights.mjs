// SPDX-License-Identifier: MIT
// Every caller on every route with every method: the table of rights, walked completely.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

// Who may: all (nobody needs to be known), user, admin, use (owner, collaborator, admin), own (owner, admin),
// self (as own, and a collaborator about himself), hook (the builder's key).
const ROUTES = {
  '': { GET: 'user' },
  'openapi.json': { GET: 'all' },
  'auth/register': { POST: 'all' },
  'auth/login/': { POST: 'all' },
  'auth/tokens/': { GET: 'user', POST: 'user' },
  'auth/tokens/none': { DELETE: 'user' },
  'auth/passwd': { POST: 'user' },
  'auth/cancel': { DELETE: 'user' },
  users: { GET: 'admin' },
  audit: { GET: 'admin' },
  'admin/perms': { GET: 'admin', POST: 'admin' },
  'admin/perms/nobody': { DELETE: 'admin' },
  keys: { GET: 'user', POST: 'user' },
  'keys/none': { GET: 'user', DELETE: 'user' },
  certs: { GET: 'user', POST: 'user' },
  'certs/none': { GET: 'user', DELETE: 'user' },
  autocerts: { GET: 'user', POST: 'user' },
  'autocerts/none': { GET: 'user', DELETE: 'user' },
  apps: { GET: 'user', POST: 'user' },
  'apps/APP': { GET: 'use', POST: 'use', DELETE: 'own' },
  'apps/APP/config': { GET: 'use', POST: 'use' },
  'apps/APP/builds': { GET: 'use', POST: 'use' },
  'apps/APP/builds/00000000-0000-4000-8000-000000000000': { GET: 'use' },
  'apps/APP/releases': { GET: 'use' },
  'apps/APP/releases/v1': { GET: 'use' },
  'apps/APP/releases/rollback': { POST: 'use' },
  'apps/APP/containers': { GET: 'use' },
  'apps/APP/containers/web': { GET: 'use' },
  'apps/APP/containers/web/1': { GET: 'use' },
  'apps/APP/containers/restart': { POST: 'use' },
  'apps/APP/containers/web/restart': { POST: 'use' },
  'apps/APP/containers/web/1/restart': { POST: 'use' },
  'apps/APP/containers/run/9/stop': { POST: 'use' },
  'apps/APP/scale': { POST: 'use' },
  'apps/APP/run': { POST: 'use' },
  'apps/APP/logs': { GET: 'use' },
  'apps/APP/domains': { GET: 'use', POST: 'use' },
  'apps/APP/domains/none.example.org': { DELETE: 'own' },
  'apps/APP/routing': { GET: 'use', POST: 'use' },
  'apps/APP/perms': { GET: 'use', POST: 'own' },
  'apps/APP/perms/kim': { DELETE: 'own' },
  'apps/APP/perms/pat': { DELETE: 'self' },
  'hooks/push': { POST: 'hook' },
  'hooks/config': { POST: 'hook' },
  'hooks/build': { POST: 'hook' },
  'hooks/builds': { POST: 'hook' },
};

const CALLERS = ['anonymous', 'stranger', 'collaborator', 'owner', 'admin'];
const NAMES = { stranger: 'eve', collaborator: 'pat', owner: 'ivo', admin: 'admin' };

// 401, 403, or 'in': any other answer.
function verdict(right, caller) {
  if (right === 'all') {
    return 'in';
  }
  if (caller === 'anonymous') {
    return 401;
  }
  const allowed = {
    user: CALLERS, hook: [], admin: ['admin'], use: ['collaborator', 'owner', 'admin'], own: ['owner', 'admin'],
    self: ['collaborator', 'owner', 'admin'],
  }[right];
  return allowed.includes(caller) ? 'in' : 403;
}

// The answer to a method that the route lacks.
function otherMethod(rights, caller) {
  const strict = Object.values(rights).every((right) => right === 'admin' || right === 'hook');
  const first = Object.values(rights)[0];
  if (first === 'all') {
    return caller === 'anonymous' ? [401, 405] : [405];
  }
  return [strict && verdict(first, caller) !== 'in' ? verdict(first, caller) : caller === 'anonymous' ? 401 : 405];
}

describe('Y rights', () => {
  let w;
  const wrong = async (method, path, caller, wanted) => {
    const body = method === 'POST' || method === 'DELETE' ? { username: 'nobody' } : undefined;
    const { status } = await w.send(method, path, NAMES[caller], body);
    const good = wanted.includes('in') ? status !== 401 && status !== 403 && status !== 405 && status < 500 : wanted.includes(status);
    return good ? [] : [`${method} ${path} as ${caller}: ${status}, wanted ${wanted}`];
  };
  const shared = async () => {
    const app = await w.built('ivo');
    for (const username of ['pat', 'kim']) {
      (await w.post(`apps/${app}/perms`, 'ivo', { username })).is(201);
    }
    return app;
  };

  before(async () => {
    w = await World.start({ users: ['admin', 'ivo', 'eve', 'pat', 'kim'] });
  });
  after(() => w.stop());

  it('Y-01 each caller on each route', async () => {
    const faults = [];
    let app = await shared();
    for (const [route, rights] of Object.entries(ROUTES)) {
      for (const [method, right] of Object.entries(rights)) {
        for (const caller of CALLERS) {
          // These are about the caller, or end what the others need.
          const other = { 'auth/cancel': 'in', 'auth/tokens/': 'in', 'auth/passwd': 'in' }[route] && method !== 'GET' && caller !== 'anonymous' && caller !== 'admin';
          faults.push(...await wrong(method, route.replace('APP', app), caller, [other ? 403 : verdict(right, caller)]));
          if (method === 'GET') {
            faults.push(...await wrong('HEAD', route.replace('APP', app), caller, [verdict(right, caller)]));
          }
          if (method === 'DELETE' && (route === 'apps/APP' || route.includes('perms')) && route.startsWith('apps')) {
            app = await shared();
          }
        }
      }
    }
    assert.deepEqual(faults, []);
  });

  it('Y-02 each caller with each method that a route lacks', async () => {
    const faults = [];
    const app = await shared();
    for (const [route, rights] of Object.entries(ROUTES)) {
      for (const method of METHODS.filter((m) => !rights[m] && !(m === 'HEAD' && rights.GET))) {
        for (const caller of CALLERS) {
          faults.push(...await wrong(method, route.replace('APP', app), caller, otherMethod(rights, caller)));
        }
      }
    }
    assert.deepEqual(faults, []);
  });

  it('Y-03 an app that is not there is 404 for everybody who is known', async () => {
    const faults = [];
    for (const [route, rights] of Object.entries(ROUTES).filter(([path]) => path.startsWith('apps/APP'))) {
      for (const method of Object.keys(rights)) {
        for (const caller of CALLERS) {
          faults.push(...await wrong(method, route.replace('APP', 'no-such-app'), caller, [caller === 'anonymous' ? 401 : 404]));
        }
      }
    }
    assert.deepEqual(faults, []);
  });
});
