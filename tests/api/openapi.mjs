// SPDX-License-Identifier: MIT
// The API's description of itself. Each answer of the whole suite is held against it (World.send); here: that this
// would notice, and that the document is complete.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { World, root } from './support/world.mjs';

describe('O the OpenAPI document', () => {
  let w;
  let doc;

  before(async () => {
    w = await World.start();
    doc = (await w.get('openapi.json')).is(200).json;
  });
  after(() => w.stop());

  it('O-01 every route of the table is in it, and nothing else', () => {
    const table = readFileSync(join(root, 'controller/core/route.h'), 'utf8');
    const rows = [...table.matchAll(/X\((\w+),\s+"([^"]+)",/g)];
    const wanted = rows.map(([, method, path]) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    const got = Object.entries(doc.paths).flatMap(([path, item]) => Object.keys(item).map((m) => `${m.toUpperCase()} ${path}`));
    assert.deepEqual(got.sort(), wanted.sort());
    assert.equal(doc.openapi, '3.1.0');
  });

  it('O-02 all references lead somewhere, each operation has a name of its own', () => {
    const refs = [...JSON.stringify(doc).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
    assert.deepEqual(refs.filter((name) => !doc.components.schemas[name]), []);
    const names = Object.values(doc.paths).flatMap((item) => Object.values(item).map((op) => op.operationId));
    assert.equal(new Set(names).size, names.length);
    assert.ok(Object.values(doc.paths).every((item) => Object.values(item).every((op) => op.summary)));
  });

  it('O-03 an answer that is not as documented is noticed', async () => {
    const id = await w.app();
    const answer = await w.get(`apps/${id}`, 'ivo');
    const changed = (changes) => Object.assign(Object.create(Object.getPrototypeOf(answer)), answer, changes);
    const refused = (changes, words) => assert.throws(() => w.openapi.check('GET', `/v1/apps/${id}`, changed(changes)), words);
    const { owner, ...rest } = answer.json;
    refused({ json: rest }, /no 'owner'/);
    refused({ json: { ...answer.json, extra: 1 } }, /'extra' is not documented/);
    refused({ json: { ...answer.json, owner: 5 } }, /integer, wanted string/);
    refused({ json: { ...answer.json, structure: { web: 'two' } } }, /string, wanted integer/);
    refused({ status: 299 }, /no answer 299/);
    refused({ type: 'text/html' }, /type text\/html/);
    assert.equal(owner, 'ivo');
  });
});
