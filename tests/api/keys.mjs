// SPDX-License-Identifier: MIT
// Certificates and SSH keys are made for the test by openssl and ssh-keygen.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { World } from './support/world.mjs';

describe('X certificates, K keys', () => {
  let w;
  let made = 0;

  const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const paths = (...ends) => {
    made += 1;
    return ends.map((end) => join(w.folder, `${made}.${end}`));
  };
  const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const read = (certificate, key) => ({ certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') });
  // A self-signed pair for the name.
  const pair = (name) => {
    const [key, cert] = paths('key', 'crt');
    openssl('req', '-x509', ...EC, '-keyout', key, '-out', cert, '-days', '365', '-subj', `/CN=${name}`);
    return read(cert, key);
  };
  // One that ended long ago.
  const expiredPair = (name) => {
    const [key, request, cert, conf, index, serial] = paths('key', 'csr', 'crt', 'conf', 'index', 'serial');
    openssl('req', ...EC, '-keyout', key, '-out', request, '-subj', `/CN=${name}`);
    writeFileSync(conf, `[ca]\ndefault_ca=d\n[d]\ndatabase=${index}\nserial=${serial}\nnew_certs_dir=${w.folder}\n`
      + 'default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n');
    writeFileSync(index, '');
    writeFileSync(serial, '01\n');
    openssl('ca', '-batch', '-selfsign', '-config', conf, '-keyfile', key, '-in', request, '-out', cert, '-notext',
      '-startdate', '20200101000000Z', '-enddate', '20200102000000Z');
    return read(cert, key);
  };
  const sshKey = (type, comment) => {
    const [file] = paths('ssh');
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', comment, '-f', file]);
    const md5 = execFileSync('ssh-keygen', ['-l', '-E', 'md5', '-f', file]).toString().split(' ')[1].replace('MD5:', '');
    return { text: readFileSync(`${file}.pub`, 'utf8'), md5 };
  };
  const addCert = (body, as = 'ivo') => w.post('certs', as, body);
  const addKey = (id, text, as = 'ivo') => w.post('keys', as, { id, public: text });

  before(async () => {
    w = await World.start();
  });
  after(() => w.stop());

  it('X-01 a pair, named by the certificate', async () => {
    const got = (await addCert(pair('autotest.example.com'))).is(201);
    got.keysWithin('id', 'owner', 'expires', 'common_name', 'created', 'updated');
    assert.deepEqual([got.json.common_name, got.json.owner], ['autotest.example.com', 'ivo']);
  });

  it('X-02 no wildcard', async () => {
    (await addCert({ ...pair('x.example.com'), common_name: '*.example.com' }))
      .is(400, { common_name: ['Wildcard certificates are not supported'] });
    (await addCert(pair('*.example.com'))).field('common_name', 'Wildcard certificates are not supported');
  });

  it('X-20 a wildcard, where the platform takes them', async () => {
    const add = (name, common) => addCert({ ...pair(name), ...(common && { common_name: common }) });
    await w.setting('controller/wildcardDomains', 'true', async () => (await add('*.wild.example.com')).status === 201);
    const got = (await add('x.example.com', '*.example.com')).is(201);
    assert.equal(got.json.common_name, '*.example.com');
    for (const name of ['*', '*example.com', 'a.*.com', '**.example.com', '*.*.com']) {
      (await add('x.example.com', name)).field('common_name', 'Enter a valid common name.');
    }
    (await w.delete('certs/*.example.com', 'ivo')).is(204);
    const app = await w.app('eve'); // routers would give it to hers, too
    (await w.post(`apps/${app}/domains`, 'eve', { domain: 'www.hers.example.com' })).is(201);
    (await add('*.hers.example.com')).detail(403, '*.hers.example.com is a domain of an app that you may not use.');
    (await addCert({ ...pair('x.example.com'), common_name: '*.hers.example.com' }, 'eve')).is(201);
    await w.etcd.put('/deis/config/controller/wildcardDomains', 'false');
  });

  it('X-03 another name may be given', async () => {
    assert.equal((await addCert({ ...pair('x.example.com'), common_name: 'foo.example.com' })).is(201).json.common_name, 'foo.example.com');
    (await addCert({ ...pair('x.example.com'), common_name: '' })).field('common_name', 'This field may not be blank.');
  });

  it('X-04 what a certificate looks like', async () => {
    const own = pair('shown.example.com');
    (await addCert(own)).is(201);
    for (const got of [await w.get('certs/shown.example.com', 'ivo'), await w.get('certs', 'ivo')]) {
      got.is(200);
      const row = got.json.results ? got.json.results.find((c) => c.common_name === 'shown.example.com') : got.json;
      assert.match(row.expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dUTC$/);
      assert.deepEqual(Object.keys(row).sort(), ['common_name', 'created', 'expires', 'id', 'owner', 'updated']);
      assert.ok(!got.text.includes('BEGIN'));
    }
    const stored = JSON.stringify((await w.etcd.list('/deis/')).docs);
    assert.ok(!stored.includes(own.key.split('\n')[1]), 'the key is stored in clear');
  });

  it('X-21 a key with a pass phrase is refused, nobody is asked for it', async () => {
    const [cert, locked] = [pair('locked.example.com'), paths('plain', 'key')];
    writeFileSync(locked[0], cert.key);
    for (const form of [['pkcs8', '-topk8'], ['ec', '-aes256']]) {
      openssl(form[0], ...form.slice(1), '-in', locked[0], '-out', locked[1], '-passout', 'pass:secret');
      (await addCert({ ...cert, key: readFileSync(locked[1], 'utf8') })).field('key', 'Could not load key: ');
    }
    assert.doesNotMatch(w.controller.log(), /pass ?phrase/i);
  });

  it('X-22 a certificate or key of more than 64 KB is refused, however it is written', async () => {
    const own = pair('umlaut.example.com');
    const note = 'ü'.repeat(60000); // 60,000 characters, 120,000 bytes: before the PEM, where it is a remark
    for (const field of ['key', 'certificate']) {
      (await addCert({ ...own, [field]: `${note}\n${own[field]}` })).field(field, 'Ensure this field has no more than 65536 bytes.');
    }
    (await addCert({ ...own, key: `${'ü'.repeat(1000)}\n${own.key}` })).is(201);
    (await w.delete('certs/umlaut.example.com', 'ivo')).is(204);
  });

  it('X-05 no put, no patch', async () => {
    (await w.put('certs', 'ivo', {})).is(405);
    (await w.patch('certs', 'ivo', {})).is(405);
  });

  it('X-06 delete by name', async () => {
    (await addCert(pair('gone.example.com'))).is(201);
    assert.equal((await w.delete('certs/gone.example.com', 'ivo')).is(204).text, '');
    (await w.get('certs/gone.example.com', 'ivo')).detail(404, 'Not found');
    (await w.delete('certs/gone.example.com', 'ivo')).is(404);
    const doc = JSON.parse(await w.etcd.get('/deis/certs/autotest.example.com'));
    await w.etcd.put('/deis/certs/*.example.com', JSON.stringify({ ...doc, common_name: '*.example.com' }));
    await w.etcd.put('/deis/index/cert/ivo/*.example.com', '{}');
    (await w.delete('certs/*.example.com', 'ivo')).is(204);
    assert.equal(await w.etcd.get('/deis/certs/*.example.com'), undefined);
  });

  it("X-07 junk is refused, others' certificates are hidden", async () => {
    const good = pair('junk.example.com');
    (await addCert({ ...good, certificate: 'junk' })).field('certificate', 'Could not load certificate: ');
    (await addCert({})).is(400, { certificate: ['This field is required.'], key: ['This field is required.'] });
    (await addCert({ ...good, key: 'junk' })).field('key', '');
    (await addCert({ ...good, key: pair('other.example.com').key })).field('key', '');
    (await addCert(good)).is(201);
    (await addCert(pair('junk.example.com'), 'eve')).is(400, { common_name: ['This field must be unique.'] });
    assert.equal(await w.count('certs', 'admin'), 0);
    (await w.get('certs/junk.example.com', 'admin')).is(404);
    (await w.delete('certs/junk.example.com', 'admin')).is(404);
    (await addCert(expiredPair('expired.example.com'))).is(201, /2020-01-02T00:00:00/);
  });

  const life = async (as) => {
    for (const type of ['rsa', 'ecdsa']) {
      const { text } = sshKey(type, 'mykey@box.local');
      const got = (await addKey('mykey@box.local', text, as)).is(201);
      got.keysWithin('uuid', 'owner', 'fingerprint', 'id', 'public', 'created', 'updated');
      assert.equal(got.json.owner, as);
      assert.equal(await w.count('keys', as), 1);
      const one = (await w.get('keys/mykey@box.local', as)).is(200).json;
      assert.deepEqual([one.id, one.public], ['mykey@box.local', text]);
      assert.equal((await w.delete('keys/mykey@box.local', as)).is(204).text, '');
      assert.equal(await w.count('keys', as), 0);
      (await w.get('keys/mykey@box.local', as)).detail(404, 'Not found');
    }
  };

  it('K-01 the life of a key, RSA and ECDSA', () => life('admin'));

  it('K-02 the same as a plain user', () => life('ivo'));

  it('K-03 broken base64 and other junk', async () => {
    (await addKey('x', 'ssh-rsa foo_bar')).is(400, { public: ['Incorrect padding'] });
    const { text } = sshKey('ed25519', 'x');
    const [type, blob] = text.split(' ');
    for (const bad of ['x', `ssh-rsa ${blob}`, `command="x" ${text}`, `${text}${text}`, `${type} AAAA`, `${type} ${blob.slice(0, -8)}`]) {
      (await addKey('x', bad)).field('public', '');
    }
    (await w.post('keys', 'ivo', {})).is(400, { id: ['This field is required.'], public: ['This field is required.'] });
    (await addKey('a'.repeat(129), text)).field('id', 'Ensure this field has no more than 128 characters.');
    assert.equal(await w.count('keys', 'ivo'), 0);
  });

  it('K-04 a key once, a name often', async () => {
    const { text } = sshKey('rsa', 'a@b');
    (await addKey('one', text)).is(201);
    (await addKey('one', text)).is(400, { public: ['This field must be unique.'] });
    (await addKey('two', text)).is(400, { public: ['This field must be unique.'] });
    (await addKey('one', text, 'eve')).is(400, { public: ['This field must be unique.'] });
    (await addKey('one', text.replace('a@b', 'c@d'))).is(400);
    (await addKey('one', sshKey('rsa', 'a@b').text)).is(201);
    assert.equal(await w.count('keys', 'ivo'), 2);
  });

  it('K-05 the fingerprint', async () => {
    const { text, md5 } = sshKey('ecdsa', 'print');
    const blob = Buffer.from(text.split(' ')[1], 'base64');
    assert.equal(createHash('md5').update(blob).digest('hex').match(/../g).join(':'), md5);
    assert.equal((await addKey('print', text)).is(201).json.fingerprint, md5);
  });

  it('K-06 the same key with another comment, of another user', async () => {
    const { text, md5 } = sshKey('rsa', 'here');
    (await addKey('here', text, 'ivo')).is(201);
    assert.equal((await addKey('there', text.replace('here', 'there'), 'eve')).is(201).json.fingerprint, md5);
    (await w.get('keys/here', 'admin')).is(404);
    (await w.delete('keys/here', 'eve')).is(404);
  });
});
