// SPDX-License-Identifier: MIT
// Bytes that nobody means well: each is answered with 4xx and a JSON error, nothing is changed, nothing breaks.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

const deep = (open, close, n) => open.repeat(n) + close.repeat(n);
const MIB = 1024 * 1024;

// Bodies that are no JSON object, whatever the route.
const BODIES = {
  'an open brace': '{',
  'a cut value': '{"id":',
  'a trailing comma': '{"id":"x",}',
  'single quotes': "{'id':'x'}",
  'a bare word': 'nul',
  'NaN': '{"id":NaN}',
  'a comment': '{"id":"x"}//',
  'two values': '{} {}',
  'an array': '[]',
  'a string': '"x"',
  'a number': '1',
  'null': 'null',
  'true': 'true',
  'blanks only': ' \n\t ',
  'a NUL byte': '\0',
  'a NUL after the object': '{}\0',
  'control characters in a string': '{"id":"a\u0001b"}',
  'a raw newline in a string': '{"id":"a\nb"}',
  'an escaped NUL': '{"id":"a\\u0000b"}',
  'an escaped NUL in a key': '{"a\\u0000b":"x"}',
  'half a surrogate pair': '{"id":"\\ud800"}',
  'a bad escape': '{"id":"\\x41"}',
  'no UTF-8': Buffer.from('7b226964223a22ff227d', 'hex'),
  'overlong UTF-8': Buffer.from('7b226964223a22c0af227d', 'hex'),
  'a surrogate in UTF-8': Buffer.from('7b226964223a22eda080227d', 'hex'),
  'UTF-16': Buffer.from('{"id":"x"}', 'utf16le'),
  'gzip': gzipSync('{"id":"x"}'),
  'a number out of all bounds': '{"id":1e999}',
  'a number of 10,000 digits': `{"id":${'9'.repeat(10000)}}`,
  'arrays 100,000 deep': deep('[', ']', 100000),
  'objects 20,000 deep': `${'{"a":'.repeat(20000)}1${'}'.repeat(20000)}`,
  'arrays 3,000 deep in a field': `{"id":${deep('[', ']', 3000)}}`,
  '500,000 values': `{"id":[${'0,'.repeat(499999)}0]}`,
  'an open string of 1 MB': `{"id":"${'a'.repeat(MIB)}`,
};

// What a route takes, and its fields that are texts or maps.
const ROUTES = [
  ['POST', 'apps', ['id']],
  ['POST', 'apps/APP', ['owner']],
  ['POST', 'apps/APP/config', ['values', 'memory', 'cpu', 'tags']],
  ['POST', 'apps/APP/builds', ['image', 'sha', 'procfile', 'dockerfile'], { image: 'x' }],
  ['POST', 'apps/APP/releases/rollback', ['version']],
  ['POST', 'apps/APP/scale', ['cmd']],
  ['POST', 'apps/APP/run', ['command']],
  ['POST', 'apps/APP/domains', ['domain']],
  ['POST', 'apps/APP/routing', ['settings']],
  ['POST', 'apps/APP/perms', ['username']],
  ['POST', 'admin/perms', ['username']],
  ['POST', 'keys', ['id', 'public'], { id: 'x', public: 'x' }],
  ['POST', 'certs', ['certificate', 'key', 'common_name'], { certificate: 'x', key: 'x' }],
  ['POST', 'autocerts', ['domain']],
  ['POST', 'auth/register', ['username', 'password', 'email', 'first_name', 'last_name'], { username: 'n', password: 'p', email: '' }],
  ['POST', 'auth/login/', ['username', 'password'], { username: 'n', password: 'p' }],
  ['POST', 'auth/tokens/', ['username']],
  ['POST', 'auth/passwd', ['username', 'password', 'new_password'], { new_password: 'p' }],
  ['DELETE', 'auth/cancel', ['username']],
  ['POST', 'hooks/push', ['receive_user', 'receive_repo', 'sha'], { receive_user: 'ivo', receive_repo: 'APP' }],
  ['POST', 'hooks/config', ['receive_user', 'receive_repo'], { receive_user: 'ivo', receive_repo: 'APP' }],
  ['POST', 'hooks/build', ['receive_user', 'receive_repo', 'image', 'sha', 'procfile'], { receive_user: 'ivo', receive_repo: 'APP', image: 'x' }],
];

