// SPDX-License-Identifier: MIT
// An etcd of the test's own, and its JSON gateway.
import { request } from 'node:http';
import { join } from 'node:path';
import { Program, freePort, until } from './process.mjs';

const b64 = (text) => Buffer.from(text).toString('base64');
const text = (field) => Buffer.from(field || '', 'base64').toString('utf8');
// The key after all keys that begin with the prefix.
const prefixEnd = (prefix) => prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

export class Etcd {
  static async start(folder) {
    const etcd = new Etcd();
    etcd.port = await freePort();
    const peer = await freePort();
    const client = `http://127.0.0.1:${etcd.port}`;
    etcd.url = client;
    etcd.program = new Program([
      'etcd', '--name', 'test', '--data-dir', join(folder, 'etcd'),
      '--listen-client-urls', client, '--advertise-client-urls', client,
      '--listen-peer-urls', `http://127.0.0.1:${peer}`,
      '--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`,
      '--initial-cluster', `test=http://127.0.0.1:${peer}`,
    ], join(folder, 'etcd.log'));
    await etcd.program.waitPort(etcd.port);
    await until('etcd', () => etcd.get('ready').then(() => true, () => false));
    return etcd;
  }

  open(path, body, onData, onEnd) {
    const req = request({
      host: '127.0.0.1', port: this.port, path, method: 'POST', agent: false,
      headers: { 'Content-Type': 'application/json' },
    }, (res) => {
      res.setEncoding('utf8');
      res.on('data', onData);
      res.on('end', () => onEnd(null, res.statusCode));
      res.on('error', onEnd);
    });
    req.on('error', onEnd);
    req.end(JSON.stringify(body));
    return req;
  }

  call(path, body) {
    return new Promise((resolve, reject) => {
      let got = '';
      this.open(path, body, (chunk) => {
        got += chunk;
      }, (error, status) => {
        if (error || status !== 200) {
          reject(error || new Error(`etcd: ${status} ${got}`));
        } else {
          resolve(JSON.parse(got));
        }
      });
    });
  }

  // The value as text, undefined when there is none.
  async get(key) {
    const { kvs } = await this.call('/v3/kv/range', { key: b64(key) });
    return kvs ? text(kvs[0].value) : undefined;
  }

  // {key: value} of all keys with the prefix, and the revision they were read at.
  async list(prefix) {
    const got = await this.call('/v3/kv/range', { key: b64(prefix), range_end: b64(prefixEnd(prefix)) });
    const docs = {};
    for (const kv of got.kvs || []) {
      docs[text(kv.key)] = text(kv.value);
    }
    return { docs, revision: Number(got.header.revision) };
  }

  // Likewise as rows, with the revision that each was created at.
  async rows(prefix) {
    const { kvs = [] } = await this.call('/v3/kv/range', { key: b64(prefix), range_end: b64(prefixEnd(prefix)) });
    return kvs.map((kv) => ({ key: text(kv.key), value: text(kv.value), created: Number(kv.create_revision) }));
  }

  put(key, value) {
    return this.call('/v3/kv/put', { key: b64(key), value: b64(value) });
  }

  delete(key) {
    return this.call('/v3/kv/deleterange', { key: b64(key) });
  }

  // All at once: puts is {key: value}, deletes a list of keys.
  async change(puts, deletes) {
    const ops = [
      ...Object.entries(puts).map(([key, value]) => ({ request_put: { key: b64(key), value: b64(value) } })),
      ...deletes.map((key) => ({ request_delete_range: { key: b64(key) } })),
    ];
    for (let i = 0; i < ops.length; i += 100) {
      await this.call('/v3/kv/txn', { success: ops.slice(i, i + 100) });
    }
  }

  // Calls onChange(key, value or undefined) for what changes from now on; returns how to end it.
  watch(prefix, onChange) {
    let rest = '';
    const ready = {};
    const started = new Promise((resolve) => {
      ready.resolve = resolve;
    });
    const req = this.open('/v3/watch', { create_request: { key: b64(prefix), range_end: b64(prefixEnd(prefix)) } },
      (chunk) => {
        rest += chunk;
        const lines = rest.split('\n');
        rest = lines.pop();
        for (const line of lines.filter((l) => l)) {
          const { result } = JSON.parse(line);
          if (result.created) {
            ready.resolve();
          }
          for (const event of result.events || []) {
            onChange(text(event.kv.key), event.type === 'DELETE' ? undefined : text(event.kv.value));
          }
        }
      }, () => {});
    return started.then(() => () => req.destroy());
  }

  stop() {
    return this.program.stop('SIGKILL');
  }
}