// Values that no text field and no map takes.
const TYPES = { 'a list': [], 'a list of texts': ['x'], 'a nested object': { a: { b: [{}] } }, 'a text of 600 KB': 'x'.repeat(600000) };
// null means "absent" there
const NULL_IS_FINE = ['apps/APP/releases/rollback', 'apps/APP'];

const HEAD = 'Host: 127.0.0.1\r\nConnection: close\r\n';
const JSON_HEAD = `${HEAD}Content-Type: application/json\r\n`;

// Whole requests; TOKEN is an admin's.
const REQUESTS = {
  'no request at all': '\r\n\r\n\r\nx\r\n\r\n',
  'a binary greeting': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  'the HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'no version': 'GET /v1/apps\r\n\r\n',
  'version 3.0': `GET /v1/apps HTTP/3.0\r\n${HEAD}\r\n`,
  'a lower-case version': `GET /v1/apps http/1.1\r\n${HEAD}\r\n`,
  'blanks in the request line': `GET  /v1/apps  HTTP/1.1\r\n${HEAD}\r\n`,
  'a method of junk': `G(E)T /v1/apps HTTP/1.1\r\n${HEAD}\r\n`,
  'a method that is long': `${'A'.repeat(5000)} /v1/apps HTTP/1.1\r\n${HEAD}\r\n`,
  'CONNECT': `CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n`,
  'no Host': 'GET /v1/apps HTTP/1.1\r\nConnection: close\r\n\r\n',
  'two Hosts': `GET /v1/apps HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
  'a Host of junk': `GET /v1/apps HTTP/1.1\r\nHost: a b\r\n\r\n`,
  'a target without a slash': `GET v1/apps HTTP/1.1\r\n${HEAD}\r\n`,
  'a target of 64 KB': `GET /v1/apps/${'a'.repeat(65536)} HTTP/1.1\r\n${HEAD}\r\n`,
  'a NUL in the target': `GET /v1/a\0pps HTTP/1.1\r\n${HEAD}\r\n`,
  'bytes over 127 in the target': `GET /v1/apps/\xff\xfe HTTP/1.1\r\n${HEAD}\r\n`,
  'a header without a colon': `GET /v1/apps HTTP/1.1\r\n${HEAD}Junk\r\n\r\n`,
  'a blank before the colon': `GET /v1/apps HTTP/1.1\r\n${HEAD}Content-Length : 0\r\n\r\n`,
  'a folded header': `GET /v1/apps HTTP/1.1\r\n${HEAD}X-A: b\r\n  c\r\n\r\n`,
  'a NUL in a header': `GET /v1/apps HTTP/1.1\r\n${HEAD}X-A: b\0c\r\n\r\n`,
  'a bare CR in a header': `GET /v1/apps HTTP/1.1\r\n${HEAD}X-A: b\rc\r\n\r\n`,
  'a header of 100 KB': `GET /v1/apps HTTP/1.1\r\n${HEAD}X-A: ${'b'.repeat(100000)}\r\n\r\n`,
  '5,000 headers': `GET /v1/apps HTTP/1.1\r\n${HEAD}${'X-A: b\r\n'.repeat(5000)}\r\n`,
  'a negative length': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: -1\r\n\r\n`,
  'a length of junk': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: 1x\r\n\r\n`,
  'a length with a plus': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: +2\r\n\r\n{}`,
  'a length over 64 bits': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: 99999999999999999999999\r\n\r\n`,
  'a length of 1 TB': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: 1099511627776\r\n\r\n`,
  'two lengths': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
  'a length and chunks': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'an unknown transfer coding': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: gzip\r\n\r\n`,
  'chunked twice': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
  'a chunk size of junk': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n`,
  'a chunk size over 64 bits': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
  'a chunk without its end': `POST /v1/apps HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n`,
  'lines that end in LF': `GET /v1/apps HTTP/1.1\nHost: 127.0.0.1\n\n`,
};

// Paths that are no route and no app.
const PATHS = [
  '/v1/apps/%00', '/v1/apps/a%2fb', '/v1/apps/..%2f..%2fetc', '/v1/apps/%ff%fe', '/v1/apps/%zz', '/v1/apps/%', '/v1//apps', '/v1/apps//config',
  '/v1/../v1/apps', '/v1/apps/x/../x', '/v1/apps/UPPER', '/v1/apps/x/config/y/z', `/v1/${'a/'.repeat(2000)}`, '/v1/apps/x/releases/v-1',
  '/v1/apps/x/releases/v99999999999999999999', '/v1/apps/x/containers/web/99999999999999999999', '/v1/apps/x/containers/web/-1', '/v1/usersjunk',
  '/v1/keys/a%00b', '/v1/certs/a%2fb', `/v1/keys/${'k'.repeat(3000)}`, '/v1/apps?page=99999999999999999999999', '/v1/apps?page=0', '/v1/apps?page=x',
  '/v1/apps?page=-1', '/v1/apps?page=%00',
];

describe('N hostile inputs', () => {
  let w;
  let app;
  let untouched;

  // All that is stored, but when a token was used last.
  const state = async () => {
    const { docs } = await w.etcd.list('/deis/');
    for (const key of Object.keys(docs).filter((name) => name.startsWith('/deis/tokens/'))) {
      docs[key] = { ...JSON.parse(docs[key]), last_used: null };
    }
    return docs;
  };
  const isRefusal = (answer, what) => {
    const title = `${what}: ${answer}`;
    assert.ok(answer.status >= 400 && answer.status < 500, `${title}: wanted 4xx`);
    assert.equal(typeof answer.json, 'object', `${title}: wanted a JSON object`);
    assert.ok(Object.keys(answer.json).length > 0, `${title}: wanted a reason`);
    for (const [name, value] of Object.entries(answer.json)) {
      assert.ok([value].flat().every((text) => typeof text === 'string' && text), `${title}: '${name}' is no text`);
    }
  };
  const unchanged = async (what) => {
    assert.deepEqual(await state(), untouched, `${what} changed something`);
    (await w.get('', 'admin')).is(200, {});
  };
  // A hostile answer must not hide in an early end of the connection: that would reject here.
  const send = async (method, path, options, what) => {
    const headers = path.startsWith('hooks/') ? { 'X-Deis-Builder-Auth': w.builderKey, ...options.headers } : options.headers;
    const answer = await w.client.send(method, `/v1/${path.replace('APP', app)}`, { token: w.tokens.admin, ...options, headers });
    isRefusal(answer.checkFrame(), what);
  };

  before(async () => {
    w = await World.start();
    app = await w.built('ivo');
    await w.platform.queue;
    untouched = await state();
  });
  after(() => w.stop());

  it('N-01 bodies that are no JSON object, on each route', async () => {
    for (const [method, path] of ROUTES) {
      for (const [name, text] of Object.entries(BODIES)) {
        await send(method, path, { text }, `${name} to ${path}`);
      }
      await unchanged(`a body to ${path}`);
    }
  });

  it('N-02 fields of a wrong type, on each route', async () => {
    for (const [method, path, fields, rest = {}] of ROUTES) {
      for (const field of fields) {
        for (const [name, value] of [...Object.entries(TYPES), ...(NULL_IS_FINE.includes(path) ? [] : [['null', null]])]) {
          const json = JSON.parse(JSON.stringify({ ...rest, [field]: value }).replace('"APP"', `"${app}"`));
          await send(method, path, { json }, `${name} as ${field} of ${path}`);
        }
      }
      await unchanged(`a field of ${path}`);
    }
  });

  it('N-03 more than is allowed', async () => {
    const many = (n, value) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, value]));
    const cases = [
      ['apps', { text: `{"id":"${'a'.repeat(20 * MIB)}"}` }],
      ['apps/APP/config', { json: { values: many(100000, 'x') } }],
      ['apps/APP/config', { json: { values: { A: 'x'.repeat(MIB) } } }],
      ['apps/APP/config', { json: { values: many(20, 'x'.repeat(60000)) } }],
      ['apps/APP/config', { json: { values: { ['K'.repeat(100000)]: 'x' } } }],
      ['apps/APP/config', { json: { tags: many(10000, 'x') } }],
      ['apps/APP/builds', { json: { image: 'x', procfile: many(5000, 'x') } }],
      ['apps/APP/builds', { json: { image: 'x', dockerfile: 'x'.repeat(2 * MIB) } }],
      ['apps/APP/scale', { json: { cmd: 1e9 } }],
      ['apps/APP/scale', { json: { cmd: '99999999999999999999' } }],
      ['apps/APP/scale', { json: many(10000, 0) }],
      ['apps/APP/releases/rollback', { json: { version: 1e300 } }],
      ['apps/APP/run', { json: { command: 'x'.repeat(MIB) } }],
      ['auth/register', { json: { username: 'n', password: 'x'.repeat(1025), email: '' } }],
      ['auth/login/', { json: { username: 'ivo', password: 'x'.repeat(1025) } }],
      ['auth/passwd', { json: { username: 'ivo', new_password: 'x'.repeat(1025) } }],
      ['apps', { text: '{"id":"x"}', token: 'a'.repeat(10000) }],
    ];
    for (const [path, options] of cases) {
      // A body over 1 MiB may be refused, and the connection closed, while it is still on its way.
      const long = (options.text || JSON.stringify(options.json)).length > MIB;
      await send('POST', path, options, `too much for ${path}`).catch((error) => {
        if (!long || !/EPIPE|ECONNRESET/.test(error.message)) {
          throw error;
        }
      });
      await unchanged(`too much for ${path}`);
    }
  });

  it('N-04 content types and encodings', async () => {
    const text = '{"id":"typed"}';
    const cases = [
      { type: 'text/plain' }, { type: 'application/jsonp' }, { type: 'json' }, { type: 'application/xml' }, { type: '\u00ff' },
      { type: 'multipart/form-data' }, { type: 'multipart/form-data; boundary=' }, { type: 'multipart/form-data; boundary=x', text: '--x\r\n\r\n' },
      { type: 'multipart/form-data; boundary=x', text: '--x\r\nContent-Disposition: form-data; name="id"\r\n\r\nnever ends' },
      { type: 'application/x-www-form-urlencoded', text: 'id=%zz' }, { type: 'application/x-www-form-urlencoded', text: 'id=%ff%fe' },
      { type: 'application/x-www-form-urlencoded', text: 'id=a%00b' },
      { type: 'application/json; charset=utf-16', text: Buffer.from(text, 'utf16le') },
      { type: 'application/json', text: gzipSync(text), headers: { 'Content-Encoding': 'gzip' } },
    ];
    for (const options of cases) {
      await send('POST', 'apps', { text, ...options }, JSON.stringify(options));
    }
    await unchanged('a content type');
  });

  it('N-05 malformed requests', async () => {
    const wrong = [];
    for (const [name, bytes] of Object.entries(REQUESTS)) {
      const answer = await w.client.raw(Buffer.from(bytes.replace(HEAD, `${HEAD}Authorization: token ${w.tokens.admin}\r\n`), 'latin1'));
      const good = /^HTTP\/1\.1 4\d\d [A-Z -]+\r\n/.test(answer) && /\r\ncontent-type: application\/json\r\n/i.test(answer)
        && /\r\ndeis_api_version: 1\.7\r\n/i.test(answer) && /\r\n\r\n\{"detail": ?"[^"]+"\}\n?$/.test(answer);
      if (!good) {
        wrong.push(`${name}: ${JSON.stringify(answer.slice(0, 400))}`);
      }
    }
    assert.deepEqual(wrong, []);
    await unchanged('a malformed request');
  });

  it('N-06 odd paths and queries', async () => {
    for (const path of PATHS) {
      const answer = await w.client.send('GET', path, { token: w.tokens.admin });
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer}`);
    }
    await unchanged('a path');
  });

  it('N-07 many requests in one go, each with its answer', async () => {
    const one = (connection) => `POST /v1/apps HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\nContent-Type: application/json\r\n`
      + `Authorization: token ${w.tokens.admin}\r\nContent-Length: 1\r\n\r\n{`;
    const answer = await w.client.raw(one('keep-alive').repeat(49) + one('close'));
    assert.equal(answer.split('HTTP/1.1 400 BAD REQUEST').length - 1, 50);
    await unchanged('a pipeline');
  });
});
